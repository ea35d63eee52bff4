//! What happens when this machine runs out, in a process that has little.

use std::process::Command;

use http1::{Connection, LocalResource, SendError};

use super::peer::{Peer, late};

#[test]
fn running_out_of_descriptors_is_told_as_this_machines_limit() {
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 32 && exec \"$0\" --exact \"$1\" --ignored --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .arg("local_limits::with_few_descriptors")
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && stdout.contains("1 passed"), "{output:?}");
}

#[tokio::test]
#[ignore = "needs a process of its own: run by the test above"]
async fn with_few_descriptors() {
    let (_peer, destination) = Peer::listen().await;
    let mut open = Vec::new();
    let error = loop {
        match Connection::open(&destination, late()).await {
            Ok(connection) => open.push(connection),
            Err(error) => break error,
        }
        assert!(open.len() < 32, "no limit met");
    };
    assert!(
        matches!(error, SendError::LocalLimit { resource: LocalResource::Descriptors, .. }),
        "{error:?}"
    );
}
