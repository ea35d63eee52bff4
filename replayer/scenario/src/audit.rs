//! The audit: after the run the rows that its requests made are counted in the target's database,
//! and held against what the target answered.
//!
//! ```toml
//! [audit]
//! endpoint = "POST /alerts/ingest"
//! mark = "/id"                    # a JSON pointer into the ANSWER, or, in its place,
//! payload = "/raw_payload/mark"   # one into the PAYLOAD: the run writes a text there, another in each request
//! table = "alerts"                # where the rows are; also schema.table
//! column = "raw_payload"          # where the mark stands in them
//! pointer = "/mark"               # where in the column, if that is json or jsonb
//! settle = "5s"                   # from the end of the run to the count: time for queues to drain
//! ```

use std::time::Duration;

use serde::Deserialize;

/// Time for queues to drain, where none is given.
const SETTLE: Duration = Duration::from_secs(5);

/// No queue is waited for longer: what takes a day to store is not what a load test asks about.
const LONGEST_SETTLE: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    pub endpoint: String,
    pub mark: MarkPlace,
    /// As it was typed: a name, or a schema's and a name.
    pub table: String,
    pub column: String,
    /// A JSON pointer into the column.
    pub pointer: Option<String>,
    pub settle: Duration,
}

/// Where the mark of a request stands, as a JSON pointer (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkPlace {
    /// The target makes it, so that it is known of answered requests alone.
    Answer(String),
    /// The run makes it, so that it is known whatever became of the request.
    Payload(String),
}

/// The table as it is typed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Typed {
    endpoint: String,
    mark: Option<String>,
    payload: Option<String>,
    table: String,
    column: String,
    pointer: Option<String>,
    settle: Option<String>,
}

impl Typed {
    /// # Errors
    /// With the key, and what would be right.
    pub(super) fn resolve(self) -> Result<Audit, String> {
        let Self { endpoint, mark, payload, table, column, pointer, settle } = self;
        let mark = match (mark, payload) {
            (Some(mark), None) => MarkPlace::Answer(pointed("mark", mark)?),
            (None, Some(payload)) => MarkPlace::Payload(pointed("payload", payload)?),
            _ => return Err("[audit]: expected one of mark and payload".to_owned()),
        };
        for (key, name) in [("endpoint", &endpoint), ("table", &table), ("column", &column)] {
            if name.is_empty() || name.split('.').any(str::is_empty) && key == "table" {
                return Err(format!("[audit] {key} {name:?}: expected a name"));
            }
        }
        let settle = match settle {
            None => SETTLE,
            Some(text) => humantime::parse_duration(&text)
                .ok()
                .filter(|settle| *settle <= LONGEST_SETTLE)
                .ok_or_else(|| {
                    format!("[audit] settle {text:?}: expected a time such as \"5s\", at most 1h")
                })?,
        };
        let pointer = pointer.map(|pointer| pointed("pointer", pointer)).transpose()?;
        Ok(Audit { endpoint, mark, table, column, pointer, settle })
    }
}

/// A pointer to something within a document.
fn pointed(key: &str, pointer: String) -> Result<String, String> {
    let is_escaped = |rest: &str| rest.starts_with(['0', '1']);
    if pointer.starts_with('/') && pointer.split('~').skip(1).all(is_escaped) {
        return Ok(pointer);
    }
    Err(format!("[audit] {key} {pointer:?}: expected a JSON pointer such as \"/id\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = "endpoint = 'POST /a'\ntable = 'alerts'\ncolumn = 'id'\n";

    fn read(text: &str) -> Result<Audit, String> {
        let typed: Result<Typed, _> = toml::from_str(text);
        typed.map_err(|error| error.message().to_owned())?.resolve()
    }

    #[test]
    fn the_mark_is_of_the_answer_or_of_the_payload() {
        let of_answer = read(&format!("{REST}mark = '/id'")).unwrap();
        assert_eq!(of_answer.mark, MarkPlace::Answer("/id".to_owned()));
        assert_eq!((of_answer.settle, of_answer.pointer), (Duration::from_secs(5), None));
        let of_payload =
            read(&format!("{REST}payload = '/raw/a~1b'\npointer = '/a~1b'\nsettle = '1m 30s'"))
                .unwrap();
        assert_eq!(of_payload.mark, MarkPlace::Payload("/raw/a~1b".to_owned()));
        assert_eq!(of_payload.pointer.as_deref(), Some("/a~1b"));
        assert_eq!(of_payload.settle, Duration::from_secs(90));
    }

    #[test]
    fn what_is_no_audit_is_told_with_its_key() {
        for (text, told) in [
            (REST.to_owned(), "[audit]: expected one of mark and payload"),
            (format!("{REST}mark = '/a'\npayload = '/b'"), "expected one of mark and payload"),
            (format!("{REST}mark = 'id'"), "[audit] mark \"id\": expected a JSON pointer"),
            (format!("{REST}mark = ''"), "[audit] mark \"\": expected a JSON pointer"),
            (format!("{REST}payload = '/a~2'"), "[audit] payload \"/a~2\": expected"),
            (format!("{REST}mark = '/a'\npointer = 'b'"), "[audit] pointer \"b\": expected"),
            (format!("{REST}mark = '/a'\nsettle = '5'"), "[audit] settle \"5\": expected a time"),
            (format!("{REST}mark = '/a'\nsettle = '2h'"), "at most 1h"),
            (format!("{REST}mark = '/a'").replace("alerts", "a."), "[audit] table \"a.\""),
            (format!("{REST}mark = '/a'").replace("'id'", "''"), "[audit] column \"\""),
            (format!("{REST}mark = '/a'\nmarc = 1"), "unknown field `marc`"),
            ("endpoint = 'POST /a'".to_owned(), "missing field"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(told), "{text:?}: {error}");
        }
    }
}
