//! Whose marks are noted for an audit.

use crate::prepare::Request;

/// The requests of an endpoint, and how their marks are known.
#[derive(Clone, Debug)]
pub struct Marking {
    /// Index into the endpoints' names.
    pub endpoint: usize,
    pub from: MarkFrom,
}

/// Where a mark comes from.
#[derive(Clone, Debug)]
pub enum MarkFrom {
    /// Reference tokens of a JSON pointer into the answer, unescaped.
    Answer(Vec<String>),
    /// It was written into the payload.
    Payload {
        /// The key that has it there.
        key: String,
    },
}

impl Marking {
    /// Whether a request is audited.
    pub(super) fn is_of(&self, request: &Request) -> bool {
        self.endpoint == request.endpoint
    }

    /// A key that the run writes, so that answers may have it which were recorded without it.
    pub(super) fn added_key(&self) -> Option<&str> {
        match &self.from {
            MarkFrom::Payload { key } => Some(key),
            MarkFrom::Answer(_) => None,
        }
    }

    /// Whether the body of the answer to a request has to be read for its mark.
    pub(super) fn is_in_answer_to(&self, request: &Request) -> bool {
        self.is_of(request) && matches!(self.from, MarkFrom::Answer(_))
    }
}
