//! A part of a trace that can be replayed on its own.
//!
//! What a request that is kept needs is kept too: what was sent before the session's first kept
//! request becomes its prologue, moved to at most [`MOST_AHEAD_US`] ahead of it. The trace is
//! read until nothing more is needed, once more than the longest chain of requests that need
//! each other is long. Memory: 16 bytes for each request that another needs, and what a session
//! begins with.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;

use crate::trace::format::{End, Header, Origin, Request, Result as Outcome};
use crate::trace::journal::JournalError;
use crate::trace::reader::TraceReader;
use crate::trace::unordered::Unordered;

/// The most that what a request needs is moved ahead of it, in microseconds.
pub const MOST_AHEAD_US: u64 = 5_000_000;

/// Between two requests that were moved.
const GAP_US: u64 = 1000;

/// Memory for lines that wait to be sorted.
const RUN_BYTES: usize = 24 << 20;

/// What is kept; a list that is empty keeps all.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Microseconds from the start of the recording; the end is not in it.
    pub from_us: u64,
    pub to_us: Option<u64>,
    pub personas: Vec<String>,
    pub sessions: Vec<String>,
    /// Beginnings of paths.
    pub paths: Vec<String>,
    pub methods: Vec<String>,
}

impl Selection {
    fn keeps(&self, request: &Request) -> bool {
        let any = |wanted: &[String], is: &dyn Fn(&str) -> bool| {
            wanted.is_empty() || wanted.iter().any(|wanted| is(wanted))
        };
        request.at >= self.from_us
            && self.to_us.is_none_or(|to| request.at < to)
            && any(&self.personas, &|persona| request.persona.as_deref() == Some(persona))
            && any(&self.sessions, &|session| request.session == session)
            && any(&self.paths, &|path| request.path.starts_with(path))
            && any(&self.methods, &|method| request.method.eq_ignore_ascii_case(method))
    }
}

/// What became of the requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub kept: u64,
    /// Kept because others need them.
    pub needed: u64,
    /// Left out because what they need is.
    pub unbound: u64,
}

/// Writes what is selected of `trace` to `out`, with what it needs; or with `drop_unbound`
/// without what needs something that is not selected.
///
/// # Errors
/// When the trace is damaged, or the new one cannot be written.
pub fn cut(
    trace: &Path,
    out: &Path,
    selection: &Selection,
    drop_unbound: bool,
) -> Result<(End, Counts), JournalError> {
    let mut cutter = Cutter {
        selection,
        hashes: RandomState::new(),
        needed: HashSet::new(),
        sessions: HashMap::new(),
        personas: BTreeSet::new(),
    };
    cutter.look(trace, drop_unbound)?;
    cutter.write(trace, out, drop_unbound)
}

struct Cutter<'a> {
    selection: &'a Selection,
    hashes: RandomState,
    /// Hashes of the ids that requests which are kept need.
    needed: HashSet<u64>,
    sessions: HashMap<Box<str>, Part>,
    personas: BTreeSet<String>,
}

/// What is kept of a session. Times are in microseconds.
#[derive(Default)]
struct Part {
    /// Its first selected request.
    first: Option<u64>,
    /// How long what is moved ahead of it takes, one after another.
    ahead: u64,
    /// Where the next of that is put.
    next: i64,
}

impl Part {
    fn moved(&self, took: u64) -> u64 {
        let whole = took + GAP_US;
        if self.ahead <= MOST_AHEAD_US {
            return whole;
        }
        // 128 bits, because both may be long.
        let scaled = u128::from(whole) * u128::from(MOST_AHEAD_US) / u128::from(self.ahead);
        u64::try_from(scaled).unwrap_or(whole).max(1)
    }
}

