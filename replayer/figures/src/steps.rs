//! Steps of a load in stages, each judged over its own plateau: the seconds of its phase, in which
//! all its users are there.

use run_log::format::{EndedBy, Judgement, Phase, Run};
use run_log::phase::{RECOVERY, step_of};
use scenario::{Axis, Expectation, Pacing, with_defaults};

use crate::Plateau;
use crate::judge::{Verdict, verdict};

/// What is expected of a step where the load names no condition to stop; by open pacing, what is
/// expected of every load besides.
const EXPECTED: [&str; 2] = ["failures <= 5%", "p95 <= 1s"];

/// A step of which less than this share was held is none.
const LEAST_HELD: f64 = 0.5;

/// By what a step is held.
#[derive(Clone, Debug)]
pub enum Criterion {
    /// The load's condition to stop was shown not to hold over the step.
    StopOn(Expectation),
    /// Each of these was met over the step.
    Expected(Vec<Expectation>),
}

impl Criterion {
    /// By the load's condition to stop, where it has one that can be measured over a step.
    pub fn of(stop_on: Option<&Expectation>, pacing: Pacing) -> Self {
        match stop_on.filter(|condition| condition.metric.is_of_a_phase()) {
            Some(condition) => Self::StopOn(condition.clone()),
            None => {
                let texts = EXPECTED.iter().filter_map(|text| text.parse().ok());
                Self::Expected(with_defaults(&texts.collect::<Vec<_>>(), pacing))
            }
        }
    }

    /// What it asks of each step.
    pub fn expectations(&self) -> &[Expectation] {
        match self {
            Self::StopOn(condition) => std::slice::from_ref(condition),
            Self::Expected(all) => all,
        }
    }

    /// The first verdict by which a step of these figures is not held. What cannot be judged was
    /// not shown to be held.
    fn missed(&self, figures: &Plateau) -> Option<Verdict> {
        let held = match self {
            Self::StopOn(_) => Judgement::Missed,
            Self::Expected(_) => Judgement::Met,
        };
        let verdicts = self.expectations().iter().map(|asked| verdict(asked, figures));
        verdicts.into_iter().find(|verdict| verdict.result != held)
    }
}

/// A number of users that the stages asked for, and what was measured with all of them there.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    pub users: u64,
    pub figures: &'a Plateau,
    pub outcome: Outcome,
}

/// Whether the target held a step.
#[derive(Clone, Debug)]
pub enum Outcome {
    Held,
    /// With the verdict that says so.
    NotHeld(Verdict),
    /// The condition to stop held over the last seconds of it, though not over all of it.
    Stopped,
    NotReached(Short),
}

/// Of what less than half of a step was held, so that it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Short {
    /// Of its planned seconds, which says nothing of the target.
    Length,
    /// Of its planned requests, by open pacing: the target let so few become ready.
    Load,
}

impl Step<'_> {
    pub fn is_held(&self) -> bool {
        matches!(self.outcome, Outcome::Held)
    }

    /// Whether it was there for long enough, with enough of its load, to say something of.
    pub fn is_measured(&self) -> bool {
        !matches!(self.outcome, Outcome::NotReached(_))
    }

    /// Whether the target is shown not to have held it.
    pub fn is_broken(&self) -> bool {
        !matches!(self.outcome, Outcome::Held | Outcome::NotReached(Short::Length))
    }
}

/// The steps of a load in stages, as its run planned them.
#[derive(Clone, Debug)]
pub struct Ladder {
    pub criterion: Criterion,
    every_s: f64,
    end_s: f64,
}

impl Ladder {
    /// That of a run, if its load is one in stages. `stop_on` is its scenario's condition to stop,
    /// which runs before minor 4 do not tell.
    pub fn of(run: &Run, stop_on: Option<&Expectation>) -> Option<Self> {
        let Ok(Axis::Stages(stages)) = run.config.axis.parse() else { return None };
        let told = run.config.stop_on.as_ref().and_then(|text| text.parse().ok());
        let pacing = match run.config.pacing {
            run_log::format::Pacing::Open => Pacing::Open,
            run_log::format::Pacing::Closed => Pacing::Closed,
        };
        let whole = stages.duration().as_secs_f64();
        Some(Self {
            criterion: Criterion::of(told.as_ref().or(stop_on), pacing),
            every_s: stages.every.as_secs_f64(),
            end_s: run.config.duration_s.unwrap_or(whole),
        })
    }

