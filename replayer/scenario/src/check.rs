//! Checks: what an answer must be, beside its status, to count as a success. An answer 200 that
//! holds an error, as GraphQL gives it, is none.
//!
//! ```toml
//! [[check]]
//! name = "no errors"           # as it stands in counts and reports; what is checked, where it is left out
//! endpoint = "POST /graphql"   # all endpoints, where it is left out
//! json = "/errors"             # or text = "Welcome", header = "Content-Type", size = "> 100"
//! absent = true                # or equals = …; that it is there, where neither stands
//! ```

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::expectation::Comparison;

/// No scenario has more.
const MOST: usize = 1000;

#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    pub name: String,
    /// None for all.
    pub endpoint: Option<String>,
    pub asks: Asks,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Asks {
    /// Of the value at a JSON pointer (RFC 6901). A null is not there.
    Json {
        pointer: String,
        is: Is,
    },
    /// Of a text anywhere in the body.
    Text {
        text: String,
        is_there: bool,
    },
    Header {
        name: String,
        is: Is,
    },
    /// Bytes of the body, as they came.
    Size {
        comparison: Comparison,
        bytes: u64,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Is {
    There,
    Absent,
    Equal(Value),
}

/// A check as it is typed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Typed {
    name: Option<String>,
    endpoint: Option<String>,
    json: Option<String>,
    text: Option<String>,
    header: Option<String>,
    size: Option<String>,
    #[serde(default)]
    absent: bool,
    equals: Option<Value>,
}

/// All checks of a scenario.
///
/// # Errors
/// With the number of the first that is none, and what would be right.
pub(super) fn resolve(typed: Vec<Typed>) -> Result<Vec<Check>, String> {
    if typed.len() > MOST {
        return Err(format!("[[check]]: there are {}, and may be {MOST}", typed.len()));
    }
    let numbered = typed.into_iter().enumerate();
    numbered
        .map(|(index, typed)| {
            typed.resolve().map_err(|message| format!("[[check]] {}: {message}", index + 1))
        })
        .collect()
}

impl Typed {
    fn resolve(self) -> Result<Check, String> {
        let Self { name, endpoint, json, text, header, size, absent, equals } = self;
        if absent && equals.is_some() {
            return Err("it is either absent or equals something".to_owned());
        }
        let compares = absent || equals.is_some();
        let is = match equals {
            Some(value) if value.is_object() || value.is_array() => {
                return Err("equals: expected a text, a number, true or false".to_owned());
            }
            Some(value) => Is::Equal(value),
            None if absent => Is::Absent,
            None => Is::There,
        };
        let asks = match (json, text, header, size) {
            (Some(pointer), None, None, None) => {
                if !pointer.is_empty() && !pointer.starts_with('/') {
                    return Err(format!(
                        "json {pointer:?}: expected a pointer such as \"/errors\""
                    ));
                }
                Asks::Json { pointer, is }
            }
            (None, Some(text), None, None) => {
                if text.is_empty() || matches!(is, Is::Equal(_)) {
                    return Err("text: expected one that is there, or absent = true".to_owned());
                }
                Asks::Text { text, is_there: is == Is::There }
            }
            (None, None, Some(name), None) => Asks::Header { name, is },
            (None, None, None, Some(size)) => {
                let asks = size_of(&size).filter(|_| !compares);
                asks.ok_or_else(|| {
                    format!(
                        "size {size:?}: expected bytes such as \"> 100\", and nothing beside it"
                    )
                })?
            }
            _ => return Err("expected one of json, text, header and size".to_owned()),
        };
        let name = name.unwrap_or_else(|| asks.to_string());
        Ok(Check { name, endpoint, asks })
    }
}

fn size_of(text: &str) -> Option<Asks> {
    let (comparison, bytes) = Comparison::beginning(text.trim())?;
    Some(Asks::Size { comparison, bytes: bytes.trim().parse().ok()? })
}

impl Asks {
    /// Whether the body must be read.
    pub const fn is_of_body(&self) -> bool {
        matches!(self, Self::Json { .. } | Self::Text { .. })
    }
}

impl Is {
    /// Whether a header, or a text, is so.
    pub fn holds_of_text(&self, found: Option<&str>) -> bool {
        match self {
            Self::There => found.is_some(),
            Self::Absent => found.is_none(),
            Self::Equal(Value::String(text)) => found == Some(text),
            Self::Equal(value) => found == Some(&*value.to_string()),
        }
    }

    pub fn holds(&self, found: Option<&Value>) -> bool {
        let found = found.filter(|value| !value.is_null());
        match self {
            Self::There => found.is_some(),
            Self::Absent => found.is_none(),
            // A number is one, however it is written.
            Self::Equal(value) => found.is_some_and(|found| {
                found == value || value.as_f64().is_some_and(|value| found.as_f64() == Some(value))
            }),
        }
    }
}

impl fmt::Display for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json { pointer, is } => write!(f, "json {pointer}{is}"),
            Self::Text { text, is_there: true } => write!(f, "text {text:?}"),
            Self::Text { text, is_there: false } => write!(f, "text {text:?} absent"),
            Self::Header { name, is } => write!(f, "header {name}{is}"),
            Self::Size { comparison, bytes } => write!(f, "size {comparison} {bytes}"),
        }
    }
}

