//! Several traces on one axis of time.
//!
//! They are read twice: first to see which ids and sessions occur in more than one of them, and
//! what varies in their routes, then to write all their requests in order. Memory: the sessions'
//! names and their last exchanges, and the tree of [`Routes`].

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use common::output::folder;
use trace::failures::FailureCount;
use trace::format::Failures;
use trace::format::{self, End, Header, Origin, PersonaWeight, Request};
use trace::journal::JournalError;
use trace::minor;
use trace::order::Predecessors;
use trace::reader::{ReadError, TraceReader};
use trace::routes::{Named, Routes};
use trace::sort::{Key, LineKind, Sorter};
use trace::writer::{TraceWriter, WriteError};

/// Memory for comparing ids.
const RUN_BYTES: usize = 24 << 20;

/// Where the traces begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// When they were recorded.
    WallClock,
    /// All at once.
    Start,
}

/// How far the starts of the traces lie apart, in time.
///
/// # Errors
/// When the beginning of one cannot be read.
pub fn apart(traces: &[PathBuf]) -> Result<TimeDelta, ReadError> {
    let mut starts = Vec::with_capacity(traces.len());
    for trace in traces {
        starts.push(TraceReader::open(trace)?.header().started);
    }
    let (first, last) = (starts.iter().min(), starts.iter().max());
    Ok(first.zip(last).map_or_else(TimeDelta::zero, |(first, last)| *last - *first))
}

/// Writes the requests of all traces to `out`. Where an id or a session's name occurs in an
/// earlier trace too, those of the later trace get a prefix, such as `m1-`; returns the prefixes.
///
/// # Errors
/// When a trace is damaged, or the new one cannot be written.
pub fn merge(
    traces: &[PathBuf],
    out: &Path,
    align: Align,
) -> Result<(End, BTreeMap<usize, String>), JournalError> {
    let Overview { prefixes, minor, named, failures } = look(traces, out)?;
    let mut readers = Vec::with_capacity(traces.len());
    for trace in traces {
        readers.push(TraceReader::open(trace)?);
    }
    let headers: Vec<&Header> = readers.iter().map(TraceReader::header).collect();
    let started = headers.iter().map(|header| header.started).min().unwrap_or_default();
    let offsets: Vec<u64> = headers
        .iter()
        .map(|header| match align {
            Align::Start => 0,
            Align::WallClock => {
                let later = (header.started - started).num_microseconds().unwrap_or(i64::MAX);
                u64::try_from(later).unwrap_or_default()
            }
        })
        .collect();
    let header = Header { failures, ..merged_header(&headers, started) };
    let mut writer = TraceWriter::create_for(out, &header, minor)?;
    let mut predecessors = Predecessors::default();
    let mut heads = BinaryHeap::new();
    let mut waiting: Vec<Option<Request>> = Vec::new();
    for (index, reader) in readers.iter_mut().enumerate() {
        waiting.push(reader.next_request()?);
        if let Some(request) = &waiting[index] {
            heads.push(Reverse((request.at.saturating_add(offsets[index]), index)));
        }
    }
    while let Some(Reverse((at, index))) = heads.pop() {
        if let Some(mut request) = waiting[index].take() {
            request.at = at;
            if let Some(prefix) = prefixes.get(&index) {
                rename(&mut request, prefix);
            }
            predecessors.fill(&mut request);
            if !readers[index].header().is_of_scripts()
                && let Some(name) = named.of(&request.name)
            {
                request.name = name;
            }
            writer.write(&request)?;
        }
        waiting[index] = readers[index].next_request()?;
        if let Some(request) = &waiting[index] {
            heads.push(Reverse((request.at.saturating_add(offsets[index]), index)));
        }
    }
    let mut dropped = 0;
    for reader in readers {
        dropped += reader.finish()?.dropped;
    }
    Ok((writer.finish(dropped)?, prefixes))
}

/// What has to be known of all traces before the first request is written.
struct Overview {
    /// For the ids and sessions of the traces that need one, by index.
    prefixes: BTreeMap<usize, String>,
    /// What the requests need of the format.
    minor: u32,
    failures: Option<Failures>,
    named: Named,
}

