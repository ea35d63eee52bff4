//! A JSON body, ready to be written.

use super::file::Json;
use super::template::{Compiler, Piece, Reference, Template};

#[derive(Debug)]
pub(super) enum Body {
    /// JSON that is always the same.
    Literal(String),
    /// A string with expressions in it.
    Text(Template),
    /// A string that was one expression and nothing else: its value keeps its type.
    Alone(Piece),
    List(Vec<Self>),
    /// Keys are JSON strings, quotes included.
    Object(Vec<(String, Self)>),
}

/// Compiles the texts of a body. An error comes with the offending text.
pub(super) fn compile(compiler: &Compiler, json: &Json) -> Result<Body, (String, String)> {
    Ok(match json {
        Json::Bool(value) => Body::Literal(value.to_string()),
        Json::Integer(value) => Body::Literal(value.to_string()),
        Json::Float(value) => Body::Literal(value.to_string()),
        Json::Text(text) => {
            let mut template =
                compiler.template(text).map_err(|message| (text.clone(), message))?;
            match template.0.pop() {
                None | Some(Piece::Literal(_)) if template.0.is_empty() => {
                    Body::Literal(quoted(text))
                }
                Some(alone) if template.0.is_empty() => Body::Alone(alone),
                last => {
                    template.0.extend(last);
                    Body::Text(template)
                }
            }
        }
        Json::List(items) => {
            let compiled = items.iter().map(|item| compile(compiler, item));
            Body::List(compiled.collect::<Result<_, _>>()?)
        }
        Json::Object(fields) => {
            let mut object = Vec::with_capacity(fields.len());
            for (key, value) in fields {
                object.push((quoted(key), compile(compiler, value)?));
            }
            Body::Object(object)
        }
    })
}

pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl Body {
    /// The references in it.
    pub(super) fn references(&self) -> Vec<&Reference> {
        match self {
            Self::Literal(_) | Self::Alone(Piece::Literal(_) | Piece::Expression(_)) => Vec::new(),
            Self::Text(template) => template.references().collect(),
            Self::Alone(Piece::Reference(reference)) => vec![reference],
            Self::List(items) => items.iter().flat_map(Self::references).collect(),
            Self::Object(fields) => fields.iter().flat_map(|(_, f)| f.references()).collect(),
        }
    }

    /// The key of a secret that stands in the file itself, if there is one.
    pub(super) fn literal_secret(&self) -> Option<&str> {
        match self {
            Self::Literal(_) | Self::Text(_) | Self::Alone(_) => None,
            Self::List(items) => items.iter().find_map(Self::literal_secret),
            Self::Object(fields) => fields.iter().find_map(|(key, field)| match field {
                Self::Literal(json) if is_secret(key, json) => Some(key.as_str()),
                _ => field.literal_secret(),
            }),
        }
    }
}

/// Whether a literal is secret under this key, both as JSON writes them.
fn is_secret(key: &str, json: &str) -> bool {
    let verdict = redact::Names::default().verdict(key.trim_matches('"'), json.trim_matches('"'));
    verdict == redact::Verdict::Secret
}
