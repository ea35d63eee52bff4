//! What a file has in place of secrets, and what stands in it that looks like one.
//!
//! Of a trace or a journal every part of every request is looked at, of any other file every
//! line. No value is told, only where it stands and how long it is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use redact::body::{of_body, of_header, of_path};
use redact::{Known, Names, Place, REDACTED, Redactor, Verdict, is_secret_field, looks_drawn};
use serde::Serialize;
use trace::format::{Binding, Body, Origin, RecordedResult, Request};

/// Of a longer line only the beginning is looked at; no line of a trace is longer.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// So many places are listed of a file; all are counted.
const LISTED: usize = 1000;

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What was found in a file.
#[derive(Debug, Default, Serialize)]
pub struct Audit {
    /// Lines that it has.
    pub lines: u64,
    /// By what was taken out and the endpoint, how often.
    pub taken: BTreeMap<String, BTreeMap<String, u64>>,
    /// The first places of what was left.
    pub left: Vec<Left>,
    /// All of them.
    pub left_count: u64,
}

/// Something that looks like a secret.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Left {
    /// From 1.
    pub line: u64,
    /// Of a trace or journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Such as `path` or `header X-Ref`.
    pub place: String,
    pub why: Why,
    /// Of the value, in characters.
    pub length: usize,
}

#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The rules that are in force today would take it out.
    Rules,
    /// It looks drawn at random, and neither like an id nor like a hash.
    Drawn,
}

/// Looks at a file, compressed or not.
///
/// # Errors
/// When it cannot be read.
pub fn audit(path: &Path, names: &Names) -> io::Result<Audit> {
    let mut file = BufReader::new(common::input::open(path)?);
    if file.fill_buf()?.starts_with(&ZSTD_MAGIC) {
        audit_lines(BufReader::new(zstd::Decoder::with_buffer(file)?), names)
    } else {
        audit_lines(file, names)
    }
}

fn audit_lines(mut lines: impl BufRead, names: &Names) -> io::Result<Audit> {
    let known = Known::default();
    let mut auditor = Auditor {
        redactor: Redactor { names, known: &known },
        request: None,
        audit: Audit::default(),
    };
    let mut line = Vec::new();
    loop {
        // A small file may decompress to very many lines with nothing in them.
        let ahead = lines.fill_buf()?;
        let empty = ahead.iter().position(|byte| *byte != b'\n').unwrap_or(ahead.len());
        if empty > 0 {
            auditor.audit.lines += empty as u64;
            lines.consume(empty);
            continue;
        }
        if (&mut lines).take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        auditor.audit.lines += 1;
        match serde_json::from_slice::<Request>(&line) {
            Ok(request) => auditor.request(&request),
            Err(_) => auditor.line(&String::from_utf8_lossy(&line)),
        }
        line.clear();
    }
    Ok(auditor.audit)
}

struct Auditor<'a> {
    redactor: Redactor<'a>,
    /// That is being looked at.
    request: Option<String>,
    audit: Audit,
}

impl Auditor<'_> {
    fn request(&mut self, request: &Request) {
        self.request = Some(request.id.clone());
        for binding in &request.bind {
            if let Some(what) = taken(binding) {
                self.took(what, &request.name, 1);
            }
        }
        let names = self.redactor.names;
        let path = request.path.as_str();
        self.part("path", path.as_bytes(), &of_path(path, names));
        for (name, value) in &request.headers {
            let places = &of_header(name, value, names);
            self.part(&format!("header {name}"), value.as_bytes(), places);
        }
        let typed = request.headers.iter().find(|(name, _)| name == "Content-Type");
        let content_type = typed.map_or("", |(_, value)| value);
        let body = match &request.body {
            Some(Body::Text(text)) => text.as_bytes().to_vec(),
            Some(Body::Base64(base64)) => BASE64_STANDARD.decode(base64).unwrap_or_default(),
            Some(Body::Truncated { .. }) | None => Vec::new(),
        };
        self.part("body", &body, &of_body(&body, content_type, path, names));
        if let RecordedResult::Answer(answer) = &request.result
            && let Some(body) = &answer.body
        {
            self.took(REDACTED.to_owned(), &request.name, body.matches(REDACTED).count() as u64);
            self.text("answer's body", body);
        }
        self.request = None;
    }

    /// Of a file that is no trace, or a line of one that is no request.
    fn line(&mut self, line: &str) {
        self.took(REDACTED.to_owned(), "", line.matches(REDACTED).count() as u64);
        // A trace's digests and names of rules are no values.
        if !line.starts_with("{\"format\":") && !line.starts_with("{\"end\":") {
            self.text("line", line);
        }
    }

    fn text(&mut self, place: &str, text: &str) {
        // What is taken out is no part of what is left.
        let text = text.replace(REDACTED, "");
        self.part(place, text.as_bytes(), &of_body(text.as_bytes(), "", "", self.redactor.names));
    }

    /// A part of a message, with the places of values in it. What the rules know is told once.
    fn part(&mut self, place: &str, part: &[u8], values: &[Place]) {
        let secret = values.iter().filter(|value| value.verdict == Verdict::Secret);
        let lengths = secret.map(|value| value.value.chars().count()).filter(|length| *length > 0);
        let found = self.redactor.find(part).into_iter().map(|found| found.secret.chars().count());
        let known: BTreeSet<usize> = lengths.chain(found).collect();
        for &length in &known {
            self.left(place, Why::Rules, length);
        }
        if known.is_empty() {
            for drawn in looks_drawn(&String::from_utf8_lossy(part)) {
                self.left(place, Why::Drawn, drawn.len());
            }
        }
    }

    fn took(&mut self, what: String, endpoint: &str, count: u64) {
        if count > 0 {
            let by_endpoint = self.audit.taken.entry(what).or_default();
            *by_endpoint.entry(endpoint.to_owned()).or_default() += count;
        }
    }

    fn left(&mut self, place: &str, why: Why, length: usize) {
        self.audit.left_count += 1;
        if self.audit.left.len() < LISTED {
            let line = self.audit.lines;
            let (request, place) = (self.request.clone(), place.to_owned());
            self.audit.left.push(Left { line, request, place, why, length });
        }
    }
}

/// What a binding stands in place of, if that is a secret: nothing of it is in the file.
fn taken(binding: &Binding) -> Option<String> {
    match &binding.from {
        Origin::Slot(name) => Some(format!("slot {name}")),
        Origin::Account(field) if is_secret_field(field) => Some(format!("account's {field}")),
        Origin::Capture { name, .. } if binding.start == binding.end => {
            Some(format!("capture {name}"))
        }
        Origin::Account(_) | Origin::Capture { .. } | Origin::Clock(_) | Origin::Fresh { .. } => {
            None
        }
    }
}
