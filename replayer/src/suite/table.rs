//! What a suite came to, a line a scenario.

use super::journal::{Entry, State};
use run_log::format::ValidityState;

/// Columns of a name; a longer one is cut.
const NAME: usize = 22;

/// The table, with what is to be known of each below it.
pub fn table(entries: &[Entry]) -> String {
    let mut text = format!(
        "{:<NAME$} {:<13} {:>9} {:>9} {:>7} {:<7} {:>6}\n",
        "scenario", "result", "answers/s", "p95", "failed", "figures", "took"
    );
    for entry in entries {
        text.push_str(&row(entry));
        let reason = entry.figures.as_ref().and_then(|figures| figures.reason.as_ref());
        for line in reason.into_iter().chain(&entry.error).chain(&entry.notes) {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}

fn row(entry: &Entry) -> String {
    let name: String = entry.name.chars().take(NAME).collect();
    let Some(figures) = &entry.figures else {
        let state = match (entry.state, entry.exit) {
            (State::Waiting, _) => "NOT BEGUN".to_owned(),
            (State::Begun, _) => "CUT OFF".to_owned(),
            (State::Done, exit) => format!("EXIT {}", exit.unwrap_or(0)),
        };
        return format!("{name:<NAME$} {state}\n");
    };
    fn shown(value: Option<f64>, show: impl FnOnce(f64) -> String) -> String {
        value.map_or_else(|| "–".to_owned(), show)
    }
    let sign = if figures.p95_at_least { "≥" } else { "" };
    let validity = match figures.validity {
        ValidityState::Valid => "valid",
        ValidityState::Suspect => "suspect",
        ValidityState::Invalid => "invalid",
    };
    format!(
        "{name:<NAME$} {:<13} {:>9} {:>9} {:>7} {validity:<7} {:>6}\n",
        figures.conclusion,
        shown(figures.requests_per_s, |rate| format!("{rate:.1}")),
        shown(figures.p95_us, |us| format!("{sign}{:.0} ms", us / 1e3)),
        shown(figures.failed, |share| format!("{:.2} %", share * 100.0)),
        length(figures.elapsed_s),
    )
}

/// `4m10s` or `15s`.
fn length(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds:02}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::RunFigures;
    use super::*;

    fn entry(name: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            state: State::Done,
            exit: Some(0),
            error: None,
            notes: Vec::new(),
            figures: Some(RunFigures {
                conclusion: "PASSED".to_owned(),
                reason: None,
                validity: ValidityState::Valid,
                reasons: Vec::new(),
                requests_per_s: Some(839.91),
                p95_us: Some(35_400.0),
                p95_at_least: false,
                failed: Some(0.0),
                elapsed_s: 310.2,
            }),
        }
    }

    #[test]
    fn a_table_fits_a_terminal_and_says_what_became_of_each() {
        let failed = RunFigures {
            conclusion: "QUICK PROFILE".to_owned(),
            reason: Some("not met: `p95 < 1ms`".to_owned()),
            validity: ValidityState::Suspect,
            requests_per_s: Some(123_456.78),
            p95_us: Some(12_345_678.0),
            p95_at_least: true,
            failed: None,
            elapsed_s: 15.0,
            ..entry("").figures.unwrap()
        };
        let kept = Entry {
            figures: None,
            exit: Some(4),
            error: Some("the target does not answer".to_owned()),
            ..entry("03-kept-from-being-run-at-all")
        };
        let entries = [
            entry("01-baseline"),
            Entry { figures: Some(failed), ..entry("02-of-a-name-that-is-long") },
            kept,
            Entry { state: State::Waiting, figures: None, ..entry("04-stress") },
        ];
        let text = table(&entries);
        let expected = "\
scenario               result        answers/s       p95  failed figures   took
01-baseline            PASSED            839.9     35 ms  0.00 % valid    5m10s
02-of-a-name-that-is-l QUICK PROFILE  123456.8 ≥12346 ms       – suspect    15s
  not met: `p95 < 1ms`
03-kept-from-being-run EXIT 4
  the target does not answer
04-stress              NOT BEGUN
";
        assert_eq!(text, expected);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}
