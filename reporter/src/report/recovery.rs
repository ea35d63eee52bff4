//! What became of the target once the load was taken away.

use run_log::recovery::{Level, Recovered};
use serde::Serialize;

use crate::summary::Summary;
use crate::units::{Figure, Unit, micros, seconds, share};
use figures::Reading;

#[derive(Serialize)]
pub struct RecoveryReport {
    /// `recovered`, `not within the bound`, `dead` or `not known`.
    pub result: &'static str,
    /// The same in a sentence, with its figures.
    pub text: String,
    /// How long at most the users of the first step stayed for it.
    pub bound: Figure,
    /// From the end of the load to the first second that was as at the first step.
    pub after: Figure,
    /// The worst second of the first step.
    pub first_p95: Figure,
    pub first_failures: Figure,
    /// The worst of the last seconds that were measured.
    pub last_p95: Figure,
    pub last_failures: Figure,
}

impl RecoveryReport {
    pub(super) fn of(summary: &Summary) -> Option<Self> {
        let (of, bound_s) = (summary.recovery?, summary.run.config.recovery_s?);
        let p95 = |level: Option<Level>| {
            micros(level.and_then(|of| of.p95_us).map_or(Reading::NONE, Reading::exact))
        };
        let failures = |level: Option<Level>| {
            share(level.map_or(Reading::NONE, |of| Reading::exact(of.failures)))
        };
        let after =
            of.after_s.map_or(Figure::none(Unit::Seconds), |s| Figure::new(s, Unit::Seconds));
        let mut report = Self {
            result: match of.result {
                Recovered::Recovered => "recovered",
                Recovered::NotWithin => "not within the bound",
                Recovered::Dead => "dead",
                Recovered::CutShort => "not known",
            },
            text: String::new(),
            bound: Figure::new(bound_s, Unit::Seconds),
            after,
            first_p95: p95(Some(of.first_step)),
            first_failures: failures(Some(of.first_step)),
            last_p95: p95(of.last),
            last_failures: failures(of.last),
        };
        report.text = report.sentence(of.result, &seconds(bound_s));
        Some(report)
    }

    fn sentence(&self, result: Recovered, bound: &str) -> String {
        let Self { after, first_p95, first_failures, last_p95, last_failures, .. } = self;
        let first =
            format!("there p95 was at most {first_p95} and at most {first_failures} failed");
        let last = format!("at last p95 was up to {last_p95} and up to {last_failures} failed");
        match result {
            Recovered::Recovered => format!(
                "{after} after the load was taken away latency and failures were what they were at \
                 the first step: {first} in any second"
            ),
            Recovered::NotWithin => format!(
                "latency and failures were not what they were at the first step within {bound}: \
                 {last}; {first}"
            ),
            Recovered::Dead => {
                format!("dead: nothing was answered within {bound} after the load was taken away")
            }
            Recovered::CutShort => {
                format!("not known: the run ended before {bound} were over; {last}, {first}")
            }
        }
    }
}
