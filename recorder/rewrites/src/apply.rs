//! A request as it is sent, made of one as it was recorded.

use std::collections::BTreeMap;

use generate::Stream;
use minijinja::{Expression, Value};
use trace::format::{Binding, Body, Encoding, Origin, Part, Request};
use trace::wire;

use super::error::ApplyError;
use super::marks::{self, Place, unmarked};
use super::rule::{Does, Rewrites, Sent};
use super::text::{Piece, Text};

/// A path or a header that is longer is taken by no server; each rule may make it longer still.
const MOST_LINE_BYTES: usize = 64 << 10;

/// A longer body does not fit into a line of a trace.
const MOST_BODY_BYTES: usize = 8 << 20;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    Sent,
    Dropped,
    /// Not sent, and what its answer gives is as it was recorded.
    Answered,
}

#[derive(Debug)]
pub struct Change {
    pub applied: Applied,
    /// The rules that were for it, from 0.
    pub rules: Vec<usize>,
}

impl Rewrites {
    /// Makes a recorded request what is sent in its place; it keeps its id, its name and its
    /// result. The same request is always made the same.
    ///
    /// # Errors
    /// When an expression fails on it, or gives what cannot be sent.
    pub fn apply(&self, request: &mut Request) -> Result<Change, ApplyError> {
        let keeps = self.rules.iter().any(|rule| matches!(rule.does, Does::Keep));
        let is_for = |rule: &super::Rule| {
            let Request { name, method, path, .. } = &*request;
            rule.routes.iter().any(|route| route.matches(name, method, path, &self.base))
        };
        let rules: Vec<usize> = (0..self.rules.len()).filter(|n| is_for(&self.rules[*n])).collect();
        let change = |applied, rules| Ok(Change { applied, rules });
        let mut is_kept = !keeps || request.prologue;
        for (at, &number) in rules.iter().enumerate() {
            match &self.rules[number].does {
                Does::Drop => return change(Applied::Dropped, rules[..=at].to_vec()),
                Does::Answer => return change(Applied::Answered, rules[..=at].to_vec()),
                Does::Keep => is_kept = true,
                Does::Send(_) => {}
            }
        }
        if !is_kept {
            return change(Applied::Dropped, Vec::new());
        }
        for &number in &rules {
            if let Does::Send(sent) = &self.rules[number].does {
                self.send(number, sent, request)?;
            }
        }
        if !rules.is_empty() {
            wire::check(request)?;
        }
        change(Applied::Sent, rules)
    }

    fn send(&self, rule: usize, sent: &Sent, request: &mut Request) -> Result<(), ApplyError> {
        let recorded = Recorded::of(request)?;
        let long = |key, length, most| match length {
            _ if length <= most => Ok(()),
            _ => Err(ApplyError::TooLong { file: self.file.clone(), rule: rule + 1, key, most }),
        };
        let stream = Stream::new(0, &["rewrites", &request.id]);
        let eval = |key: &'static str, expression: &Expression<'static, 'static>| {
            let context = Value::from(recorded.context.clone());
            let n = rule as u64;
            let value = self.generators.draw(&stream, n, || expression.eval(&context));
            let failed = |reason| ApplyError::Expression {
                file: self.file.clone(),
                rule: rule + 1,
                key,
                reason,
            };
            match value {
                Ok(value) if value.is_undefined() => Err(failed("it gives nothing".to_owned())),
                Ok(value) => Ok(value),
                Err(error) => Err(failed(error.to_string())),
            }
        };
        // In the order of what an expression may see: nothing of it is changed yet.
        let path = sent.path.as_ref().map(|text| {
            let mut path = self.text("send", text, Part::Path, &recorded, &eval)?;
            if !path.0.starts_with(&format!("{}/", self.base)) {
                path.0.insert_str(0, &self.base);
                for binding in &mut path.1 {
                    binding.start += self.base.len();
                    binding.end += self.base.len();
                }
            }
            long("send", path.0.len(), MOST_LINE_BYTES)?;
            Ok::<_, ApplyError>(path)
        });
        let body = sent.body.as_ref().map(|expression| eval("body", expression));
        let mut headers = Vec::with_capacity(sent.headers.len());
        for (name, text) in &sent.headers {
            // Its place is known only once it is put there.
            let text = text.as_ref();
            let made =
                text.map(|text| self.text("headers", text, Part::Header(0), &recorded, &eval));
            let made = made.transpose()?;
            long("headers", made.as_ref().map_or(0, |(text, _)| text.len()), MOST_LINE_BYTES)?;
            headers.push((name, made));
        }
        if let Some(path) = path {
            let (text, bind) = path?;
            request.path = text;
            replace(&mut request.bind, Part::Path, bind);
        }
        if let Some(method) = &sent.method {
            request.method.clone_from(method);
        }
        for (name, made) in headers {
            set_header(request, name, made);
        }
        match body {
            Some(value) => {
                let (text, encode) = written(&value?);
                long("body", text.len(), MOST_BODY_BYTES)?;
                set_body(request, &text, encode, &recorded)?;
            }
            None if sent.method.is_some() && matches!(&*request.method, "GET" | "HEAD") => {
                request.body = None;
                replace(&mut request.bind, Part::Body, Vec::new());
                set_header(request, "Content-Type", None);
            }
            None => {}
        }
        Ok(())
    }

    /// A text with its expressions evaluated, and its bindings.
    fn text(
        &self,
        key: &'static str,
        text: &Text,
        part: Part,
        recorded: &Recorded,
        eval: &dyn Fn(&'static str, &Expression<'static, 'static>) -> Result<Value, ApplyError>,
    ) -> Result<(String, Vec<Binding>), ApplyError> {
        let (mut out, mut bind) = (String::new(), Vec::new());
        for piece in &text.0 {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Env(name) => bind.push(Binding {
                    part,
                    start: out.len(),
                    end: out.len(),
                    from: Origin::Slot(name.clone()),
                    encode: Encoding::Raw,
                    ambiguous: false,
                }),
                Piece::Expression(expression) => {
                    let encode = if part == Part::Path { Encoding::Percent } else { Encoding::Raw };
                    let place = Place {
                        part,
                        encode,
                        bind: &recorded.bind,
                        values: &recorded.values,
                        offset: out.len(),
                        encodes_rest: true,
                    };
                    let made = unmarked(&eval(key, expression)?.to_string(), &place)?;
                    out.push_str(&made.text);
                    bind.extend(made.bind);
                }
            }
        }
        Ok((out, bind))
    }
}

