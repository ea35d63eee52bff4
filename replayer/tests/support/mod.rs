//! What the tests of the whole tool share: traces made by hand, a manifest, a
//! scripted server, and the binary itself.

mod peer;
pub(crate) mod server;
pub(crate) mod trace;

use std::path::PathBuf;
use std::process::{Command, Output};
use std::rc::Rc;

use figures::judged::Judged;
use figures::{Names, Plateau, is_endpoint};
use hdrhistogram::Histogram;
use run_log::format::{LatencyKind, Run, Validity, ValidityState};
use run_log::reader::{Interval, RunReader};
use scenario::{Expectation, is_default};
use tempfile::TempDir;

pub(crate) use peer::{Peer, free_port, loopback};
pub(crate) use server::{Answer, Asked, Server};
pub(crate) use trace::TraceBuilder;

/// A folder with a trace and a manifest in it.
pub(crate) struct Workplace {
    dir: Rc<TempDir>,
}

pub(crate) const PASSWORD: &str = "Correct-Horse-7!";

impl Workplace {
    /// With `accounts` accounts of the persona `visitor`.
    pub(crate) fn new(trace: &TraceBuilder, accounts: usize) -> Self {
        let dir = Rc::new(tempfile::tempdir().unwrap());
        trace.write(&dir.path().join("t.trace.jsonl.zst"));
        let accounts: Vec<_> = (1..=accounts)
            .map(|n| {
                serde_json::json!({
                    "persona": "visitor", "name": format!("visitor{n}"),
                    "fields": {"email": format!("visitor{n}@example.org"), "password": PASSWORD},
                })
            })
            .collect();
        let manifest = serde_json::json!({
            "format": "seeder-manifest", "version": 1, "tool": "test",
            "plan": {"name": "p", "digest": "sha256:00"}, "seed": 1, "scale": 1,
            "database": {"system_identifier": "1", "name": "d", "server_version": "15"},
            "bcrypt_costs": [4], "tables": [], "digest": "sha256:11", "accounts": accounts,
        });
        std::fs::write(dir.path().join("manifest.json"), manifest.to_string()).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the manifest anew, otherwise.
    pub(crate) fn change_manifest(&self, change: impl FnOnce(&mut serde_json::Value)) {
        let path = self.path("manifest.json");
        let mut manifest = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        change(&mut manifest);
        std::fs::write(path, manifest.to_string()).unwrap();
    }

    /// The path of a scenario file with these lines after the four that each has.
    pub(crate) fn scenario(&self, lines: &str) -> String {
        let path = self.path("s.toml");
        let head = "number = 1\nname = \"n\"\ntitle = \"t\"\nobjective = \"o\"\n";
        std::fs::write(&path, format!("{head}{lines}\n")).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// `replayer run` against `target`, into the folder `out`.
    pub(crate) fn command(&self, target: &str, options: &[&str]) -> Command {
        self.command_into("out", target, options)
    }

    /// `replayer run` against `target`, into this folder of the workplace.
    pub(crate) fn command_into(&self, out: &str, target: &str, options: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_replayer"));
        command
            .arg("run")
            .arg("--trace")
            .arg(self.path("t.trace.jsonl.zst"))
            .arg("--manifest")
            .arg(self.path("manifest.json"))
            .args(["--target", target, "--out"])
            .arg(self.path(out))
            .args(options);
        command
    }

    /// `replayer probe` of `target`.
    pub(crate) fn probe(&self, target: &str, options: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_replayer"));
        command.arg("probe").arg("--trace").arg(self.path("t.trace.jsonl.zst"));
        command.arg("--manifest").arg(self.path("manifest.json"));
        command.args(["--target", target]).args(options);
        self.ran(command.output().unwrap())
    }

    pub(crate) fn ran(&self, output: Output) -> Ran {
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            dir: Rc::clone(&self.dir),
        }
    }

    pub(crate) fn run(&self, target: &str, options: &[&str]) -> Ran {
        self.ran(self.command(target, options).output().unwrap())
    }
}

/// A run of the tool that is over.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Kept until the test has looked at it.
    dir: Rc<TempDir>,
}

/// The exit code of a run whose generator had its processor to itself. On a busy machine a run
/// is rightly SUSPECT or INVALID, and exits with 12: the tests of validity are about that, and
/// no others.
pub(crate) fn code_but_for_lag(code: Option<i32>, reader: &RunReader) -> Option<i32> {
    let run = reader.run();
    let by_lag = |reason: &String| {
        ["the generator's own delays", "over 1 s late"].iter().any(|words| reason.contains(words))
    };
    let reasons = &run.validity.reasons;
    if code != Some(12) || reasons.is_empty() || !reasons.iter().all(by_lag) {
        return code;
    }
    Some(judged_but_for_lag(reader).conclusion.exit().code().into())
}

/// What a run would have come to on a machine that had nothing else to do.
pub(crate) fn judged_but_for_lag(reader: &RunReader) -> Judged {
    let run = reader.run();
    let validity = Validity { state: ValidityState::Valid, reasons: Vec::new() };
    let quiet = Run { validity, ..run.clone() };
    let expectations: Vec<Expectation> =
        run.verdicts.iter().map(|verdict| verdict.expectation.parse().unwrap()).collect();
    let written: Vec<_> = expectations.into_iter().filter(|of| !is_default(of)).collect();
    Judged::of(&quiet, &plateau(reader, &written), &written)
}

/// What is judged of a run, read back.
pub(crate) fn plateau(reader: &RunReader, expectations: &[Expectation]) -> Plateau {
    let run = reader.run();
    let personas = run.personas.iter().map(|persona| persona.name.clone()).collect();
    let mut plateau = Plateau::new(&Names { endpoints: run.endpoints.clone(), personas });
    plateau.watch(&run.phases, expectations);
    for row in reader.seconds().unwrap() {
        plateau.add_row(run.plateau, &row.unwrap());
    }
    for interval in reader.intervals().unwrap() {
        let Interval { second, tag, recorded } = interval.unwrap();
        plateau.add(run.plateau, second, tag, &recorded).unwrap();
    }
    plateau.load_held = run.load_held;
    plateau.audit = run.audit.as_ref().and_then(|audit| audit.counts);
    plateau
}

impl Ran {
    /// See [`code_but_for_lag`].
    pub(crate) fn code_but_for_lag(&self) -> Option<i32> {
        match self.code {
            Some(12) => code_but_for_lag(self.code, &self.reader()),
            code => code,
        }
    }

    /// Times of a kind, of all endpoints over the whole run, in microseconds.
    pub(crate) fn recorded(&self, kind: LatencyKind) -> Histogram<u64> {
        let mut all = Histogram::<u64>::new(3).unwrap();
        for interval in self.reader().intervals().unwrap() {
            let interval = interval.unwrap();
            if is_endpoint(interval.tag.scope) && interval.tag.kind == kind {
                interval.recorded.add_to(&mut all);
            }
        }
        all
    }

    pub(crate) fn reader(&self) -> RunReader {
        RunReader::open(&self.dir.path().join("out"))
            .unwrap_or_else(|error| panic!("{error}: {}", self.stderr))
    }

    /// `run.json`, after checking what must hold for every run.
    pub(crate) fn checked(&self) -> Run {
        let reader = self.reader();
        let run = reader.run().clone();
        let totals = &run.totals;
        assert_eq!(totals.planned, totals.outcomes.sum(), "planned = sum of outcomes: {totals:?}");
        let done: u64 = reader.seconds().unwrap().map(|second| second.unwrap().done()).sum();
        assert_eq!(done, totals.planned, "the timeline holds every request");
        run
    }
}
