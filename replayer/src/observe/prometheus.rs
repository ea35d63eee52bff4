//! The Prometheus text format: series with their labels, and how they are called in a run.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use common::shown;
use redact::Names;

/// So many series of a page are kept.
pub(super) const MOST_SERIES: usize = 200;

/// Longer values of labels are shortened, in characters.
const MOST_VALUE: usize = 100;

/// Series of a longer name are passed over, in bytes.
const MOST_NAME: usize = 500;

/// Stands in place of a label's value that is secret.
const REMOVED: &str = "[redacted]";

/// What a value is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    pub(super) name: String,
    /// By their names.
    pub(super) labels: BTreeMap<String, String>,
}

impl Series {
    /// Of these labels.
    pub(super) fn new<const N: usize>(name: &str, labels: [(&str, &str); N]) -> Self {
        let labels = labels.map(|(label, value)| (label.to_owned(), value.to_owned()));
        Self { name: name.to_owned(), labels: BTreeMap::from(labels) }
    }

    /// Whether it is a part of a distribution: there are many of these, and they say least.
    fn is_bucket(&self) -> bool {
        self.name.ends_with("_bucket")
    }
}

/// As it is written: `name{label="value"}`, values as they may be shown.
impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (index, (label, value)) in self.labels.iter().enumerate() {
            f.write_char(if index == 0 { '{' } else { ',' })?;
            let is_secret = Names::default().is_secret(label);
            let value = if is_secret { REMOVED } else { value };
            let value = shown::line(value).replace('\\', "\\\\").replace('"', "\\\"");
            write!(f, "{label}=\"{value}\"")?;
        }
        if self.labels.is_empty() { Ok(()) } else { f.write_char('}') }
    }
}

/// The series of a page with their values; lines that are none, and values that are no numbers,
/// are passed over.
pub(super) fn parse(text: &str) -> BTreeMap<Series, f64> {
    text.lines().filter_map(|line| series(line.trim())).collect()
}

fn series(line: &str) -> Option<(Series, f64)> {
    let name_ends = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, rest) = line.split_at(name_ends);
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.');
    if name.is_empty() || !name.chars().all(is_name) {
        return None;
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    // A time may stand behind it, and what else a later version has.
    let value: f64 = rest.split_whitespace().next()?.parse().ok()?;
    let series = Series { name: name.to_owned(), labels };
    value.is_finite().then_some((series, value))
}

/// Labels behind their `{`, and what stands behind their `}`.
fn labels(text: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (label, behind) = rest.split_once('=')?;
        let quoted = behind.trim_start().strip_prefix('"')?;
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => match chars.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        };
        let value = shown::shortened(&value, MOST_VALUE).into_owned();
        labels.insert(label.trim().to_owned(), value);
        rest = quoted[end + 1..].trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
}

/// What of a page is kept: each series by what it is called, and how many there were.
pub(super) fn kept(
    page: BTreeMap<Series, f64>,
    called: impl Fn(&Series) -> Option<String>,
) -> (Vec<(String, f64)>, usize) {
    let mut named: Vec<(bool, String, f64)> = page
        .into_iter()
        .filter_map(|(series, value)| Some((series.is_bucket(), called(&series)?, value)))
        .filter(|(_, name, _)| name.len() <= MOST_NAME)
        .collect();
    let all = named.len();
    // Stable, so that all others come first and by their names.
    named.sort_by_key(|(is_bucket, ..)| *is_bucket);
    named.truncate(MOST_SERIES);
    (named.into_iter().map(|(_, name, value)| (name, value)).collect(), all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, f64)> {
        parse(text).into_iter().map(|(series, value)| (series.to_string(), value)).collect()
    }

    #[test]
    fn values_are_read_with_their_labels_and_the_rest_is_passed_over() {
        let text = "# HELP a b\n# TYPE a counter\na 12\nb{x=\"1\", y = \"a } \\\"q\\\\\"} 3\n\
                    c 1.5e3 1700000000\nd{} 4\ne{z=\"é\",} 5 # {t=\"1\"} 9\n\
                    f NaN\ng +Inf\nh{x=\"1\" 6\ni{x=1} 7\nj{x=\"1\nk\n l x\n{a=\"b\"} 1\n";
        let expected = [
            ("a", 12.0),
            (r#"b{x="1",y="a } \"q\\"}"#, 3.0),
            ("c", 1500.0),
            ("d", 4.0),
            (r#"e{z="é"}"#, 5.0),
        ];
        assert_eq!(read(text), expected.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn what_a_label_says_may_be_shown() {
        let text = "a{password=\"hunter2\",token=\"hunter2\",path=\"/x\\n\u{1b}\"} 1\n";
        let (name, _) = &read(text)[0];
        assert!(!name.contains("hunter2") && name.matches(REMOVED).count() == 2, "{name}");
        assert!(!name.contains(char::is_control), "{name}");
    }

    #[test]
    fn of_many_series_those_are_kept_that_say_most() {
        let bucket = |n: usize| format!("a_bucket{{le=\"{n:04}\"}} {n}\n");
        let level = |n: usize| format!("level{{n=\"{n:04}\"}} {n}\n");
        let text: String = (0..300).map(bucket).chain((0..150).map(level)).collect();
        let (few, all) = kept(parse(&text), |series| Some(series.to_string()));
        assert_eq!((few.len(), all), (MOST_SERIES, 450));
        assert!(few[..150].iter().all(|(name, _)| name.starts_with("level")), "{few:?}");
        let endless = format!("{} 1\n", "a".repeat(MOST_NAME + 1));
        assert_eq!(kept(parse(&endless), |series| Some(series.to_string())).1, 0);
    }
}
