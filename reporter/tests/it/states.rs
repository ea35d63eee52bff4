//! What the report says of itself: pending, partial, passed, failed, invalid, quick.

use common::exit::Exit;
use run_log::format::{EndedBy, Profile, State, ValidityState};

use crate::report::{Folder, root};
use crate::synthetic::Synthetic;

pub(crate) const ALL: [&str; 4] =
    ["01-baseline", "02-alert-throughput", "03-concurrent", "04-stress"];

/// A run that meets what its scenario expects.
pub(crate) fn good(name: &str) -> Synthetic {
    let of = Synthetic::of(name);
    match name {
        "02-alert-throughput" => Synthetic { alerts_per_s: 1_100, ..of },
        "03-concurrent" => Synthetic { users: 10_000, ..of },
        "04-stress" => Synthetic { users: 10_000, step: 1_000, ..of },
        _ => of,
    }
}

fn filled(runs: &[Synthetic]) -> (Folder, String, Exit) {
    let folder = Folder::new();
    for run in runs {
        run.write(folder.runs());
    }
    let filled = folder.fill();
    (folder, filled.status, filled.exit)
}

fn all() -> Vec<Synthetic> {
    ALL.map(good).to_vec()
}

#[test]
fn without_runs_all_is_pending_with_the_command_that_runs_it() {
    let (folder, status, exit) = filled(&[]);
    assert_eq!((status.as_str(), exit), ("PENDING EXECUTION", Exit::Good));
    for name in ALL {
        let command = format!("reporter/tests/golden/scenarios/{name}.toml --trace TRACE");
        assert!(!folder.lines(&["replayer run --scenario", &command]).is_empty(), "{name}");
    }
    assert!(!folder.config.charts.exists());
}

#[test]
fn some_runs_make_it_partial_and_leave_the_others_pending() {
    let (folder, status, exit) = filled(&all()[..2]);
    assert_eq!((status.as_str(), exit), ("PARTIAL (2 of 4)", Exit::Good));
    assert_eq!(folder.lines(&["| 1 | Baseline | ✅ PASSED |"]).len(), 1);
    assert_eq!(folder.lines(&["| 3 | Concurrent load | ⏳ PENDING |"]).len(), 1);
}

#[test]
fn all_targets_met_on_valid_runs_is_passed() {
    let (folder, status, exit) = filled(&all());
    assert_eq!((status.as_str(), exit), ("COMPLETE: PASSED", Exit::Good));
    assert!(!folder.text().contains("PENDING"));
    assert_eq!(folder.lines(&["`users >= 10000`", "| 10,000 | at it | ✅ |"]).len(), 1);
    assert_eq!(folder.lines(&["| 4 | Stress | ☑️ MEASURED |"]).len(), 1);
    for nothing in ["NaN", "inf", "undefined"] {
        assert!(!folder.text().contains(&format!(" {nothing} ")), "{nothing}");
    }
}

#[test]
fn a_missed_target_is_failed_and_says_by_how_much() {
    let mut runs = all();
    runs[0].response_us = 90_000;
    let (folder, status, exit) = filled(&runs);
    assert_eq!((status.as_str(), exit), ("COMPLETE: FAILED", Exit::Threshold));
    assert_eq!(folder.lines(&["`p95 < 100ms`", "1. Baseline", "| ❌ |"]).len(), 1);
    assert_eq!(folder.lines(&["- Baseline: `p95 < 100ms` was missed at"]).len(), 1);
}

#[test]
fn where_too_many_requests_fail_latency_is_not_judged() {
    let mut runs = all();
    runs[0].one_fails_of = Some(2);
    let (folder, status, _) = filled(&runs);
    assert_eq!(status, "COMPLETE: FAILED");
    assert_eq!(folder.lines(&["`failures < 0.1%`", "1. Baseline", "| ❌ |"]).len(), 1);
    let latency = folder.lines(&["`p95 < 100ms`", "1. Baseline", "| not judged |"]);
    assert!(latency[0].contains("latency is not judged where"), "{latency:?}");
}

#[test]
fn a_run_that_is_not_valid_never_passes() {
    for state in [ValidityState::Suspect, ValidityState::Invalid] {
        let mut runs = all();
        runs[2].validity = state;
        let (folder, status, exit) = filled(&runs);
        assert_eq!((status.as_str(), exit), ("COMPLETE: INVALID", Exit::Invalid));
        assert!(folder.lines(&["3. Concurrent load", "| ✅ |"]).is_empty());
        assert!(!folder.lines(&["p95 is 661.0 ms, and 21.0 ms without"]).is_empty());
    }
}

#[test]
fn a_quick_run_is_shown_and_never_judged() {
    let mut runs = all();
    runs[0] =
        Synthetic { profile: Profile::Quick, users: 100, response_us: 900_000, ..good(ALL[0]) };
    let (folder, status, exit) = filled(&runs);
    assert_eq!((status.as_str(), exit), ("COMPLETE (QUICK PROFILE)", Exit::Good));
    let scaled = "quick profile: 100 users for 15 s instead of 1,000 users for 5 min";
    for table in ["| 1 | Baseline |", "| `p95 < 100ms` | 1. Baseline |", "> ☑️ **", "| Baseline |"]
    {
        assert!(!folder.lines(&[table, scaled]).is_empty(), "{table}");
    }
    assert!(!folder.text().contains("PENDING"));
}

