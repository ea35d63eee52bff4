//! Holds the measured against the expected.

use run_log::format::{self, Judgement};
use scenario::{ALLOWED_FAILURES, Expectation, Metric, MetricUnit, Scope, is_default};

use crate::{Group, Plateau, Reading};

/// An expectation as it turned out.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub expectation: Expectation,
    pub result: Judgement,
    /// In the unit of the expectation's bound.
    pub measured: Reading,
    /// Why it is not judged, or what the figure is of; mostly empty.
    pub note: String,
}

/// Judges each expectation on the plateau, in order. Latency is not judged where a bound on
/// failures is missed: a quick refusal is not a quick service.
pub fn judge(expectations: &[Expectation], plateau: &Plateau) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> =
        expectations.iter().map(|expectation| verdict(expectation, plateau)).collect();
    let missed = |verdict: &&Verdict| {
        verdict.expectation.metric == Metric::Failures && verdict.result == Judgement::Missed
    };
    if let Some(failures) = verdicts.iter().find(missed).map(measured_text) {
        for verdict in verdicts.iter_mut().filter(|v| v.expectation.metric.is_latency()) {
            let note = format!("latency is not judged where {failures} of the requests fail");
            verdict.withhold(&note);
        }
    }
    if verdicts.iter().any(Verdict::misses_load) {
        let of_latency = |v: &&mut Verdict| v.expectation.metric.is_latency() && v.note.is_empty();
        for verdict in verdicts.iter_mut().filter(of_latency) {
            LET_THROUGH.clone_into(&mut verdict.note);
        }
    }
    verdicts
}

/// What latencies are of where the load was not held.
pub(crate) const LET_THROUGH: &str = "of the load that was let through";

/// One expectation by itself, as `--stop-on` asks.
pub fn verdict(expectation: &Expectation, plateau: &Plateau) -> Verdict {
    let measured = measure(expectation, plateau);
    let (result, note) = match measured.value {
        None => (Judgement::NotJudged, unmeasured(expectation.metric, plateau)),
        Some(value) => {
            let holds = expectation.comparison.holds(value, expectation.bound);
            // That it is at least this much proves one side only, unless the most that it can be
            // is on the same side.
            let is_open = measured.at_least
                && holds == expectation.comparison.is_upper_bound()
                && at_most(expectation, plateau).is_none_or(|most| {
                    holds != expectation.comparison.holds(most, expectation.bound)
                });
            match (is_open, holds) {
                (true, _) if expectation.metric.is_of_audit() => {
                    (Judgement::NotJudged, "of some answers the mark is not known")
                }
                (true, _) => (Judgement::NotJudged, "reaches into requests without an answer"),
                (false, true) => (Judgement::Met, ""),
                (false, false) => (Judgement::Missed, ""),
            }
        }
    };
    Verdict { expectation: expectation.clone(), result, measured, note: note.to_owned() }
}

/// Why there is no figure.
fn unmeasured(metric: Metric, plateau: &Plateau) -> &'static str {
    match (metric, &plateau.audit) {
        (Metric::Unacknowledged, Some(counts)) if counts.unacknowledged.is_none() => {
            "not known: a mark of the answer is known of answered requests alone"
        }
        (metric, None) if metric.is_of_audit() => "there was no audit",
        _ => "nothing was measured",
    }
}

/// What the figure is at most, however long those without an answer would have taken.
fn at_most(expectation: &Expectation, plateau: &Plateau) -> Option<f64> {
    let Metric::Percentile(percentile) = expectation.metric else { return None };
    let most = group_of(expectation, plateau)?.responses.percentile_at_most(percentile)?;
    Some(most as f64)
}

/// Those that are not met. What cannot be judged is not, if somebody asked for it.
pub fn unmet(verdicts: &[Verdict]) -> impl Iterator<Item = &Verdict> {
    verdicts.iter().filter(|verdict| match verdict.result {
        Judgement::Met => false,
        Judgement::Missed => true,
        Judgement::NotJudged => !is_default(&verdict.expectation),
    })
}

