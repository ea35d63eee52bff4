//! Rows of `timeline.csv`.
//!
//! The phase stands in the last column for whoever reads the table; `run.json` tells a reader of
//! it. A later minor version may have further columns; a reader passes over those that it does not
//! know, but for those that begin with `outcome_`, which are counts of outcomes.

use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::count::Count;
use crate::outcome::{Outcome, Outcomes};

/// One second of the run, over all users.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Second {
    pub second: u64,
    /// Users alive at the end of the second; of the plan, where that ends within it.
    pub users: u64,
    pub in_flight: u64,
    /// Ready, and waiting for a connection.
    pub queued: u64,
    /// Planned requests that became ready.
    pub ready: u64,
    /// Planned requests whose first byte went out.
    pub sent: u64,
    /// Of the completed ones, those with a status that counts as failure.
    pub failed_status: u64,
    /// Planned requests that ended in this second. The column of the completed ones is
    /// `ok`, without those of `failed_status`.
    pub outcomes: Outcomes,
    pub status_1xx: u64,
    pub status_2xx: u64,
    pub status_3xx: u64,
    pub status_4xx: u64,
    pub status_5xx: u64,
    /// Renewals, retries and probes sent.
    pub extra: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub lag_p50_us: u64,
    pub lag_p99_us: u64,
    pub lag_max_us: u64,
    /// The longest time that a worker of the generator did not run, of those that ended in this
    /// second, from 20 ms on; else 0. From minor 1 on.
    pub gap_max_us: u64,
    /// Of one core; 200 is two cores busy.
    pub generator_cpu_percent: f64,
    pub generator_rss_bytes: u64,
}

impl Second {
    /// Completed with a status that is a success.
    pub fn ok(&self) -> u64 {
        self.outcomes[Outcome::Completed] - self.failed_status
    }

    /// Planned requests that ended in this second.
    pub fn done(&self) -> u64 {
        self.outcomes.sum()
    }

    /// Not completed, or completed with a failure status.
    pub fn failed(&self) -> u64 {
        self.failed_status + self.outcomes.not_completed()
    }

    /// Adds the same second of another generator; percentiles of lag cannot be added.
    pub fn add(&mut self, other: &Self) {
        self.users += other.users;
        self.in_flight += other.in_flight;
        self.queued += other.queued;
        self.ready += other.ready;
        self.sent += other.sent;
        self.failed_status += other.failed_status;
        self.outcomes += other.outcomes;
        self.status_1xx += other.status_1xx;
        self.status_2xx += other.status_2xx;
        self.status_3xx += other.status_3xx;
        self.status_4xx += other.status_4xx;
        self.status_5xx += other.status_5xx;
        self.extra += other.extra;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.gap_max_us = self.gap_max_us.max(other.gap_max_us);
        self.generator_cpu_percent += other.generator_cpu_percent;
        self.generator_rss_bytes += other.generator_rss_bytes;
    }
}

/// Columns beside those of the outcomes, as minor 0 has them.
const BESIDE: usize = 21;

/// Columns that came with minor 1, and with minor 3.
const ADDED: usize = 2;

/// A row as it is written: a second, and the phase that it is in.
pub struct Row<'a> {
    pub second: &'a Second,
    pub phase: &'a str,
}

/// Without a phase.
impl Serialize for Second {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Row { second: self, phase: "" }.serialize(serializer)
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { second: of, phase } = self;
        let columns = BESIDE + ADDED + Outcome::without_answer().count();
        let mut row = serializer.serialize_struct("Second", columns)?;
        row.serialize_field("second", &of.second)?;
        row.serialize_field("users", &of.users)?;
        row.serialize_field("in_flight", &of.in_flight)?;
        row.serialize_field("queued", &of.queued)?;
        row.serialize_field("ready", &of.ready)?;
        row.serialize_field("sent", &of.sent)?;
        row.serialize_field("ok", &of.ok())?;
        row.serialize_field("failed_status", &of.failed_status)?;
        for outcome in Outcome::without_answer() {
            row.serialize_field(outcome.column(), &of.outcomes[outcome])?;
        }
        row.serialize_field("status_1xx", &of.status_1xx)?;
        row.serialize_field("status_2xx", &of.status_2xx)?;
        row.serialize_field("status_3xx", &of.status_3xx)?;
        row.serialize_field("status_4xx", &of.status_4xx)?;
        row.serialize_field("status_5xx", &of.status_5xx)?;
        row.serialize_field("extra", &of.extra)?;
        row.serialize_field("bytes_sent", &of.bytes_sent)?;
        row.serialize_field("bytes_received", &of.bytes_received)?;
        row.serialize_field("lag_p50_us", &of.lag_p50_us)?;
        row.serialize_field("lag_p99_us", &of.lag_p99_us)?;
        row.serialize_field("lag_max_us", &of.lag_max_us)?;
        row.serialize_field("generator_cpu_percent", &of.generator_cpu_percent)?;
        row.serialize_field("generator_rss_bytes", &of.generator_rss_bytes)?;
        row.serialize_field("gap_max_us", &of.gap_max_us)?;
        row.serialize_field("phase", phase)?;
        row.end()
    }
}

