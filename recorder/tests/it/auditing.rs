//! `recorder audit`: what was taken for secret, and what was left that looks like one.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::{good, recorder, run, text};

const DRAWN: &str = "q7Zk2PbX9vTn4LmR8sWd0";
const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";

fn line(id: &str, more: &Value) -> String {
    let mut line = json!({
        "id": id, "at": 0, "session": "s", "name": "POST /in", "http": "1.1", "method": "POST",
        "path": "/in?page=1", "headers": [["Accept", "*/*"]],
        "result": {"error": {"kind": "reset", "after_us": 5}},
    });
    for (key, value) in more.as_object().unwrap() {
        line[key] = value.clone();
    }
    format!("{line}\n")
}

/// A journal, cut off as a killed recording leaves it.
fn journal(lines: &[String]) -> String {
    format!("{{\"format\":\"timed-request-log\",\"version\":\"1\"}}\n{}{{\"id\":", lines.concat())
}

fn clean() -> Vec<String> {
    let slot = json!({"in": {"header": 0}, "start": 7, "end": 7, "from": {"slot": "api key"}});
    let password = json!({"in": "body", "start": 13, "end": 13, "from": {"account": "password"}});
    let email = json!({"in": "path", "start": 4, "end": 8, "from": {"account": "email"}});
    let token = json!({"in": "path", "start": 4, "end": 4, "from": {"capture": {"of": "a", "name": "token"}}});
    let answer = json!({"answer": {"status": 200, "header_us": 1, "total_us": 2, "size": 3,
        "body": "{\"token\":\"[redacted]\",\"id\":\"8c1d2f00-0000-4000-8000-0123456789ab\"}"}});
    vec![
        line("a", &json!({"headers": [["Authorization", "Bearer "]], "bind": [slot]})),
        line("b", &json!({"body": {"text": "{\"password\":\"\"}"}, "bind": [password]})),
        line("c", &json!({"bind": [email], "result": answer})),
        line("d", &json!({"bind": [token]})),
    ]
}

#[test]
fn what_was_taken_for_secret_is_listed_by_its_endpoint() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("t.trace.jsonl.part");
    fs::write(&file, journal(&clean())).unwrap();
    let name = file.to_str().unwrap();
    let output = run(recorder(&["audit", name, "--strict"]));
    good(&output);
    let told = text(&output.stdout);
    for what in ["slot api key", "account's password", "[redacted]", "capture token"] {
        assert!(told.contains(&format!("taken for secret: {what} of POST /in, 1×")), "{told}");
    }
    assert!(!told.contains("left") && !told.contains("email"), "{told}");
}

#[test]
fn what_was_left_is_told_by_its_place_and_never_shown() {
    let folder = TempDir::new().unwrap();
    let (trace, log) = (folder.path().join("t.jsonl.zst"), folder.path().join("errors.jsonl"));
    let mut lines = clean();
    lines.push(line("e", &json!({"path": format!("/in?ref={DRAWN}")})));
    lines.push(line("f", &json!({"headers": [["X-Api-Key", "k9x2m4q7"], ["Accept", "*/*"]]})));
    lines.push(line("g", &json!({"body": {"text": format!("{{\"note\":\"{JWT}\"}}")}})));
    let whole = zstd::encode_all(journal(&lines).as_bytes(), 1).unwrap();
    fs::write(&trace, whole).unwrap();
    fs::write(&log, format!("{{\"body\":\"all is well\"}}\n{{\"body\":\"no {JWT} here\"}}\n"))
        .unwrap();
    let names = [trace.to_str().unwrap(), log.to_str().unwrap()];
    let output = run(recorder(&["audit", names[0], names[1]]));
    good(&output);
    let told = text(&output.stdout);
    for left in [
        "left: line 6: path of request e: 21 characters look drawn at random",
        "left: line 7: header X-Api-Key of request f: 8 characters are secret by the rules in",
        "left: line 8: body of request g: 49 characters are secret by the rules in force today",
        "left: line 2: line: 49 characters are secret by the rules in force today",
    ] {
        assert!(told.contains(left), "{left}: {told}");
    }
    let output = run(recorder(&["audit", names[0], names[1], "--json", "--strict"]));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "recorder: values that look like secrets: 4\n");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json[0]["left_count"], &json[1]["left_count"]), (&3.into(), &1.into()));
    assert_eq!(json[0]["left"][0]["why"], "drawn");
    assert_eq!(json[0]["taken"]["slot api key"]["POST /in"], 1);
    for said in [told, text(&output.stdout)] {
        assert!(!said.contains(DRAWN) && !said.contains("eyJ") && !said.contains("k9x2"), "{said}");
    }
}

#[test]
fn rules_say_what_is_secret_besides_and_a_missing_file_is_told() {
    let folder = TempDir::new().unwrap();
    let (file, rules) = (folder.path().join("t.jsonl"), folder.path().join("rules.toml"));
    fs::write(&file, journal(&[line("a", &json!({"headers": [["X-Internal", "17"]]}))])).unwrap();
    fs::write(&rules, "secret = [\"x-internal\"]\n").unwrap();
    let (file, rules) = (file.to_str().unwrap(), rules.to_str().unwrap());
    good(&run(recorder(&["audit", file, "--strict"])));
    let output = run(recorder(&["audit", file, "--strict", "--rules", rules]));
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    let output = run(recorder(&["audit", "none.jsonl"]));
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("recorder: cannot read none.jsonl: "));
}
