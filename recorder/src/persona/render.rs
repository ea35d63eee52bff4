//! A step becomes a request: what is sent, what is stored of it, and the
//! bindings between the two.
//!
//! Both texts are written side by side. They differ in secrets alone, which
//! leave an empty range in what is stored.

use chrono::{DateTime, Utc};
use manifest::format::Account;
use rand_chacha::ChaCha8Rng;
use reqwest::Method;

use super::body::{Body, quoted};
use super::capture::Variables;
use super::script::Step;
use super::template::{Piece, Reference, Template, as_json};
use rand::RngExt as _;
use redact::is_secret_field;
use trace::format::{Binding, ClockFormat, Encoding, Origin, Part};
use trace::values::{encode as write, write_clock, write_fresh};
use trace::wire;

/// What references are resolved from.
pub(super) struct RenderContext<'a> {
    pub(super) account: &'a Account,
    /// What the login captured.
    pub(super) login: &'a Variables,
    /// What the task captured so far.
    pub(super) task: &'a Variables,
    pub(super) now: DateTime<Utc>,
    /// Of the request that is being made.
    pub(super) id: &'a str,
}

/// A request before it is sent. It contains secrets, hence no `Debug`.
pub(super) struct Rendered {
    pub(super) method: Method,
    pub(super) path: Written,
    pub(super) headers: Vec<(String, Written)>,
    pub(super) body: Option<Written>,
    pub(super) bind: Vec<Binding>,
    /// What is bound, as it is without any encoding.
    pub(super) values: Vec<(Origin, String)>,
}

