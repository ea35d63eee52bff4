//! Load in steps: which were held, where the target broke, and what is said of it.

use run_log::format::{EndedBy, Profile};
use serde_json::Value;

use crate::report::Folder;
use crate::synthetic::Synthetic;

const CONDITION: &str = "failures > 5%";

/// Of 100 users and 100 more every five seconds; the scenario stops where over 5 % fail.
fn four_steps() -> Synthetic {
    let profile = Profile::Quick;
    Synthetic { profile, users: 100, step: 100, seconds: 20, ..Synthetic::of("04-stress") }
}

fn stopped() -> Option<EndedBy> {
    Some(EndedBy::StopOn(CONDITION.to_owned()))
}

/// The report of such a run, and what it says of its steps.
fn reported(run: &Synthetic) -> (Folder, Told) {
    let folder = Folder::new();
    run.write(folder.runs());
    folder.fill();
    let figures = folder.figures();
    let mut runs = figures["scenarios"].as_array().unwrap().iter().map(|of| &of["run"]);
    let run = runs.find(|run| !run.is_null()).unwrap();
    let told = Told {
        stress: run["stress"].clone(),
        limits: ["linear_up_to", "degrades_from", "hard_limit"]
            .map(|of| figures["findings"]["scalability"][of].as_str().unwrap().to_owned()),
    };
    (folder, told)
}

struct Told {
    stress: Value,
    limits: [String; 3],
}

impl Told {
    fn users(&self, name: &str) -> Option<u64> {
        self.stress[name]["value"].as_f64().map(|users| users as u64)
    }

    fn text(&self, name: &str) -> &str {
        self.stress[name].as_str().unwrap()
    }

    fn steps(&self) -> Vec<&str> {
        let steps = self.stress["steps"].as_array().unwrap().iter();
        steps.map(|step| step["held"].as_str().unwrap()).collect()
    }
}

#[test]
fn the_breaking_point_is_the_first_step_that_was_not_held_after_one_that_was() {
    let (folder, told) = reported(&Synthetic { fails_with: 300, ..four_steps() });
    assert_eq!(told.steps(), ["held", "held", "not held", "not held"]);
    assert_eq!((told.users("held_users"), told.users("breaking_users")), (Some(200), Some(300)));
    assert_eq!(told.users("peak_users"), Some(400), "the last that was measured");
    assert_eq!(told.text("unbroken"), "");
    let how = told.text("failure_mode");
    assert!(how.starts_with("`failures > 5%` held: 33.3"), "{how}");
    assert!(how.contains(" %, mostly 5xx answers (33.3"), "{how}");
    assert_eq!(told.text("criterion"), "`failures > 5%` does not hold over it");
    assert_eq!(told.limits[2], "300 users");
    assert_eq!(folder.lines(&["| Breaking point | 300 |"]).len(), 1);
    assert_eq!(folder.lines(&["held when `failures > 5%` does not hold over it."]).len(), 1);
}

#[test]
fn six_steps_or_more_tell_where_most_is_done_and_others_do_not() {
    let line = "| Most throughput, by the universal scalability law |";
    let eight = Synthetic {
        seconds: 40,
        alerts_per_s: 200,
        most_with: 500,
        response_us: 500,
        axis: Some("stages start 100, +100 every 5s, to 800".to_owned()),
        ..four_steps()
    };
    let (folder, told) = reported(&eight);
    let knee = |name: &str| told.stress["knee"][name]["value"].as_f64().unwrap();
    assert!((knee("users") - 500.0).abs() < 10.0, "{}", told.stress["knee"]);
    assert!(knee("least") <= knee("users") && knee("users") <= knee("most"));
    assert!(knee("error") < 0.02, "{}", told.stress["knee"]);
    assert_eq!(folder.lines(&[line, " without one of the steps, and "]).len(), 1);
    // Where it still grows at the last of them, and where there are too few.
    for run in [Synthetic { most_with: 2000, ..eight.clone() }, four_steps()] {
        let (folder, told) = reported(&run);
        assert!(told.stress["knee"].is_null(), "{}", told.stress["knee"]);
        assert!(folder.lines(&[line]).is_empty());
    }
}

