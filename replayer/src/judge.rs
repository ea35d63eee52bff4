//! Holds the measured against the expected, and against what a valid measurement is.

use std::time::Duration;

use crate::measure::{Collector, Plateau};
use crate::run_log::format::{
    Judgement, LatencyKind, Scope as TagScope, Validity, ValidityState, Verdict,
};
use crate::scenario::{Comparison, Expectation, Metric, Scope};

/// Judges each expectation on the plateau. Latency is not judged where a bound on
/// failures is missed: a quick refusal is not a quick service.
pub fn verdicts(expectations: &[Expectation], collector: &Collector) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> =
        expectations.iter().map(|expectation| verdict(expectation, collector)).collect();
    let failures_missed = expectations.iter().zip(&verdicts).any(|(expectation, verdict)| {
        expectation.metric == Metric::Failures && verdict.result == Judgement::Missed
    });
    for (expectation, verdict) in expectations.iter().zip(&mut verdicts) {
        let is_latency =
            matches!(expectation.metric, Metric::Percentile(_) | Metric::Mean | Metric::Max);
        if failures_missed && is_latency {
            verdict.result = Judgement::NotJudged;
            verdict.measured = format!("{} (too many failures)", verdict.measured);
        }
    }
    verdicts
}

fn verdict(expectation: &Expectation, collector: &Collector) -> Verdict {
    let (result, measured) = match measure(expectation, collector) {
        Measured::Nothing => (Judgement::NotJudged, "nothing was measured".to_owned()),
        Measured::Exact { value, text } => {
            let holds = expectation.comparison.holds(value, expectation.bound);
            (if holds { Judgement::Met } else { Judgement::Missed }, text)
        }
        Measured::AtLeast { value, text } => {
            let is_upper = matches!(expectation.comparison, Comparison::Less | Comparison::AtMost);
            let result = match expectation.comparison.holds(value, expectation.bound) {
                // It is at least this much, which is too much already.
                false if is_upper => Judgement::Missed,
                true if !is_upper => Judgement::Met,
                _ => Judgement::NotJudged,
            };
            (result, format!("≥ {text}"))
        }
    };
    Verdict { expectation: expectation.to_string(), result, measured }
}

enum Measured {
    Nothing,
    Exact {
        value: f64,
        text: String,
    },
    /// The figure reaches into requests that were given up.
    AtLeast {
        value: f64,
        text: String,
    },
}

fn measure(expectation: &Expectation, collector: &Collector) -> Measured {
    let plateau = &collector.plateau;
    let in_scope = |scope: TagScope| is_in(&expectation.scope, scope, collector);
    let latency = |quantile: Option<f64>| {
        let mut all = plateau.sum(LatencyKind::ResponseOk, in_scope);
        let censored = plateau.sum(LatencyKind::Censored, in_scope);
        if quantile.is_some() && all.add(&censored).is_err() || all.is_empty() {
            return Measured::Nothing;
        }
        let value = match quantile {
            Some(quantile) => all.value_at_quantile(quantile) as f64,
            None => all.mean(),
        };
        let text = format!("{:.1} ms", value / 1e3);
        let reaches = quantile.is_some() && !censored.is_empty() && censored.min() as f64 <= value;
        if reaches { Measured::AtLeast { value, text } } else { Measured::Exact { value, text } }
    };
    match expectation.metric {
        Metric::Percentile(percentile) => latency(Some(percentile / 100.0)),
        Metric::Max => latency(Some(1.0)),
        Metric::Mean => latency(None),
        Metric::Failures => {
            let [ok, failed] = counts(plateau, in_scope);
            if ok + failed == 0 {
                return Measured::Nothing;
            }
            let value = failed as f64 / (ok + failed) as f64;
            Measured::Exact { value, text: format!("{:.3} %", value * 100.0) }
        }
        Metric::Requests => {
            let seconds = plateau.seconds();
            if seconds == 0 {
                return Measured::Nothing;
            }
            let ok = plateau.before_end.sum(LatencyKind::ResponseOk, in_scope).len();
            let value = ok as f64 / seconds as f64;
            Measured::Exact { value, text: format!("{value:.1}/s") }
        }
        Metric::Users => match plateau.fewest_users {
            Some(users) => Measured::Exact { value: users as f64, text: format!("{users} users") },
            None => Measured::Nothing,
        },
    }
}