/// A request as expressions see it.
struct Recorded {
    context: BTreeMap<&'static str, Value>,
    bind: Vec<Binding>,
    values: Vec<String>,
}

impl Recorded {
    fn of(request: &Request) -> Result<Self, ApplyError> {
        let Request { path, headers, body, bind, method, name, persona, .. } = request;
        let text_of = |part| match part {
            Part::Path => path.clone(),
            Part::Header(index) => headers.get(index).map(|(_, v)| v.clone()).unwrap_or_default(),
            Part::Body => match body {
                Some(Body::Text(text)) => text.clone(),
                _ => String::new(),
            },
        };
        let mut named = BTreeMap::new();
        for (index, (name, value)) in headers.iter().enumerate() {
            let value = marks::marked(value, Part::Header(index), bind, false)?;
            named.insert(name.to_ascii_lowercase(), Value::from(value));
        }
        let body = match body {
            Some(Body::Text(text)) => {
                let json = marks::marked(text, Part::Body, bind, true)?;
                match serde_json::from_str::<Value>(&json) {
                    Ok(json) => json,
                    Err(_) => Value::from(marks::marked(text, Part::Body, bind, false)?),
                }
            }
            _ => Value::from(()),
        };
        let context = BTreeMap::from([
            ("method", Value::from(method.as_str())),
            ("path", Value::from(marks::marked(path, Part::Path, bind, false)?)),
            ("route", Value::from(name.as_str())),
            ("persona", Value::from(persona.as_deref())),
            ("headers", Value::from(named)),
            ("body", body),
        ]);
        Ok(Self { context, values: marks::values(bind, text_of), bind: bind.clone() })
    }
}

/// Puts these bindings in the place of those of a part.
fn replace(bind: &mut Vec<Binding>, part: Part, of: Vec<Binding>) {
    bind.retain(|binding| binding.part != part);
    bind.extend(of);
}

/// Sets a header where it stands, or at the end; without a value, removes it.
fn set_header(request: &mut Request, name: &str, made: Option<(String, Vec<Binding>)>) {
    let is_it = |(known, _): &(String, String)| known.eq_ignore_ascii_case(name);
    let first = request.headers.iter().position(is_it);
    let keep = made.as_ref().and(first);
    let mut index = 0;
    while index < request.headers.len() {
        if is_it(&request.headers[index]) && keep != Some(index) {
            request.headers.remove(index);
            request.bind.retain(|binding| binding.part != Part::Header(index));
            for binding in &mut request.bind {
                if let Part::Header(of) = &mut binding.part
                    && *of > index
                {
                    *of -= 1;
                }
            }
        } else {
            index += 1;
        }
    }
    let Some((value, bind)) = made else { return };
    let index = keep.unwrap_or(request.headers.len());
    match keep {
        Some(index) => request.headers[index].1 = value,
        None => request.headers.push((name.to_owned(), value)),
    }
    let part = Part::Header(index);
    replace(&mut request.bind, part, bind.into_iter().map(|b| Binding { part, ..b }).collect());
}

/// A text as it is, anything else as JSON.
fn written(value: &Value) -> (String, Encoding) {
    match value.as_str() {
        Some(text) => (text.to_owned(), Encoding::Raw),
        // What minijinja has is what JSON has.
        None => (serde_json::to_string(value).unwrap_or_default(), Encoding::Json),
    }
}

fn set_body(
    request: &mut Request,
    text: &str,
    encode: Encoding,
    recorded: &Recorded,
) -> Result<(), ApplyError> {
    let place = Place {
        part: Part::Body,
        encode,
        bind: &recorded.bind,
        values: &recorded.values,
        offset: 0,
        encodes_rest: false,
    };
    let made = unmarked(text, &place)?;
    replace(&mut request.bind, Part::Body, made.bind);
    request.body = Some(Body::Text(made.text));
    set_header(request, "Content-Encoding", None);
    let is_json = |(name, value): &(String, String)| {
        name.eq_ignore_ascii_case("content-type") && value.contains("json")
    };
    if encode == Encoding::Json && !request.headers.iter().any(is_json) {
        set_header(request, "Content-Type", Some(("application/json".to_owned(), Vec::new())));
    }
    Ok(())
}
