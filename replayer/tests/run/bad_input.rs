//! Each mistake is reported in one line that says what, where and what would be right.

use std::process::Command;

use trace::format::{Binding, ClockFormat, Encoding, Origin, Part, Request};

use crate::support::trace::request;
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

/// What is made of a line.
type Change<'a> = &'a dyn Fn(&mut Request);

/// Whether the trace is held or read as it is needed, and whatever is left out of it.
#[test]
fn a_line_that_cannot_be_made_into_a_request_is_refused_and_nothing_is_sent() {
    let bound = |part| Binding {
        part,
        start: 0,
        end: 0,
        encode: Encoding::Raw,
        from: Origin::Clock(ClockFormat::UnixMillis),
        ambiguous: false,
    };
    let lines: [(&str, Change<'_>); 4] = [
        ("its id is that of an earlier request", &|line| line.id = "first".into()),
        ("in Header(99), which it does not have", &|line| {
            line.bind = vec![bound(Part::Header(99))];
        }),
        ("in Header(18446744073709551615), which it", &|line| {
            line.bind = vec![bound(Part::Header(usize::MAX))];
        }),
        ("in Body, which it does not have", &|line| line.bind = vec![bound(Part::Body)]),
    ];
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    for (words, change) in lines {
        let mut line = request("second", "s", 5, "GET", "/second");
        change(&mut line);
        let first = request("first", "s", 0, "GET", "/first");
        let trace = TraceBuilder { requests: vec![first, line], ..TraceBuilder::default() };
        let place = Workplace::new(&trace, 0);
        for options in [&[][..], &["--read-only"], &["--clones", "2"], &["--dry-run"]] {
            refused_by(&place, &server.url(), options, 2, &["request ", words]);
        }
        let mut probe = Command::new(env!("CARGO_BIN_EXE_replayer"));
        probe.arg("probe").arg("--trace").arg(place.path("t.trace.jsonl.zst"));
        let output = probe.args(["--target", &server.url()]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    assert_eq!(server.asked().len(), 0);
}

/// Each held against each would be ten thousand million comparisons.
#[test]
fn a_line_of_very_many_headers_and_bindings_is_read_at_once() {
    let mut line = request("r", "s", 0, "GET", "/");
    line.headers = vec![("A".into(), String::new()); 100_000];
    let bound = |index| Binding {
        part: Part::Header(index),
        start: 0,
        end: 0,
        encode: Encoding::Raw,
        from: Origin::Clock(ClockFormat::UnixMillis),
        ambiguous: false,
    };
    line.bind = (0..100_000).map(bound).collect();
    let trace = TraceBuilder { requests: vec![line], ..TraceBuilder::default() };
    let ran = Workplace::new(&trace, 0).run("http://127.0.0.1:9", &["--dry-run"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn a_scenario_with_an_unknown_key_or_unit() {
    let place = place();
    let scenario = place.scenario("[load]\nuserz = 4");
    refused(&place, &["--scenario", &scenario], 2, &["s.toml", "line 6", "userz", "users"]);
    let scenario = place.scenario("[load]\nusers = 4\nduration = \"5 parsecs\"");
    refused(&place, &["--scenario", &scenario], 2, &["s.toml", "line 7", "parsecs"]);
}

/// A scenario file with these lines; the options that name it.
fn scenario(place: &Workplace, lines: &str) -> [String; 2] {
    ["--scenario".to_owned(), place.scenario(&lines.replace("[load]", "[load]\nclones = 1"))]
}

#[test]
fn an_endpoint_or_persona_that_the_plan_has_not() {
    let place = place();
    let cases: [(&str, &[&str], &[&str]); 6] = [
        (
            "expect = [\"GET /on: p95 < 1s\"]\n[load]",
            &[],
            &[
                "s.toml",
                "expect",
                "\"GET /on\"",
                "did you mean GET /one?",
                "visitor",
                "POST /login",
            ],
        ),
        ("expect = [\"visitors: failures < 1%\"]\n[load]", &[], &["did you mean visitor?"]),
        (
            "[statuses]\n\"GET /oen\" = [404]\n[load]",
            &[],
            &["s.toml", "statuses", "did you mean GET /one?", "it has", "POST /login"],
        ),
        // A persona has no statuses of its own.
        ("[statuses]\nvisitor = [404]\n[load]", &[], &["statuses", "no endpoint", "visitor"]),
        (
            "[load]\nstop_on = \"GET /on: p95 > 1s\"",
            &[],
            &["stop_on", "s.toml", "did you mean GET /one?"],
        ),
        (
            "[load]",
            &["--stop-on", "visiter: failures > 5%"],
            &["--stop-on", "\"visiter\"", "did you mean visitor?"],
        ),
    ];
    for (lines, more, words) in cases {
        let options = scenario(&place, lines);
        let mut options: Vec<&str> = options.iter().map(String::as_str).collect();
        options.extend(more);
        refused(&place, &options, 2, words);
        options.push("--dry-run");
        refused(&place, &options, 2, words);
    }
}

#[test]
fn a_load_that_is_to_be_held_where_none_is_planned() {
    let place = place();
    let stop_on = ["--stop-on", "load_held < 50%", "--pacing", "closed"];
    refused(&place, &stop_on, 2, &["--stop-on", "by closed pacing nothing is due"]);
    let options = scenario(&place, "expect = [\"load_held >= 98 %\"]\n[load]\npacing = \"closed\"");
    let options = options.each_ref().map(String::as_str);
    refused(&place, &options, 2, &["s.toml", "expect \"load_held >= 98 %\"", "by closed pacing"]);
    let of_phase = ["--stop-on", "phase ramp: p95 > 5s"];
    refused(&place, &of_phase, 2, &["--stop-on", "so of no phase"]);
    refused(
        &place,
        &["--stop-not-before", "5s"],
        2,
        &["--stop-not-before", "no condition to stop"],
    );
    refused(&place, &["--recovery", "60s"], 2, &["--recovery", "say --stages, too"]);
    let short = ["--stages", "start 1, +1 every 5s, to 3", "--recovery", "5s"];
    refused(&place, &short, 2, &["--recovery", "at least 6s"]);
    let of_ramp = ["--stages", "start 2, +1 every 5s, to 9", "--spawn-rate", "6/m"];
    let of_ramp = [&of_ramp[..], &["--recovery", "60s"]].concat();
    refused(&place, &of_ramp, 2, &["--recovery", "no second of its own"]);
    let since_due = ["--stop-on", "GET /one: since_due p95 > 5s", "--pacing", "closed"];
    refused(&place, &since_due, 2, &["--stop-on", "by closed pacing nothing is due"]);
    let of_one = ["--stop-on", "GET /one: load_held < 50%"];
    let ran = place.run("http://127.0.0.1:9", &of_one);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("is not an expectation such as"), "{}", ran.stderr);
}

#[test]
fn expectations_of_names_that_the_plan_has() {
    let place = place();
    let lines = "expect = [\"GET /one: p95 < 1s\", \"visitor: failures < 1%\"]\n\
        [statuses]\n\"GET /one\" = [200]\n[load]\nstop_on = \"visitor: failures > 5%\"";
    let [option, path] = scenario(&place, lines);
    let ran = place.run("http://127.0.0.1:9", &[&option, &path, "--dry-run"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn what_is_left_out_is_not_unknown_and_cannot_be_judged() {
    let mut trace = TraceBuilder::default().session("s", &[(0, "GET", "/one"), (9, "PUT", "/one")]);
    trace.requests.push(crate::support::trace::request("other", "o", 0, "GET", "/two"));
    trace.requests.last_mut().unwrap().persona = Some("clerk".into());
    let place = Workplace::new(&trace, 1);
    let [option, path] = scenario(&place, "[statuses]\n\"GET /two\" = [404]\n[load]");
    let ran = place.run("http://127.0.0.1:9", &[&option, &path, "--personas=visitor", "--dry-run"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);

    for name in ["clerk", "GET /two"] {
        let [option, path] =
            scenario(&place, &format!("expect = [\"{name}: p95 < 1s\"]\n[load]\n[quick]"));
        let options = [option.as_str(), path.as_str(), "--personas=visitor", "--dry-run"];
        refused(&place, &options, 2, &["s.toml", name, "left out"]);
        let quick = [&options[..], &["--profile=quick"]].concat();
        let ran = place.run("http://127.0.0.1:9", &quick);
        assert_eq!(ran.code, Some(0), "not judged: {}", ran.stderr);
    }
    let [option, path] = scenario(&place, "expect = [\"PUT /one: p95 < 1s\"]\n[load]");
    let ran = place.run("http://127.0.0.1:9", &[&option, &path, "--read-only", "--dry-run"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("\"PUT /one\" is left out"), "{}", ran.stderr);
}

#[test]
fn an_endpoint_past_those_with_figures_of_their_own() {
    let paths: Vec<String> = (0..250).map(|n| format!("/page/{n}")).collect();
    let steps: Vec<(u64, &str, &str)> =
        paths.iter().map(|path| (0, "GET", path.as_str())).collect();
    let place = Workplace::new(&TraceBuilder::default().session("s", &steps), 0);
    let [option, path] = scenario(&place, "expect = [\"GET /page/240: p95 < 1s\"]\n[load]");
    refused(&place, &[&option, &path], 2, &["GET /page/240", "past the first 199", "as other"]);
    let [option, path] = scenario(&place, "expect = [\"other: p95 < 1s\"]\n[load]");
    let ran = place.run("http://127.0.0.1:9", &[&option, &path, "--dry-run"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
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
    refused(&place, &options, 2, &["GET /two=10/s", "did you mean GET /one?", "it has"]);
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
    assert!(ran.stderr.contains("run fewer users"), "{}", ran.stderr);
}

/// In a network of its own, which has a hundred local ports, three of them for others, and leads
/// nowhere.
#[test]
fn more_users_than_ports() {
    let place = place();
    // Of 127.0.0.0/8 every address is this machine's, so that others are taken; of ::1 there is one.
    for (target, more, code) in [
        ("http://[::1]:9", &[][..], 2),
        ("http://127.0.0.1:9", &["--source-ip", "127.0.0.1", "--source-ip", "127.0.0.1"], 2),
        ("http://127.0.0.1:9", &[], 0),
    ] {
        let options =
            ["--users", "250", "--duration", "5s", "--dry-run", "--max-rate", "1000000000"];
        let tool = place.command(target, &[&options[..], more].concat());
        let narrow =
            "echo 40000 40099 > /proc/sys/net/ipv4/ip_local_port_range && exec \"$0\" \"$@\"";
        let mut apart = Command::new("unshare");
        apart.args(["--map-root-user", "--net", "sh", "-c", narrow]);
        let ran = place.ran(apart.arg(tool.get_program()).args(tool.get_args()).output().unwrap());
        assert_eq!(ran.code, Some(code), "{target}: {}", ran.stderr);
        let expected = ["250 connections", "97 fit", "--source-ip"];
        let is_said = expected.iter().all(|word| ran.stderr.contains(word));
        assert_eq!(is_said, code == 2, "{target}: {}", ran.stderr);
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