#[test]
fn a_quick_run_that_is_not_valid_is_said_to_be_so() {
    let quick = Synthetic { profile: Profile::Quick, ..good(ALL[0]) };
    let (folder, _, _) = filled(&[Synthetic { validity: ValidityState::Suspect, ..quick }]);
    assert_eq!(folder.lines(&["- **Baseline** is SUSPECT besides: p95 is 661.0 ms"]).len(), 1);
}

#[test]
fn a_killed_run_is_shown_as_incomplete_and_does_not_count() {
    let mut runs = all();
    runs[0] = Synthetic { state: State::Running, ..good(ALL[0]) };
    let (folder, status, exit) = filled(&runs);
    assert_eq!((status.as_str(), exit), ("PARTIAL (3 of 4)", Exit::Incomplete));
    assert_eq!(folder.lines(&["| 1 | Baseline | ⚠️ INCOMPLETE |"]).len(), 1);
    assert!(!folder.lines(&["killed or is still at work"]).is_empty());
}

#[test]
fn a_run_that_was_interrupted_or_could_not_log_in_does_not_count() {
    let of_a_later_minor = EndedBy::Other("disk-full".into());
    for ended_by in [EndedBy::Signal(2), EndedBy::LoginsRefused, of_a_later_minor] {
        let runs = [Synthetic { ended_by: Some(ended_by), ..good(ALL[0]) }];
        let (_, status, exit) = filled(&runs);
        assert_eq!((status.as_str(), exit), ("PARTIAL (0 of 4)", Exit::Incomplete));
    }
}

#[test]
fn the_newest_run_wins_and_the_other_is_named() {
    let folder = Folder::new();
    good(ALL[0]).write(folder.runs());
    std::fs::rename(folder.runs().join(ALL[0]), folder.runs().join("older")).unwrap();
    Synthetic { hour: 15, ..good(ALL[0]) }.write(folder.runs());
    let filled = folder.fill();
    assert_eq!(filled.unused_runs, ["older: there is a newer run of it"]);
    assert_eq!(folder.lines(&["2026-03-14 15:26:53 UTC"]).len(), 1);
}

#[test]
fn a_later_look_at_another_load_does_not_stand_before_a_run_of_the_scenarios_own() {
    let folder = Folder::new();
    let changed = vec!["users 20 instead of users 1000".to_owned()];
    Synthetic { changed, hour: 15, ..good(ALL[0]) }.write(folder.runs());
    std::fs::rename(folder.runs().join(ALL[0]), folder.runs().join("smaller")).unwrap();
    good(ALL[0]).write(folder.runs());
    let filled = folder.fill();
    assert_eq!(filled.unused_runs, ["smaller: it had another load than the scenario's"]);
    assert_eq!(folder.lines(&["| 1 | Baseline | ✅ PASSED | 1,000 users for 5 min |"]).len(), 1);
}

#[test]
fn a_run_of_another_version_of_the_scenario_is_not_used() {
    let mut folder = Folder::new();
    good(ALL[0]).write(folder.runs());
    let changed = folder.dir.path().join("scenarios");
    std::fs::create_dir(&changed).unwrap();
    let text = std::fs::read_to_string(good(ALL[0]).scenario).unwrap();
    std::fs::write(changed.join("01.toml"), text.replace("p95 < 100ms", "p95 < 900ms")).unwrap();
    folder.config.sources.scenarios = Some(changed);
    let filled = folder.fill();
    assert_eq!(filled.status, "PENDING EXECUTION");
    assert!(filled.unused_runs[0].contains("another version of the scenario baseline"));
}

#[test]
fn the_manifest_that_was_given_is_held_against_the_runs() {
    let mut folder = Folder::new();
    good(ALL[0]).write(folder.runs());
    let golden =
        std::fs::read_to_string(root().join("seeder/manifest/tests/golden/manifest-1.json"))
            .unwrap();
    let path = folder.dir.path().join("manifest.json");
    std::fs::write(&path, &golden).unwrap();
    folder.config.sources.manifest = Some(path.clone());
    folder.fill();
    assert_eq!(
        folder.lines(&["⚠️ the manifest that was given", "is not that of 01-baseline"]).len(),
        1
    );
    assert!(!folder.text().contains("TestPass"));

    let mut manifest: serde_json::Value = serde_json::from_str(&golden).unwrap();
    manifest["digest"] = format!("sha256:{}", "a".repeat(64)).into();
    std::fs::write(&path, manifest.to_string()).unwrap();
    folder.fill();
    assert_eq!(folder.lines(&["The manifest that was given is the one of all runs."]).len(), 1);
}