/// Whether this share of all requests is more than may fail where nothing that is expected bounds it.
pub fn exceeds_allowance(failed: f64, verdicts: &[Verdict]) -> bool {
    let is_bounded = verdicts.iter().any(|verdict| verdict.expectation.allows_failures());
    !is_bounded && failed > ALLOWED_FAILURES
}

/// The figure that an expectation is about: microseconds, a share, events a second, users, a count.
pub fn measure(expectation: &Expectation, plateau: &Plateau) -> Reading {
    let Some(group) = group_of(expectation, plateau) else { return Reading::NONE };
    let of_phase = expectation.phase().and_then(|phase| plateau.phase(phase));
    let plateau = of_phase.unwrap_or(plateau);
    let is_all = !matches!(expectation.scope, Scope::Named(_));
    match expectation.metric {
        Metric::Percentile(percentile) => group.responses.percentile(percentile),
        Metric::Mean => group.responses.mean(),
        Metric::Max => group.responses.max(),
        Metric::SinceDue(percentile) => group.since_due(percentile),
        Metric::Service(percentile) => group.service_percentile(percentile),
        Metric::Lag(percentile) => group.lag_percentile(percentile),
        Metric::Failures if is_all => plateau.counts.failures(),
        Metric::Failures => group.failures(),
        Metric::Requests if is_all => plateau.throughput(),
        Metric::Requests => group.rate(plateau.length_s()),
        Metric::Users => plateau.sustained_users(),
        Metric::LoadHeld => plateau.load_held(),
        Metric::Unbound => plateau.counts.unbound(),
        Metric::Fidelity => plateau.fidelity(),
        Metric::Lost => plateau.lost(),
        Metric::Duplicated => plateau.duplicated(),
        Metric::Unacknowledged => plateau.unacknowledged(),
    }
}

/// What an expectation is about; none where nothing has its name.
pub(crate) fn group_of<'a>(expectation: &Expectation, plateau: &'a Plateau) -> Option<&'a Group> {
    match &expectation.scope {
        Scope::All => Some(&plateau.all),
        Scope::Named(name) => plateau.named(name),
        Scope::Phase(name) => plateau.phase(name).map(|phase| &phase.all),
    }
}

impl Verdict {
    /// Takes the judgement back, and says why.
    pub fn withhold(&mut self, note: &str) {
        self.result = Judgement::NotJudged;
        note.clone_into(&mut self.note);
    }

    /// Whether less became ready than was expected.
    pub(crate) fn misses_load(&self) -> bool {
        self.expectation.metric == Metric::LoadHeld
            && self.expectation.scope == Scope::All
            && !self.expectation.comparison.is_upper_bound()
            && self.result == Judgement::Missed
    }

    /// As it stands in `run.json`.
    pub fn record(&self) -> format::Verdict {
        let measured = match (self.measured.value, self.note.as_str()) {
            (None, note) => note.to_owned(),
            (Some(_), "") => measured_text(self),
            (Some(_), note) => format!("{}; {note}", measured_text(self)),
        };
        format::Verdict { expectation: self.expectation.to_string(), result: self.result, measured }
    }
}