#[derive(Default)]
pub(super) struct Written {
    pub(super) sent: String,
    pub(super) stored: String,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum RenderError {
    #[error("account {account} has no field {field}")]
    Field { account: String, field: String },
    #[error("no value for session.{0}")]
    Variable(String),
    #[error(transparent)]
    Unsendable(#[from] wire::Unsendable),
    #[error(transparent)]
    Rewrite(#[from] rewrites::ApplyError),
    #[error("an expression failed: {0}")]
    Expression(#[from] minijinja::Error),
}

/// A resolved reference.
struct Value {
    text: String,
    is_string: bool,
    secret: bool,
    origin: Origin,
}

/// Renders a step. `fresh` is what client-generated ids are drawn from.
///
/// Expressions draw from the generators, so this runs within `Generators::draw`.
pub(super) fn render(
    step: &Step,
    values: &RenderContext<'_>,
    fresh: &mut ChaCha8Rng,
) -> Result<Rendered, RenderError> {
    let mut renderer = Renderer { values, fresh, made: 0, bind: Vec::new(), bound: Vec::new() };
    let path = renderer.template(Part::Path, &step.path, Encoding::Percent)?;
    let mut headers = vec![
        plain("Accept", "*/*"),
        plain("User-Agent", concat!("recorder/", env!("CARGO_PKG_VERSION"))),
    ];
    for (name, template) in &step.headers {
        let part = Part::Header(headers.len());
        headers.push((name.clone(), renderer.template(part, template, Encoding::Raw)?));
    }
    let body = match &step.body {
        Some(body) => {
            headers.push(plain("Content-Type", "application/json"));
            let mut written = Written::default();
            renderer.body(body, &mut written)?;
            Some(written)
        }
        None => None,
    };
    // A step without one has only what a user's requests have in common.
    if !step.path.0.is_empty() {
        wire::target(&path.sent)?;
    }
    headers.iter().try_for_each(|(name, value)| wire::header(name, value.sent.as_bytes()))?;
    let Renderer { bind, bound: values, .. } = renderer;
    Ok(Rendered { method: step.method.clone(), path, headers, body, bind, values })
}

fn plain(name: &str, value: &str) -> (String, Written) {
    let mut written = Written::default();
    written.literal(value);
    (name.to_owned(), written)
}

impl Written {
    fn literal(&mut self, text: &str) {
        self.sent.push_str(text);
        self.stored.push_str(text);
    }
}

struct Renderer<'a> {
    values: &'a RenderContext<'a>,
    fresh: &'a mut ChaCha8Rng,
    /// How many fresh ids this request has so far.
    made: u32,
    bind: Vec<Binding>,
    bound: Vec<(Origin, String)>,
}

impl Renderer<'_> {
    fn template(
        &mut self,
        part: Part,
        template: &Template,
        encode: Encoding,
    ) -> Result<Written, RenderError> {
        let mut written = Written::default();
        self.pieces(part, template, encode, &mut written)?;
        Ok(written)
    }

    fn pieces(
        &mut self,
        part: Part,
        template: &Template,
        encode: Encoding,
        written: &mut Written,
    ) -> Result<(), RenderError> {
        for piece in &template.0 {
            match piece {
                // A literal of a JSON string is plain text, one of a path is encoded already.
                Piece::Literal(text) if encode == Encoding::Json => {
                    written.literal(&encoded(text, encode));
                }
                Piece::Literal(text) => written.literal(text),
                Piece::Reference(reference) => {
                    let value = self.resolve(reference)?;
                    self.bound(part, value, encode, written);
                }
                Piece::Expression(expression) => {
                    let value = expression.eval(())?;
                    written.literal(&encoded(&value.to_string(), encode));
                }
            }
        }
        Ok(())
    }

    fn body(&mut self, body: &Body, written: &mut Written) -> Result<(), RenderError> {
        match body {
            Body::Literal(json) => written.literal(json),
            Body::Text(template) => {
                written.literal("\"");
                self.pieces(Part::Body, template, Encoding::Json, written)?;
                written.literal("\"");
            }
            Body::Alone(Piece::Reference(reference)) => {
                let value = self.resolve(reference)?;
                let is_string = value.is_string;
                let quote = if is_string { "\"" } else { "" };
                let encode = if is_string { Encoding::Json } else { Encoding::Raw };
                written.literal(quote);
                self.bound(Part::Body, value, encode, written);
                written.literal(quote);
            }
            Body::Alone(Piece::Expression(expression)) => {
                written.literal(&as_json(&expression.eval(())?)?);
            }
            Body::Alone(Piece::Literal(text)) => written.literal(&quoted(text)),
            Body::List(items) => {
                written.literal("[");
                for (index, item) in items.iter().enumerate() {
                    written.literal(if index > 0 { "," } else { "" });
                    self.body(item, written)?;
                }
                written.literal("]");
            }
            Body::Object(fields) => {
                written.literal("{");
                for (index, (key, field)) in fields.iter().enumerate() {
                    written.literal(if index > 0 { "," } else { "" });
                    written.literal(key);
                    written.literal(":");
                    self.body(field, written)?;
                }
                written.literal("}");
            }
        }
        Ok(())
    }

    fn bound(&mut self, part: Part, value: Value, encode: Encoding, written: &mut Written) {
        let text = encoded(&value.text, encode);
        let start = written.stored.len();
        written.sent.push_str(&text);
        if !value.secret {
            written.stored.push_str(&text);
        }
        self.bound.push((value.origin.clone(), value.text));
        self.bind.push(Binding {
            part,
            start,
            end: written.stored.len(),
            from: value.origin,
            encode,
            ambiguous: false,
        });
    }

    fn resolve(&mut self, reference: &Reference) -> Result<Value, RenderError> {
        let RenderContext { account, login, task, now, id } = self.values;
        Ok(match reference {
            Reference::Account(field) => Value {
                text: account.fields.get(field).cloned().ok_or_else(|| RenderError::Field {
                    account: account.name.clone(),
                    field: field.clone(),
                })?,
                is_string: true,
                secret: is_secret_field(field),
                origin: Origin::Account(field.clone()),
            },
            Reference::Session(name) => {
                let captured = task
                    .get(name)
                    .or_else(|| login.get(name))
                    .ok_or_else(|| RenderError::Variable(name.clone()))?;
                Value {
                    text: captured.text.clone(),
                    is_string: captured.is_string,
                    secret: captured.secret,
                    origin: Origin::Capture { of: captured.of.clone(), name: name.clone() },
                }
            }
            Reference::Clock(format) => Value {
                text: text_of(|out| write_clock(*now, *format, out)),
                is_string: matches!(
                    format,
                    ClockFormat::Rfc3339Millis | ClockFormat::Rfc3339Seconds
                ),
                secret: false,
                origin: Origin::Clock(*format),
            },
            Reference::Fresh(like) => {
                self.made += 1;
                Value {
                    text: {
                        let seed = self.fresh.random();
                        text_of(|out| write_fresh(seed, like, out))
                    },
                    is_string: true,
                    secret: false,
                    origin: Origin::Fresh {
                        key: format!("{id}.{}", self.made),
                        like: like.clone(),
                    },
                }
            }
        })
    }
}

/// As replay writes a value of that encoding.
fn encoded(text: &str, encode: Encoding) -> String {
    text_of(|out| write(text, encode, out))
}

fn text_of(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("text is written")
}
