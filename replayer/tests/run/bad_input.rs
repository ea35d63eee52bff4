//! Each mistake is reported in one line that says what, where and what would be right.

use std::process::Command;

use crate::support::{Answer, Server, TraceBuilder, Workplace};

fn place() -> Workplace {
    Workplace::new(&TraceBuilder::default().session_with_login("s", &[(0, "GET", "/one")]), 1)
}

/// Runs with these options and expects this code and these words.
fn refused(place: &Workplace, options: &[&str], code: i32, words: &[&str]) {
    refused_by(place, "http://127.0.0.1:9", options, code, words);
}

fn refused_by(place: &Workplace, target: &str, options: &[&str], code: i32, words: &[&str]) {
    let ran = place.run(target, options);
    assert_eq!(ran.code, Some(code), "{}", ran.stderr);
    let lines: Vec<&str> =
        ran.stderr.lines().filter(|line| line.starts_with("replayer: ")).collect();
    assert_eq!(lines.len(), 1, "{}", ran.stderr);
    for word in words {
        assert!(lines[0].contains(word), "{word:?} is not in {}", lines[0]);
    }
}

#[test]
fn a_missing_trace_or_manifest() {
    let place = place();
    std::fs::remove_file(place.path("manifest.json")).unwrap();
    refused(&place, &[], 2, &["manifest.json", "seeder apply"]);
    std::fs::remove_file(place.path("t.trace.jsonl.zst")).unwrap();
}

#[test]
fn a_damaged_or_foreign_trace() {
    let place = place();
    let path = place.path("t.trace.jsonl.zst");
    let whole = zstd::decode_all(std::fs::File::open(&path).unwrap()).unwrap();
    let write = |bytes: &[u8]| std::fs::write(&path, zstd::encode_all(bytes, 1).unwrap()).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();

    write(text.replacen("\"at\":0", "\"at\":-1", 1).as_bytes());
    refused(&place, &[], 2, &["t.trace.jsonl.zst line 2"]);
    write(text.replacen("\"version\":\"1\"", "\"version\":\"9\"", 1).as_bytes());
    refused(&place, &[], 2, &["version", "9", "newer"]);
    let end = text.trim_end().rfind('\n').unwrap();
    write(&whole[..=end]);
    refused(&place, &[], 13, &["without its end line"]);
    write(b"hello\n");
    refused(&place, &[], 2, &["t.trace.jsonl.zst"]);
}

#[test]
fn a_scenario_with_an_unknown_key_or_unit() {
    let place = place();
    let path = place.path("s.toml");
    let scenario = path.to_str().unwrap();
    let head = "number = 1\nname = \"n\"\ntitle = \"t\"\nobjective = \"o\"\n[load]\n";
    std::fs::write(&path, format!("{head}userz = 4\n")).unwrap();
    refused(&place, &["--scenario", scenario], 2, &["s.toml", "line 6", "userz", "users"]);
    std::fs::write(&path, format!("{head}users = 4\nduration = \"5 parsecs\"\n")).unwrap();
    refused(&place, &["--scenario", scenario], 2, &["s.toml", "line 7", "parsecs"]);
}

#[test]
fn a_target_that_is_not_this_machine() {
    let place = place();
    // A documentation address (RFC 5737); refused before any socket is opened.
    let target = "http://192.0.2.1:80";
    refused_by(&place, target, &[], 3, &["192.0.2.1", "--allow-host 192.0.2.1"]);
    refused_by(&place, "http://10.0.0.1", &[], 3, &["10.0.0.1"]);
}

#[test]
fn a_persona_without_an_account() {
    let trace = TraceBuilder::default().session_with_login("s", &[(0, "GET", "/one")]);
    refused(&Workplace::new(&trace, 0), &[], 2, &["visitor", "no account"]);
}

#[test]
fn a_login_that_is_refused() {
    let place = place();
    let server = Server::start(|_| Answer::Json(401, r#"{"detail":"wrong password"}"#.into()));
    let words = ["visitor", "visitor1", "POST /login", "401", "wrong password"];
    let ran = place.run(&server.url(), &[]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let last = ran.stderr.lines().last().unwrap();
    for word in words {
        assert!(last.contains(word), "{word:?} is not in {last}");
    }
    assert!(!ran.stderr.contains(crate::support::PASSWORD));
}

#[test]
fn a_rate_that_cannot_be_met_and_one_that_nothing_makes() {
    let place = place();
    let options = ["--rate", "GET /two=10/s", "--duration", "5s"];
    refused(&place, &options, 2, &["GET /two=10/s", "GET /one"]);
    let options = ["--rate", "0.001/s", "--duration", "5s"];
    refused(&place, &options, 2, &["% off", "--rate-tolerance"]);
}

#[test]
fn more_users_than_descriptors() {
    let place = place();
    let options = ["--users", "1000000", "--duration", "5s"];
    let ran =
        place.run("http://127.0.0.1:9", &[&options[..], &["--max-rate", "1000000000"]].concat());
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("fit: run fewer users"), "{}", ran.stderr);
}

/// In a network of its own, which has a hundred local ports and leads nowhere.
#[test]
fn more_users_than_ports() {
    let place = place();
    let tool = place.command("http://127.0.0.1:9", &["--users", "150", "--duration", "5s"]);
    let narrow = "echo 40000 40099 > /proc/sys/net/ipv4/ip_local_port_range && exec \"$0\" \"$@\"";
    let mut apart = Command::new("unshare");
    apart.args(["--map-root-user", "--net", "sh", "-c", narrow]);
    let ran = place.ran(apart.arg(tool.get_program()).args(tool.get_args()).output().unwrap());
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    for word in ["150 connections", "100", "--source-ip"] {
        assert!(ran.stderr.contains(word), "{word:?} is not in {}", ran.stderr);
    }
}

#[test]
fn a_plan_over_the_rate_bound() {
    let options = ["--users", "1000", "--duration", "5s", "--max-rate", "10/s"];
    refused(&place(), &options, 3, &["over the bound of 10/s", "--max-rate"]);
}

#[test]
fn a_folder_that_is_not_empty() {
    let place = place();
    let out = place.path("out");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("run.json"), "{}").unwrap();
    refused(&place, &[], 2, &["not empty", "--force"]);
    std::fs::write(out.join("thesis.tex"), "years of work").unwrap();
    refused(&place, &["--force"], 2, &["holds no run"]);
    assert!(out.join("thesis.tex").exists());
}