fn look(traces: &[PathBuf], out: &Path) -> Result<Overview, JournalError> {
    let io = |source: io::Error| WriteError::Io { path: out.to_owned(), source };
    let mut ids = Sorter::new(folder(out), RUN_BYTES);
    let mut sessions: HashMap<Box<str>, usize> = HashMap::new();
    let mut renamed: BTreeMap<usize, String> = BTreeMap::new();
    let mut highest = 0;
    let mut needed = 0;
    let mut failures = FailureCount::default();
    let mut given = Vec::new();
    for trace in traces {
        given.extend(TraceReader::open(trace)?.header().routes.iter().cloned());
    }
    let mut routes = Routes::new(given);
    for (index, trace) in traces.iter().enumerate() {
        let mut reader = TraceReader::open(trace)?;
        let is_named = reader.header().is_of_scripts();
        while let Some(request) = reader.next_request()? {
            needed = needed.max(minor::of_request(&request));
            failures.add(&request);
            if !is_named {
                routes.add(&request.name);
            }
            highest = highest.max(number(&request.id)).max(number(&request.session));
            match sessions.get(request.session.as_str()) {
                Some(&first) if first != index => {
                    renamed.insert(index, String::new());
                }
                Some(_) => {}
                None => {
                    sessions.insert(request.session.into(), index);
                }
            }
            // By id, then by trace.
            let key = Key { at: 0, id: request.id, kind: LineKind::Request };
            ids.add(key, &index.to_be_bytes()).map_err(io)?;
        }
    }
    let mut sorted = ids.sorted().map_err(io)?;
    let mut last: Option<(String, Vec<u8>)> = None;
    while let Some((key, of)) = sorted.next_line().map_err(io)? {
        if let Some((id, earlier)) = &last
            && *id == key.id
            && *earlier != of
        {
            let later = of.clone().max(earlier.clone());
            let later = later.try_into().map_or(0, usize::from_be_bytes);
            renamed.insert(later, String::new());
        }
        last = Some((key.id, of));
    }
    for (count, prefix) in (1..).zip(renamed.values_mut()) {
        *prefix = format!("m{}-", highest + count);
    }
    let named = routes.named();
    let failures = failures.noted(|name| named.of(name));
    Ok(Overview { prefixes: renamed, minor: needed, named, failures })
}

/// Of a prefix that an earlier merge gave, else 0.
fn number(name: &str) -> u64 {
    let Some((digits, _)) = name.strip_prefix('m').and_then(|rest| rest.split_once('-')) else {
        return 0;
    };
    digits.parse().unwrap_or(0)
}

fn rename(request: &mut Request, prefix: &str) {
    request.id.insert_str(0, prefix);
    request.session.insert_str(0, prefix);
    for binding in &mut request.bind {
        if let Origin::Capture { of, .. } = &mut binding.from {
            of.insert_str(0, prefix);
        }
    }
}

fn merged_header(headers: &[&Header], started: chrono::DateTime<chrono::Utc>) -> Header {
    let mut personas: Vec<PersonaWeight> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for persona in headers.iter().flat_map(|header| &header.personas) {
        match known.entry(&persona.name) {
            Entry::Occupied(known) => personas[*known.get()].weight += persona.weight,
            Entry::Vacant(place) => {
                place.insert(personas.len());
                personas.push(persona.clone());
            }
        }
    }
    Header {
        format: format::FORMAT.to_owned(),
        version: format::VERSION.to_owned(),
        minor: headers.iter().map(|header| header.minor).max().unwrap_or_default(),
        tool: concat!("recorder ", env!("CARGO_PKG_VERSION")).to_owned(),
        started,
        sources: headers.iter().flat_map(|header| header.sources.clone()).collect(),
        personas,
        redaction: each_once(headers.iter().flat_map(|header| &header.redaction)),
        routes: each_once(headers.iter().flat_map(|header| &header.routes)),
        failures: None,
        shapes: headers.iter().flat_map(|header| header.shapes.clone()).collect(),
    }
}

/// In the order in which they first stand there.
fn each_once<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut known = HashSet::new();
    names.filter(|name| known.insert(*name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each compared with each would be twenty thousand million comparisons.
    #[test]
    fn headers_of_very_many_names_become_one_with_each_name_once() {
        let mut header = merged_header(&[], chrono::DateTime::default());
        let names = || (0..200_000).map(|number| format!("p{number}"));
        header.personas = names().map(|name| PersonaWeight { name, weight: 1.5 }).collect();
        header.redaction = names().collect();
        let merged = merged_header(&[&header, &header], header.started);
        assert_eq!(merged.personas.len(), header.personas.len());
        assert_eq!(merged.personas[7], PersonaWeight { name: "p7".to_owned(), weight: 3.0 });
        assert_eq!(merged.redaction, header.redaction);
    }
}
