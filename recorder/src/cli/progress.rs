//! Progress of a recording: a bar on a terminal, else a line every second.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::persona::{Failure, Observer, Totals};

/// Failures of one endpoint with one status are shown this often; all are counted.
const SHOWN: u64 = 3;

pub(super) struct Progress {
    /// Hidden where stderr is no terminal.
    bar: ProgressBar,
    /// Whether the bar shows requests, because there is no duration.
    by_count: bool,
    last: u64,
    failures: HashMap<(String, Option<u16>), u64>,
}

impl Progress {
    pub(super) fn new(duration: Option<Duration>, max_requests: Option<NonZeroU64>) -> Self {
        let by_count = duration.is_none();
        let length = duration.map(|duration| duration.as_secs());
        let bar = ProgressBar::new(length.or(max_requests.map(NonZeroU64::get)).unwrap_or(0));
        let unit = if by_count { "requests" } else { "s" };
        let template = format!("{{wide_bar}} {{pos}}/{{len}} {unit}  {{msg}}");
        // The template is a literal but for the unit; the style without it would do as well.
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        Self { bar, by_count, last: 0, failures: HashMap::new() }
    }

    fn line(&self, text: &str) {
        if self.bar.is_hidden() { common::say!("{text}") } else { self.bar.println(text) }
    }
}

impl Observer for Progress {
    fn second(&mut self, elapsed: Duration, totals: &Totals) {
        let rate = totals.requests - self.last;
        self.last = totals.requests;
        let counts = format!(
            "{} users, {} requests, {rate}/s, {} failed",
            totals.users, totals.requests, totals.failures
        );
        if self.bar.is_hidden() {
            common::say!("{} s: {counts}", elapsed.as_secs());
        } else {
            self.bar.set_position(if self.by_count { totals.requests } else { elapsed.as_secs() });
            self.bar.set_message(counts);
        }
    }

    fn failure(&mut self, failure: &Failure<'_>) {
        let key = (failure.endpoint.to_owned(), failure.status);
        let count = self.failures.entry(key).or_default();
        *count += 1;
        let count = *count;
        if count <= SHOWN {
            let how = failure.status.map_or("no answer".to_owned(), |status| status.to_string());
            let answer = if count == 1 { failure.answer } else { "" };
            let how = format!("{how} {answer}").trim_end().to_owned();
            let first = if count == 1 { &failure.traps[..] } else { &[] };
            let traps: String = first.iter().map(|trap| format!("; {trap}")).collect();
            let last = if count == SHOWN { "; more of these are only counted" } else { "" };
            self.line(&format!(
                "failed: {} {}: {how}{traps}{last}",
                failure.persona, failure.endpoint
            ));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
