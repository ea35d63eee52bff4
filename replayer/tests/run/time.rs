//! When requests leave, against a server that is known to be slow.

use std::time::Duration;

use crate::support::{Answer, Server, TraceBuilder, Workplace};

/// Second 0 lies a little ahead when the workers are up: who sent before it measured the
/// server's time less that.
#[test]
fn no_request_leaves_before_it_is_ready() {
    let took = Duration::from_millis(300);
    for pacing in ["open", "closed"] {
        let server = Server::start(move |_| Answer::Late(took, 200, "{}".into()));
        let trace = TraceBuilder::default().session("s", &[(0, "GET", "/"), (900, "GET", "/")]);
        let place = Workplace::new(&trace, 0);
        let ran = place.run(
            &server.url(),
            &["--no-probe", "--pacing", pacing, "--users", "30", "--duration", "1s"],
        );
        ran.checked();
        for row in ran.reader().stats().unwrap() {
            let row = row.unwrap();
            assert!(row.min_ms >= took.as_millis() as f64, "{pacing}: {row:?}");
        }
    }
}

/// In the second in which it leaves, however long the answer takes.
#[test]
fn a_request_is_counted_as_sent_when_it_leaves() {
    let took = Duration::from_millis(2_500);
    let server = Server::start(move |_| Answer::Late(took, 200, "{}".into()));
    let names: Vec<String> = (0..10).map(|session| format!("s{session}")).collect();
    let trace = names
        .iter()
        .fold(TraceBuilder::default(), |trace, name| trace.session(name, &[(0, "GET", "/")]));
    let place = Workplace::new(&trace, 0);
    let ran = place.run(&server.url(), &["--no-probe"]);
    assert_eq!(ran.checked().totals.planned_sent, 10);
    let sent: Vec<u64> = ran.reader().seconds().unwrap().map(|row| row.unwrap().sent).collect();
    // On a busy machine they may leave in the second after; their answers come later still.
    assert_eq!(sent[..2].iter().sum::<u64>(), 10, "{sent:?}");
}