/// Successes and failures.
fn counts(plateau: &Plateau, in_scope: impl Fn(TagScope) -> bool) -> [u64; 2] {
    let count = |kind| plateau.sum(kind, &in_scope).len();
    let failed = count(LatencyKind::ResponseFailed)
        + count(LatencyKind::Censored)
        + count(LatencyKind::Lost);
    [count(LatencyKind::ResponseOk), failed]
}

fn is_in(wanted: &Scope, scope: TagScope, collector: &Collector) -> bool {
    let names = collector.names();
    match (wanted, scope) {
        (Scope::All, TagScope::Endpoint(_)) => true,
        (Scope::All, TagScope::Persona(_)) => false,
        (Scope::Named(name), TagScope::Endpoint(index)) => names.endpoints[index] == *name,
        (Scope::Named(name), TagScope::Persona(index)) => names.personas[index] == *name,
    }
}

const SUSPECT_LAG: Duration = Duration::from_millis(5);
const INVALID_LAG: Duration = Duration::from_millis(50);

/// Whether what was measured is the target, or the generator.
pub fn validity(collector: &Collector) -> Validity {
    let mut state = ValidityState::Valid;
    let mut reasons = Vec::new();
    let mut find = |found: ValidityState, reason: String| {
        state = state.max(found);
        reasons.push(reason);
    };
    let all = |scope| matches!(scope, TagScope::Endpoint(_));
    let response = collector.plateau.sum(LatencyKind::ResponseOk, all);
    let p95 = if response.is_empty() { 0 } else { response.value_at_quantile(0.95) };
    let lag = collector.lag().p99_us;
    let allowed = |least: Duration, share: f64| (least.as_micros() as f64).max(p95 as f64 * share);
    let told = format!("generator lag p99 {:.1} ms", lag as f64 / 1e3);
    if lag as f64 > allowed(INVALID_LAG, 0.5) {
        find(ValidityState::Invalid, format!("{told}, over 50 ms and 50 % of the response p95"));
    } else if lag as f64 > allowed(SUSPECT_LAG, 0.05) {
        find(ValidityState::Suspect, format!("{told}, over 5 ms and 5 % of the response p95"));
    }
    let lags = collector.run.sum(LatencyKind::Lag, all);
    let late = if lags.is_empty() { 0.0 } else { 1.0 - lags.percentile_below(1_000_000) / 100.0 };
    if late > 0.01 {
        let share = late * 100.0;
        find(ValidityState::Invalid, format!("{share:.1} % of ready requests sent over 1 s late"));
    }
    if collector.totals.outcomes.local_limit > 0 {
        let count = collector.totals.outcomes.local_limit;
        find(ValidityState::Invalid, format!("{count} requests met a limit of this machine"));
    }
    if collector.busiest_stretch_s >= 5 {
        let stretch = collector.busiest_stretch_s;
        let told = "a worker thread over 85 % busy or kept waiting for a processor";
        find(ValidityState::Suspect, format!("{told} for {stretch} s"));
    }
    if collector.worst_wake_us > 1_000_000 {
        let late = collector.worst_wake_us as f64 / 1e6;
        find(ValidityState::Suspect, format!("a wake-up {late:.1} s late"));
    }
    Validity { state, reasons }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Batch, Names, Sample};
    use crate::outcome::Outcome;
    use crate::run_log::format::Window;

    fn ok(response_us: u32, lag_us: u32) -> Sample {
        Sample {
            endpoint: 0,
            persona: 0,
            outcome: Outcome::Completed { status: 200 },
            is_failed: false,
            was_sent: true,
            second: 0,
            response_us,
            service_us: Some(response_us),
            queue_us: 0,
            connect_us: None,
            session_delay_us: None,
            lag_us: Some(lag_us),
            bytes_sent: 1,
            bytes_received: 1,
            body_bytes: 0,
            fidelity: crate::measure::Comparison::None,
            is_rebound: false,
        }
    }

    fn failed(outcome: Outcome, response_us: u32) -> Sample {
        Sample { outcome, is_failed: true, lag_us: None, ..ok(response_us, 0) }
    }

    /// One worker's seconds, all of them judged.
    fn collected(seconds: Vec<Batch>) -> Collector {
        let names = Names { endpoints: vec!["GET /".into()], personas: vec!["p".into()] };
        let mut collector = Collector::new(names, 1);
        for (second, batch) in (0..).zip(seconds) {
            collector.add(Batch { second, ..batch });
            while collector.close(Window { start_s: 0, end_s: 100 }).is_some() {}
        }
        collector
    }

    fn of(samples: Vec<Sample>) -> Collector {
        collected(vec![Batch { samples, ..Batch::default() }])
    }

    #[test]
    fn validity_goes_by_the_generators_own_faults() {
        let state = |collector: &Collector| validity(collector).state;
        let hundred = |response_us, lag_us| of(vec![ok(response_us, lag_us); 100]);
        assert_eq!(state(&hundred(1_000, 4_000)), ValidityState::Valid);
        assert_eq!(state(&hundred(1_000, 6_000)), ValidityState::Suspect, "over 5 ms");
        assert_eq!(state(&hundred(200_000, 9_000)), ValidityState::Valid, "under 5 % of 200 ms");
        assert_eq!(state(&hundred(1_000, 60_000)), ValidityState::Invalid, "over 50 ms");
        assert_eq!(state(&hundred(200_000, 60_000)), ValidityState::Suspect, "under 50 %");
        // However slow, a target alone does not make it invalid.
        assert_eq!(state(&hundred(59_000_000, 100)), ValidityState::Valid);

        let busy = |share: f64, seconds: usize| {
            let busy = || Batch { busy: share, samples: vec![ok(1_000, 100)], ..Batch::default() };
            collected((0..seconds).map(|_| busy()).collect())
        };
        assert_eq!(state(&busy(0.9, 4)), ValidityState::Valid);
        assert_eq!(state(&busy(0.9, 5)), ValidityState::Suspect);
        assert_eq!(state(&busy(0.8, 50)), ValidityState::Valid);

        let woken = |worst_wake_us| collected(vec![Batch { worst_wake_us, ..Batch::default() }]);
        assert_eq!(state(&woken(900_000)), ValidityState::Valid);
        assert_eq!(state(&woken(1_100_000)), ValidityState::Suspect);
        assert_eq!(state(&of(vec![failed(Outcome::LocalLimit, 10)])), ValidityState::Invalid);
    }

    #[test]
    fn requests_over_a_second_late_make_a_run_invalid_from_one_in_a_hundred() {
        // Slow enough that the lag's own bound, half of the p95, is not what is met.
        let with_late = |late: usize| {
            let mut samples = vec![ok(59_000_000, 100); 1000 - late];
            samples.extend(vec![ok(59_000_000, 1_500_000); late]);
            validity(&of(samples))
        };
        assert_eq!(with_late(5).state, ValidityState::Valid);
        let invalid = with_late(20);
        assert_eq!(invalid.state, ValidityState::Invalid);
        assert!(invalid.reasons[0].contains("2.0 % of ready requests"), "{:?}", invalid.reasons);
    }

    fn judged(expectations: &[&str], collector: &Collector) -> Vec<(Judgement, String)> {
        let expectations: Vec<Expectation> =
            expectations.iter().map(|text| text.parse().unwrap()).collect();
        let verdicts = verdicts(&expectations, collector);
        verdicts.into_iter().map(|verdict| (verdict.result, verdict.measured)).collect()
    }

    #[test]
    fn a_percentile_that_reaches_into_what_was_given_up_is_at_least() {
        let mut samples = vec![ok(10_000, 0); 90];
        samples.extend(vec![failed(Outcome::TimedOut, 60_000_000); 10]);
        let all = of(samples);
        let verdicts = judged(&["p50 < 200ms", "p95 < 200ms", "p95 < 2m"], &all);
        assert_eq!(verdicts[0].0, Judgement::Met, "it does not reach there");
        assert_eq!(verdicts[1].0, Judgement::Missed, "at least 60 s is too much already");
        assert!(verdicts[1].1.starts_with("≥ 6"), "{}", verdicts[1].1);
        assert_eq!(verdicts[2].0, Judgement::NotJudged, "it may be more");
    }

    #[test]
    fn latency_is_not_judged_where_too_much_failed_or_nothing_succeeded() {
        let mut samples = vec![ok(10_000, 0); 25];
        samples.extend(vec![failed(Outcome::Completed { status: 405 }, 3_000); 75]);
        let verdicts = judged(&["p95 < 200ms", "failures < 1%"], &of(samples));
        assert_eq!(verdicts[0].0, Judgement::NotJudged);
        assert_eq!(verdicts[1], (Judgement::Missed, "75.000 %".to_owned()));

        let none = of(vec![failed(Outcome::Reset, 1_000); 5]);
        assert_eq!(judged(&["p95 < 200ms"], &none)[0].0, Judgement::NotJudged);
        assert_eq!(judged(&["failures < 1%"], &of(vec![]))[0].0, Judgement::NotJudged);
    }
}
