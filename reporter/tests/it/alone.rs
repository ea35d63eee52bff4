//! Runs of any system, without scenario files.

use common::exit::Exit;
use serde_json::{Value, json};

use crate::report::Folder;
use crate::synthetic::Synthetic;

/// A folder without scenario files and with the template that is built in.
pub(crate) fn folder() -> Folder {
    let mut folder = Folder::new();
    (folder.config.template, folder.config.sources.scenarios) = (None, None);
    folder
}

/// A run of a shop, with this changed of its `run.json`.
pub(crate) fn shop(folder: &Folder, name: &str, change: impl FnOnce(&mut Value)) {
    let dir = Synthetic::of("01-baseline").write(folder.runs());
    let path = dir.join("run.json");
    let mut run: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    run["endpoints"] = json!(["POST /login", "GET /articles", "GET /cart", "POST /orders"]);
    run["personas"][0]["name"] = json!("buyer");
    run["personas"][1]["name"] = json!("bot");
    run["trace"]["file"] = json!("shop.trace.jsonl.zst");
    run["manifest"] = serde_json::to_value(run_log::format::ManifestRef::none()).unwrap();
    run["scenario"] = Value::Null;
    run["verdicts"] = json!([]);
    run["limitations"] = json!([]);
    run["config"]["axis"] = json!("clones 1");
    run["config"]["speed"] = json!(2.0);
    run["config"]["duration_s"] = Value::Null;
    change(&mut run);
    std::fs::write(&path, run.to_string()).unwrap();
    std::fs::rename(dir, folder.runs().join(name)).unwrap();
}

#[test]
fn a_run_without_a_scenario_is_all_that_a_report_needs() {
    let folder = folder();
    shop(&folder, "first", |_| ());
    let filled = folder.fill();
    assert_eq!((filled.status.as_str(), filled.exit), ("COMPLETE: MEASURED", Exit::Good));
    assert!(filled.unused_runs.is_empty());
    let text = folder.text();
    let load = "every session once at 2 times the recorded speed";
    assert_eq!(folder.lines(&["| 1 | first | ☑️ MEASURED |", load]).len(), 1);
    let again = "replayer run --trace shop.trace.jsonl.zst --target";
    assert_eq!(folder.lines(&[again, "--speed 2 --pacing closed --out", "/runs/first"]).len(), 1);
    assert_eq!(folder.lines(&["`POST /orders`"]).len(), 2 + 1, "{text}");
    for foreign in ["Vigilia", "ERIOP", "lert", "ncident", "make ", "PENDING", "bcrypt", "Redis"] {
        assert!(!text.contains(foreign), "{foreign}: {:?}", folder.lines(&[foreign]));
    }
}

#[test]
fn every_run_stands_for_itself_the_oldest_first_and_is_judged_by_what_it_was_run_with() {
    let folder = folder();
    shop(&folder, "later", |run| run["started"] = json!("2026-03-15T10:00:00Z"));
    shop(&folder, "by a scenario", |run| {
        run["scenario"] = json!({"name": "evening", "digest": "sha256:77", "profile": "full"});
        run["verdicts"] = json!([
            {"expectation": "p95 < 1ms", "result": "missed", "measured": "9 ms"},
            {"expectation": "from a later minor", "result": "met", "measured": "1"},
        ]);
    });
    shop(&folder, "quick", |run| {
        run["started"] = json!("2026-03-16T10:00:00Z");
        run["scenario"] = json!({"name": "evening", "digest": "sha256:77", "profile": "quick"});
    });
    let filled = folder.fill();
    assert_eq!(
        (filled.status.as_str(), filled.exit),
        ("COMPLETE (QUICK PROFILE)", Exit::Threshold)
    );
    assert_eq!(folder.lines(&["| 1 | by a scenario | ❌ FAILED |"]).len(), 1);
    assert_eq!(folder.lines(&["| `p95 < 1ms` | 1. by a scenario |", "| ❌ |"]).len(), 1);
    assert_eq!(folder.lines(&["by the scenario evening."]).len(), 2);
    assert_eq!(folder.lines(&["| 2 | later | ☑️ MEASURED |"]).len(), 1);
    assert_eq!(folder.lines(&["| 3 | quick | ☑️ QUICK PROFILE | quick profile: "]).len(), 1);
    assert!(folder.lines(&["instead of"]).is_empty());
    assert_eq!(folder.lines(&["--scenario SCENARIO --out '", "/runs/by a scenario'"]).len(), 1);
}

#[test]
fn without_any_run_it_says_how_to_make_one() {
    let folder = folder();
    let (line, error) = folder.fail();
    assert_eq!(error.exit(), Exit::Usage);
    assert!(line.contains("no run directory in ") && line.contains("replayer run"), "{line}");
    assert!(!folder.config.out.exists());
}
