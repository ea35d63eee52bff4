//! Whether what was measured is the target, or the generator.

use std::time::Duration;

use hdrhistogram::Histogram;
use run_log::format::{Validity, ValidityState};
use scenario::Percentile;

use crate::{Plateau, value_at};

/// What the generator knows of itself.
#[derive(Clone, Copy, Debug)]
pub struct Generator<'a> {
    /// woken − ready over the whole run, in microseconds.
    pub lag: &'a Histogram<u64>,
    /// Requests that met a limit of this machine.
    pub local_limit: u64,
    /// Requests that lacked a value that they need, of all that were planned.
    pub unbound: u64,
    pub planned: u64,
    /// Longest time that a worker was over 85 % busy, or kept from it, at a stretch.
    pub busiest_stretch_s: u64,
    pub worst_wake_us: u64,
}

const SUSPECT_LAG: Duration = Duration::from_millis(5);
const INVALID_LAG: Duration = Duration::from_millis(50);

/// Why a run is invalid of which over 1 % of the planned requests were unbound: the tool's own
/// misses, not the target's failures. None where it is not, for that reason.
pub fn unbound_reason(unbound: u64, planned: u64) -> Option<String> {
    let share = unbound as f64 / planned as f64 * 100.0;
    (u128::from(unbound) * 100 > u128::from(planned))
        .then(|| format!("{unbound} requests ({share:.2} %) lacked a value that they need"))
}

/// The state of a run and every reason for it. A slow target alone is never one.
pub fn validity(plateau: &Plateau, generator: Generator<'_>) -> Validity {
    let Generator { lag, local_limit, unbound, planned, busiest_stretch_s, worst_wake_us } =
        generator;
    let mut state = ValidityState::Valid;
    let mut reasons = Vec::new();
    let mut find = |found: ValidityState, reason: String| {
        state = state.max(found);
        reasons.push(reason);
    };
    let p95 = value_at(plateau.all.responses.answered(), Percentile::P95).unwrap_or(0);
    let lag_p99 = value_at(lag, Percentile::P99).unwrap_or(0);
    let allowed = |least: Duration, share: f64| (least.as_micros() as f64).max(p95 as f64 * share);
    let told = format!("generator lag p99 {:.1} ms", lag_p99 as f64 / 1e3);
    if lag_p99 as f64 > allowed(INVALID_LAG, 0.5) {
        find(ValidityState::Invalid, format!("{told}, over 50 ms and 50 % of the response p95"));
    } else if lag_p99 as f64 > allowed(SUSPECT_LAG, 0.05) {
        find(ValidityState::Suspect, format!("{told}, over 5 ms and 5 % of the response p95"));
    }
    let late = if lag.is_empty() { 0.0 } else { 1.0 - lag.percentile_below(1_000_000) / 100.0 };
    if late > 0.01 {
        let share = late * 100.0;
        find(ValidityState::Invalid, format!("{share:.1} % of ready requests sent over 1 s late"));
    }
    if local_limit > 0 {
        let reason = format!("{local_limit} requests met a limit of this machine");
        find(ValidityState::Invalid, reason);
    }
    if let Some(reason) = unbound_reason(unbound, planned) {
        find(ValidityState::Invalid, reason);
    }
    if busiest_stretch_s >= 5 {
        let told = "a worker thread over 85 % busy or kept waiting for a processor";
        find(ValidityState::Suspect, format!("{told} for {busiest_stretch_s} s"));
    }
    if worst_wake_us > 1_000_000 {
        let late = worst_wake_us as f64 / 1e6;
        find(ValidityState::Suspect, format!("a wake-up {late:.1} s late"));
    }
    Validity { state, reasons }
}

#[cfg(test)]
mod tests {
    use run_log::format::{LatencyKind, Scope, Tag, Window};

    use super::*;
    use crate::{Names, Recorded};

    /// Of so many requests with these times; lags are (microseconds, how many).
    fn of(response_us: u64, lags: &[(u64, u64)], change: impl Fn(&mut Generator<'_>)) -> Validity {
        let mut lag = Histogram::<u64>::new(3).unwrap();
        let mut response = Histogram::<u64>::new(3).unwrap();
        for (us, count) in lags {
            lag.record_n(*us, *count).unwrap();
            response.record_n(response_us, *count).unwrap();
        }
        let names = Names { endpoints: vec!["GET /".into()], personas: vec![] };
        let mut plateau = Plateau::new(&names);
        let tag = Tag { scope: Scope::Endpoint(0), kind: LatencyKind::ResponseOk };
        let window = Window::new(0, 100.0);
        plateau.add(window, 0, tag, &Recorded::of(&response)).unwrap();
        let mut generator = Generator {
            lag: &lag,
            local_limit: 0,
            unbound: 0,
            planned: 0,
            busiest_stretch_s: 0,
            worst_wake_us: 0,
        };
        change(&mut generator);
        validity(&plateau, generator)
    }

    #[test]
    fn validity_goes_by_the_generators_own_faults() {
        let lagging = |response_us, lag_us| of(response_us, &[(lag_us, 100)], |_| ()).state;
        assert_eq!(lagging(1_000, 4_000), ValidityState::Valid);
        assert_eq!(lagging(1_000, 6_000), ValidityState::Suspect, "over 5 ms");
        assert_eq!(lagging(200_000, 9_000), ValidityState::Valid, "under 5 % of 200 ms");
        assert_eq!(lagging(1_000, 60_000), ValidityState::Invalid, "over 50 ms");
        assert_eq!(lagging(200_000, 60_000), ValidityState::Suspect, "under 50 %");
        // However slow, a target alone does not make it invalid.
        assert_eq!(lagging(59_000_000, 100), ValidityState::Valid);

        let busy = |seconds| of(1_000, &[(100, 1)], |it| it.busiest_stretch_s = seconds).state;
        assert_eq!(busy(4), ValidityState::Valid);
        assert_eq!(busy(5), ValidityState::Suspect);
        let woken = |us| of(1_000, &[], |it| it.worst_wake_us = us).state;
        assert_eq!(woken(900_000), ValidityState::Valid);
        assert_eq!(woken(1_100_000), ValidityState::Suspect);
        assert_eq!(of(1, &[], |it| it.local_limit = 1).state, ValidityState::Invalid);
    }

    #[test]
    fn over_one_in_a_hundred_unbound_is_the_tools_own_failure() {
        let with_unbound =
            |unbound, planned| of(1_000, &[], |it| (it.unbound, it.planned) = (unbound, planned));
        assert_eq!(with_unbound(0, 0).state, ValidityState::Valid);
        assert_eq!(with_unbound(10, 1000).state, ValidityState::Valid, "exactly 1 %");
        let invalid = with_unbound(11, 1000);
        assert_eq!(invalid.state, ValidityState::Invalid);
        assert_eq!(invalid.reasons, ["11 requests (1.10 %) lacked a value that they need"]);
    }

    #[test]
    fn requests_over_a_second_late_make_a_run_invalid_from_one_in_a_hundred() {
        // Slow enough that the lag's own bound, half of the p95, is not what is met.
        let with_late =
            |late: u64| of(59_000_000, &[(100, 1000 - late), (1_500_000, late)], |_| ());
        assert_eq!(with_late(5).state, ValidityState::Valid);
        let invalid = with_late(20);
        assert_eq!(invalid.state, ValidityState::Invalid);
        assert!(invalid.reasons[0].contains("2.0 % of ready requests"), "{:?}", invalid.reasons);
    }
}
