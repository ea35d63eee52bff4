//! What a user may get wrong: one line that says what would be right, and the exit code.

use std::fs;
use std::net::TcpListener;

use crate::world::{Folder, PERSONAS, Server, good, read, recorder, run, text};

struct Case<'a> {
    what: &'a str,
    /// (from, to) in the personas file.
    personas: (&'a str, &'a str),
    url: &'a str,
    more: &'a [&'a str],
    code: i32,
    told: &'a str,
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_told_in_one_line_with_the_exit_code_that_stands_for_them() {
    let server = Server::start().await;
    // Bound and never listened on again: nothing answers there.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nowhere = format!("http://{closed}");
    let same = ("", "");
    let file = |what, from, to, told| Case {
        what,
        personas: (from, to),
        url: &server.url,
        more: &[],
        code: 2,
        told,
    };
    let cases = [
        file(
            "unknown key",
            "weight = 2",
            "wieght = 2",
            "personas.toml line 14: unknown field `wieght`",
        ),
        file(
            "weight of zero",
            "weight = 2",
            "weight = 0",
            "personas.toml line 14: invalid value: integer `0`",
        ),
        file(
            "wait upside down",
            "[\"5ms\", \"20ms\"]",
            "[\"5s\", \"2s\"]",
            "personas.toml line 15: the least wait, 5s, is above the most, 2s",
        ),
        file(
            "wait without unit",
            "[\"5ms\", \"20ms\"]",
            "[\"5\", \"2s\"]",
            "is not a time such as 500ms or 2s",
        ),
        file(
            "expression that does not compile",
            "integer(1, 1000)",
            "integer(1, ",
            "personas.toml line 22: {{ integer(1, }}",
        ),
        file(
            "unknown function",
            "integer(1, 1000)",
            "intgr(1, 2)",
            "personas.toml line 22: {{ intgr(1, 2) }}",
        ),
        file(
            "variable that nothing captures",
            "capture = { item = \"/items/1/id\" }",
            "capture = {}",
            "line 22: session.item is captured by no earlier step",
        ),
        file(
            "pointer",
            "\"/0/id\"",
            "\"0.id\"",
            "line 29: \"0.id\" is not a JSON pointer such as /0/id",
        ),
        file(
            "request",
            "\"GET /empty\"",
            "\"/empty\"",
            "line 29: \"/empty\" is not a request such as \"GET /alerts\"",
        ),
        file(
            "literal password",
            "{{ account.password }}",
            "hunter2",
            "\"password\" holds a secret in plain text",
        ),
        file(
            "literal token",
            "Bearer {{ session.access_token }}",
            "Bearer abc",
            "line 5: header Authorization holds a secret in plain text",
        ),
        file(
            "field that no account has",
            "{{ account.email }}\",",
            "{{ account.phone }}\",",
            "account taker1 of the manifest has no field \"phone\", which persona Taker uses",
        ),
        file(
            "persona without accounts",
            "\"Looker\"",
            "\"Nobody\"",
            "the manifest has no account of persona \"Nobody\"",
        ),
        file("two of a name", "\"Looker\"", "\"Taker\"", "two personas are named \"Taker\""),
        Case {
            what: "target down",
            personas: same,
            url: &nowhere,
            more: &[],
            code: 4,
            told: "cannot reach http://127.0.0.1:",
        },
        Case {
            what: "not loopback",
            personas: same,
            url: "http://192.0.2.1",
            more: &[],
            code: 3,
            told: "--allow-host 192.0.2.1",
        },
        Case {
            what: "credentials",
            personas: same,
            url: "http://u:p@127.0.0.1",
            more: &[],
            code: 2,
            told: "credentials do not belong there",
        },
        Case {
            what: "path",
            personas: same,
            url: "http://127.0.0.1/api",
            more: &[],
            code: 2,
            told: "a path does not belong there",
        },
        Case {
            what: "not a URL",
            personas: same,
            url: "localhost:80",
            more: &[],
            code: 2,
            told: "not an http or https URL",
        },
        Case {
            what: "spawn rate",
            personas: same,
            url: &server.url,
            more: &["--spawn-rate", "0"],
            code: 2,
            told: "such as 10/s",
        },
        Case {
            what: "no requests",
            personas: same,
            url: &server.url,
            more: &["--max-requests", "0"],
            code: 2,
            told: "number would be zero",
        },
        Case {
            what: "output folder missing",
            personas: same,
            url: &server.url,
            more: &["--out", "/nowhere/t.jsonl"],
            code: 1,
            told: "cannot write /nowhere/t.jsonl.part",
        },
        Case {
            what: "output below a file",
            personas: same,
            url: &server.url,
            more: &["--out", "/dev/null/x"],
            code: 1,
            told: "cannot write /dev/null/x.part",
        },
        Case {
            what: "output there already",
            personas: same,
            url: &server.url,
            more: &["--out", "/etc/passwd"],
            code: 2,
            told: "/etc/passwd is there already; --force replaces it",
        },
        Case {
            what: "output to a device",
            personas: same,
            url: &server.url,
            more: &["--out", "/dev/null", "--force"],
            code: 3,
            told: "/dev/null is a device, which is not replaced",
        },
        Case {
            what: "no personas file",
            personas: same,
            url: &server.url,
            more: &["--personas", "/nowhere/p.toml"],
            code: 2,
            told: "cannot read personas file /nowhere/p.toml",
        },
        Case {
            what: "no manifest",
            personas: same,
            url: &server.url,
            more: &["--manifest", "/nowhere/m.json"],
            code: 2,
            told: "cannot read manifest /nowhere/m.json",
        },
    ];
    for case in cases {
        let folder = Folder::new(&PERSONAS.replacen(case.personas.0, case.personas.1, 1));
        let output = run(folder.personas(case.url, case.more));
        let stderr = text(&output.stderr);
        assert!(stderr.contains(case.told), "{}: {stderr}", case.what);
        assert_eq!(output.status.code(), Some(case.code), "{}: {stderr}", case.what);
        let by_clap = stderr.starts_with("error:");
        assert!(by_clap || stderr.lines().count() == 1, "{}: {stderr}", case.what);
        assert!(!folder.trace().exists() && !folder.journal().exists(), "{}", case.what);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_a_recording_of_personas() {
    let server = Server::start().await;
    let folder = Folder::new(PERSONAS);
    let whole = folder.personas(&server.url, &[]);
    let mut limited = std::process::Command::new("sh");
    // A limit on the size of files stands for the disk: writes fail just so.
    limited.args(["-c", "trap '' XFSZ; ulimit -f 200; exec \"$@\"", "sh"]);
    limited.arg(whole.get_program()).args(whole.get_args());
    limited.stdin(std::process::Stdio::null());
    let output = limited.output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let last = stderr.lines().last().unwrap();
    let journal = folder.journal();
    assert!(last.contains(&format!("cannot write {}", journal.display())), "{last}");
    assert!(!folder.trace().exists());
    let mut finish = recorder(&["finish"]);
    finish.arg(&journal);
    good(&run(finish));
    assert!(!read(&folder.trace()).is_empty(), "what was written is not lost");
}

#[test]
fn files_that_are_no_traces_are_told_with_their_line() {
    let folder = Folder::new(PERSONAS);
    let whole = r#"{"format":"timed-request-log","version":"1","tool":"t","started":"2026-01-01T00:00:00Z","sources":[],"personas":[],"redaction":[]}"#;
    for (command, name, content, code, told) in [
        ("inspect", "none.jsonl", None, 2, "cannot read"),
        ("check", "text.jsonl", Some("hello\n".to_owned()), 2, "line 1: not the header of a trace"),
        (
            "inspect",
            "new.jsonl",
            Some(whole.replace(r#""version":"1""#, r#""version":"9""#) + "\n"),
            2,
            "use the newer tool",
        ),
        ("check", "cut.jsonl", Some(format!("{whole}\n")), 13, "after line 1 without its end line"),
        ("check", "a.jsonl.part", Some(format!("{whole}\n")), 13, "recorder finish"),
        (
            "inspect",
            "damaged.jsonl",
            Some(format!("{whole}\n{{]\n")),
            2,
            "line 2: key must be a string",
        ),
        (
            "finish",
            "broken.jsonl.part",
            Some(format!("{whole}\n{{]\n")),
            2,
            "line 2: key must be a string",
        ),
        ("finish", "other.json", Some(format!("{whole}\n")), 2, "whose name ends in .part"),
        ("finish", "none.part", None, 2, "cannot read"),
    ] {
        let path = folder.path(name);
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        let mut tool = recorder(&[command]);
        tool.arg(&path);
        let output = run(tool);
        let stderr = text(&output.stderr);
        assert!(
            stderr.contains(told) && stderr.contains(&*path.to_string_lossy()),
            "{name}: {stderr}"
        );
        assert_eq!(output.status.code(), Some(code), "{name}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{name}: {stderr}");
    }
}
