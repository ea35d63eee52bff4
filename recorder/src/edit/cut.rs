//! A part of a trace that can be replayed on its own.
//!
//! Whatever a kept request needs is kept too: requests before the session's first selected one
//! become its prologue, moved to at most [`MOST_AHEAD_US`] ahead of it. The trace is read three
//! times: to see what is selected, to see what else that needs, and to write. Which request needs
//! which is noted on disk and read backwards, because what is needed always comes first. What a
//! request only came after it does not need: `after` names the nearest of those that are kept.
//! Memory: 16 bytes for each request that is needed, and the beginning of each session.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use common::output::folder;
use trace::format::{End, Header, Origin, RecordedResult, Request};
use trace::journal::JournalError;
use trace::reader::TraceReader;
use trace::unordered::Unordered;
use trace::writer::WriteError;

/// How far ahead of a request what it needs may be moved, in microseconds.
pub const MOST_AHEAD_US: u64 = 5_000_000;

/// Time between two requests that were moved.
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
    cutter.look(trace, out, drop_unbound)?;
    cutter.write(trace, out, drop_unbound)
}

struct Cutter<'a> {
    selection: &'a Selection,
    hashes: RandomState,
    /// Hashes of the ids that requests which are kept need.
    needed: HashSet<u64>,
    sessions: HashMap<Box<str>, SessionPart>,
    personas: BTreeSet<String>,
}

/// What is kept of a session. Times are in microseconds.
#[derive(Default)]
struct SessionPart {
    /// Its first selected request.
    first: Option<u64>,
    /// How long what is moved ahead of it takes, one after another.
    ahead: u64,
    /// Where the next of those is put.
    next: i64,
}

impl SessionPart {
    fn moved(&self, took: u64) -> u64 {
        let whole = took.saturating_add(GAP_US);
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

    /// Finds what is selected, and what that needs; its own needs alone where the rest is dropped.
    fn look(&mut self, trace: &Path, out: &Path, drop_unbound: bool) -> Result<(), JournalError> {
        let io = |source| WriteError::Io { path: out.to_owned(), source };
        let mut chains = Chains::new(folder(out)).map_err(io)?;
        let mut reader = TraceReader::open(trace)?;
        while let Some(request) = reader.next_request()? {
            if self.selection.keeps(&request) {
                let part = self.sessions.entry(request.session.as_str().into()).or_default();
                part.first.get_or_insert(request.at);
                for of in needs(&request) {
                    self.needed.insert(self.hashes.hash_one(of));
                }
                if let Some(persona) = request.persona
                    && !self.personas.contains(&persona)
                {
                    self.personas.insert(persona);
                }
            } else if !drop_unbound {
                let by = self.hash(&request.id);
                for of in needs(&request) {
                    chains.add(by, self.hash(of)).map_err(io)?;
                }
            }
        }
        if drop_unbound {
            return Ok(());
        }
        let needed = &mut self.needed;
        chains
            .backwards(|by, of| {
                if needed.contains(&by) {
                    needed.insert(of);
                }
            })
            .map_err(io)?;
        let mut reader = TraceReader::open(trace)?;
        while let Some(request) = reader.next_request()? {
            let is_needed = self.needed.contains(&self.hash(&request.id));
            if is_needed
                && !self.selection.keeps(&request)
                && let Some(part) = self.sessions.get_mut(request.session.as_str())
                && part.first.is_none_or(|first| request.at < first)
            {
                let whole = request.result.took_us().saturating_add(GAP_US);
                part.ahead = part.ahead.saturating_add(whole);
            }
        }
        Ok(())
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
                let whole = part.moved(request.result.took_us());
                shorten(&mut request.result, whole);
                request.prologue = true;
                at = part.next;
                part.next = part.next.saturating_add(signed(whole));
            }
            request.at = u64::try_from(at.saturating_sub(base)).unwrap_or_default();
            lines.add(request)?;
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

/// Which request needs which, as hashes of ids, on disk.
struct Chains {
    file: BufWriter<File>,
    pairs: u64,
}

/// Size of a pair in bytes.
const PAIR: usize = 16;

/// Pairs that are read together.
const CHUNK: u64 = 4096;

impl Chains {
    fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self { file: BufWriter::new(tempfile::tempfile_in(folder)?), pairs: 0 })
    }

    fn add(&mut self, by: u64, of: u64) -> io::Result<()> {
        self.pairs += 1;
        self.file.write_all(&by.to_ne_bytes())?;
        self.file.write_all(&of.to_ne_bytes())
    }

    /// Hands all of them over, the last one first.
    fn backwards(self, mut take: impl FnMut(u64, u64)) -> io::Result<()> {
        let mut file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let mut left = self.pairs;
        let mut chunk = Vec::new();
        while left > 0 {
            let count = left.min(CHUNK);
            left -= count;
            file.seek(SeekFrom::Start(left * PAIR as u64))?;
            chunk.resize(usize::try_from(count).unwrap_or_default() * PAIR, 0);
            file.read_exact(&mut chunk)?;
            for pair in chunk.chunks_exact(PAIR).rev() {
                let half = |at: usize| pair[at..at + 8].try_into().map_or(0, u64::from_ne_bytes);
                take(half(0), half(8));
            }
        }
        Ok(())
    }
}

fn signed(us: u64) -> i64 {
    i64::try_from(us).unwrap_or(i64::MAX)
}

/// The requests that one needs: those whose values it sends, not those that it only came after.
fn needs(request: &Request) -> impl Iterator<Item = &str> {
    request.bind.iter().filter_map(|binding| match &binding.from {
        Origin::Capture { of, .. } => Some(of.as_str()),
        _ => None,
    })
}

/// Makes an exchange end within this time.
fn shorten(result: &mut RecordedResult, whole: u64) {
    match result {
        RecordedResult::Answer(answer) => {
            answer.total_us = answer.total_us.min(whole);
            answer.header_us = answer.header_us.min(answer.total_us);
        }
        RecordedResult::Error(error) => error.after_us = error.after_us.min(whole),
    }
}
