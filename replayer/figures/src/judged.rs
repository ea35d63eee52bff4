//! A run held against what is expected of it: the one place where it is decided what it came to.

use run_log::format::{EndedBy, Judgement, Pacing, Run, State, ValidityState};
use scenario::{Expectation, Profile, is_default, with_defaults};

use crate::Plateau;
use crate::conclusion::{Conclusion, Validity, profile};
use crate::judge::{Verdict, judge, unmet};
use crate::marks::{failures, load_held, other_load};

/// A run held against what is expected of it.
#[derive(Clone, Debug)]
pub struct Judged {
    pub conclusion: Conclusion,
    /// Why it came to that, where there is more to say than its name.
    pub reason: Option<String>,
    /// What has to be seen before any other figure.
    pub marks: Vec<String>,
    /// In the order of the expectations, those that nobody wrote at the end. Verdicts that do
    /// not count are withheld, with the reason.
    pub verdicts: Vec<Verdict>,
}

impl Judged {
    /// Judges a run by these expectations, and by what is expected besides.
    pub fn of(run: &Run, plateau: &Plateau, expectations: &[Expectation]) -> Self {
        let mut verdicts = judge(&expected(run, expectations), plateau);
        let failures = failures(run, plateau, &verdicts);
        let marks = [other_load(run), failures.clone(), load_held(&verdicts)].concat();
        let (conclusion, reason, note) = not_judged(run, plateau, !expectations.is_empty())
            .unwrap_or_else(|| {
                let (conclusion, reason) = by_verdicts(run, &verdicts, &failures);
                (conclusion, reason, None)
            });
        if let Some(note) = note {
            verdicts.iter_mut().for_each(|verdict| verdict.withhold(note));
        }
        Self { conclusion, reason, marks, verdicts }
    }
}

/// How what is expected of a run stands while it goes on; of what is known only once it is over,
/// such as how much of its load was held, nothing is judged yet.
pub fn so_far(run: &Run, plateau: &Plateau, expectations: &[Expectation]) -> Vec<Verdict> {
    judge(&expected(run, expectations), plateau)
}

/// What a run is judged by. One that was made to compare answers is no load, and nothing is
/// expected of it that nobody wrote.
fn expected(run: &Run, expectations: &[Expectation]) -> Vec<Expectation> {
    if run.scenario.is_none() && run.fidelity.shapes_compared > 0 {
        return expectations.to_vec();
    }
    let pacing = match run.config.pacing {
        Pacing::Open => scenario::Pacing::Open,
        Pacing::Closed => scenario::Pacing::Closed,
    };
    with_defaults(expectations, pacing)
}

/// Where the verdicts do not count: what the run came to, why, and what is noted of each verdict.
fn not_judged(
    run: &Run,
    plateau: &Plateau,
    is_expected_of: bool,
) -> Option<(Conclusion, Option<String>, Option<&'static str>)> {
    let validity = validity(run);
    let is_other_load = run.scenario.as_ref().is_some_and(|of| !of.changed.is_empty());
    let (conclusion, reason, note) = if let Some(reason) = incomplete(run, plateau) {
        let conclusion = Conclusion::Incomplete(reason, validity);
        (conclusion, Some(reason.to_owned()), "the run is incomplete")
    } else if let Validity::Bad(state) = validity {
        let reasons = run.validity.reasons.join("; ");
        (Conclusion::Invalid(state), Some(reasons), "the run is not valid")
    } else if profile(run) == Profile::Quick {
        (Conclusion::Quick, None, "quick profile")
    } else if let Some(shard) = run.shard {
        let reason = format!("it is shard {shard}; `replayer merge` judges the whole");
        (Conclusion::Part(shard), Some(reason), "a part of the plan")
    } else if is_expected_of && is_other_load {
        (Conclusion::OtherLoad, Some(other_load(run).join("; ")), "not the scenario's load")
    } else {
        return None;
    };
    Some((conclusion, reason, Some(note)))
}

fn by_verdicts(
    run: &Run,
    verdicts: &[Verdict],
    failures: &[String],
) -> (Conclusion, Option<String>) {
    let mut reasons = Vec::new();
    // What could not be judged is nothing that was missed, and decides all the same.
    for (result, what) in [(Judgement::Missed, "not met"), (Judgement::NotJudged, "not judged")] {
        let of_it = unmet(verdicts).filter(|verdict| verdict.result == result);
        let of_it: Vec<String> = of_it.map(|of| format!("`{}`", of.expectation)).collect();
        if !of_it.is_empty() {
            reasons.push(format!("{what}: {}", of_it.join(", ")));
        }
    }
    if run.scenario.is_some() && reasons.is_empty() {
        reasons.extend(failures.iter().cloned());
    }
    if !reasons.is_empty() {
        return (Conclusion::Failed, Some(reasons.join("; ")));
    }
    if verdicts.iter().all(|verdict| is_default(&verdict.expectation)) {
        let reason = match run.scenario {
            Some(_) => "nothing is expected of it; it measures",
            None => "no scenario says what is expected of it; it measures",
        };
        return (Conclusion::Measured, Some(reason.to_owned()));
    }
    (Conclusion::Passed, None)
}

