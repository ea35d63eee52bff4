//! Whether what was measured is the target, or the generator.
//!
//! Each figure of response times that is judged is computed twice, as it was measured and from
//! response times less the generator share of each request. Where the two differ by much, the
//! figure tells of the generator. A slow target alone makes no run doubtful, however slow.

use std::time::Duration;

use hdrhistogram::Histogram;
use run_log::format::{Validity, ValidityState};
use scenario::{Expectation, Metric, Percentile};

use crate::judge::group_of;
use crate::{Group, Plateau, value_at};

/// What the generator knows of itself.
#[derive(Clone, Copy, Debug)]
pub struct Generator {
    /// Planned requests that were taken up, and those of them that were begun over a second
    /// later than they could have been.
    pub taken: u64,
    pub left_late: u64,
    /// Requests that met a limit of this machine.
    pub local_limit: u64,
    /// Requests that lacked a value that they need through no fault of the target, of all that
    /// were planned.
    pub unbound: u64,
    pub planned: u64,
}

/// What the generator may add to a figure: so much, or this share of what the figure is
/// without it, whichever is more.
struct Limit {
    state: ValidityState,
    least: Duration,
    percent: u128,
}

/// The gravest first.
const LIMITS: [Limit; 2] = [
    Limit { state: ValidityState::Invalid, least: Duration::from_millis(50), percent: 50 },
    Limit { state: ValidityState::Suspect, least: Duration::from_millis(2), percent: 5 },
];

/// Why a run is invalid of which over 1 % of the planned requests were unbound: the tool's own
/// misses, not the target's failures. None where it is not, for that reason.
pub fn unbound_reason(unbound: u64, planned: u64) -> Option<String> {
    let share = unbound as f64 / planned as f64 * 100.0;
    (u128::from(unbound) * 100 > u128::from(planned))
        .then(|| format!("{unbound} requests ({share:.2} %) lacked a value that they need"))
}

/// The state of a run and every reason for it: judged are the p50 and the p95 of all requests,
/// and what `expectations` ask of response times.
pub fn validity(plateau: &Plateau, expectations: &[Expectation], generator: Generator) -> Validity {
    let Generator { taken, left_late, local_limit, unbound, planned } = generator;
    let mut state = ValidityState::Valid;
    let mut reasons = Vec::new();
    let mut find = |found: ValidityState, reason: String| {
        state = state.max(found);
        reasons.push(reason);
    };
    for (found, reason) in inflated(plateau, expectations) {
        find(found, reason);
    }
    if u128::from(left_late) * 100 > u128::from(taken) {
        let share = left_late as f64 / taken as f64 * 100.0;
        find(ValidityState::Invalid, format!("{share:.1} % of ready requests sent over 1 s late"));
    }
    if local_limit > 0 {
        let reason = format!("{local_limit} requests met a limit of this machine");
        find(ValidityState::Invalid, reason);
    }
    if let Some(reason) = unbound_reason(unbound, planned) {
        find(ValidityState::Invalid, reason);
    }
    Validity { state, reasons }
}

/// A figure of response times that is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Figure {
    Percentile(Percentile),
    Mean,
    Max,
}

impl Figure {
    fn of(metric: Metric) -> Option<Self> {
        match metric {
            Metric::Percentile(percentile) => Some(Self::Percentile(percentile)),
            Metric::Mean => Some(Self::Mean),
            Metric::Max => Some(Self::Max),
            _ => None,
        }
    }

    /// In microseconds.
    fn in_times(self, times: &Histogram<u64>) -> Option<u64> {
        match self {
            Self::Percentile(percentile) => value_at(times, percentile),
            Self::Mean => (!times.is_empty()).then(|| times.mean().round() as u64),
            Self::Max => (!times.is_empty()).then(|| times.max()),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Percentile(percentile) => format!("p{percentile}"),
            Self::Mean => "mean".to_owned(),
            Self::Max => "max".to_owned(),
        }
    }
}

/// The judged figures to which the generator added more than it may.
fn inflated(plateau: &Plateau, expectations: &[Expectation]) -> Vec<(ValidityState, String)> {
    let always = [Percentile::P50, Percentile::P95].map(Figure::Percentile);
    let mut judged: Vec<(&Group, Figure)> =
        always.into_iter().map(|figure| (&plateau.all, figure)).collect();
    let expected = expectations.iter().filter_map(|expectation| {
        Some((group_of(expectation, plateau)?, Figure::of(expectation.metric)?))
    });
    for (group, figure) in expected {
        if !judged.iter().any(|(other, known)| other.name == group.name && *known == figure) {
            judged.push((group, figure));
        }
    }
    judged.into_iter().filter_map(|(group, figure)| inflation(plateau, group, figure)).collect()
}

fn inflation(plateau: &Plateau, group: &Group, figure: Figure) -> Option<(ValidityState, String)> {
    let measured = figure.in_times(&group.responses.judged())?;
    let without = figure.in_times(group.responses_less_lag()?)?;
    let added = u128::from(measured.saturating_sub(without));
    let limit = LIMITS.iter().find(|limit| {
        let allowed = limit.least.as_micros().max(u128::from(without) * limit.percent / 100);
        added > allowed
    })?;
    let scope = match std::ptr::eq(group, &plateau.all) {
        true => String::new(),
        false => format!("{}: ", group.name),
    };
    let ms = |us: u64| us as f64 / 1e3;
    let reason = format!(
        "{scope}{} is {:.1} ms, and {:.1} ms without the generator's own delays",
        figure.name(),
        ms(measured),
        ms(without),
    );
    Some((limit.state, reason))
}

