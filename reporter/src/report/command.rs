//! The command that runs a scenario, or a run again.

use std::path::Path;

use run_log::format::{Pacing, Run};
use scenario::{Observed, Scenario};

use crate::load::Entry;

/// `replayer run …`, into the folder of runs.
pub(super) fn command(entry: &Entry, runs: &str) -> String {
    match (&entry.path, &entry.run) {
        (Some(path), measured) => {
            let rewrites = measured
                .as_ref()
                .map_or_else(String::new, |measured| rewrites(&measured.summary.run));
            by_scenario(path, &entry.scenario, &rewrites, runs)
        }
        (None, Some(measured)) => again(&measured.summary.run, &measured.name, runs),
        (None, None) => String::new(),
    }
}

/// What an audit needs.
const DATABASE: &str = " --database-url DATABASE_URL";

/// By the file that was given to the run; what was rewritten when it was recorded needs none.
fn rewrites(run: &Run) -> String {
    let given = run.rewrites.iter().find(|rewrite| rewrite.requests.is_some());
    given.map_or_else(String::new, |of| format!(" --rewrites {}", word(&of.file)))
}

fn by_scenario(path: &Path, scenario: &Scenario, rewrites: &str, runs: &str) -> String {
    let stem = path.file_stem();
    let stem = stem.map_or_else(|| scenario.name.as_str().into(), |stem| stem.to_string_lossy());
    let is_named = scenario.observe.iter().any(Observed::is_database);
    let database = if scenario.audit.is_some() && !is_named { DATABASE } else { "" };
    format!(
        "replayer run --scenario {} --trace TRACE --manifest MANIFEST --target URL{rewrites}{database} --out {runs}/{stem}",
        path.display()
    )
}

/// As far as the run says what it was given.
fn again(run: &Run, name: &str, runs: &str) -> String {
    let config = &run.config;
    let mut text = format!("replayer run --trace {}", word(&run.trace.file));
    if !run.manifest.is_none() {
        text.push_str(" --manifest MANIFEST");
    }
    text.push_str(&format!(" --target {}", word(&config.target)));
    if run.scenario.is_some() {
        text.push_str(" --scenario SCENARIO");
    } else {
        text.push_str(&load(run));
    }
    text.push_str(&rewrites(run));
    if run.audit.is_some() {
        text.push_str(DATABASE);
    }
    format!("{text} --out {}", word(&format!("{runs}/{name}")))
}

/// The load as options; each is left out where it is as recorded.
fn load(run: &Run) -> String {
    let config = &run.config;
    let mut text = String::new();
    if let Some((how, many)) = config.axis.split_once(' ').filter(|_| config.axis != "clones 1") {
        text.push_str(&format!(" --{how} {}", word(many)));
    }
    if config.speed != 1.0 {
        text.push_str(&format!(" --speed {}", config.speed));
    }
    if config.pacing == Pacing::Closed {
        text.push_str(" --pacing closed");
    }
    if config.independent {
        text.push_str(" --independent");
    }
    if let Some(seconds) = config.duration_s {
        text.push_str(&format!(" --duration {:.0}ms", seconds * 1e3));
    }
    text
}

/// As a shell takes it for one word.
fn word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=+,@%".contains(&byte);
    if text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_with_an_audit_needs_a_database_unless_it_names_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let command = |observe: &str| {
            let text = format!(
                "number = 1\nname = 'n'\ntitle = 't'\nobjective = 'o'\nobserve = [{observe}]\n\
                 [audit]\nendpoint = 'POST /a'\nmark = '/id'\ntable = 't'\ncolumn = 'c'\n\
                 [load]\nclones = 1\n"
            );
            std::fs::write(file.path(), text).unwrap();
            by_scenario(Path::new("s.toml"), &Scenario::read(file.path()).unwrap(), "", "runs")
        };
        let common =
            "replayer run --scenario s.toml --trace TRACE --manifest MANIFEST --target URL";
        for observe in ["", "'port=1'"] {
            let expected = format!("{common} --database-url DATABASE_URL --out runs/s");
            assert_eq!(command(observe), expected);
        }
        for observe in ["'port=1', 'postgres={{ env.D }}'", "'postgres=postgres://u@127.0.0.1/d'"] {
            assert_eq!(command(observe), format!("{common} --out runs/s"));
        }
    }

    #[test]
    fn a_run_without_a_scenario_is_run_again_by_the_options_that_it_had() {
        let golden = include_str!("../../../fixtures/runs/01-baseline/run.json");
        let mut run: Run = serde_json::from_str(golden).unwrap();
        let common = "replayer run --trace vigilia.trace.jsonl.zst --manifest MANIFEST --target http://127.0.0.1:8080";
        assert_eq!(again(&run, "1", "runs"), format!("{common} --scenario SCENARIO --out runs/1"));
        let audit = r#"{"endpoint":"e","mark":"m","place":"p","settle_s":5.0,"not_done":"no"}"#;
        run.audit = Some(serde_json::from_str(audit).unwrap());
        let audited = "--scenario SCENARIO --database-url DATABASE_URL --out runs/1";
        assert_eq!(again(&run, "1", "runs"), format!("{common} {audited}"));
        (run.scenario, run.audit) = (None, None);
        (run.config.axis, run.config.speed) = ("clones 1".into(), 2.0);
        (run.config.pacing, run.config.duration_s) = (Pacing::Open, None);
        assert_eq!(again(&run, "1", "runs"), format!("{common} --speed 2 --out runs/1"));
        run.config.axis = "rate POST /it's=3/s".into();
        run.config.speed = 1.0;
        let rate = r"--rate 'POST /it'\''s=3/s'";
        assert_eq!(again(&run, "a b", "runs"), format!("{common} {rate} --out 'runs/a b'"));
    }
}