#[test]
fn where_every_step_was_held_there_is_no_breaking_point() {
    let (folder, told) = reported(&Synthetic { response_us: 500, ..four_steps() });
    assert_eq!(told.steps(), ["held"; 4]);
    assert_eq!((told.users("held_users"), told.users("breaking_users")), (Some(400), None));
    assert_eq!(told.text("failure_mode"), "none seen");
    assert_eq!(told.limits[2], "not reached: every step was held");
    assert_eq!(folder.lines(&["| Breaking point | not reached: every step was held |"]).len(), 1);
}

#[test]
fn a_run_that_fails_at_its_first_step_failed_there_and_has_no_breaking_point() {
    let (folder, told) = reported(&Synthetic { fails_with: 0, ..four_steps() });
    assert_eq!(told.steps(), ["not held"; 4]);
    for name in ["held_users", "breaking_users", "linear_users"] {
        assert_eq!(told.users(name), None, "{name}");
    }
    let how = told.text("failure_mode");
    let first = "FAILED at its first step, 100 users: `failures > 5%` held: 33.3";
    assert!(how.starts_with(first), "{how}");
    let limits =
        ["not even the first step was held", "100 users", "none: it failed at its first step"];
    assert_eq!(told.limits, limits);
    assert_eq!(folder.lines(&["| Breaking point | none: it failed at its first step |"]).len(), 1);
    // So is one that was stopped before half of it was over.
    let run = Synthetic { fails_with: 0, seconds: 3, ended_by: stopped(), ..four_steps() };
    let (_, told) = reported(&run);
    assert_eq!(told.steps(), ["not reached"]);
    let how = "FAILED at its first step, 100 users: `failures > 5%` held before half of the step \
               of 100 users was over";
    assert_eq!((told.text("failure_mode"), told.users("peak_users")), (how, None));
}

#[test]
fn what_ends_the_run_within_a_step_breaks_it_and_what_is_cut_short_says_nothing() {
    let last = Synthetic { fails_with: 300, seconds: 12, ..four_steps() };
    let (_, told) = reported(&Synthetic { ended_by: stopped(), ..last.clone() });
    assert_eq!(told.steps(), ["held", "held", "not reached"]);
    assert_eq!((told.users("held_users"), told.users("breaking_users")), (Some(200), Some(300)));
    let how = "`failures > 5%` held before half of the step of 300 users was over";
    assert_eq!(told.text("failure_mode"), how);
    let (_, told) = reported(&Synthetic { ended_by: Some(EndedBy::Signal(2)), ..last });
    assert_eq!(told.steps(), ["held", "held", "not reached"]);
    assert_eq!((told.users("breaking_users"), told.text("failure_mode")), (None, "none seen"));
    // More than half of it was good, and its end was not.
    let (_, told) = reported(&Synthetic { seconds: 14, ended_by: stopped(), ..four_steps() });
    assert_eq!(told.steps(), ["held", "held", "stopped"]);
    let how = "`failures > 5%` held over its last seconds";
    assert_eq!((told.users("breaking_users"), told.text("failure_mode")), (Some(300), how));
}

#[test]
fn without_a_condition_to_stop_a_step_is_held_by_its_failures_and_its_latency() {
    // Response times grow with the square of the users: 40 ms, 160 ms, 360 ms, by endpoint up to
    // four times that.
    let axis = Some("stages start 100, +100 every 5s, to 400".to_owned());
    let run = Synthetic { scenario: Synthetic::of("01-baseline").scenario, axis, ..four_steps() };
    let run = Synthetic { seconds: 15, response_us: 40_000, ..run };
    let (_, told) = reported(&run);
    assert_eq!(told.steps(), ["held", "held", "not held"]);
    let how = told.text("failure_mode");
    assert!(how.starts_with("`p95 <= 1s` was not met: 2.0"), "{how}");
    assert_eq!(told.text("criterion"), "over it there is `failures <= 5%` and `p95 <= 1s`");
    let failing = Synthetic { fails_with: 200, ..run.clone() };
    let how = reported(&failing).1.text("failure_mode").to_owned();
    assert!(how.starts_with("`failures <= 5%` was not met: 33."), "{how}");
    // With one, that alone decides.
    let (_, told) = reported(&Synthetic { stop_on: Some("p95 > 5s"), ..run });
    assert_eq!(told.steps(), ["held"; 3]);
}

