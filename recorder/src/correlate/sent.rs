//! The body of a request, before and after it is stored.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use redact::body::is_utf_16;
use trace::format::{Binding, Body, Part};

use crate::edits::{self, Edit};
use crate::exchange::SeenBody;

/// A body that is larger than this once decoded is not looked into, in bytes.
const MAX_LOOKED_INTO: usize = 16 << 20;

/// A body as it will be stored, before anything is bound.
pub(super) enum SentBody {
    None,
    /// Its content coding is undone, because values are bound in the plain text.
    Known(Vec<u8>),
    Unknown {
        size: u64,
        sha256: String,
    },
}

impl SentBody {
    pub(super) fn of(body: SeenBody, coding: &str) -> Self {
        let bytes = match body {
            SeenBody::TooLarge { size, sha256 } => return Self::Unknown { size, sha256 },
            SeenBody::Whole(bytes) if bytes.is_empty() => return Self::None,
            SeenBody::Whole(bytes) => bytes,
        };
        match decoded(&bytes, coding) {
            Some(plain) => Self::Known(plain.into_owned()),
            None => Self::unknown(&bytes),
        }
    }

    fn unknown(bytes: &[u8]) -> Self {
        Self::Unknown { size: bytes.len() as u64, sha256: common::digest::of(bytes) }
    }

    /// The body and its bindings as the trace has them.
    pub(super) fn stored(self, edits: Vec<Edit>) -> (Option<Body>, Vec<Binding>) {
        let bytes = match self {
            Self::None => return (None, Vec::new()),
            Self::Unknown { size, sha256 } => {
                return (Some(Body::Truncated { size, sha256 }), Vec::new());
            }
            // Replay would write UTF-8 into it.
            Self::Known(bytes) if is_utf_16(&bytes) && edits.iter().any(|edit| edit.is_secret) => {
                return Self::unknown(&bytes).stored(Vec::new());
            }
            Self::Known(bytes) => bytes,
        };
        let (stored, bindings) = edits::apply(&bytes, edits, Part::Body);
        let body = match String::from_utf8(stored) {
            Ok(text) => Body::Text(text),
            Err(error) => Body::Base64(BASE64_STANDARD.encode(error.into_bytes())),
        };
        (Some(body), bindings)
    }
}

/// A body without its content coding; none where the coding is unknown, the body is damaged, or
/// it is larger than [`MAX_LOOKED_INTO`].
pub(super) fn decoded<'a>(body: &'a [u8], codings: &str) -> Option<Cow<'a, [u8]>> {
    common_net::coding::decode(codings.as_bytes(), body, MAX_LOOKED_INTO).ok()
}