    /// The steps that had begun when the run ended, by what a plateau that watches them measured.
    pub fn steps<'a>(&self, run: &Run, plateau: &'a Plateau) -> Vec<Step<'a>> {
        let stopped_in = stopped_in(run).map(|phase| &phase.name);
        let step = |phase: &Phase| {
            let (number, figures) = (step_of(phase)?, plateau.phase(&phase.name)?);
            let outcome = match self.short(number, phase, figures) {
                Some(short) => Outcome::NotReached(short),
                None => match self.criterion.missed(figures) {
                    Some(verdict) => Outcome::NotHeld(verdict),
                    None if stopped_in == Some(&phase.name) => Outcome::Stopped,
                    None => Outcome::Held,
                },
            };
            Some(Step { users: phase.users, figures, outcome })
        };
        run.phases.iter().filter_map(step).collect()
    }

    /// Of what of a step less than half was held, if of anything.
    fn short(&self, number: u32, phase: &Phase, figures: &Plateau) -> Option<Short> {
        let end_s = (f64::from(number) * self.every_s).ceil().min(self.end_s);
        let planned_s = end_s - phase.window.start_s as f64;
        if figures.length_s() < LEAST_HELD * planned_s || figures.seconds() == 0 {
            return Some(Short::Length);
        }
        let held = figures.load_held().value;
        held.is_some_and(|held| held < LEAST_HELD).then_some(Short::Load)
    }
}

