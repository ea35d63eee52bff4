//! From an expression's value to the text that Postgres reads for a type.

use std::fmt::Write;

use minijinja::Value;
use minijinja::value::ValueKind;

use crate::schema::Kind;
use common::nearest;

/// The text of a value, none for NULL; or what is wrong with it.
pub(super) fn text(kind: &Kind, value: &Value) -> Result<Option<String>, String> {
    match value.kind() {
        ValueKind::None => return Ok(None),
        ValueKind::Undefined => return Err("the value is undefined".to_owned()),
        _ => {}
    }
    let text = match kind {
        Kind::Boolean => boolean(value)?,
        Kind::Integer { min, max } => integer(value, *min, *max)?,
        Kind::Number => number(value)?,
        Kind::Text { max } => short_text(value, *max)?,
        Kind::Uuid => uuid(value)?,
        Kind::Json => json(value)?,
        Kind::Enum { labels } => label(value, labels)?,
        Kind::Array(item) => array(item, value)?,
        Kind::Timestamp | Kind::Date | Kind::Other => plain(value)?,
    };
    if text.contains('\0') {
        return Err("the text holds a NUL character, which Postgres cannot store".to_owned());
    }
    Ok(Some(text))
}

fn mismatch(value: &Value, wanted: &str) -> String {
    // Not the value itself: it may be a password.
    format!("a {} where {wanted} belongs", value.kind())
}

fn boolean(value: &Value) -> Result<String, String> {
    match value.kind() {
        ValueKind::Bool => Ok(if value.is_true() { "t" } else { "f" }.to_owned()),
        _ => Err(mismatch(value, "true or false")),
    }
}

fn integer(value: &Value, min: i64, max: i64) -> Result<String, String> {
    let whole = match value.kind() {
        ValueKind::Number => i64::try_from(value.clone()).ok(),
        _ => None,
    };
    match whole {
        Some(whole) if (min..=max).contains(&whole) => Ok(whole.to_string()),
        Some(whole) => Err(format!("{whole} is not from {min} to {max}")),
        None => Err(mismatch(value, "a whole number")),
    }
}

fn number(value: &Value) -> Result<String, String> {
    match value.kind() {
        ValueKind::Number => Ok(value.to_string()),
        _ => Err(mismatch(value, "a number")),
    }
}

/// Numbers are written out; lists and the like are mistakes.
fn plain(value: &Value) -> Result<String, String> {
    match value.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Bool => Ok(value.to_string()),
        _ => Err(mismatch(value, "text")),
    }
}

fn short_text(value: &Value, max: Option<usize>) -> Result<String, String> {
    let text = plain(value)?;
    let length = text.chars().count();
    match max {
        Some(max) if length > max => Err(format!("{length} characters where {max} fit")),
        _ => Ok(text),
    }
}

fn uuid(value: &Value) -> Result<String, String> {
    let text = value.as_str().unwrap_or_default();
    uuid::Uuid::parse_str(text).map(|id| id.to_string()).map_err(|_| mismatch(value, "a uuid"))
}

/// A text becomes a JSON string; write `{…}` or `[…]` for documents.
fn json(value: &Value) -> Result<String, String> {
    serde_json::to_string(value).map_err(|error| format!("not JSON: {error}"))
}

fn label(value: &Value, labels: &[String]) -> Result<String, String> {
    let text = value.as_str().ok_or_else(|| mismatch(value, "a label of the enum"))?;
    if labels.iter().any(|label| label == text) {
        return Ok(text.to_owned());
    }
    let hint = nearest::hint(text, labels.iter().map(String::as_str));
    Err(format!("{text:?} is none of {}{hint}", labels.join(", ")))
}

/// `{"a","b",NULL}`, with every item quoted: no item can be mistaken.
fn array(item: &Kind, value: &Value) -> Result<String, String> {
    if value.kind() != ValueKind::Seq {
        return Err(mismatch(value, "a list"));
    }
    let items = value.try_iter().map_err(|error| error.to_string())?;
    let mut list = String::from("{");
    for (index, value) in items.enumerate() {
        if index > 0 {
            list.push(',');
        }
        match text(item, &value)? {
            None => list.push_str("NULL"),
            Some(text) => {
                let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
                // Writing to a String cannot fail.
                let _ = write!(list, "\"{escaped}\"");
            }
        }
    }
    list.push('}');
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(kind: &Kind, value: impl Into<Value>) -> String {
        match text(kind, &value.into()) {
            Ok(text) => text.unwrap_or_else(|| "NULL".to_owned()),
            Err(problem) => format!("error: {problem}"),
        }
    }

    #[test]
    fn values_are_written_as_their_type_reads_them() {
        let small = Kind::Integer { min: 0, max: 9 };
        let labels = Kind::Enum { labels: vec!["pending".to_owned(), "acknowledged".to_owned()] };
        let array = Kind::Array(Box::new(Kind::Text { max: None }));
        let map = Value::from(std::collections::BTreeMap::from([("a", 1)]));
        for (kind, value, expected) in [
            (Kind::Boolean, Value::from(true), "t"),
            (Kind::Boolean, Value::from("yes"), "error: a string where true or false belongs"),
            (small.clone(), Value::from(9), "9"),
            (small.clone(), Value::from(5.0), "5"),
            (small.clone(), Value::from(10), "error: 10 is not from 0 to 9"),
            (small, Value::from("5"), "error: a string where a whole number belongs"),
            (Kind::Number, Value::from(0.25), "0.25"),
            (Kind::Text { max: Some(3) }, Value::from("äöü"), "äöü"),
            (Kind::Text { max: Some(3) }, Value::from("abcd"), "error: 4 characters where 3 fit"),
            (Kind::Text { max: None }, Value::from("a\0b"), "error: the text holds a NUL"),
            (Kind::Uuid, Value::from("x"), "error: a string where a uuid belongs"),
            (Kind::Json, map, r#"{"a":1}"#),
            (Kind::Json, Value::from("text"), r#""text""#),
            (labels.clone(), Value::from("pending"), "pending"),
            (labels, Value::from("pendng"), "did you mean pending?"),
            (array, Value::from(vec!["a,b", "\"\\"]), r#"{"a,b","\"\\"}"#),
            (Kind::Timestamp, Value::from(()), "NULL"),
            (Kind::Timestamp, Value::UNDEFINED, "error: the value is undefined"),
        ] {
            let found = written(&kind, value);
            assert!(found.contains(expected), "{kind:?}: {found}");
        }
    }
}
