//! What is expected though nobody wrote it.

use super::expectation::{Expectation, Metric, Scope};
use super::load::Pacing;

/// By open pacing, of the load that was let through.
const LOAD_HELD: &str = "load_held >= 98%";

/// The share of failures that is allowed where no expectation bounds those of all requests.
pub const ALLOWED_FAILURES: f64 = 0.01;

/// These expectations, and what is expected besides where they say nothing of it.
pub fn with_defaults(given: &[Expectation], pacing: Pacing) -> Vec<Expectation> {
    let mut all = given.to_vec();
    let of_all = |of: &Expectation| of.metric == Metric::LoadHeld && of.scope == Scope::All;
    let names_it = given.iter().any(of_all);
    if pacing == Pacing::Open && !names_it {
        all.extend(LOAD_HELD.parse::<Expectation>());
    }
    all
}

/// Whether an expectation is one that is there though nobody wrote it.
pub fn is_default(expectation: &Expectation) -> bool {
    expectation.to_string() == LOAD_HELD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_open_pacing_the_load_is_to_be_held_unless_something_else_is_said_of_it() {
        let given = |text: &str| vec![text.parse::<Expectation>().unwrap()];
        let texts = |given: &[Expectation], pacing| -> Vec<String> {
            let all = with_defaults(given, pacing);
            all.iter().map(ToString::to_string).collect()
        };
        let latency = given("p95 < 1s");
        assert_eq!(texts(&latency, Pacing::Open), ["p95 < 1s", "load_held >= 98%"]);
        assert_eq!(texts(&latency, Pacing::Closed), ["p95 < 1s"]);
        assert_eq!(texts(&given("load_held > 50 %"), Pacing::Open), ["load_held > 50 %"]);
        let of_a_phase = "phase ramp: load_held > 50 %";
        assert_eq!(texts(&given(of_a_phase), Pacing::Open), [of_a_phase, "load_held >= 98%"]);
        let again = with_defaults(&[], Pacing::Open);
        assert!(is_default(&again[0]));
        assert_eq!(texts(&again, Pacing::Open), ["load_held >= 98%"]);
    }
}
