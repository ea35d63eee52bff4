//! The timed request log (trace), version 1: the types of its lines.
//!
//! JSON Lines, plain or zstd by suffix: one [`Header`] line, one [`Request`]
//! line a request ordered by `at`, one [`End`] line with the counts and the
//! content's digest. `recorder/FORMAT.md` is the specification, and says what a
//! later minor version may add.
//!
//! Enums of which an unknown value changes nothing that is sent keep it as `Other`, so
//! that a trace that is cut or merged still says what it said. All others have no such
//! variant: a line with an unknown one cannot be read, and [`super::unknown`] says why.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::shape::Shape;

pub const FORMAT: &str = "timed-request-log";
/// Major version: a reader refuses any other.
pub const VERSION: &str = "1";
/// The latest minor version of which this tool knows every kind.
pub const MINOR: u32 = 2;
/// The latest `at`, in microseconds: 285 years, and what every reader of JSON keeps exactly.
pub const LAST_AT: u64 = (1 << 53) - 1;
/// The most characters of an id that the client made.
pub const LONGEST_ID: u32 = 1024;

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    pub format: String,
    pub version: String,
    /// Minor version, as it was read. What is written is the lowest that suffices.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub minor: u32,
    /// Name and version of the writer, such as `recorder 0.1.0`.
    pub tool: String,
    /// Wall clock at `at = 0`; all else is measured by the monotonic clock.
    pub started: DateTime<Utc>,
    /// Where the traffic came from; a list, so that merged traces keep theirs.
    pub sources: Vec<Source>,
    /// Personas with the weights that replay shares users by.
    pub personas: Vec<PersonaWeight>,
    /// Names of the redaction rules in force.
    pub redaction: Vec<String>,
    /// Paths of routes that the recording's own rules named: nobody names these anew. Minor 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<String>,
    /// Where over 1 % of the requests failed. Minor 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<Failures>,
    /// Body shapes by the digest that answers refer to. A digest alone could
    /// not tell whether a shape *fits* another (null fits any type).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shapes: BTreeMap<String, Shape>,
}

impl Header {
    /// The lowest minor version that has everything in this header.
    ///
    /// A source of another kind was carried over from a later trace, and only the minor of that
    /// one is known; kinds of errors need none, as every reader keeps them. What requests need
    /// [`super::minor`] knows, and has to be known before the first of them.
    pub fn lowest_minor(&self) -> u32 {
        let is_later = |source: &Source| matches!(source.kind, SourceKind::Other(_));
        let of_sources = if self.sources.iter().any(is_later) { self.minor } else { 0 };
        let of_shapes = self.shapes.values().any(Shape::has_missing);
        let of_routes = u32::from(!self.routes.is_empty() || of_shapes);
        let is_rewritten = self.sources.iter().any(|source| !source.rewrites.is_empty());
        let of_minor_2 = if is_rewritten || self.failures.is_some() { 2 } else { 0 };
        of_sources.max(of_routes).max(of_minor_2)
    }

    /// Whether scripts made all of it: they name their routes themselves.
    pub fn is_of_scripts(&self) -> bool {
        let mut kinds = self.sources.iter().map(|source| &source.kind);
        !self.sources.is_empty() && kinds.all(|kind| *kind == SourceKind::Personas)
    }
}

fn is_zero(minor: &u32) -> bool {
    *minor == 0
}

/// Of a trace of which over 1 % failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    pub requests: u64,
    /// A status of 400 or above, or no answer; what the end of the recording cut off is none.
    pub failed: u64,
    /// What failed most.
    pub mostly: Mostly,
}

/// The commonest failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mostly {
    /// The route.
    pub name: String,
    /// None where there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    pub failed: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    pub kind: SourceKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Digest of the manifest whose accounts took part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// Digest of the input file (personas, HAR, log).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Scheme, host and port, without credentials. Information only: the
    /// target of a replay is never taken from the trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What changed the requests before they were sent. Minor 2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rewrites: Vec<Rewrite>,
}

