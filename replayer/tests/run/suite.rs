//! Scenarios one after the other, with data put back before each, cut off and gone on with.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Answer, Ran, Server, TraceBuilder, Workplace};

/// A workplace with scenarios in `scenarios`, and a program `put-back` that notes in `put-back.log`
/// that it was run.
struct Suite {
    place: Workplace,
}

impl Suite {
    /// Of scenarios by their files' names and what they say.
    fn of(scenarios: &[(&str, &str)]) -> Self {
        let trace = TraceBuilder::default().session("s", &[(0, "GET", "/a"), (100, "GET", "/b")]);
        let place = Workplace::new(&trace, 0);
        fs::create_dir(place.path("scenarios")).unwrap();
        for (number, (name, text)) in (1..).zip(scenarios) {
            let head = format!(
                "number = {number}\nname = \"{name}\"\ntitle = \"T\"\nobjective = \"O\"\n\
                 trace = \"../t.trace.jsonl.zst\"\n"
            );
            fs::write(place.path(&format!("scenarios/{name}.toml")), head + text).unwrap();
        }
        let suite = Self { place };
        suite.put_back_by("");
        suite
    }

    /// What `put-back` does beside noting that it ran.
    fn put_back_by(&self, then: &str) {
        let path = self.place.path("put-back");
        let log = self.place.path("put-back.log");
        let script = format!("#!/bin/sh\necho \"$1\" >>{}\n{then}\n", log.display());
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// How often data were put back.
    fn put_back(&self) -> usize {
        let log = fs::read_to_string(self.place.path("put-back.log")).unwrap_or_default();
        log.lines().filter(|line| *line == "all of it").count()
    }

    fn command(&self, server: &Server, options: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_replayer"));
        let put_back = format!("'{}' 'all of it'", self.place.path("put-back").display());
        command
            .arg("suite")
            .arg(self.place.path("scenarios"))
            .args(["--target", &server.url(), "--quiet", "--calm-within", "1ms"])
            .args(["--before", &put_back, "--runs"])
            .arg(self.place.path("runs"))
            .args(options);
        command
    }

    fn run(&self, server: &Server, options: &[&str]) -> Ran {
        self.place.ran(self.command(server, options).output().unwrap())
    }

    fn journal(&self) -> Value {
        let text = fs::read_to_string(self.place.path("runs/suite.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// State and exit code of each scenario. On a busy machine a run is INVALID (12) whatever it
    /// came to otherwise.
    fn ends(&self) -> Vec<(String, u64)> {
        let journal = self.journal();
        let end = |entry: &Value| {
            let exit = match entry["exit"].as_u64() {
                Some(12) => 0,
                exit => exit.unwrap_or(99),
            };
            (entry["state"].as_str().unwrap().to_owned(), exit)
        };
        journal["scenarios"].as_array().unwrap().iter().map(end).collect()
    }
}

fn end(state: &str, exit: u64) -> (String, u64) {
    (state.to_owned(), exit)
}

fn server() -> Server {
    Server::start(|_| Answer::Json(200, "{}".into()))
}

fn asked(server: &Server, path: &str) -> usize {
    server.asked().iter().filter(|asked| asked.path == path).count()
}

const ONCE: &str = "[load]\nclones = 1\n";
const FOR_EVER: &str = "[load]\npacing = \"closed\"\nusers = 1\nduration = \"10m\"\n";

#[test]
fn scenarios_run_in_order_whatever_becomes_of_one() {
    let fails = format!("expect = [\"max <= 0ms\"]\n{ONCE}");
    let keeps = format!("put_back = false\n{ONCE}");
    let suite = Suite::of(&[("one", ONCE), ("two", &fails), ("three", &keeps)]);
    let server = server();
    let ran = suite.run(&server, &["--no-probe"]);
    assert!(matches!(ran.code, Some(10 | 12)), "{:?}: {}", ran.code, ran.stderr);
    assert_eq!(asked(&server, "/a"), 3);
    assert_eq!(suite.put_back(), 2);
    let names: Vec<usize> =
        ["== one: T (1 of 3)", "== two: T (2 of 3)", "== three: T (3 of 3)", "before: "]
            .iter()
            .map(|text| ran.stderr.find(text).unwrap_or_else(|| panic!("{text}: {}", ran.stderr)))
            .collect();
    assert!(names[0] < names[1] && names[1] < names[2], "{}", ran.stderr);
    let ends = suite.ends();
    assert_eq!((&ends[0], &ends[2]), (&end("done", 0), &end("done", 0)));
    assert!(ends[1] == end("done", 10) || ends[1] == end("done", 0), "{ends:?}");
    let table = ran.stdout.split_once("\nscenario ").unwrap().1;
    for name in ["one ", "two ", "three "] {
        assert!(table.lines().any(|line| line.starts_with(name)), "{table}");
        assert!(suite.place.path("runs").join(name.trim()).join("run.json").is_file());
    }
    assert!(suite.journal()["ended"].is_string());

    let again = suite.run(&server, &["--no-probe"]);
    assert_eq!(again.code, Some(2));
    assert!(again.stderr.contains("came to its end; --force replaces it"), "{}", again.stderr);
    assert_eq!(asked(&server, "/a"), 3);
    suite.run(&server, &["--no-probe", "--force"]);
    assert_eq!(asked(&server, "/a"), 6);
}

#[test]
fn what_cannot_be_run_is_found_before_anything_is_put_back() {
    for (text, expected) in [
        ("expect = [\"GET /c: p95 < 1s\"]\n[load]\nclones = 1\n", "GET /c"),
        (
            "[load]\npacing = \"closed\"\nusers = 1500000\nduration = \"1s\"\n",
            "fit into its descriptors",
        ),
        ("[load]\nrate = \"100000/s\"\nduration = \"5s\"\n", "--max-rate"),
        (
            "[[check]]\nname = \"c\"\nendpoint = \"GET /c\"\ntext = \"x\"\n[load]\nclones = 1\n",
            "GET /c",
        ),
        ("[load]\nusers = 10\n", "duration is missing"),
        ("[load]\nuserz = 10\n", "userz"),
    ] {
        let suite = Suite::of(&[("one", ONCE), ("two", text)]);
        let server = server();
        let ran = suite.run(&server, &[]);
        assert!(matches!(ran.code, Some(2 | 3)), "{text}: {:?} {}", ran.code, ran.stderr);
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert_eq!((suite.put_back(), server.asked().len()), (0, 0), "{text}");
    }
}

#[test]
fn data_that_cannot_be_put_back_keep_a_scenario_from_being_run() {
    let suite = Suite::of(&[("one", ONCE), ("two", ONCE)]);
    suite.put_back_by("echo no database >&2; exit 3");
    let server = server();
    let ran = suite.run(&server, &["--no-probe"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("exit status: 3") && ran.stderr.contains("no database"));
    assert_eq!(server.asked().len(), 0);
    assert_eq!(suite.ends(), [end("done", 4), end("done", 4)]);
    assert_eq!(suite.put_back(), 2);
}

/// Waits until this holds, of a suite that goes on.
fn until(child: &mut Child, mut holds: impl FnMut() -> bool) {
    while !holds() {
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn begun(suite: &Suite, server: &Server) -> Child {
    let mut command = suite.command(server, &["--no-probe"]);
    command.stdout(Stdio::null()).spawn().unwrap()
}

fn replaced(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn a_suite_that_was_killed_goes_on_at_the_scenario_that_was_cut_off() {
    for (signal, code) in [(Signal::KILL, None), (Signal::TERM, Some(143))] {
        let suite = Suite::of(&[("one", ONCE), ("two", FOR_EVER), ("three", ONCE)]);
        let server = server();
        let mut child = begun(&suite, &server);
        until(&mut child, || asked(&server, "/a") >= 2);
        let asked_before = Instant::now();
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), code);
        assert!(asked_before.elapsed() < Duration::from_secs(60));
        assert_eq!(suite.ends(), [end("done", 0), end("begun", 99), end("waiting", 99)]);
        let of_one = fs::read(suite.place.path("runs/one/run.json")).unwrap();

        // Of another seed it is another suite, which does not go on with this one.
        let other = suite.run(&server, &["--no-probe", "--seed", "2"]);
        assert_eq!(other.code, Some(2));
        assert!(other.stderr.contains("another one: the seed differs"), "{}", other.stderr);

        // The same scenario must come to its end this time, and is the same to the journal.
        let put_back = suite.put_back();
        let scenario = suite.place.path("scenarios/two.toml");
        let digest = suite.journal()["of"]["scenarios"]["two"].as_str().unwrap().to_owned();
        replaced(&scenario, "10m", "1s");
        let now = common::digest::of(&fs::read(&scenario).unwrap());
        replaced(&suite.place.path("runs/suite.json"), &digest, &now);
        let ran = suite.run(&server, &["--no-probe"]);
        assert!(matches!(ran.code, Some(0 | 12)), "{:?}: {}", ran.code, ran.stderr);
        assert!(ran.stderr.contains("1 of 3 scenarios are done"), "{}", ran.stderr);
        assert!(ran.stderr.contains("== one: T (1 of 3): done before"), "{}", ran.stderr);
        assert_eq!(suite.put_back(), put_back + 2);
        assert_eq!(fs::read(suite.place.path("runs/one/run.json")).unwrap(), of_one);
        assert_eq!(suite.ends(), [end("done", 0), end("done", 0), end("done", 0)]);
    }
}

#[test]
fn a_signal_ends_what_puts_data_back_and_the_suite() {
    let suite = Suite::of(&[("one", ONCE)]);
    suite.put_back_by("exec sleep 600");
    let server = server();
    let mut child = begun(&suite, &server);
    until(&mut child, || suite.put_back() == 1);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(server.asked().len(), 0);
    assert_eq!(suite.ends(), [end("begun", 99)]);
}

#[test]
fn each_scenario_has_a_preflight_of_its_own() {
    let suite = Suite::of(&[("one", ONCE), ("two", ONCE)]);
    let server = Server::start(|asked| match asked.path.as_str() {
        "/b" => Answer::Json(429, "{}".into()),
        _ => Answer::Json(200, "{}".into()),
    });
    for (options, looks) in [(&[][..], 2), (&["--no-preflight", "--force"], 0)] {
        let before = server.asked().len();
        let ran = suite.run(&server, options);
        assert_eq!(server.asked().len() - before, 2 * 2 + 2 * looks, "{}", ran.stderr);
        assert_eq!(ran.stderr.matches("GET /b: 429 (once)").count(), looks, "{}", ran.stderr);
    }
}
