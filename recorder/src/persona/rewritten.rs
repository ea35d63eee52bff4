//! What is sent in the place of what a step says.

use reqwest::Method;
use rewrites::{Applied, Rewrites};
use trace::format::{Answer, Binding, Body, Part, RecordedResult, Request};
use trace::values::encode;
use trace::wire::Unsendable;

use super::render::{RenderError, Rendered, Written};
use super::script::Step;

/// A rendered step as it is to be sent; none where it is not.
pub(super) fn rewrite(
    rewrites: &Rewrites,
    step: &Step,
    (persona, id): (&str, &str),
    is_login: bool,
    rendered: Rendered,
) -> Result<Option<Rendered>, RenderError> {
    let mut request = request(step, persona, id, is_login, &rendered);
    let change = rewrites.apply(&mut request)?;
    match change.applied {
        Applied::Sent if change.rules.is_empty() => return Ok(Some(rendered)),
        Applied::Sent => {}
        // There is no recording yet that would answer.
        Applied::Dropped | Applied::Answered => return Ok(None),
    }
    let Request { method, path, headers, body, bind, .. } = request;
    let fill = |part, stored: String| {
        let of: Vec<&Binding> = bind.iter().filter(|binding| binding.part == part).collect();
        written(stored, of, &rendered, rewrites)
    };
    let headers = headers.into_iter().enumerate();
    let headers = headers.map(|(index, (name, value))| (name, fill(Part::Header(index), value)));
    let headers = headers.collect();
    let body = match body {
        Some(Body::Text(text)) => Some(fill(Part::Body, text)),
        _ => None,
    };
    let path = fill(Part::Path, path);
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_| Unsendable::Empty(trace::wire::Place::Method))?;
    Ok(Some(Rendered { method, path, headers, body, bind, values: rendered.values }))
}

/// As the log would have it, as far as it is known before it is sent.
fn request(step: &Step, persona: &str, id: &str, prologue: bool, rendered: &Rendered) -> Request {
    let headers = rendered.headers.iter();
    Request {
        id: id.to_owned(),
        at: 0,
        session: String::new(),
        persona: Some(persona.to_owned()),
        account: None,
        name: step.name.clone(),
        http: "1.1".to_owned(),
        method: rendered.method.to_string(),
        path: rendered.path.stored.clone(),
        headers: headers.map(|(name, value)| (name.clone(), value.stored.clone())).collect(),
        body: rendered.body.as_ref().map(|body| Body::Text(body.stored.clone())),
        bind: rendered.bind.clone(),
        after: Vec::new(),
        prologue,
        result: RecordedResult::Answer(Answer::default()),
    }
}

/// A text as it is stored, and as it is sent: with the values that its bindings stand for.
fn written(
    stored: String,
    mut bind: Vec<&Binding>,
    rendered: &Rendered,
    rewrites: &Rewrites,
) -> Written {
    bind.sort_by_key(|binding| (binding.start, binding.end));
    let mut sent = Vec::new();
    let mut position = 0;
    for binding in bind {
        sent.extend_from_slice(&stored.as_bytes()[position..binding.start]);
        position = binding.end;
        let known = rendered.values.iter().find(|(origin, _)| *origin == binding.from);
        let value = match (&binding.from, known) {
            (_, Some((_, value))) => value.as_str(),
            (trace::format::Origin::Slot(name), None) => {
                rewrites.secrets().get(name).map_or("", |secret| secret.expose())
            }
            _ => "",
        };
        encode(value, binding.encode, &mut sent);
    }
    sent.extend_from_slice(&stored.as_bytes()[position..]);
    Written { sent: String::from_utf8_lossy(&sent).into_owned(), stored }
}