/// The phase in which the run's condition to stop ended it: a step, or the ramp of the next one.
/// None where something else did.
pub fn stopped_in(run: &Run) -> Option<&Phase> {
    let Some(EndedBy::StopOn(_)) = run.ended_by else { return None };
    run.phases.iter().rfind(|phase| phase.name != RECOVERY)
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use run_log::format::{LatencyKind, LoadHeld, Pacing as RunPacing, Scope, Tag, Window};
    use run_log::outcome::Outcome as Ended;
    use run_log::timeline::Second;

    use super::*;
    use crate::{Names, Recorded};

    /// What each second of a step is like.
    #[derive(Clone, Copy)]
    struct Made {
        seconds: u64,
        /// Answers of each of two endpoints, of one after 1 ms, of the other after so many `us`.
        ok: u64,
        us: u64,
        failed: u64,
        held_percent: Option<u64>,
    }

    const GOOD: Made = Made { seconds: 10, ok: 100, failed: 0, us: 20_000, held_percent: None };

    /// Steps of ten seconds each, and what the run's condition to stop was.
    fn outcomes(
        made: &[Made],
        stop_on: Option<&str>,
        change: impl FnOnce(&mut Run),
    ) -> Vec<String> {
        let golden = include_str!("../../../fixtures/runs/04-stress/run.json");
        let mut run: Run = serde_json::from_str(golden).unwrap();
        run.config.axis = "stages start 10, +10 every 10s, to 90".to_owned();
        run.config.duration_s = None;
        run.config.stop_on = stop_on.map(str::to_owned);
        let mut until = 0;
        for (number, of) in (1..).zip(made) {
            let window = Window::new(until, (until + of.seconds) as f64);
            let load_held = of.held_percent.map(|ready| LoadHeld { planned: 100, ready });
            run.phases.push(Phase {
                name: format!("step {number}"),
                window,
                users: 10 * number,
                load_held,
            });
            until = window.end_s;
        }
        change(&mut run);
        let ladder = Ladder::of(&run, None).unwrap();
        let names = ["GET /", "GET /slow"].map(str::to_owned).to_vec();
        let mut plateau = Plateau::new(&Names { endpoints: names, personas: Vec::new() });
        plateau.watch_steps(&run.phases, ladder.criterion.expectations());
        let window = Window::new(0, until as f64);
        for (phase, of) in run.phases.iter().zip(made) {
            for second in phase.window.start_s..phase.window.end_s {
                let mut row = Second { second, failed_status: of.failed, ..Second::default() };
                row.outcomes[Ended::Completed] = 2 * of.ok + of.failed;
                plateau.add_row(window, &row);
                let kinds = [
                    (0, LatencyKind::ResponseOk, 1000, of.ok),
                    (1, LatencyKind::ResponseOk, of.us, of.ok),
                    (0, LatencyKind::ResponseFailed, 1000, of.failed),
                ];
                for (endpoint, kind, us, count) in kinds {
                    let mut histogram = Histogram::<u64>::new(3).unwrap();
                    histogram.record_n(us, count).unwrap();
                    let tag = Tag { scope: Scope::Endpoint(endpoint), kind };
                    plateau.add(window, second, tag, &Recorded::of(&histogram)).unwrap();
                }
            }
        }
        let told = |step: &Step<'_>| {
            let outcome = match &step.outcome {
                Outcome::NotHeld(verdict) => verdict.expectation.to_string(),
                outcome => format!("{outcome:?}"),
            };
            format!("{} {outcome}", step.users)
        };
        ladder.steps(&run, &plateau).iter().map(told).collect()
    }

    #[test]
    fn without_a_condition_to_stop_failures_and_latency_of_the_step_alone_say_whether_it_is_held() {
        let slow = Made { us: 1_100_000, ..GOOD };
        let (few, many) = (Made { failed: 10, ..GOOD }, Made { failed: 11, ..GOOD });
        let none = Made { ok: 0, ..GOOD };
        assert_eq!(
            outcomes(&[GOOD, slow, few, many, none, GOOD], None, |_| ()),
            [
                "10 Held",
                "20 p95 <= 1s",
                "30 Held",
                "40 failures <= 5%",
                "50 failures <= 5%",
                "60 Held"
            ]
        );
        let open = |run: &mut Run| run.config.pacing = RunPacing::Open;
        let held = |percent| Made { held_percent: Some(percent), ..GOOD };
        assert_eq!(
            outcomes(&[held(100), held(97), held(50), held(49)], None, open),
            ["10 Held", "20 load_held >= 98%", "30 load_held >= 98%", "40 NotReached(Load)"]
        );
    }

    #[test]
    fn a_step_is_held_where_the_condition_to_stop_is_shown_not_to_hold_over_it() {
        let slow = Made { us: 1_100_000, ..GOOD };
        let failing = Made { failed: 30, ..GOOD };
        let none = Made { ok: 0, ..GOOD };
        let all = [GOOD, slow, failing, none];
        assert_eq!(
            outcomes(&all, Some("failures > 5%"), |_| ()),
            ["10 Held", "20 Held", "30 failures > 5%", "40 failures > 5%"]
        );
        // Of an endpoint, too.
        assert_eq!(
            outcomes(&all, Some("GET /slow: p95 > 1s"), |_| ()),
            ["10 Held", "20 GET /slow: p95 > 1s", "30 Held", "40 GET /slow: p95 > 1s"]
        );
        // What no step has a figure of is no criterion.
        assert_eq!(outcomes(&all[..2], Some("fidelity < 9%"), |_| ()), ["10 Held", "20 p95 <= 1s"]);
    }

    #[test]
    fn a_step_of_which_less_than_half_was_run_is_none() {
        let (half, less) = (Made { seconds: 5, ..GOOD }, Made { seconds: 4, ..GOOD });
        assert_eq!(outcomes(&[GOOD, half], None, |_| ()), ["10 Held", "20 Held"]);
        assert_eq!(outcomes(&[GOOD, less], None, |_| ()), ["10 Held", "20 NotReached(Length)"]);
        // Bad as it was.
        let bad = Made { failed: 300, ..less };
        assert_eq!(outcomes(&[GOOD, bad], None, |_| ()), ["10 Held", "20 NotReached(Length)"]);
        // One that was planned to be as short.
        let short = |run: &mut Run| run.config.duration_s = Some(14.0);
        assert_eq!(outcomes(&[GOOD, less], None, short), ["10 Held", "20 Held"]);
    }

    #[test]
    fn the_step_in_which_the_condition_to_stop_held_at_last_is_not_held() {
        let condition = "failures > 5%";
        let stopped = |run: &mut Run| run.ended_by = Some(EndedBy::StopOn(condition.to_owned()));
        let last = Made { seconds: 9, ..GOOD };
        assert_eq!(outcomes(&[GOOD, last], Some(condition), stopped), ["10 Held", "20 Stopped"]);
        assert_eq!(outcomes(&[GOOD, last], Some(condition), |_| ()), ["10 Held", "20 Held"]);
    }
}
