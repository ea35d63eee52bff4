//! What a run's audit counted, and that there was none.

use common::exit::Exit;
use serde_json::{Value, json};

use crate::report::Folder;
use crate::synthetic::Synthetic;

/// A full run that expects three things of its audit, which was this.
fn audited(audit: &Value, rows: &str) -> Folder {
    let mut folder = Folder::new();
    (folder.config.template, folder.config.sources.scenarios) = (None, None);
    let dir = Synthetic::of("01-baseline").write(folder.runs());
    let path = dir.join("run.json");
    let mut run: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    run["scenario"] = json!({"name": "audited", "digest": "sha256:77", "profile": "full"});
    let expected = ["lost <= 0", "duplicated <= 0", "unacknowledged <= 2"];
    let verdict = |text| json!({"expectation": text, "result": "met", "measured": ""});
    run["verdicts"] = expected.map(verdict).to_vec().into();
    let mut of = json!({"endpoint": "POST /alerts/ingest", "mark": "/raw_payload/mark of the payload",
        "place": "/mark of alerts.raw_payload", "settle_s": 5.0});
    of.as_object_mut().unwrap().extend(audit.as_object().unwrap().clone());
    run["audit"] = of;
    std::fs::write(&path, run.to_string()).unwrap();
    std::fs::write(dir.join("audit.csv"), rows).unwrap();
    folder
}

fn counts(unmarked: u64) -> Value {
    json!({"counts": {"acknowledged": 12_000, "failed": 5, "unmarked": unmarked, "repeated": 0,
        "marks": 12_005, "lost": 3, "duplicated": 0, "unacknowledged": 2, "took_s": 0.84}})
}

const ROWS: &str = "finding,second,endpoint,mark,rows\nlost,7,POST /alerts/ingest,m|1,0\n\
    unacknowledged,9,POST /alerts/ingest,m2,1\n";

#[test]
fn an_audit_has_a_section_and_its_expectations_are_judged() {
    let folder = audited(&counts(0), ROWS);
    assert_eq!(folder.fill().exit, Exit::Threshold);
    let text = folder.text();
    for words in [
        "**Audit** of `POST /alerts/ingest`, by `/raw_payload/mark of the payload` in \
         `/mark of alerts.raw_payload`, 5 s after the run; counting took 0.8 s.",
        "| Acknowledged: answered 2xx, and no failure | 12,000 |",
        "| Lost: acknowledged, and not in the database | 3 |",
        "| Unacknowledged: in the database, and never acknowledged | 2 |",
        "| lost | 7 | `m\\|1` | 0 |",
        "| unacknowledged | 9 | `m2` | 1 |",
        "was missed at 3; start where audit.csv lists the marks",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    assert_eq!(folder.lines(&["| `lost <= 0` | 1. ", " | 3 | – | ❌ |"]).len(), 1);
    assert_eq!(folder.lines(&["| `duplicated <= 0` | 1. ", " | 0 | – | ✅ |"]).len(), 1);
    assert_eq!(folder.lines(&["| `unacknowledged <= 2` | 1. ", " | 2 | at it | ✅ |"]).len(), 1);
}

#[test]
fn what_was_not_counted_is_not_zero() {
    let folder = audited(&json!({"not_done": "no database is given (--database-url)"}), "");
    assert_eq!(folder.fill().exit, Exit::Threshold);
    let text = folder.text();
    assert!(text.contains(": ⚠️ not done, no database is given (--database-url)."), "{text}");
    assert!(!text.contains("Acknowledged: answered"), "{text}");
    assert_eq!(folder.lines(&["<= ", "| – | – | not judged | there was no audit |"]).len(), 3);
    // Where some answers had no mark, there may be more of everything.
    let folder = audited(&counts(4), ROWS);
    folder.fill();
    assert_eq!(folder.lines(&["| `lost <= 0` |", " | ≥ 3 | – | ❌ |"]).len(), 1);
    assert_eq!(
        folder.lines(&["| `duplicated <= 0` |", "≥ 0 | – | not judged | of some answers"]).len(),
        1
    );
    let mut of_answer = counts(0);
    of_answer["counts"].as_object_mut().unwrap().remove("unacknowledged");
    let folder = audited(&of_answer, ROWS);
    folder.fill();
    assert!(folder.text().contains("and never acknowledged | not known |"));
    assert_eq!(folder.lines(&["| `unacknowledged <= 2` |", "| not judged | not known: "]).len(), 1);
}

#[test]
fn a_run_without_an_audit_says_nothing_of_one() {
    let folder = Folder::new();
    Synthetic::of("01-baseline").write(folder.runs());
    folder.fill();
    assert!(!folder.text().contains("Audit"));
}