/// A rule that changed requests before they were sent: the log has them as they were sent, under
/// the names that they had before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewrite {
    /// Name of the file without its folder, and digest of its bytes.
    pub file: String,
    pub digest: String,
    /// What it does, in words.
    pub rule: String,
    /// What that means for the figures, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub means: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    Personas,
    Proxy,
    Har,
    Gor,
    AccessLog,
    /// Of a later minor version, as it is written there.
    #[serde(untagged)]
    Other(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PersonaWeight {
    pub name: String,
    pub weight: f64,
}

/// One request and what came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Unique in the file, stable under cut and merge.
    pub id: String,
    /// Microseconds from the start of the recording to the sending, at most [`LAST_AT`].
    #[serde(deserialize_with = "bounded::at")]
    pub at: u64,
    pub session: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<String>,
    /// Name of an account of the manifest, never a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The route template, such as `POST /alerts/{id}/acknowledge`.
    pub name: String,
    /// HTTP version, `1.1` or `2`.
    pub http: String,
    pub method: String,
    /// Path and query, as sent.
    pub path: String,
    /// In order, names in canonical case. Host, Content-Length, Connection and
    /// Cookie are left out: replay computes them.
    pub headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bind: Vec<Binding>,
    /// Requests that must be done before this one, where no value says so: those of its session that
    /// had ended before it was sent, the last of each chain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Part of the login.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prologue: bool,
    pub result: RecordedResult,
}

/// Whether a request of this method changes nothing, as far as its sender is concerned.
pub fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD")
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    Text(String),
    Base64(String),
    /// Over the cap: only its size and digest are known, and it cannot be replayed.
    Truncated {
        size: u64,
        sha256: String,
    },
}

/// A value in the request that is not a literal: where it goes and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    #[serde(rename = "in")]
    pub part: Part,
    /// Byte range in that part as it stands in the file, which the value replaces.
    /// Secrets leave an empty range; other values stay there as recorded.
    pub start: usize,
    pub end: usize,
    pub from: Origin,
    #[serde(default, skip_serializing_if = "Encoding::is_raw")]
    pub encode: Encoding,
    /// Another value of the session would have fitted as well. Minor 1.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ambiguous: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    Path,
    /// Value of the header with this index in `headers`.
    Header(usize),
    /// The text, or the decoded bytes of a base64 body.
    Body,
}

/// How the value is written into the range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    #[default]
    Raw,
    /// Inside a JSON string: escaped, without quotes.
    Json,
    /// In a path or query.
    Percent,
    /// In an `application/x-www-form-urlencoded` body.
    Form,
}

impl Encoding {
    fn is_raw(&self) -> bool {
        *self == Self::Raw
    }
}

