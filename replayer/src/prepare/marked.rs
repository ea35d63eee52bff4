//! Requests that get a mark into their payload, which an audit looks for after the run.
//!
//! The mark is a fresh value, bound as those of the recording are: it is written when the request
//! is, and follows from the run, the user and the request, so that it is known whatever becomes of
//! the request, and two attempts to send it have the same.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::value::RawValue;
use trace::format::{Binding, Body, Encoding, FreshId, Origin, Part, Request};
use trace::pointer;

/// Which requests, and where in their body.
#[derive(Clone, Debug)]
pub struct Marked {
    endpoint: String,
    pointer: String,
    /// Of the pointer; at least one.
    tokens: Vec<String>,
}

/// Where a mark goes in a text.
#[derive(Debug, PartialEq, Eq)]
struct Spot {
    /// What it takes the place of.
    range: Range<usize>,
    /// What stands around it.
    before: String,
    after: &'static str,
}

impl Marked {
    /// Marks are written like this.
    pub const LIKE: FreshId = FreshId::Uuid;

    /// The requests of an endpoint, marked at a JSON pointer; none if that is no pointer to
    /// something within a document.
    pub fn new(endpoint: &str, pointer: &str) -> Option<Self> {
        let tokens = pointer::tokens(pointer).filter(|tokens| !tokens.is_empty())?;
        Some(Self { endpoint: endpoint.to_owned(), pointer: pointer.to_owned(), tokens })
    }

    pub(super) fn is_for(&self, line: &Request) -> bool {
        line.name == self.endpoint
    }

    /// By which the mark of a request is told from all others of its session.
    pub(super) fn key_of(line: &Request) -> u64 {
        common::digest::stable_hash(key(line).as_bytes())
    }

    /// The request with its mark.
    ///
    /// # Errors
    /// When its body has no place for one; in words.
    pub(super) fn written(&self, line: &Request) -> Result<Request, String> {
        let error = |what: &str| format!("[audit] payload {:?}: {what}", self.pointer);
        let Some(Body::Text(text)) = &line.body else {
            return Err(error("it has no body of JSON text"));
        };
        let Spot { range, before, after } = spot(text, &self.tokens).map_err(error)?;
        let at = range.start + before.len();
        let mut marked = line.clone();
        marked.body =
            Some(Body::Text([&text[..range.start], &before, after, &text[range.end..]].concat()));
        let is_replaced = |bound: &Binding| {
            bound.part == Part::Body && bound.start >= range.start && bound.end <= range.end
        };
        marked.bind.retain(|bound| !is_replaced(bound));
        for bound in &mut marked.bind {
            if bound.part == Part::Body && bound.start >= range.end {
                for place in [&mut bound.start, &mut bound.end] {
                    *place = *place - range.len() + before.len() + after.len();
                }
            }
        }
        marked.bind.push(Binding {
            part: Part::Body,
            start: at,
            end: at,
            from: Origin::Fresh { key: key(line), like: Self::LIKE },
            encode: Encoding::Json,
            ambiguous: false,
        });
        Ok(marked)
    }
}

/// No recording has such a key.
fn key(line: &Request) -> String {
    format!("the audit's mark of {}", line.id)
}

/// Where the value at a pointer stands, or would stand in an object that has none of the name.
fn spot(text: &str, tokens: &[String]) -> Result<Spot, &'static str> {
    const NOT_JSON: &str = "its body is not JSON";
    const NO_OBJECT: &str = "its body has no object that it could stand in";
    let mut value: &RawValue = serde_json::from_str(text).map_err(|_| NOT_JSON)?;
    let Some((last, parents)) = tokens.split_last() else { return Err(NO_OBJECT) };
    for token in parents {
        value = child(value, token).ok_or(NO_OBJECT)?;
    }
    // All of them are parts of the one text.
    let start = |value: &RawValue| value.get().as_ptr() as usize - text.as_ptr() as usize;
    if let Some(found) = child(value, last) {
        let (begin, end) = (start(found), start(found) + found.get().len());
        return match found.get() {
            text if text.starts_with('"') => {
                Ok(Spot { range: begin + 1..end - 1, before: String::new(), after: "" })
            }
            "null" => Ok(Spot { range: begin..end, before: "\"".to_owned(), after: "\"" }),
            _ => Err("what stands there is no text, which a mark is"),
        };
    }
    let Some(rest) = value.get().strip_prefix('{') else { return Err(NO_OBJECT) };
    let begin = start(value) + 1;
    let name = serde_json::Value::from(last.as_str());
    let is_empty = rest.trim_start().starts_with('}');
    let after = if is_empty { "\"" } else { "\"," };
    Ok(Spot { range: begin..begin, before: format!("{name}:\""), after })
}