/// The figure with its unit, to a thousandth of what the bounds are written in.
pub(crate) fn measured_text(verdict: &Verdict) -> String {
    let Some(value) = verdict.measured.value else { return "–".to_owned() };
    let text = match verdict.expectation.metric.unit() {
        MetricUnit::Microseconds => format!("{:.1} ms", value / 1e3),
        MetricUnit::Share => format!("{:.3} %", value * 100.0),
        MetricUnit::PerSecond => format!("{value:.1}/s"),
        MetricUnit::Users => format!("{value} users"),
        MetricUnit::Count => format!("{value}"),
    };
    if verdict.measured.at_least { format!("≥ {text}") } else { text }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use run_log::audit::AuditCounts;
    use run_log::format::Phase;
    use run_log::format::{Fidelity, LatencyKind, LoadHeld, Scope as TagScope, Tag, Window};
    use run_log::outcome::Outcome;
    use run_log::timeline::Second;

    use super::*;
    use crate::{Names, Recorded};

    /// One judged second: times in microseconds by what became of the requests.
    fn plateau(requests: &[(LatencyKind, u64, u64)]) -> Plateau {
        let names = Names { endpoints: vec!["GET /".into()], personas: vec!["p".into()] };
        let window = Window::new(0, 100.0);
        let mut plateau = Plateau::new(&names);
        let mut row = Second { users: 3, ..Second::default() };
        for (kind, _, count) in requests {
            let outcome = match kind {
                LatencyKind::Censored => Outcome::TimedOut,
                LatencyKind::Lost => Outcome::Reset,
                _ => Outcome::Completed,
            };
            row.outcomes[outcome] += count;
            row.failed_status += if *kind == LatencyKind::ResponseFailed { *count } else { 0 };
        }
        plateau.add_row(window, &row);
        for (kind, us, count) in requests {
            let mut histogram = Histogram::<u64>::new(3).unwrap();
            histogram.record_n(*us, *count).unwrap();
            for scope in [TagScope::Endpoint(0), TagScope::Persona(0)] {
                let tag = Tag { scope, kind: *kind };
                plateau.add(window, 0, tag, &Recorded::of(&histogram)).unwrap();
            }
        }
        plateau
    }

    fn judged(expectations: &[&str], plateau: &Plateau) -> Vec<(Judgement, String)> {
        let expectations: Vec<Expectation> =
            expectations.iter().map(|text| text.parse().unwrap()).collect();
        judge(&expectations, plateau)
            .into_iter()
            .map(|verdict| (verdict.result, verdict.record().measured))
            .collect()
    }

    #[test]
    fn a_percentile_that_reaches_into_what_was_given_up_is_at_least() {
        let all = plateau(&[
            (LatencyKind::ResponseOk, 10_000, 90),
            (LatencyKind::Censored, 60_000_000, 10),
        ]);
        let verdicts = judged(&["p50 < 200ms", "p95 < 200ms", "p95 < 2m", "p95 > 5s"], &all);
        assert_eq!(verdicts[0].0, Judgement::Met, "it does not reach there");
        assert_eq!(verdicts[1].0, Judgement::Missed, "at least 60 s is too much already");
        assert!(verdicts[1].1.starts_with("≥ 6"), "{}", verdicts[1].1);
        assert_eq!(verdicts[2].0, Judgement::NotJudged, "it may be more");
        assert_eq!(verdicts[3].0, Judgement::Met, "it is more, however much");
    }

    #[test]
    fn a_mean_with_what_was_given_up_in_it_is_at_least() {
        let all = plateau(&[
            (LatencyKind::ResponseOk, 50_000, 90),
            (LatencyKind::Censored, 3_000_000, 10),
        ]);
        let verdicts = judged(&["mean < 100ms", "mean < 1s", "mean > 300ms"], &all);
        assert_eq!(verdicts[0].0, Judgement::Missed, "345 ms or more is too much already");
        assert!(verdicts[0].1.starts_with("≥ 34"), "{}", verdicts[0].1);
        assert_eq!(verdicts[1].0, Judgement::NotJudged, "it may be more");
        assert_eq!(verdicts[2].0, Judgement::Met, "it is more, however much");
    }

    #[test]
    fn latency_is_not_judged_where_too_much_failed_or_nothing_succeeded() {
        let most_refused = plateau(&[
            (LatencyKind::ResponseOk, 10_000, 25),
            (LatencyKind::ResponseFailed, 3_000, 75),
        ]);
        let verdicts = judged(&["p95 < 200ms", "failures < 1%"], &most_refused);
        assert_eq!(verdicts[0].0, Judgement::NotJudged);
        assert!(verdicts[0].1.contains("75.000 % of the requests fail"), "{}", verdicts[0].1);
        assert_eq!(verdicts[1], (Judgement::Missed, "75.000 %".to_owned()));

        let none = plateau(&[(LatencyKind::Lost, 1_000, 5)]);
        assert_eq!(judged(&["p95 < 200ms"], &none)[0].0, Judgement::NotJudged);
        assert_eq!(judged(&["failures < 1%"], &plateau(&[]))[0].0, Judgement::NotJudged);
    }

    #[test]
    fn an_expectation_of_a_name_is_about_that_alone() {
        let all = plateau(&[(LatencyKind::ResponseOk, 10_000, 40)]);
        for (expectation, expected) in [
            ("GET /: requests >= 40/s", Judgement::Met),
            ("p: mean < 11ms", Judgement::Met),
            ("GET /: max < 9ms", Judgement::Missed),
            ("users >= 4", Judgement::Missed),
            ("GET /elsewhere: p95 < 1s", Judgement::NotJudged),
        ] {
            assert_eq!(judged(&[expectation], &all)[0].0, expected, "{expectation}");
        }
    }

    #[test]
    fn a_phase_is_judged_by_what_ended_in_its_seconds() {
        let names = Names { endpoints: vec!["GET /".into()], personas: vec!["p".into()] };
        let expectations: Vec<Expectation> = [
            "phase ramp: p95 < 15ms",
            "phase step 2: p95 < 15ms",
            "phase step 2: failures < 1%",
            "phase ramp: users >= 2",
            "phase step 2: requests >= 10/s",
            "phase step 2: load_held >= 90%",
            "phase step 3: p95 < 1s",
            "p95 < 15ms",
        ]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
        let phase = |name: &str, start_s, end_s, load_held| Phase {
            name: name.to_owned(),
            window: Window::new(start_s, end_s),
            users: 1,
            load_held,
        };
        let phases = [
            phase("ramp", 0, 2.0, None),
            phase("step 1", 2, 4.0, None),
            phase("step 2", 4, 5.5, Some(LoadHeld { planned: 20, ready: 15 })),
        ];
        let mut plateau = Plateau::new(&names);
        plateau.watch(&phases, &expectations);
        // 10 ms in the ramp, 20 ms from then on; what ends in the drain is of no phase.
        let window = Window::new(2, 5.5);
        for second in 0..8 {
            let mut row = Second { second, users: second + 1, ..Second::default() };
            row.outcomes[Outcome::Completed] = 10;
            plateau.add_row(window, &row);
            let mut histogram = Histogram::<u64>::new(3).unwrap();
            histogram.record_n(if second < 2 { 10_000 } else { 20_000 }, 10).unwrap();
            for scope in [TagScope::Endpoint(0), TagScope::Persona(0)] {
                let tag = Tag { scope, kind: LatencyKind::ResponseOk };
                plateau.add(window, second, tag, &Recorded::of(&histogram)).unwrap();
            }
        }
        let verdicts: Vec<(Judgement, String)> = judge(&expectations, &plateau)
            .iter()
            .map(|verdict| (verdict.result, verdict.record().measured))
            .collect();
        let expected = [
            (Judgement::Met, "10.0 ms"),
            (Judgement::Missed, "20.0 ms"),
            (Judgement::Met, "0.000 %"),
            (Judgement::Missed, "1 users"),
            (Judgement::Met, "13.3/s"),
            (Judgement::Missed, "75.000 %"),
            (Judgement::NotJudged, "nothing was measured"),
            (Judgement::Missed, "20.0 ms"),
        ];
        assert_eq!(verdicts, expected.map(|(result, text)| (result, text.to_owned())));
        assert_eq!(plateau.phase("step 2").unwrap().counts.ended(), 20);
    }

    #[test]
    fn what_an_audit_counted_is_judged_and_what_it_did_not_is_no_pass() {
        let expected = ["lost <= 0", "duplicated <= 0", "unacknowledged <= 0", "lost < 5"];
        let judged = |audit: Option<AuditCounts>| {
            let mut plateau = plateau(&[(LatencyKind::ResponseOk, 10_000, 99)]);
            plateau.audit = audit;
            judged(&expected, &plateau)
        };
        let good = AuditCounts {
            acknowledged: 99,
            marks: 99,
            unacknowledged: Some(0),
            ..AuditCounts::default()
        };
        let (met, missed, not) = (Judgement::Met, Judgement::Missed, Judgement::NotJudged);
        assert_eq!(judged(Some(good)), [(met, "0"), (met, "0"), (met, "0"), (met, "0")].map(owned));
        let bad = AuditCounts { lost: 3, duplicated: 1, unacknowledged: Some(2), ..good };
        assert_eq!(
            judged(Some(bad)),
            [(missed, "3"), (missed, "1"), (missed, "2"), (met, "3")].map(owned)
        );
        let none = "there was no audit";
        assert_eq!(judged(None), [(not, none); 4].map(owned));
        // Where an answer had no mark, what it stands for may be lost, too.
        let some = "≥ 0; of some answers the mark is not known";
        let unmarked = judged(Some(AuditCounts { unmarked: 1, ..good }));
        assert_eq!(unmarked[0], owned((not, some)));
        let unmarked = judged(Some(AuditCounts { unmarked: 1, lost: 7, ..good }));
        assert_eq!(
            (&unmarked[0], &unmarked[3]),
            (&owned((missed, "≥ 7")), &owned((missed, "≥ 7")))
        );
        let of_answer = judged(Some(AuditCounts { unacknowledged: None, ..good }));
        assert_eq!(of_answer[2].0, not);
        assert!(of_answer[2].1.starts_with("not known: a mark of the answer"), "{of_answer:?}");
        // Of no request at all nothing is known.
        let nothing =
            judged(Some(AuditCounts { unacknowledged: Some(0), ..AuditCounts::default() }));
        assert_eq!(nothing, [(not, "nothing was measured"); 4].map(owned));
    }

    fn owned((judgement, text): (Judgement, &str)) -> (Judgement, String) {
        (judgement, text.to_owned())
    }

    #[test]
    fn figures_of_the_tool_itself_can_be_expected() {
        let mut all = plateau(&[(LatencyKind::ResponseOk, 10_000, 99)]);
        let names = Names { endpoints: vec!["GET /".into()], personas: vec!["p".into()] };
        let mut of_times = Plateau::new(&names);
        let window = Window::new(0, 100.0);
        for (kind, us) in [(LatencyKind::Service, 8_000), (LatencyKind::Lag, 500)] {
            let mut histogram = Histogram::<u64>::new(3).unwrap();
            histogram.record_n(us, 99).unwrap();
            let tag = Tag { scope: TagScope::Endpoint(0), kind };
            of_times.add(window, 0, tag, &Recorded::of(&histogram)).unwrap();
        }
        for (expectation, expected) in [
            ("service p95 < 9ms", Judgement::Met),
            ("GET /: service p(95) < 8ms", Judgement::Missed),
            ("lag p99 < 1ms", Judgement::Met),
            ("lag p99 < 100us", Judgement::Missed),
            ("fidelity >= 99%", Judgement::NotJudged),
        ] {
            assert_eq!(judged(&[expectation], &of_times)[0].0, expected, "{expectation}");
        }
        assert_eq!(judged(&["service p95 < 9ms"], &all)[0].0, Judgement::NotJudged);
        all.counts.outcomes[Outcome::Unbound] += 1;
        assert_eq!(judged(&["unbound < 1%"], &all)[0], (Judgement::Missed, "1.000 %".to_owned()));
        let same = |compared, same_status, shapes_compared, same_status_and_shape| Fidelity {
            compared,
            same_status,
            shapes_compared,
            same_status_and_shape,
            same_failures: 0,
        };
        for (fidelity, measured) in
            [(same(200, 199, 0, 0), "99.500 %"), (same(200, 199, 100, 98), "98.000 %")]
        {
            all.fidelity = fidelity;
            assert_eq!(judged(&["fidelity >= 99%"], &all)[0].1, measured);
        }
    }
}