/// Where a bound value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The capture named `name` of the earlier request `of` of this session.
    Capture { of: String, name: String },
    /// A field of the user's account.
    Account(String),
    /// The time of sending.
    Clock(ClockFormat),
    /// An id made by the client: new for each run of the session, the same
    /// wherever the session used the same `key`.
    Fresh { key: String, like: FreshId },
    /// A secret that replay is given from outside.
    Slot(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockFormat {
    /// `2026-11-23T22:00:00.000Z`
    Rfc3339Millis,
    /// `2026-11-23T22:00:00Z`
    Rfc3339Seconds,
    UnixSeconds,
    UnixMillis,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FreshId {
    Uuid,
    /// Decimal digits of this length, at most [`LONGEST_ID`].
    #[serde(deserialize_with = "bounded::length")]
    Digits(u32),
    /// Lower-case hexadecimal digits of this length, at most [`LONGEST_ID`].
    #[serde(deserialize_with = "bounded::length")]
    Hex(u32),
    /// Written like this text, at most [`LONGEST_ID`] bytes of it: another capital for each `A`,
    /// another small letter for each `a`, another digit for each `9`; what follows a `\\`, and all
    /// else, is as it stands there. Minor 1.
    #[serde(deserialize_with = "bounded::pattern")]
    Pattern(String),
}

/// What came back, exactly one of the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordedResult {
    Answer(Answer),
    Error(RecordedError),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub status: u16,
    /// From sending to the end of the answer's head, in microseconds.
    pub header_us: u64,
    /// From sending to the end of the body, in microseconds; 0 where that is unknown.
    pub total_us: u64,
    /// Bytes of the body after content decoding.
    pub size: u64,
    /// Digest of the body's shape; none for a body that is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<String>,
    /// Values that later requests of the session need.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capture: Vec<Capture>,
    /// The body as text without secrets, where the recording was to keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// Unique in this request.
    pub name: String,
    pub from: CaptureFrom,
    /// The value is a secret, such as a token: never shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaptureFrom {
    Json {
        /// RFC 6901, indices as recorded.
        pointer: String,
        /// The lists that the pointer goes through, outermost first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lists: Vec<ListStep>,
    },
    Header(String),
    /// A path segment of a header that holds a URL, such as Location; counted from its end.
    #[serde(rename_all = "kebab-case")]
    HeaderSegment {
        name: String,
        from_end: usize,
    },
    Cookie(String),
    /// A form field of an HTML page, by name.
    Form(String),
    /// What a `<meta>` of this name or property says in an HTML page. Minor 1.
    Meta(String),
    /// A part of an attribute of an HTML page. Minor 1.
    Attribute(AttributePart),
    /// What stands between two texts in a body. Minor 1.
    Text {
        /// Where it stands first.
        before: String,
        /// The end of the body, if it is empty.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        after: String,
    },
}

/// Of the attributes with this name of which the value begins with `before`, goes on with
/// something that has none of `/?#&=;` in it, and then with `after` to its end, query or fragment:
/// what stands between them, in one of them. Scheme and host of a URL are not looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributePart {
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub before: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub after: String,
    /// Only decimal digits count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub digits: bool,
    /// Which of the different values it is, and how many there were.
    pub index: usize,
    pub length: usize,
}

/// One list on the way to a captured value, as it was when recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListStep {
    /// Which reference token of the pointer is the index, from 0.
    pub token: usize,
    pub index: usize,
    pub length: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedError {
    pub kind: RecordedErrorKind,
    /// From sending to the failure, in microseconds.
    pub after_us: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordedErrorKind {
    Reset,
    Timeout,
    ClientGone,
    StillOpen,
    /// Of a later minor version, as it is written there.
    #[serde(untagged)]
    Other(String),
}

/// The last line, as `{"end":{…}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub requests: u64,
    pub sessions: u64,
    /// Requests whose result is an error.
    pub errors: u64,
    /// Exchanges that were seen and not kept, because the disk was too slow.
    pub dropped: u64,
    /// `sha256:…` of all bytes before this line.
    pub digest: String,
}

/// Numbers of which larger ones are no recording's: they would overflow a time, or fill memory.
mod bounded {
    use serde::de::{Deserialize, Deserializer, Error};

    use super::{LAST_AT, LONGEST_ID};

    pub(super) fn at<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let at = u64::deserialize(deserializer)?;
        most("at", at, LAST_AT)?;
        Ok(at)
    }

    pub(super) fn length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        let length = u32::deserialize(deserializer)?;
        most("the length of a fresh id", length.into(), LONGEST_ID.into())?;
        Ok(length)
    }

    pub(super) fn pattern<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        let pattern = String::deserialize(deserializer)?;
        most("the length of a fresh id", pattern.len() as u64, LONGEST_ID.into())?;
        Ok(pattern)
    }

    fn most<E: Error>(what: &str, number: u64, most: u64) -> Result<(), E> {
        if number > most {
            return Err(E::custom(format_args!("{what} is {number}, at most {most} is allowed")));
        }
        Ok(())
    }
}

/// The name of a header in canonical case: `content-type` as `Content-Type`.
pub fn canonical(name: &str) -> String {
    let mut starts = true;
    name.chars()
        .map(|c| {
            let c = if starts { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            starts = c == '-';
            c
        })
        .collect()
}