#[cfg(test)]
mod tests {
    use run_log::format::{LatencyKind, Scope as TagScope, Tag, Window};

    use super::*;
    use crate::{Names, Recorded};

    const FINE: Generator =
        Generator { taken: 0, left_late: 0, local_limit: 0, unbound: 0, planned: 0 };

    /// Of groups of requests: how many, their response time, and the generator share in it, both
    /// in microseconds.
    fn plateau(requests: &[(u64, u64, u64)]) -> Plateau {
        let names = Names { endpoints: vec!["GET /".into()], personas: vec![] };
        let mut plateau = Plateau::new(&names);
        let window = Window::new(0, 100.0);
        for (count, response_us, share_us) in requests {
            let times = [
                (LatencyKind::ResponseOk, *response_us),
                (LatencyKind::ResponseLessLag, response_us - share_us),
            ];
            for (kind, us) in times {
                let mut histogram = Histogram::<u64>::new(3).unwrap();
                histogram.record_n(us, *count).unwrap();
                let tag = Tag { scope: TagScope::Endpoint(0), kind };
                plateau.add(window, 0, tag, &Recorded::of(&histogram)).unwrap();
            }
        }
        plateau
    }

    fn of(requests: &[(u64, u64, u64)], expectations: &[&str]) -> Validity {
        let expectations: Vec<Expectation> =
            expectations.iter().map(|text| text.parse().unwrap()).collect();
        validity(&plateau(requests), &expectations, FINE)
    }

    #[test]
    fn a_figure_that_the_generator_moved_is_doubted_by_how_far() {
        let state = |response_us, share_us| of(&[(100, response_us, share_us)], &[]).state;
        assert_eq!(state(3_000, 1_900), ValidityState::Valid, "under 2 ms");
        assert_eq!(state(3_200, 2_200), ValidityState::Suspect, "over 2 ms");
        assert_eq!(state(204_000, 4_000), ValidityState::Valid, "2 % of 200 ms");
        assert_eq!(state(215_000, 15_000), ValidityState::Suspect, "7.5 % of 200 ms");
        assert_eq!(state(45_000, 44_000), ValidityState::Suspect, "under 50 ms");
        assert_eq!(state(61_000, 60_000), ValidityState::Invalid, "over 50 ms");
        assert_eq!(state(290_000, 90_000), ValidityState::Suspect, "under 50 % of 200 ms");
        // However slow, a target alone does not make it invalid.
        assert_eq!(state(59_000_000, 100), ValidityState::Valid);
    }

    #[test]
    fn what_is_judged_is_what_was_asked_for_beside_the_median_and_the_p95() {
        let one_in_fifty = [(980, 10_000, 0), (20, 800_000, 790_000)];
        assert_eq!(of(&one_in_fifty, &[]).state, ValidityState::Valid);
        assert_eq!(of(&one_in_fifty, &["p97 < 1s"]).state, ValidityState::Valid);
        for figure in ["p99", "max", "GET /: p99.9"] {
            let doubted = of(&one_in_fifty, &[&format!("{figure} < 1s")]);
            assert_eq!(doubted.state, ValidityState::Invalid, "{figure}");
            assert!(doubted.reasons[0].starts_with(figure), "{:?}", doubted.reasons);
        }
        let mean = of(&one_in_fifty, &["mean < 1s"]);
        assert_eq!(mean.state, ValidityState::Suspect, "25.8 ms of 10");
        assert_eq!(
            of(&[(100, 10_000, 9_000)], &["p95 < 1s"]).reasons.len(),
            2,
            "p50, and p95 once"
        );
    }

    #[test]
    fn over_one_in_a_hundred_unbound_is_the_tools_own_failure() {
        let with_unbound =
            |unbound, planned| validity(&plateau(&[]), &[], Generator { unbound, planned, ..FINE });
        assert_eq!(with_unbound(0, 0).state, ValidityState::Valid);
        assert_eq!(with_unbound(10, 1000).state, ValidityState::Valid, "exactly 1 %");
        let invalid = with_unbound(11, 1000);
        assert_eq!(invalid.state, ValidityState::Invalid);
        assert_eq!(invalid.reasons, ["11 requests (1.10 %) lacked a value that they need"]);
    }

    #[test]
    fn requests_over_a_second_late_make_a_run_invalid_over_one_in_a_hundred() {
        let with_late =
            |left_late| validity(&plateau(&[]), &[], Generator { taken: 1000, left_late, ..FINE });
        assert_eq!(with_late(10).state, ValidityState::Valid);
        let invalid = with_late(20);
        assert_eq!(invalid.state, ValidityState::Invalid);
        assert!(invalid.reasons[0].contains("2.0 % of ready requests"), "{:?}", invalid.reasons);
        let met = validity(&plateau(&[]), &[], Generator { local_limit: 1, ..FINE });
        assert_eq!(met.state, ValidityState::Invalid);
    }
}