#[test]
fn degradation_begins_behind_where_it_is_linear() {
    // Twice the users, four times the p95: throughput still grows.
    let (_, told) = reported(&Synthetic { response_us: 500, ..four_steps() });
    assert_eq!(told.limits[..2], ["100 users", "200 users"]);
    // Nothing but failures.
    let (_, told) = reported(&Synthetic { fails_with: 200, response_us: 1, ..four_steps() });
    assert_eq!(told.limits[..2], ["100 users", "200 users"]);
    let axis = Some("stages start 100, +1 every 5s, to 400".to_owned());
    let (_, told) = reported(&Synthetic { axis, step: 1, ..four_steps() });
    assert_eq!(told.limits[..2], ["103 users", "no step that was run"]);
}

#[test]
fn what_became_of_the_target_without_the_load_is_said_in_a_sentence() {
    let run = Synthetic { fails_with: 300, ended_by: stopped(), ..four_steps() };
    let run = Synthetic { recovery_s: 20, recovery_bound_s: 20, ..run };
    let told = |run: &Synthetic| {
        let (folder, told) = reported(run);
        let recovery = told.stress["recovery"].clone();
        let text = recovery["text"].as_str().unwrap().to_owned();
        assert_eq!(folder.lines(&["| Recovery | ", &text]).len(), 1, "{text}");
        // What ended the load is no other step's doing.
        assert_eq!(told.users("breaking_users"), Some(300));
        let result = recovery["result"].as_str().unwrap().to_owned();
        (result, recovery["after"]["value"].as_f64(), text)
    };
    let (result, after, text) = told(&Synthetic { unwell_s: 7, ..run.clone() });
    assert_eq!((result.as_str(), after), ("recovered", Some(7.0)));
    let start = "7 s after the load was taken away latency and failures were what they were at the \
                 first step: there p95 was at most 4";
    assert!(text.starts_with(start), "{text}");
    assert!(text.ends_with(" ms and at most 0 % failed in any second"), "{text}");

    let (result, after, text) = told(&Synthetic { unwell_s: 16, ..run.clone() });
    assert_eq!((result.as_str(), after), ("not within the bound", None));
    let start = "latency and failures were not what they were at the first step within 20 s: at \
                 last p95 was up to 4";
    assert!(text.starts_with(start) && text.contains(" ms and up to 100 % failed; "), "{text}");

    let dead = Synthetic { unwell_s: 20, is_dead: true, ..run.clone() };
    let (result, _, text) = told(&dead);
    let says = "dead: nothing was answered within 20 s after the load was taken away";
    assert_eq!((result.as_str(), text.as_str()), ("dead", says));

    let (result, _, text) = told(&Synthetic { recovery_bound_s: 30, ..dead });
    assert_eq!(result, "not known");
    assert!(text.starts_with("not known: the run ended before 30 s were over; "), "{text}");

    let (folder, told) = reported(&four_steps());
    assert!(told.stress["recovery"].is_null() && folder.lines(&["| Recovery"]).is_empty());
}

/// Short enough to be read whole where it changes.
#[test]
fn the_steps_of_a_run_that_broke_read_as_they_did() {
    let (folder, _) = reported(&Synthetic { fails_with: 300, ..four_steps() });
    let text = folder.text();
    let (_, section) = text.split_once("| Stress | |\n").unwrap();
    let (section, _) = section.split_once("\n![").unwrap();
    let (_, limits) = text.split_once("## Scalability\n").unwrap();
    let (limits, _) = limits.split_once("\n| Run |").unwrap();
    insta::with_settings!(
        {
            snapshot_path => "../snapshots",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        },
        { insta::assert_snapshot!("stress", format!("| Stress | |\n{section}{limits}")) }
    );
}
