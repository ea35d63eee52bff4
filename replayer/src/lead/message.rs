//! What a lead and its parts say to each other: a line of JSON each.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use figures::Histograms;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
use run_log::format::{ErrorSample, Tag, TargetSample, Worker};
use run_log::recorded::Decoder;
use run_log::timeline::Second;
use serde::{Deserialize, Serialize};

use crate::engine::Cut;

/// From the lead to its parts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Second 0 is `at` by the clock of who is told, and `started` by that of the run.
    Arm { at: DateTime<Utc>, started: DateTime<Utc> },
    /// How the clock of who is told stands beside that of the run.
    Clock(Worker),
    /// To end before the plan does.
    Stop(Cut),
}

/// From a part to its lead.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Report {
    /// It has read everything, and waits to be armed.
    Ready,
    /// A second that is over.
    Second { row: Box<Second>, measured: EncodedHistograms, seen: Seen },
}

/// What is shown of a second beside its figures.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Seen {
    /// The first few failing answers of an endpoint.
    pub errors: Vec<ErrorSample>,
    /// By the part that observes.
    pub observed: Vec<TargetSample>,
}

/// Histograms by tag, each as HdrHistogram's V2 format in base64.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct EncodedHistograms(BTreeMap<String, String>);

impl EncodedHistograms {
    pub fn of(histograms: &Histograms) -> Self {
        let mut serializer = V2DeflateSerializer::new();
        let mut written = |histogram| {
            let mut bytes = Vec::new();
            // Into memory, which takes all of it.
            let is_written = serializer.serialize(histogram, &mut bytes).is_ok();
            is_written.then(|| STANDARD.encode(bytes))
        };
        let all = histograms.iter();
        Self(all.filter_map(|(tag, of)| Some((tag.to_string(), written(of)?))).collect())
    }

    /// Adds what is in it to a sum; what cannot be read is left out.
    pub fn add_to(&self, sum: &mut Histograms, decoder: &mut Decoder) {
        for (tag, text) in &self.0 {
            let read = tag.parse::<Tag>().ok().zip(STANDARD.decode(text).ok());
            let Some((tag, bytes)) = read else { continue };
            if let Ok(recorded) = decoder.decode(&bytes) {
                sum.add_recorded(tag, &recorded);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use run_log::format::{LatencyKind, Scope};

    use super::*;

    #[test]
    fn a_second_is_the_same_on_the_other_side() {
        let tag = |index| Tag { scope: Scope::Endpoint(index), kind: LatencyKind::ResponseOk };
        let mut histograms = Histograms::default();
        for us in [1, 1000, 123_456, 123_456, 59_000_000] {
            histograms.record(tag(2), us);
        }
        let row = Box::new(Second {
            second: 7,
            ready: 5,
            generator_cpu_percent: 12.5,
            ..Second::default()
        });
        let line = serde_json::to_string(&Report::Second {
            row: row.clone(),
            measured: EncodedHistograms::of(&histograms),
            seen: Seen::default(),
        })
        .unwrap();
        let Report::Second { row: read, measured, .. } = serde_json::from_str(&line).unwrap()
        else {
            panic!("{line}");
        };
        assert_eq!(read, row);
        let mut sum = Histograms::default();
        let mut decoder = Decoder::default();
        measured.add_to(&mut sum, &mut decoder);
        measured.add_to(&mut sum, &mut decoder);
        let of =
            |histograms: &Histograms, tag| histograms.get(tag).map(hdrhistogram::Histogram::len);
        assert_eq!((of(&sum, tag(2)), of(&sum, tag(0))), (Some(10), None));
        let max = sum.get(tag(2)).unwrap().max();
        assert_eq!(max, histograms.get(tag(2)).unwrap().max());
    }
}
