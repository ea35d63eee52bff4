//! The body of an answer: what it gives, and what of it may be kept.

use std::borrow::Cow;

use redact::Redactor;
use serde_json::Value;
use trace::shape::{json_of, may_be_json};

use super::answer::Giver;
use super::sent::decoded;
use crate::exchange::{SeenAnswer, SeenBody, text_of};

/// A decoded body.
pub(super) enum Content<'a> {
    Json(Value),
    Text(Cow<'a, str>),
}

/// What was found in an answer.
pub(super) struct Looked<'a> {
    /// Bytes of the body after decoding.
    pub(super) size: u64,
    pub(super) content: Option<Content<'a>>,
    /// Whether the body was there to be looked into.
    pub(super) is_seen: bool,
    /// Whether a key of its JSON is a secret.
    pub(super) has_secret_key: bool,
}

impl Content<'_> {
    /// The body as it may be kept, if at all.
    pub(super) fn without_secrets(self, redactor: Redactor<'_>) -> Option<String> {
        match self {
            Self::Json(mut json) => {
                redactor.json(&mut json);
                Some(json.to_string())
            }
            Self::Text(text) => redactor.may_keep(&text).then(|| text.into_owned()),
        }
    }
}

impl Giver<'_> {
    pub(super) fn answer<'a>(&mut self, answer: &'a SeenAnswer) -> Looked<'a> {
        self.headers(&answer.headers);
        let unseen = |size| Looked { size, content: None, is_seen: false, has_secret_key: false };
        let bytes = match &answer.body {
            SeenBody::TooLarge { size, .. } => return unseen(*size),
            SeenBody::Whole(bytes) => bytes,
        };
        let coding = text_of(&answer.headers, "content-encoding");
        let Some(body) = decoded(bytes, coding) else { return unseen(bytes.len() as u64) };
        let size = body.len() as u64;
        let content_type = text_of(&answer.headers, "content-type");
        let mut has_secret_key = false;
        let content = match json_of(content_type, &body) {
            Some(json) => {
                self.json(&json);
                // Only now are all of its secrets known.
                let redactor = Redactor { names: &self.rules.names, known: self.values.secrets() };
                has_secret_key = redactor.is_key_in(&json);
                if has_secret_key {
                    self.values.take_back(&self.answered.id);
                }
                Some(Content::Json(json))
            }
            None => self.no_json(body, content_type).map(Content::Text),
        };
        Looked { size, content, is_seen: true, has_secret_key }
    }

    /// A body that is not JSON, and was not to be.
    fn no_json<'a>(&mut self, body: Cow<'a, [u8]>, content_type: &str) -> Option<Cow<'a, str>> {
        if may_be_json(content_type, &body) {
            return None;
        }
        let text = text(body)?;
        self.text(&text, content_type);
        Some(text)
    }
}

/// None where the bytes are not UTF-8.
fn text(bytes: Cow<'_, [u8]>) -> Option<Cow<'_, str>> {
    match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}
