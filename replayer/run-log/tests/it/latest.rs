//! The golden run of the latest minor: two workers of a fleet wrote it, and it has all that the
//! format knows. It is never written anew: what is in it has to be read by every later tool.

use std::fs;
use std::path::{Path, PathBuf};

use run_log::format::{
    AUDIT_CSV, ERRORS_JSONL, FAILURES_CSV, FIDELITY_CSV, MARKS_CSV, RUN_JSON, Run, STATS_CSV,
    TARGET_CSV, TIMELINE_CSV,
};
use run_log::reader::{Agreement, ReadError, RunReader};
use serde::Serialize;
use serde_json::Value;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/6")
}

fn text(file: &str) -> String {
    fs::read_to_string(golden().join(file)).unwrap()
}

/// What was read of a table, written again.
fn table<T: Serialize>(rows: impl Iterator<Item = Result<T, ReadError>>) -> String {
    let mut table = csv::Writer::from_writer(Vec::new());
    for row in rows {
        table.serialize(row.unwrap()).unwrap();
    }
    String::from_utf8(table.into_inner().unwrap()).unwrap()
}

#[test]
fn all_that_a_fleet_wrote_is_read_and_lost_nothing() {
    let reader = RunReader::open(&golden()).unwrap();
    let written: Value = serde_json::from_str(&text(RUN_JSON)).unwrap();
    assert_eq!(serde_json::to_value(reader.run()).unwrap(), written);
    for (file, read) in [
        (STATS_CSV, table(reader.stats().unwrap())),
        (FAILURES_CSV, table(reader.failures().unwrap())),
        (FIDELITY_CSV, table(reader.fidelity().unwrap())),
        (TARGET_CSV, table(reader.target().unwrap())),
        (MARKS_CSV, table(reader.marks().unwrap())),
        (AUDIT_CSV, table(reader.audit().unwrap())),
        (TIMELINE_CSV, table(reader.seconds().unwrap())),
    ] {
        // The phase of a second is for whoever reads the table: it stands in run.json.
        let without_phase = |line: &str| line[..=line.rfind(',').unwrap()].to_owned();
        let lines = |text: &str| -> Vec<String> {
            let lines = text.lines();
            match file {
                TIMELINE_CSV => lines.skip(1).map(without_phase).collect(),
                _ => lines.map(str::to_owned).collect(),
            }
        };
        let written = lines(&text(file));
        assert!(written.len() > 1, "{file}");
        assert_eq!(lines(&read), written, "{file}");
    }
    let errors: Vec<Value> = reader
        .errors()
        .unwrap()
        .map(|sample| serde_json::to_value(sample.unwrap()).unwrap())
        .collect();
    let written: Vec<Value> =
        text(ERRORS_JSONL).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!written.is_empty());
    assert_eq!(errors, written);
}

#[test]
fn it_has_what_came_with_each_minor_and_its_files_agree() {
    let reader = RunReader::open(&golden()).unwrap();
    let run: &Run = reader.run();
    assert_eq!(run.minor, 6);
    assert!(!run.rewrites.is_empty() && run.totals.extra.observations > 0, "minor 2");
    assert!(run.audit.is_some(), "minor 3");
    let phases: Vec<&str> = run.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(phases, ["ramp", "step 1", "ramp 2", "step 2", "recovery"], "minors 3 and 4");
    assert!(run.recovery.is_some() && run.config.stop_on.is_some(), "minor 4");
    assert!(reader.failures().unwrap().all(|row| row.unwrap().last_second.is_some()), "minor 5");
    assert_eq!(run.workers.iter().map(|worker| worker.shard).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(run.marks.len(), 1);

    let mut agreement = Agreement::default();
    for second in reader.seconds().unwrap() {
        agreement.row(&second.unwrap()).unwrap();
    }
    for interval in reader.intervals().unwrap() {
        let interval = interval.unwrap();
        agreement.interval(interval.second, interval.tag, interval.recorded.count());
    }
    agreement.check(run).unwrap();
}
