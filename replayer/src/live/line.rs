//! A line a second on stderr.

use std::io::{IsTerminal, Write};

use hdrhistogram::Histogram;
use rustix::termios::tcgetwinsize;

use crate::engine::Tick;
use figures::is_endpoint;
use figures::stats::ms;
use run_log::outcome::Outcome;
use scenario::Percentile;

/// Prints the run as it goes.
pub struct Lines {
    /// On a terminal the last line is written over; elsewhere each stands.
    overwrite: bool,
    is_quiet: bool,
    /// Whether it was said what the lines say.
    is_explained: bool,
}

/// What stands in a line, in its order.
const LEGEND: &str = "replayer: each second: users, requests under way, answers, \
                      p50/p95/p99 of response times, lag, processor time";

impl Lines {
    pub fn new(is_quiet: bool) -> Self {
        let overwrite = std::io::stderr().is_terminal();
        Self { overwrite, is_quiet, is_explained: false }
    }

    pub fn show(&mut self, tick: &Tick<'_>) {
        if self.is_quiet {
            return;
        }
        if !std::mem::replace(&mut self.is_explained, true) {
            common::say!("{LEGEND}");
        }
        let line = match self.overwrite {
            true => fit(&line(tick), columns()),
            false => line(tick),
        };
        let mut stderr = std::io::stderr().lock();
        // A view that cannot be shown is no reason to stop the run.
        drop(if self.overwrite {
            write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush())
        } else {
            writeln!(stderr, "{line}")
        });
    }

    /// Leaves the last line standing.
    pub fn finish(&mut self) {
        if self.overwrite && !self.is_quiet {
            common::say!("");
        }
    }
}

fn line(tick: &Tick<'_>) -> String {
    let row = tick.row;
    let percentiles = |h: &Histogram<u64>| {
        let shown = [Percentile::P50, Percentile::P95, Percentile::P99];
        let [p50, p95, p99] = shown.map(|percentile| short_ms(ms(h, percentile)));
        format!("{p50}/{p95}/{p99}")
    };
    let of = tick.planned_end.map_or_else(String::new, |end| format!("/{}", end.second()));
    let mut line = format!(
        "{:>4}{of}s {} users {} open {}/s {} ms (run {})",
        row.second,
        row.users,
        row.in_flight,
        row.done(),
        percentiles(&tick.collector.second.responses(is_endpoint)),
        percentiles(&tick.collector.run.responses(is_endpoint)),
    );
    line.push_str(&format!(
        " lag {} cpu {:.0}%",
        short_ms(row.lag_p99_us as f64 / 1e3),
        row.generator_cpu_percent
    ));
    let unanswered =
        Outcome::without_answer().map(|outcome| (outcome.label(), row.outcomes[outcome]));
    let failed = std::iter::once(("failed", row.failed_status));
    for (name, count) in failed.chain(unanswered).chain([("queued", row.queued)]) {
        if count > 0 {
            line.push_str(&format!(" {count} {name}"));
        }
    }
    line
}

/// Columns of the terminal; 80 where it does not say.
fn columns() -> usize {
    let size = tcgetwinsize(std::io::stderr());
    size.map(|size| usize::from(size.ws_col)).ok().filter(|columns| *columns > 0).unwrap_or(80)
}

/// What fits into one line, since only one can be written over; the last column stays
/// free, because some terminals wrap there.
fn fit(line: &str, columns: usize) -> String {
    let most = columns.saturating_sub(1);
    if line.chars().count() <= most {
        return line.to_owned();
    }
    let kept: String = line.chars().take(most.saturating_sub(1)).collect();
    kept + "…"
}

/// Two significant digits or so: the exact figures are in the run directory.
fn short_ms(ms: f64) -> String {
    if ms < 10.0 { format!("{ms:.1}") } else { format!("{ms:.0}") }
}

#[cfg(test)]
mod tests {
    use super::fit;

    #[test]
    fn a_line_never_wraps() {
        assert_eq!(fit("12s 1000 users", 80), "12s 1000 users");
        let fitted = fit(&"x".repeat(200), 80);
        assert_eq!(fitted.chars().count(), 79);
        assert!(fitted.ends_with('…'));
        assert_eq!(fit(&"x".repeat(79), 80).len(), 79);
    }
}
