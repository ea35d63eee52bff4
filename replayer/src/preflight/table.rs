//! The rows of a preflight, and how they are shown.

use std::fmt::Write as _;

use common::shown;
use serde::Serialize;

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    Target,
    Clock,
    Login,
    Reads,
    Writes,
    #[serde(rename = "rate limiting")]
    RateLimiting,
    Descriptors,
    Ports,
    Rate,
    Database,
}

impl Check {
    const fn name(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Clock => "clock",
            Self::Login => "login",
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::RateLimiting => "rate limiting",
            Self::Descriptors => "descriptors",
            Self::Ports => "ports",
            Self::Rate => "rate",
            Self::Database => "database",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Good,
    /// The run may start, and what it measures may not be what was meant.
    Warning,
    Failed,
    /// It would have changed something, or what it needs was not to be had.
    NotTried,
    /// Nobody asked for it.
    NotAsked,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::NotTried => "not tried",
            Self::NotAsked => "not asked",
        }
    }

    /// Whether it is told even where as little as possible is.
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Warning | Self::Failed)
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    pub check: Check,
    pub state: State,
    /// What was found, in words.
    pub says: String,
}

impl Row {
    pub(super) fn new(check: Check, state: State, says: impl Into<String>) -> Self {
        Self { check, state, says: says.into() }
    }
}

/// Characters of a line, and where its columns begin.
const WIDTH: usize = 80;
const INDENT: usize = 2;
const STATE: usize = INDENT + "rate limiting".len() + 2;
const SAYS: usize = STATE + "not tried".len() + 2;

/// The rows one below another, each line ended.
pub(super) fn table<'a>(rows: impl IntoIterator<Item = &'a Row>) -> String {
    let mut text = String::new();
    for row in rows {
        let line = format!("{:INDENT$}{}", "", row.check.name());
        let line = format!("{line:STATE$}{}", row.state.name());
        for (number, says) in wrapped(&shown::line(&row.says), WIDTH - SAYS).iter().enumerate() {
            let before = if number == 0 { line.as_str() } else { "" };
            // Writing to a text does not fail.
            let _ = writeln!(text, "{before:SAYS$}{says}");
        }
    }
    text
}

/// In lines of at most so many characters, between words where there are any.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length <= width {
            lines.last_mut().into_iter().for_each(|line| line.push(' '));
            used += 1;
        } else if used > 0 {
            lines.push(String::new());
            used = 0;
        }
        for character in word.chars() {
            if used == width {
                lines.push(String::new());
                used = 0;
            }
            lines.last_mut().into_iter().for_each(|line| line.push(character));
            used += 1;
        }
    }
    lines
}

/// The first few, and how many more there are.
pub(super) fn few(of: impl IntoIterator<Item = String>, most: usize, between: &str) -> String {
    let mut all: Vec<String> = of.into_iter().collect();
    let more = all.len().saturating_sub(most);
    all.truncate(most);
    let more = (more > 0).then(|| format!("and {more} more"));
    all.into_iter().chain(more).collect::<Vec<_>>().join(between)
}

/// `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    shown::thousands(&number.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rows_stand_in_columns() {
        let clock = "the target's clock is 3,600 s ahead of this machine's: tokens may be over";
        let rows = [
            Row::new(Check::RateLimiting, State::NotTried, "a\nb"),
            Row::new(Check::Clock, State::Warning, clock),
        ];
        assert_eq!(
            table(&rows),
            "  rate limiting  not tried  a b\n\
             \u{20} clock          warning    the target's clock is 3,600 s ahead of this\n\
             \u{20}                           machine's: tokens may be over\n"
        );
    }

    #[test]
    fn of_many_the_first_are_named() {
        let names = |count: u64| few((1..=count).map(|n| n.to_string()), 2, ", ");
        assert_eq!((names(2), names(4)), ("1, 2".to_owned(), "1, 2, and 2 more".to_owned()));
    }

    #[test]
    fn numbers_are_grouped() {
        let texts = [0, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide_and_no_word_lost(text in "[a-zü€ ]{0,300}") {
            let table = table(&[Row::new(Check::Reads, State::Good, text.clone())]);
            prop_assert!(table.lines().all(|line| line.chars().count() <= WIDTH), "{table}");
            let says: String = table.lines().flat_map(|line| line.chars().skip(SAYS)).collect();
            let letters = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(letters(&says), letters(&text));
        }
    }
}
