//! What a request takes from its answer for later ones.

use std::fmt;

use trace::format::{AttributePart, ListStep};

#[derive(Clone, Debug)]
pub struct Capture {
    pub into: Source,
    pub from: CaptureFrom,
    /// Whether it is for the user alone to know.
    pub is_secret: bool,
}

/// Where a captured value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Of this run of the session.
    Session(usize),
    /// From the prologue: the user's, for all its sessions.
    Login(usize),
}

#[derive(Clone, Debug)]
pub enum CaptureFrom {
    /// Reference tokens of a JSON pointer, unescaped.
    Json {
        tokens: Vec<String>,
        lists: Vec<ListStep>,
    },
    Header(String),
    /// A path segment of a URL, counted from its end.
    HeaderSegment {
        name: String,
        from_end: usize,
    },
    Cookie(String),
    Form(String),
    Meta(String),
    Attribute(AttributePart),
    /// What stands between two texts.
    Text {
        before: String,
        after: String,
    },
}

impl fmt::Display for CaptureFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json { tokens, .. } => {
                let escaped = |token: &String| token.replace('~', "~0").replace('/', "~1");
                tokens.iter().try_for_each(|token| write!(f, "/{}", escaped(token)))
            }
            Self::Header(name) => write!(f, "header {name}"),
            Self::HeaderSegment { name, .. } => write!(f, "a part of header {name}"),
            Self::Cookie(name) => write!(f, "cookie {name}"),
            Self::Form(name) => write!(f, "form field {name}"),
            Self::Meta(name) => write!(f, "meta element {name}"),
            Self::Attribute(part) => write!(f, "attribute {}", part.name),
            Self::Text { before, .. } => write!(f, "text after {before:?}"),
        }
    }
}

impl CaptureFrom {
    /// Whether the value stands in the body of the answer, and not in its head.
    pub fn is_in_body(&self) -> bool {
        match self {
            Self::Json { .. }
            | Self::Form(_)
            | Self::Meta(_)
            | Self::Attribute(_)
            | Self::Text { .. } => true,
            Self::Header(_) | Self::HeaderSegment { .. } | Self::Cookie(_) => false,
        }
    }
}