#[test]
fn runs_of_different_recordings_break_the_chain_and_it_is_said() {
    let folder = Folder::new();
    good(ALL[0]).write(folder.runs());
    let dir = good(ALL[1]).write(folder.runs());
    let json = std::fs::read_to_string(dir.join("run.json")).unwrap();
    let other = json.replace(&"7".repeat(64), &"8".repeat(64));
    assert_ne!(json, other);
    std::fs::write(dir.join("run.json"), other).unwrap();
    folder.fill();
    assert_eq!(
        folder.lines(&["the runs are of different traces: 777777777777, 888888888888"]).len(),
        1
    );
}

#[test]
fn a_run_of_which_most_failed_is_marked_and_passes_nothing() {
    // Of one from which nothing is expected, and alone.
    let folder = Folder::new();
    Synthetic { one_fails_of: Some(2), ..good(ALL[3]) }.write(folder.runs());
    let report = folder.fill();
    assert_eq!(report.exit, Exit::Threshold);
    assert_eq!(folder.lines(&["| 4 | Stress | ❌ FAILED |"]).len(), 1);
    let head = folder.text().split("## Executive summary").next().unwrap().to_owned();
    let mark = "⚠️ **Stress**: more failed than the 1 % that is allowed: ";
    assert!(head.contains(mark) && head.contains("mostly 5xx answers"), "{head}");

    // Quick runs are not judged, and say so all the same.
    let quick = Synthetic { profile: Profile::Quick, one_fails_of: Some(1), ..good(ALL[0]) };
    let (folder, _, exit) = filled(&[quick]);
    assert_eq!(exit, Exit::Good);
    assert_eq!(folder.lines(&["| 1 | Baseline | ⚠️ QUICK PROFILE |"]).len(), 1);
    let head = folder.text().split("## Executive summary").next().unwrap().to_owned();
    assert!(head.contains("more failed than `failures < 0.1%` allows: 100.000 %"), "{head}");
}

#[test]
fn where_nothing_is_expected_of_any_nothing_is_passed() {
    let mut folder = Folder::new();
    let scenarios = folder.dir.path().join("scenarios");
    std::fs::create_dir(&scenarios).unwrap();
    std::fs::copy(good(ALL[3]).scenario, scenarios.join("04-stress.toml")).unwrap();
    folder.config.sources.scenarios = Some(scenarios);
    good(ALL[3]).write(folder.runs());
    let filled = folder.fill();
    assert_eq!((filled.status.as_str(), filled.exit), ("COMPLETE: MEASURED", Exit::Good));
}

#[test]
fn another_load_is_shown_as_it_was_and_passes_nothing() {
    let mut runs = all();
    let change = "users 20 instead of users 1000";
    runs[0].axis = Some("users 20".into());
    runs[0].changed = vec![change.to_owned()];
    let (folder, status, exit) = filled(&runs);
    assert_eq!((status.as_str(), exit), ("PARTIAL (3 of 4)", Exit::Threshold));
    let row = folder.lines(&["| 1 | Baseline | ⚠️ OTHER LOAD | 20 users for 5 min |"]);
    assert_eq!(row.len(), 1);
    let head = folder.text().split("## Executive summary").next().unwrap().to_owned();
    assert!(head.contains(&format!("**Baseline**: not the scenario's load: {change}.")), "{head}");
    let target = folder.lines(&["`p95 < 100ms`", "1. Baseline", "not judged"]);
    assert!(target[0].contains("not the scenario's load"), "{target:?}");
}

#[test]
fn a_load_that_was_not_held_fails_and_its_latencies_are_of_what_was_let_through() {
    let mut runs = all();
    runs[1].held_percent = 63;
    let (folder, status, exit) = filled(&runs);
    assert_eq!((status.as_str(), exit), ("COMPLETE: FAILED", Exit::Threshold));
    assert_eq!(
        folder.lines(&["| `load_held >= 98%` | 2. Alert throughput | 6", "| ❌ |"]).len(),
        1
    );
    assert!(!folder.lines(&["| Load held | 6"]).is_empty());
    let latency = folder.lines(&["`p95 < 200ms`", "2. Alert throughput", "✅"]);
    assert!(latency[0].contains("of the load that was let through"), "{latency:?}");
    let head = folder.text().split("## Executive summary").next().unwrap().to_owned();
    assert!(head.contains("latencies are of the load that was let through"), "{head}");
}

#[test]
fn a_recording_that_had_failed_is_told_beside_its_fidelity() {
    let (folder, ..) =
        filled(&[Synthetic { one_as_bad_of: Some(4), one_fails_of: Some(4), ..good(ALL[0]) }]);
    assert_eq!(folder.lines(&["**Fidelity:**", "of these failures, as recorded"]).len(), 1);
}

#[test]
fn an_invalid_quick_run_is_invalid() {
    let quick = Synthetic { profile: Profile::Quick, ..good(ALL[0]) };
    let (folder, _, exit) = filled(&[Synthetic { validity: ValidityState::Invalid, ..quick }]);
    assert_eq!(exit, Exit::Invalid);
    assert_eq!(folder.lines(&["| 1 | Baseline | ⚠️ INVALID | quick profile: "]).len(), 1);
}