impl Cutter<'_> {
    fn hash(&self, id: &str) -> u64 {
        self.hashes.hash_one(id)
    }

    /// Reads the trace until it is known what is needed.
    fn look(&mut self, trace: &Path, once: bool) -> Result<(), JournalError> {
        loop {
            let known = self.needed.len();
            for part in self.sessions.values_mut() {
                part.ahead = 0;
            }
            let mut reader = TraceReader::open(trace)?;
            while let Some(request) = reader.next_request()? {
                self.note(&request);
            }
            if once || self.needed.len() == known {
                return Ok(());
            }
        }
    }

    fn note(&mut self, request: &Request) {
        let is_selected = self.selection.keeps(request);
        if !is_selected && !self.needed.contains(&self.hash(&request.id)) {
            return;
        }
        let part = match self.sessions.entry(request.session.as_str().into()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Part::default()),
        };
        if is_selected {
            part.first.get_or_insert(request.at);
            if let Some(persona) = request.persona.as_ref().filter(|p| !self.personas.contains(*p))
            {
                self.personas.insert(persona.clone());
            }
        } else if part.first.is_none_or(|first| request.at < first) {
            part.ahead += took(request) + GAP_US;
        }
        for of in needs(request) {
            let hash = self.hashes.hash_one(of);
            self.needed.insert(hash);
        }
    }

    fn write(
        mut self,
        trace: &Path,
        out: &Path,
        drop_unbound: bool,
    ) -> Result<(End, Counts), JournalError> {
        let mut base = i64::MAX;
        for part in self.sessions.values_mut() {
            let first = signed(part.first.unwrap_or_default());
            part.next = first - signed(part.ahead.min(MOST_AHEAD_US));
            base = base.min(if drop_unbound { first } else { part.next });
        }
        let base = if base == i64::MAX { 0 } else { base };
        let mut counts = Counts::default();
        let mut missing: HashSet<u64> = HashSet::new();
        let mut lines = Unordered::new(out, RUN_BYTES);
        let mut reader = TraceReader::open(trace)?;
        let header = self.header(reader.header(), base);
        while let Some(mut request) = reader.next_request()? {
            let hash = self.hash(&request.id);
            let is_selected = self.selection.keeps(&request);
            let is_needed = self.needed.contains(&hash);
            if drop_unbound {
                let lacks = needs(&request).any(|of| missing.contains(&self.hashes.hash_one(of)));
                if !is_selected || lacks {
                    counts.unbound += u64::from(is_selected);
                    if is_needed {
                        missing.insert(hash);
                    }
                    continue;
                }
            } else if !is_selected && !is_needed {
                continue;
            }
            counts.kept += u64::from(is_selected);
            counts.needed += u64::from(!is_selected);
            let Some(part) = self.sessions.get_mut(request.session.as_str()) else { continue };
            let mut at = signed(request.at);
            if !is_selected && part.first.is_some_and(|first| request.at < first) {
                let whole = part.moved(took(&request));
                shorten(&mut request.result, whole);
                request.prologue = true;
                at = part.next;
                part.next += signed(whole);
            }
            request.at = u64::try_from(at - base).unwrap_or_default();
            lines.add(&request)?;
        }
        let dropped = reader.finish()?.dropped;
        Ok((lines.finish(&header, dropped)?, counts))
    }

    fn header(&self, of: &Header, base: i64) -> Header {
        let mut header = of.clone();
        header.started += chrono::Duration::microseconds(base);
        header.personas.retain(|persona| self.personas.contains(&persona.name));
        header
    }
}

fn signed(us: u64) -> i64 {
    i64::try_from(us).unwrap_or(i64::MAX)
}

/// The requests that one needs.
fn needs(request: &Request) -> impl Iterator<Item = &str> {
    let bound = request.bind.iter().filter_map(|binding| match &binding.from {
        Origin::Capture { of, .. } => Some(of.as_str()),
        _ => None,
    });
    bound.chain(request.after.iter().map(String::as_str))
}

/// How long its exchange took, in microseconds.
fn took(request: &Request) -> u64 {
    match &request.result {
        Outcome::Answer(answer) => answer.total_us,
        Outcome::Error(error) => error.after_us,
    }
}

/// Makes an exchange end within this time.
fn shorten(result: &mut Outcome, whole: u64) {
    match result {
        Outcome::Answer(answer) => {
            answer.total_us = answer.total_us.min(whole);
            answer.header_us = answer.header_us.min(answer.total_us);
        }
        Outcome::Error(error) => error.after_us = error.after_us.min(whole),
    }
}