impl<'de> Deserialize<'de> for Second {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Columns)
    }
}

struct Columns;

impl<'de> Visitor<'de> for Columns {
    type Value = Second;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row of the timeline")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Second, A::Error> {
        let mut row = Second::default();
        let mut ok = None;
        let mut seen = 0;
        while let Some(column) = map.next_key::<String>()? {
            seen += 1;
            match column.as_str() {
                "second" => row.second = map.next_value()?,
                "users" => row.users = map.next_value::<Count>()?.0,
                "in_flight" => row.in_flight = map.next_value::<Count>()?.0,
                "queued" => row.queued = map.next_value::<Count>()?.0,
                "ready" => row.ready = map.next_value::<Count>()?.0,
                "sent" => row.sent = map.next_value::<Count>()?.0,
                "ok" => ok = Some(map.next_value::<Count>()?.0),
                "failed_status" => row.failed_status = map.next_value::<Count>()?.0,
                "status_1xx" => row.status_1xx = map.next_value::<Count>()?.0,
                "status_2xx" => row.status_2xx = map.next_value::<Count>()?.0,
                "status_3xx" => row.status_3xx = map.next_value::<Count>()?.0,
                "status_4xx" => row.status_4xx = map.next_value::<Count>()?.0,
                "status_5xx" => row.status_5xx = map.next_value::<Count>()?.0,
                "extra" => row.extra = map.next_value::<Count>()?.0,
                "bytes_sent" => row.bytes_sent = map.next_value::<Count>()?.0,
                "bytes_received" => row.bytes_received = map.next_value::<Count>()?.0,
                "lag_p50_us" => row.lag_p50_us = map.next_value::<Count>()?.0,
                "lag_p99_us" => row.lag_p99_us = map.next_value::<Count>()?.0,
                "lag_max_us" => row.lag_max_us = map.next_value::<Count>()?.0,
                "generator_cpu_percent" => row.generator_cpu_percent = map.next_value()?,
                "generator_rss_bytes" => row.generator_rss_bytes = map.next_value::<Count>()?.0,
                "gap_max_us" => {
                    row.gap_max_us = map.next_value::<Count>()?.0;
                    seen -= 1;
                }
                name => {
                    if let Some(outcome) = Outcome::of_column(name) {
                        row.outcomes[outcome] = map.next_value::<Count>()?.0;
                    } else if name.starts_with("outcome_") {
                        let other = row.outcomes.other;
                        row.outcomes.other = other.saturating_add(map.next_value::<Count>()?.0);
                        seen -= 1;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                        seen -= 1;
                    }
                }
            }
        }
        let ok = ok.ok_or_else(|| A::Error::missing_field("ok"))?;
        row.outcomes[Outcome::Completed] = ok + row.failed_status;
        let expected = BESIDE + Outcome::without_answer().count();
        if seen < expected {
            let missing = expected - seen;
            return Err(A::Error::custom(format!("{missing} of {expected} columns are missing")));
        }
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(row: &Second) -> String {
        let mut table = csv::Writer::from_writer(Vec::new());
        table.serialize(row).unwrap();
        String::from_utf8(table.into_inner().unwrap()).unwrap()
    }

    fn read(text: &str) -> Result<Second, csv::Error> {
        csv::Reader::from_reader(text.as_bytes()).deserialize().next().unwrap()
    }

    fn row() -> Second {
        let mut row = Second {
            second: 7,
            users: 3,
            failed_status: 2,
            status_5xx: 2,
            generator_cpu_percent: 12.5,
            gap_max_us: 31_000,
            ..Second::default()
        };
        row.outcomes[Outcome::Completed] = 11;
        row.outcomes[Outcome::LocalLimit] = 4;
        row
    }

    #[test]
    fn a_row_reads_back_as_written() {
        assert_eq!(read(&written(&row())).unwrap(), row());
        assert_eq!((row().ok(), row().failed(), row().done()), (9, 6, 15));
    }

    #[test]
    fn columns_of_a_later_minor_are_passed_over_but_for_outcomes() {
        let text = written(&row());
        let (head, values) = text.trim_end().split_once('\n').unwrap();
        let newer = format!("{head},gaps,outcome_evaporated\n{values},17,5\n");
        let read_back = read(&newer).unwrap();
        assert_eq!(read_back.outcomes.other, 5);
        assert_eq!(read_back.failed(), row().failed() + 5);
        let older = text.replace(",local_limit", "").replace(",4,0,", ",0,");
        assert!(read(&older).unwrap_err().to_string().contains("columns are missing"), "{older}");
    }
}
