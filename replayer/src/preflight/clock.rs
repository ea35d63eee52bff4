//! The target's clock beside this machine's, by the `Date` of its answers.

use chrono::{DateTime, TimeDelta, Utc};

use super::table::{Check, Row, State, grouped};

/// From so far off on, what a clock decides may go wrong.
const FAR: TimeDelta = TimeDelta::seconds(5);

/// `Date` has whole seconds: what it leaves out.
const PRECISION: TimeDelta = TimeDelta::seconds(1);

/// By how much a clock is ahead of this machine's, at least and at most; behind it where that is
/// less than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ahead {
    least: TimeDelta,
    most: TimeDelta,
}

/// What all answers said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clocks {
    answers: u64,
    ahead: Option<Ahead>,
}

impl Clocks {
    /// Takes in the `Date` of an answer to a request that was sent and answered then.
    pub(super) fn note(
        &mut self,
        sent: DateTime<Utc>,
        answered: DateTime<Utc>,
        date: Option<&str>,
    ) {
        self.answers += 1;
        let Some(date) = date.and_then(|text| DateTime::parse_from_rfc2822(text.trim()).ok())
        else {
            return;
        };
        let date = date.to_utc();
        let ahead = Ahead { least: date - answered, most: date + PRECISION - sent };
        // What a cache gives is older than its answer: the latest says most of the clock.
        if self.ahead.is_none_or(|known| known.least < ahead.least) {
            self.ahead = Some(ahead);
        }
    }

    /// None where nothing was answered.
    pub(super) fn row(self) -> Option<Row> {
        let row = |state, says: String| Some(Row::new(Check::Clock, state, says));
        let Some(Ahead { least, most }) = self.ahead else {
            let says = "not told: the target's answers have no Date";
            return if self.answers > 0 { row(State::NotTried, says.to_owned()) } else { None };
        };
        let zero = TimeDelta::zero();
        if least <= zero && zero <= most {
            let says = "no difference seen between the target's and this machine's";
            return row(State::Good, says.to_owned());
        }
        let middle = (least + most) / 2;
        let way = if middle > zero { "ahead of" } else { "behind" };
        let off = middle.abs();
        let seconds = grouped((off.as_seconds_f64().round() as u64).max(1));
        let says = format!("the target's is some {seconds} s {way} this machine's");
        if off < FAR {
            return row(State::Good, says);
        }
        row(
            State::Warning,
            format!("{says}: tokens and signed values may count as expired, or as not valid yet"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a target whose clock is so far ahead, and that took so long to answer.
    fn row(ahead_ms: i64, took_ms: i64) -> Row {
        let sent = DateTime::from_timestamp_millis(1_764_270_000_300).unwrap();
        let answered = sent + TimeDelta::milliseconds(took_ms);
        let date = sent + TimeDelta::milliseconds(ahead_ms + took_ms / 2);
        let mut clocks = Clocks::default();
        let date = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        clocks.note(sent, answered, Some(&date));
        clocks.row().unwrap()
    }

    #[test]
    fn a_second_and_the_round_trip_are_no_difference() {
        for (ahead_ms, took_ms) in [(0, 0), (0, 900), (600, 10), (-300, 10), (1500, 4000)] {
            let row = row(ahead_ms, took_ms);
            assert!(row.says.starts_with("no difference"), "{ahead_ms} {took_ms} {row:?}");
        }
    }

    #[test]
    fn a_clock_that_is_off_is_told_how_far_and_which_way() {
        let near = row(3500, 10);
        assert_eq!(
            (near.state, near.says.contains("some 3 s ahead of")),
            (State::Good, true),
            "{near:?}"
        );
        let ahead = row(3_600_800, 10);
        assert!(ahead.says.contains("some 3,601 s ahead of this machine's: tokens"), "{ahead:?}");
        let behind = row(-3_600_500, 10);
        assert!(behind.says.contains("s behind this machine's"), "{behind:?}");
        assert_eq!((ahead.state, behind.state), (State::Warning, State::Warning));
    }

    #[test]
    fn the_latest_date_counts_and_what_is_none_does_not() {
        let now = DateTime::from_timestamp(1_764_270_000, 0).unwrap();
        let text = |time: DateTime<Utc>| time.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let mut clocks = Clocks::default();
        assert_eq!(clocks.row(), None);
        clocks.note(now, now, None);
        clocks.note(now, now, Some("yesterday"));
        assert_eq!(clocks.row().unwrap().state, State::NotTried);
        clocks.note(now, now, Some(&text(now - TimeDelta::hours(1))));
        assert_eq!(clocks.row().unwrap().state, State::Warning);
        // The first one came from a cache.
        clocks.note(now, now, Some(&text(now)));
        assert_eq!(clocks.row().unwrap().state, State::Good);
    }
}
