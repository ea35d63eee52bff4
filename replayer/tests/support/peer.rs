//! Servers of others, as Debian has them.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A port of 127.0.0.1 that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A port of this machine alone.
pub(crate) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A server of its own process, until it is dropped.
pub(crate) struct Peer(Child);

impl Peer {
    /// Started, and listening there; what it complains of is in `log`. None where this machine
    /// has no such program.
    pub(crate) fn start(mut command: Command, at: SocketAddr, log: &Path) -> Option<Self> {
        let complaints = std::fs::File::create(log).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(complaints);
        let mut peer = Self(command.spawn().ok()?);
        while TcpStream::connect(at).is_err() {
            let has_ended = peer.0.try_wait().unwrap().is_some();
            assert!(!has_ended, "it ended at once: {}", std::fs::read_to_string(log).unwrap());
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(peer)
    }

    /// By SIGKILL.
    pub(crate) fn kill(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.kill();
    }
}
