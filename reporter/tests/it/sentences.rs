//! Every sentence that depends on figures: made to appear by one thing that differs from a quiet run,
//! and gone without it.

use run_log::format::ValidityState;
use serde_json::{Value, json};

use crate::report::Folder;
use crate::synthetic::Synthetic;

/// A run of a minute in which nothing is to be told, on machines of their own, watched all round.
fn quiet() -> Synthetic {
    Synthetic { seconds: 60, users: 20, alerts_per_s: 40, ..Synthetic::of("01-baseline") }
}

/// As JSON, the findings of one run, whose `run.json` was changed.
fn findings(run: &Synthetic, change: impl FnOnce(&mut Value)) -> Value {
    let folder = Folder::new();
    let dir = run.write(folder.runs());
    let path = dir.join("run.json");
    let mut written: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    written["config"]["target_is_local"] = json!(false);
    written["manifest"]["bcrypt_costs"] = json!([12]);
    written["limitations"] = json!([]);
    written["fidelity"] =
        json!({"compared": 0, "same_status": 0, "shapes_compared": 0, "same_status_and_shape": 0});
    for persona in written["personas"].as_array_mut().unwrap() {
        persona["users_per_account"] = json!(1);
    }
    change(&mut written);
    std::fs::write(&path, written.to_string()).unwrap();
    folder.fill();
    folder.figures()["findings"].clone()
}

fn texts(findings: &Value, key: &str) -> Vec<String> {
    let text = |of: &Value| of.get("fact").unwrap_or(of).as_str().unwrap().to_owned();
    findings[key].as_array().unwrap().iter().map(text).collect()
}

#[test]
fn of_a_quiet_run_no_bottleneck_limitation_or_recommendation_is_told() {
    let found = findings(&quiet(), |_| ());
    for key in ["bottlenecks", "unseen", "recommendations", "limitations"] {
        assert_eq!(texts(&found, key), [""; 0], "{key}");
    }
    assert_eq!(texts(&found, "heaviest").len(), 3);
    // Three of the four scenarios did not run.
    assert_eq!(texts(&found, "next_steps").len(), 1);
}

/// Where, a part of the sentence, and the run that shows it.
#[test]
fn each_bottleneck_is_told_where_it_is() {
    let queued = Synthetic { queued_percent: 80, response_us: 20_000, ..quiet() };
    let delayed = Synthetic { delay_us: Some(3_000_000), ..quiet() };
    let failing = Synthetic { one_fails_of: Some(50), ..quiet() };
    let slow = Synthetic { slow_from: Some(30), ..quiet() };
    for (run, expected) in [
        (&queued, "requests wait for a connection: queue p95 "),
        (&delayed, "earlier answers held users up: session delay p95 3.00 s"),
        (&failing, "requests failed, "),
        (&slow, "the first to change was `p95 of "),
        (&slow, "p95 passed 100 ms at 30 s; the target's processor was at 30.0 % of one core"),
    ] {
        let told = texts(&findings(run, |_| ()), "bottlenecks");
        let found = told.iter().filter(|text| text.contains(expected)).count();
        assert_eq!(found, 1, "{expected}: {told:?}");
    }
}

#[test]
fn what_was_not_watched_is_said_with_what_would_watch_it() {
    let unseen = |keep: &str| {
        let folder = Folder::new();
        let dir = quiet().write(folder.runs());
        let path = dir.join("target.csv");
        let text = std::fs::read_to_string(&path).unwrap();
        let kept = text.lines().filter(|line| line.starts_with("second") || line.contains(keep));
        std::fs::write(&path, kept.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        folder.fill();
        texts(&folder.figures()["findings"], "unseen")
    };
    let [processor] = &unseen("postgres.")[..] else { panic!() };
    assert!(processor.contains("processor and memory were not watched: `--observe port="));
    let [database] = &unseen("target.")[..] else { panic!() };
    assert!(database.contains("were not watched: `--observe postgres=URL`"), "{database}");
    let short = texts(&findings(&Synthetic::of("01-baseline"), |_| ()), "unseen");
    assert!(short[0].starts_with("the plateau is too short to tell"), "{short:?}");
}

#[test]
fn each_recommendation_follows_from_its_figure() {
    let run = quiet();
    let recommended = |run: &Synthetic, change: &dyn Fn(&mut Value)| {
        texts(&findings(run, |written| change(written)), "recommendations")
    };
    let suspect = Synthetic { validity: ValidityState::Suspect, ..run.clone() };
    let told = recommended(&suspect, &|_| ());
    assert!(told[0].starts_with("Baseline: give the generator more room"), "{told:?}");
    let told = recommended(&run, &|written| {
        written["fidelity"]["compared"] = json!(1000);
        written["fidelity"]["same_status"] = json!(990);
    });
    assert_eq!(
        told,
        [
            "Baseline: only 99.00 % of the answers have the recorded status; put the data back before the run, or record anew."
        ]
    );
    let slow = Synthetic { response_us: 90_000, ..run };
    let told = recommended(&slow, &|_| ());
    assert!(told[0].starts_with("Baseline: `p95 < 100ms` was missed at "), "{told:?}");
    assert!(told[0].contains("; start where `POST /alerts/ingest` takes "), "{told:?}");
}

#[test]
fn what_the_tool_missed_stands_apart_from_what_the_target_failed() {
    let folder = Folder::new();
    let dir = quiet().write(folder.runs());
    let path = dir.join("run.json");
    let table = "Not there through no fault of the target, and not sent";
    folder.fill();
    assert!(folder.lines(&[table]).is_empty());
    let mut run: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    run["totals"]["rebound"] = json!(3);
    std::fs::write(&path, run.to_string()).unwrap();
    folder.fill();
    assert_eq!(folder.lines(&["| Taken from another place", " | 3 |"]).len(), 1);
    assert_eq!(folder.lines(&[table, " | 0 |"]).len(), 1);
}

#[test]
fn each_limitation_is_that_of_the_run() {
    let limited = |change: &dyn Fn(&mut Value)| {
        texts(&findings(&quiet(), |written| change(written)), "limitations")
    };
    let [bcrypt] = &limited(&|run| run["manifest"]["bcrypt_costs"] = json!([4]))[..] else {
        panic!()
    };
    assert!(bcrypt.contains("bcrypt cost 4") && bcrypt.contains(" 256 times "), "{bcrypt}");
    let [shared] = &limited(&|run| run["personas"][0]["users_per_account"] = json!(4))[..] else {
        panic!()
    };
    assert!(shared.contains("accounts are shared: ") && shared.contains("up to 4 an account"));
    let [own] = &limited(&|run| run["limitations"] = json!(["the moon was full"]))[..] else {
        panic!()
    };
    assert_eq!(own, "All runs: the moon was full.");
}
