//! What a user may get wrong: one line that says what would be right, and the exit code.

use std::fs;
use std::net::TcpListener;

use tempfile::TempDir;

use super::peer::{OK, Upstream};
use crate::world::{recorder, run, text};

/// What, the upstream, the trace, more options, the exit code, and what is told.
type Case<'a> = (&'a str, &'a str, &'a str, &'a [&'a str], i32, &'a str);

#[test]
fn mistakes_are_told_in_one_line_with_the_exit_code_that_stands_for_them() {
    let upstream = Upstream::answering(OK);
    let url = upstream.url();
    let plain = url.replace("http:", "https:");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = format!("http://{closed}");
    let folder = TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (there, out, empty) = (file("there.jsonl"), file("t.jsonl"), file("empty.pem"));
    fs::write(&there, "").unwrap();
    fs::write(&empty, "").unwrap();
    let unfinished = file("u.jsonl");
    fs::write(file("u.jsonl.part"), "").unwrap();
    let below = file("none/t.jsonl");
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy_address = busy.local_addr().unwrap().to_string();

    let cases: [Case<'_>; 14] = [
        ("upstream down", &closed, &out, &[], 4, "cannot reach http://127.0.0.1:"),
        ("no TLS there", &plain, &out, &["--insecure"], 4, "TLS failed"),
        ("not loopback", "http://192.0.2.1", &out, &[], 3, "--allow-host 192.0.2.1"),
        ("a path", "http://127.0.0.1/api", &out, &[], 2, "a path does not belong there"),
        ("credentials", "http://u:p@127.0.0.1", &out, &[], 2, "credentials do not belong"),
        ("port taken", &url, &out, &["--listen", &busy_address], 4, "cannot listen on 127.0.0.1:"),
        ("no folder", &url, &below, &[], 1, "cannot write"),
        ("there already", &url, &there, &[], 2, "--force replaces it"),
        ("unfinished", &url, &unfinished, &[], 2, "recorder finish"),
        ("no key", &url, &out, &["--tls-cert", &empty], 2, "--tls-key"),
        (
            "empty PEM",
            &url,
            &out,
            &["--tls-cert", &empty, "--tls-key", &empty],
            2,
            "has no certificate in PEM format",
        ),
        (
            "no roots",
            &plain,
            &out,
            &["--upstream-ca", &empty],
            2,
            "has no certificate in PEM format",
        ),
        (
            "too many",
            &url,
            &out,
            &["--max-connections", "4000000000"],
            2,
            "lower --max-connections",
        ),
        ("body", &url, &out, &["--max-body", "1000000000"], 2, "--max-body"),
    ];
    for (what, url, out, more, code, told) in cases {
        let mut command = recorder(&["proxy", "--upstream", url, "--out", out]);
        command.args(more);
        let output = run(command);
        let stderr = text(&output.stderr);
        assert!(stderr.contains(told), "{what}: {stderr}");
        assert_eq!(output.status.code(), Some(code), "{what}: {stderr}");
        let by_clap = stderr.starts_with("error:");
        assert!(by_clap || stderr.lines().count() == 1, "{what}: {stderr}");
    }
    assert!(
        !folder.path().join("t.jsonl").exists() && !folder.path().join("t.jsonl.part").exists()
    );

    let mut forced = recorder(&["proxy", "--force", "--duration", "10ms"]);
    forced.args(["--upstream", &url, "--out", &unfinished]);
    assert_eq!(run(forced).status.code(), Some(0));
    assert!(fs::metadata(&unfinished).unwrap().len() > 0);
}
