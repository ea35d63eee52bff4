//! The golden run of the latest minor, which two workers of a fleet sent.

use crate::report::{Folder, root};

fn filled() -> Folder {
    let mut folder = Folder::new();
    folder.config.sources.runs = root().join("replayer/run-log/tests/golden");
    folder.config.sources.scenarios = None;
    folder.fill();
    folder
}

#[test]
fn a_report_says_who_sent_a_run_and_how_well_their_clocks_agreed() {
    let folder = filled();
    let golden = std::fs::read_to_string(folder.runs().join("6/run.json")).unwrap();
    let run: serde_json::Value = serde_json::from_str(&golden).unwrap();
    let most = |key: &str| {
        let workers = run["workers"].as_array().unwrap().iter();
        workers.map(|worker| worker[key].as_i64().unwrap().abs()).max().unwrap() as f64
    };
    let fleet = &folder.figures()["scenarios"][0]["run"]["fleet"];
    assert_eq!(fleet["workers"], 2);
    assert_eq!(fleet["bound"]["value"].as_f64(), Some(most("bound_us")));
    assert_eq!(fleet["drift"]["value"].as_f64(), Some(most("drift_us")));
    let [sent_by] = &folder.lines(&["| Sent by |"])[..] else { panic!("{}", folder.text()) };
    assert!(sent_by.contains("2 workers of a fleet"), "{sent_by}");
    let [generator] = &folder.lines(&["worker threads"])[..] else { panic!("{}", folder.text()) };
    assert!(generator.contains("shared by 2 workers of a fleet"), "{generator}");
}

#[test]
fn it_is_run_again_with_the_same_rewrites() {
    with_its_rewrites(&filled());
}

#[test]
fn by_its_scenarios_file_too() {
    let mut folder = Folder::new();
    folder.config.sources.runs = root().join("replayer/run-log/tests/golden");
    folder.config.sources.scenarios = Some(root().join("reporter/tests/golden/fleet"));
    folder.fill();
    with_its_rewrites(&folder);
}

fn with_its_rewrites(folder: &Folder) {
    let [command] = &folder.lines(&["replayer run "])[..] else { panic!("{}", folder.text()) };
    assert!(command.contains(" --rewrites rewrites.toml "), "{command}");
}

#[test]
fn what_got_no_answer_is_no_reason_to_record_anew() {
    let folder = filled();
    // Two were reset, and all answers have the recorded status.
    let figures = folder.figures();
    let fidelity = &figures["scenarios"][0]["run"]["fidelity"];
    assert_ne!(fidelity["same_status"]["value"], 1.0, "{fidelity}");
    assert_eq!(folder.lines(&["record anew"]), Vec::<String>::new());
}