/// What stands in an object under a name, or in a list at an index.
fn child<'a>(value: &'a RawValue, token: &str) -> Option<&'a RawValue> {
    let text = value.get();
    if text.starts_with('{') {
        let object: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        return object.get(token).copied();
    }
    if text.starts_with('[') {
        let list: Vec<&RawValue> = serde_json::from_str(text).ok()?;
        return list.get(token.parse::<usize>().ok()?).copied();
    }
    None
}

#[cfg(test)]
mod tests {
    use trace::format::RecordedResult;

    use super::*;

    fn line(body: &str, bound: &[Range<usize>]) -> Request {
        let bind = bound.iter().map(|range| Binding {
            part: Part::Body,
            start: range.start,
            end: range.end,
            from: Origin::Account("email".to_owned()),
            encode: Encoding::Json,
            ambiguous: false,
        });
        Request {
            id: "r1".into(),
            at: 0,
            session: "s".into(),
            persona: None,
            account: None,
            name: "POST /a".into(),
            http: "1.1".into(),
            method: "POST".into(),
            path: "/a".into(),
            headers: vec![],
            body: Some(Body::Text(body.into())),
            bind: bind.collect(),
            after: vec![],
            prologue: false,
            result: RecordedResult::Answer(trace::format::Answer::default()),
        }
    }

    /// The body with `M` for the mark and `B` for what else is bound.
    fn written(pointer: &str, body: &str, bound: &[Range<usize>]) -> Result<String, String> {
        let marked = Marked::new("POST /a", pointer).unwrap().written(&line(body, bound))?;
        let Some(Body::Text(mut text)) = marked.body else { panic!("a text") };
        let mut bind = marked.bind;
        bind.sort_by_key(|bound| bound.start);
        for bound in bind.into_iter().rev() {
            let is_mark = matches!(bound.from, Origin::Fresh { .. });
            text.replace_range(bound.start..bound.end, if is_mark { "M" } else { "B" });
        }
        Ok(text)
    }

    #[test]
    fn the_mark_is_written_where_it_belongs_and_what_is_bound_stays_in_its_place() {
        let at = |body: &str, what: &str| {
            let start = body.find(what).unwrap();
            start..start + what.len()
        };
        let body = r#"{"a":"x1","raw":{"mark":"old \" one","n":1},"z":"x2"}"#;
        let bound = [at(body, "x1"), at(body, "x2")];
        let marked = r#"{"a":"B","raw":{"mark":"M","n":1},"z":"B"}"#;
        assert_eq!(written("/raw/mark", body, &bound).unwrap(), marked);
        let added = r#"{"a":"B","raw":{"new":"M","mark":"old \" one","n":1},"z":"B"}"#;
        assert_eq!(written("/raw/new", body, &bound).unwrap(), added);
        // What was bound there before is no more.
        let all = [at(body, "x1"), at(body, "old \\\" one"), at(body, "x2")];
        assert_eq!(written("/raw/mark", body, &all).unwrap(), marked);
        for (pointer, body, marked) in [
            ("/m", "{ }", r#"{"m":"M" }"#),
            ("/m", r#" {"m" : null}"#, r#" {"m" : "M"}"#),
            ("/m", r#"{"m":""}"#, r#"{"m":"M"}"#),
            ("/l/1/m", r#"{"l":[{"m":"a"},{"m":"b"}]}"#, r#"{"l":[{"m":"a"},{"m":"M"}]}"#),
            ("/a~1b", r#"{"c":1}"#, r#"{"a/b":"M","c":1}"#),
            ("/q\"", "{}", r#"{"q\"":"M"}"#),
        ] {
            assert_eq!(written(pointer, body, &[]).unwrap(), marked, "{pointer} {body}");
        }
    }

    #[test]
    fn a_body_without_a_place_for_a_mark_is_told() {
        for (pointer, body, told) in [
            ("/m", "a=b", "its body is not JSON"),
            ("/m/n", r#"{"x":1}"#, "no object that it could stand in"),
            ("/m/n", r#"{"m":1}"#, "no object that it could stand in"),
            ("/m", "[]", "no object that it could stand in"),
            ("/m", r#"{"m":7}"#, "is no text"),
            ("/m", r#"{"m":{}}"#, "is no text"),
        ] {
            let error = written(pointer, body, &[]).unwrap_err();
            assert!(error.starts_with(&format!("[audit] payload {pointer:?}: ")), "{error}");
            assert!(error.contains(told), "{body}: {error}");
        }
        let without = Request { body: None, ..line("", &[]) };
        let error = Marked::new("POST /a", "/m").unwrap().written(&without).unwrap_err();
        assert!(error.contains("no body of JSON text"), "{error}");
        assert!(Marked::new("POST /a", "").is_none() && Marked::new("POST /a", "m").is_none());
    }
}