fn validity(run: &Run) -> Validity {
    match run.validity.state {
        ValidityState::Valid => Validity::Good,
        ValidityState::Suspect if profile(run) == Profile::Quick => Validity::Good,
        state => Validity::Bad(state),
    }
}

fn incomplete(run: &Run, plateau: &Plateau) -> Option<&'static str> {
    match (&run.ended_by, run.state) {
        (_, State::Running) => Some("its writer was killed or is still at work"),
        (Some(EndedBy::Signal(_)), _) => Some("it was interrupted"),
        (Some(EndedBy::LoginsRefused), _) => Some("the target refused too many logins"),
        (Some(EndedBy::Other(_)), _) => {
            Some("it ended for a reason that this version does not know")
        }
        _ if run.scenario.is_some() && plateau.seconds() == 0 => {
            Some("it ended before all its users were there")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use common::exit::Exit;
    use run_log::format::{Judgement, LoadHeld, Profile as RunProfile, ScenarioRef, Shard, Window};
    use run_log::outcome::Outcome;
    use run_log::timeline::Second;

    use super::*;
    use crate::Names;

    /// A valid run of a scenario, by open pacing, and one judged second of it.
    struct Made {
        run: Run,
        failed: u64,
        held: u64,
        seconds: u64,
    }

    /// Of a hundred requests a second.
    fn made(change: impl FnOnce(&mut Made)) -> Made {
        let golden = include_str!("../../../fixtures/runs/01-baseline/run.json");
        let mut run: Run = serde_json::from_str(golden).unwrap();
        run.config.pacing = Pacing::Open;
        run.scenario.as_mut().unwrap().profile = RunProfile::Full;
        let mut made = Made { run, failed: 0, held: 100, seconds: 1 };
        change(&mut made);
        made
    }

    fn of_scenario(made: &mut Made) -> &mut ScenarioRef {
        made.run.scenario.as_mut().unwrap()
    }

    fn judged(made: &Made, expectations: &[&str]) -> Judged {
        let mut plateau = Plateau::new(&Names::default());
        for second in 0..made.seconds {
            let mut row =
                Second { second, users: 3, failed_status: made.failed, ..Second::default() };
            row.outcomes[Outcome::Completed] = 100;
            plateau.add_row(Window::new(0, made.seconds as f64), &row);
        }
        plateau.load_held = Some(LoadHeld { planned: 100, ready: made.held });
        let expectations: Vec<Expectation> =
            expectations.iter().map(|text| text.parse().unwrap()).collect();
        Judged::of(&made.run, &plateau, &expectations)
    }

    /// Name, exit code, and how many of the verdicts count.
    fn came_to(made: &Made, expectations: &[&str]) -> (&'static str, Exit, usize) {
        let Judged { conclusion, verdicts, .. } = judged(made, expectations);
        let counts = |verdict: &&Verdict| verdict.result != Judgement::NotJudged;
        (conclusion.name(), conclusion.exit(), verdicts.iter().filter(counts).count())
    }

    const USERS: [&str; 1] = ["users >= 3"];

    #[test]
    fn what_is_expected_and_shown_is_passed_and_where_nothing_is_expected_nothing_is() {
        let good = made(|_| ());
        assert_eq!(came_to(&good, &USERS), ("PASSED", Exit::Good, 2));
        assert_eq!(came_to(&good, &[]), ("MEASURED", Exit::Good, 1));
        assert_eq!(came_to(&good, &["users >= 4"]), ("FAILED", Exit::Threshold, 2));
        // What cannot be judged is not met.
        assert_eq!(came_to(&good, &["p95 < 1s"]), ("FAILED", Exit::Threshold, 1));
        let reason = |expected: &[&str]| judged(&good, expected).reason;
        assert_eq!(reason(&["p95 < 1s"]).as_deref(), Some("not judged: `p95 < 1s`"));
        let both = "not met: `users >= 4`; not judged: `p95 < 1s`";
        assert_eq!(reason(&["p95 < 1s", "users >= 4"]).as_deref(), Some(both));
        assert!(judged(&good, &USERS).marks.is_empty());
    }

    #[test]
    fn more_failures_than_are_allowed_pass_nothing() {
        let bad = made(|it| it.failed = 2);
        assert_eq!(came_to(&bad, &USERS), ("FAILED", Exit::Threshold, 2));
        assert_eq!(came_to(&bad, &[]), ("FAILED", Exit::Threshold, 1));
        let mark = "more failed than the 1 % that is allowed: 2.000 %, mostly 4xx answers";
        let of_bad = judged(&bad, &[]);
        assert_eq!(of_bad.marks.len(), 1);
        assert!(of_bad.marks[0].starts_with(mark.split(',').next().unwrap()), "{:?}", of_bad.marks);
        assert_eq!(of_bad.reason.as_ref(), of_bad.marks.first());
        // What the scenario says itself is what is allowed.
        assert_eq!(came_to(&bad, &["failures < 5%"]), ("PASSED", Exit::Good, 2));
        assert_eq!(came_to(&bad, &["failures < 1%"]), ("FAILED", Exit::Threshold, 2));
        assert_eq!(came_to(&made(|it| it.failed = 1), &USERS), ("PASSED", Exit::Good, 2));
        // Not judged, and marked all the same.
        let quick = made(|it| {
            it.failed = 100;
            of_scenario(it).profile = RunProfile::Quick;
        });
        assert_eq!(came_to(&quick, &USERS), ("QUICK PROFILE", Exit::Good, 0));
        assert!(judged(&quick, &USERS).marks[0].contains("100.000 %"));
        // Where nobody says what is expected, it is marked and no more.
        let of_none = made(|it| (it.failed, it.run.scenario) = (50, None));
        assert_eq!(came_to(&of_none, &[]), ("MEASURED", Exit::Good, 1));
        assert_eq!(judged(&of_none, &[]).marks.len(), 1);
    }

    #[test]
    fn a_load_that_was_not_held_fails_whatever_else_is_met() {
        let short = made(|it| it.held = 97);
        assert_eq!(came_to(&short, &USERS), ("FAILED", Exit::Threshold, 2));
        assert!(judged(&short, &USERS).marks[0].contains("of the load that was let through"));
        assert_eq!(came_to(&short, &["load_held >= 90 %"]), ("PASSED", Exit::Good, 1));
        assert_eq!(came_to(&made(|it| it.held = 98), &USERS), ("PASSED", Exit::Good, 2));
        let closed = made(|it| (it.run.config.pacing, it.held) = (Pacing::Closed, 0));
        assert_eq!(came_to(&closed, &USERS), ("PASSED", Exit::Good, 1));
        let of_none = made(|it| (it.held, it.run.scenario) = (50, None));
        assert_eq!(came_to(&of_none, &[]), ("FAILED", Exit::Threshold, 1));
        // One that compares answers is made for that.
        let compares = made(|it| {
            (it.held, it.run.scenario, it.run.fidelity.shapes_compared) = (50, None, 1);
        });
        assert_eq!(came_to(&compares, &[]), ("MEASURED", Exit::Good, 0));
    }

    #[test]
    fn another_load_passes_nothing_and_a_part_is_judged_with_the_others() {
        let other = made(|it| of_scenario(it).changed = vec!["users 3 instead of users 9".into()]);
        assert_eq!(came_to(&other, &USERS), ("OTHER LOAD", Exit::Threshold, 0));
        let marks = judged(&other, &USERS).marks;
        assert_eq!(marks, ["not the scenario's load: users 3 instead of users 9"]);
        assert_eq!(came_to(&other, &[]), ("MEASURED", Exit::Good, 1));
        let part = made(|it| it.run.shard = Some(Shard { index: 1, of: 2 }));
        assert_eq!(came_to(&part, &USERS), ("PART", Exit::Good, 0));
    }

    #[test]
    fn a_run_that_is_not_valid_never_counts_as_a_pass() {
        let of = |state, change: fn(&mut Made)| {
            made(|it| {
                it.run.validity.state = state;
                change(it);
            })
        };
        let (suspect, invalid) = (ValidityState::Suspect, ValidityState::Invalid);
        for expectations in [&USERS[..], &[]] {
            let came_to = |made: &Made| came_to(made, expectations);
            assert_eq!(came_to(&of(suspect, |_| ())), ("SUSPECT", Exit::Invalid, 0));
            assert_eq!(came_to(&of(invalid, |_| ())), ("INVALID", Exit::Invalid, 0));
            let of_none = of(suspect, |it| it.run.scenario = None);
            assert_eq!(came_to(&of_none), ("SUSPECT", Exit::Invalid, 0));
            // What is not judged may be doubtful, and no more than that.
            let quick: fn(&mut Made) = |it| of_scenario(it).profile = RunProfile::Quick;
            assert_eq!(came_to(&of(suspect, quick)), ("QUICK PROFILE", Exit::Good, 0));
            assert_eq!(came_to(&of(invalid, quick)), ("INVALID", Exit::Invalid, 0));
            // Of two codes that hold, the first.
            let ended: fn(&mut Made) = |it| it.seconds = 0;
            assert_eq!(came_to(&of(invalid, ended)), ("INCOMPLETE", Exit::Invalid, 0));
            let ended = of(ValidityState::Valid, ended);
            assert_eq!(came_to(&ended), ("INCOMPLETE", Exit::Incomplete, 0));
        }
    }
}