impl fmt::Display for Is {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::There => Ok(()),
            Self::Absent => f.write_str(" absent"),
            Self::Equal(value) => write!(f, " equals {value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Check, String> {
        let typed: Typed = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        resolve(vec![typed]).map(|mut checks| checks.remove(0))
    }

    #[test]
    fn each_kind_is_named_by_what_it_asks() {
        for (text, name) in [
            ("json = '/errors'\nabsent = true", "json /errors absent"),
            ("json = '/data/id'", "json /data/id"),
            ("json = '/ok'\nequals = true", "json /ok equals true"),
            ("json = ''\nequals = 3", "json  equals 3"),
            ("text = 'Welcome'", "text \"Welcome\""),
            ("text = 'Error'\nabsent = true", "text \"Error\" absent"),
            ("header = 'ETag'", "header ETag"),
            ("header = 'X-Cache'\nequals = 'HIT'", "header X-Cache equals \"HIT\""),
            ("size = '>= 100'", "size >= 100"),
            ("name = 'my own'\nsize = '<10'", "my own"),
        ] {
            assert_eq!(read(text).unwrap().name, name, "{text}");
        }
        assert_eq!(
            read("endpoint = 'GET /'\ntext = 'a'").unwrap().endpoint.as_deref(),
            Some("GET /")
        );
    }

    #[test]
    fn what_is_no_check_is_told_with_its_number() {
        for (text, told) in [
            ("", "[[check]] 1: expected one of json, text, header and size"),
            ("json = '/a'\ntext = 'b'", "[[check]] 1: expected one of"),
            ("json = 'errors'", "expected a pointer such as"),
            ("json = '/a'\nabsent = true\nequals = 1", "either absent or equals"),
            ("json = '/a'\nequals = [1]", "expected a text, a number"),
            ("text = ''", "text: expected"),
            ("text = 'a'\nequals = 'b'", "text: expected"),
            ("size = '100'", "expected bytes such as"),
            ("size = '> 1 kB'", "expected bytes such as"),
            ("size = '> 1'\nabsent = true", "and nothing beside it"),
            ("jsn = '/a'", "unknown field `jsn`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(told), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_null_is_not_there_and_a_number_is_one_however_it_is_written() {
        assert!(Is::Absent.holds(None) && Is::Absent.holds(Some(&Value::Null)));
        assert!(!Is::There.holds(Some(&Value::Null)) && Is::There.holds(Some(&json!(false))));
        assert!(Is::Equal(json!(3)).holds(Some(&json!(3.0))));
        assert!(!Is::Equal(json!(3)).holds(Some(&json!("3"))));
        assert!(!Is::Equal(json!(true)).holds(Some(&json!(1))));
        assert!(Is::Equal(json!("a")).holds_of_text(Some("a")));
        assert!(Is::Equal(json!(3)).holds_of_text(Some("3")));
        assert!(!Is::There.holds_of_text(None) && Is::Absent.holds_of_text(None));
    }
}
