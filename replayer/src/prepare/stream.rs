//! A trace that is read as it is needed.
//!
//! Two passes before the start: the first finds where each session ends, the second makes
//! every session once, so that all of them are known to be good, and keeps of each only
//! what the plan is made from. During the run a third gives each session its requests
//! before it begins. What is held then are the sessions that have begun and not ended, and
//! those that began in the recording before the last of them ended.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trace::format as disk;
use trace::reader::TraceReader;

use super::build::Builder;
use super::error::PrepareError;
use super::line;
use super::plan::Prepared;
use super::select::{Selection, Selector};
use super::session::{Request, Session};
use super::trace::prepared;

/// Reads the trace at `path` as [`super::prepare`] does, and keeps none of its requests.
///
/// # Errors
/// As [`super::prepare`]; it is too big where the sessions that overlap are.
pub fn prepare_streamed(
    path: &Path,
    origin: &str,
    selection: &Selection,
    memory: u64,
) -> Result<(Prepared, TraceStream), PrepareError> {
    let (extents, of_selector) = Extents::read(path, selection, memory)?;
    let needed = extents.held_at_once() + of_selector;
    if needed > memory {
        return Err(PrepareError::TooWide { path: path.to_owned(), needed, memory });
    }
    let mut reading = Reading::open(path, selection)?;
    let header = reading.reader.header().clone();
    let mut builder = Builder::new(path, origin, &header, selection);
    let mut sessions: Vec<Option<Session>> = Vec::new();
    sessions.resize_with(extents.all.len(), || None);
    while let Some((number, lines)) = reading.next_whole(&extents, |_| true)? {
        let (session, requests) = builder.session(&lines)?;
        builder.add(number, &session, &requests);
        if extents.all[number].is_first_of_persona {
            // What is tried before the start.
            session.body.give(requests);
        }
        sessions[number] = Some(session);
    }
    let Reading { reader, selector, .. } = reading;
    let end = reader.finish()?;
    let sessions = sessions.into_iter().flatten().collect();
    let plan = prepared(path, header, end, &mut builder, sessions, selector)?;
    let stream =
        TraceStream { path: path.to_owned(), selection: selection.clone(), extents, builder };
    Ok((plan, stream))
}

/// The third pass.
pub struct TraceStream {
    path: PathBuf,
    selection: Selection,
    extents: Extents,
    builder: Builder,
}

impl TraceStream {
    /// Gives the requests of these sessions, in this order, which is that of their arrivals,
    /// for as long as `give` wants more.
    ///
    /// # Errors
    /// When the trace cannot be read any more.
    pub fn feed(
        mut self,
        order: &[usize],
        mut give: impl FnMut(Arc<[Request]>) -> bool,
    ) -> Result<(), PrepareError> {
        let mut is_wanted = vec![false; self.extents.all.len()];
        for &session in order {
            is_wanted[session] = true;
        }
        let mut reading = Reading::open(&self.path, &self.selection)?;
        let mut early: HashMap<usize, Arc<[Request]>> = HashMap::new();
        for wanted in order {
            let requests = loop {
                if let Some(requests) = early.remove(wanted) {
                    break requests;
                }
                let Some((number, lines)) =
                    reading.next_whole(&self.extents, |number| is_wanted[number])?
                else {
                    return Err(PrepareError::Changed { path: self.path });
                };
                early.insert(number, self.builder.session(&lines)?.1);
            };
            if !give(requests) {
                break;
            }
        }
        Ok(())
    }
}

/// Where the sessions begin and end.
struct Extents {
    by_name: HashMap<Box<str>, usize>,
    all: Vec<Extent>,
}

struct Extent {
    requests: u64,
    first_at: u64,
    last_at: u64,
    memory: u64,
    is_first_of_persona: bool,
}

impl Extents {
    /// With them, what the selector holds at the end; it is held in each pass.
    fn read(path: &Path, selection: &Selection, memory: u64) -> Result<(Self, u64), PrepareError> {
        let mut reading = Reading::open(path, selection)?;
        let mut found = Self { by_name: HashMap::new(), all: Vec::new() };
        let mut personas: HashSet<String> = HashSet::new();
        while let Some(request) = reading.next()? {
            let needed = reading.selector.memory();
            if needed > memory {
                return Err(PrepareError::TooWide { path: path.to_owned(), needed, memory });
            }
            let number = match found.by_name.get(request.session.as_str()) {
                Some(&number) => number,
                None => {
                    let persona = line::persona(&request);
                    let is_first_of_persona = !personas.contains(persona);
                    if is_first_of_persona {
                        personas.insert(persona.to_owned());
                    }
                    found.by_name.insert(request.session.as_str().into(), found.all.len());
                    found.all.push(Extent {
                        requests: 0,
                        first_at: request.at,
                        last_at: request.at,
                        memory: 0,
                        is_first_of_persona,
                    });
                    found.all.len() - 1
                }
            };
            let extent = &mut found.all[number];
            extent.requests += 1;
            extent.last_at = request.at;
            extent.memory += line::size_in_memory(&request);
        }
        Ok((found, reading.selector.memory()))
    }

    /// The most that is held: when a session begins, the trace was read up to its end, or
    /// that of an earlier one, and those that have ended by then are gone.
    fn held_at_once(&self) -> u64 {
        let mut by_end: Vec<&Extent> = self.all.iter().collect();
        by_end.sort_unstable_by_key(|extent| extent.last_at);
        let (mut read_to, mut begun, mut ended) = (0, 0, 0);
        let (mut held, mut most) = (0, 0);
        // In the order of their first requests, as they were found.
        for extent in &self.all {
            read_to = read_to.max(extent.last_at);
            while begun < self.all.len() && self.all[begun].first_at <= read_to {
                held += self.all[begun].memory;
                begun += 1;
            }
            while by_end[ended].last_at < extent.first_at {
                held -= by_end[ended].memory;
                ended += 1;
            }
            most = most.max(held);
        }
        most
    }
}

/// One pass over the trace.
struct Reading<'a> {
    path: &'a Path,
    reader: TraceReader,
    selector: Selector<'a>,
    /// Lines of sessions that are not whole yet.
    open: HashMap<usize, Vec<disk::Request>>,
}

impl<'a> Reading<'a> {
    fn open(path: &'a Path, selection: &'a Selection) -> Result<Self, PrepareError> {
        let reader = TraceReader::open(path)?;
        let selector = Selector::new(path, reader.header(), selection)?;
        Ok(Self { path, reader, selector, open: HashMap::new() })
    }

    fn next(&mut self) -> Result<Option<disk::Request>, PrepareError> {
        while let Some(mut request) = self.reader.next_request()? {
            let is_selected = self.selector.selects(&mut request);
            let is_selected = is_selected.map_err(|message| PrepareError::Request {
                path: self.path.to_owned(),
                id: request.id.clone(),
                message,
            })?;
            if is_selected {
                return Ok(Some(request));
            }
        }
        Ok(None)
    }

    /// The next wanted session of which the last request was read.
    fn next_whole(
        &mut self,
        extents: &Extents,
        is_wanted: impl Fn(usize) -> bool,
    ) -> Result<Option<(usize, Vec<disk::Request>)>, PrepareError> {
        while let Some(request) = self.next()? {
            let Some(&number) = extents.by_name.get(request.session.as_str()) else { continue };
            if !is_wanted(number) {
                continue;
            }
            let lines = self.open.entry(number).or_default();
            lines.push(request);
            if lines.len() as u64 == extents.all[number].requests {
                return Ok(self.open.remove(&number).map(|lines| (number, lines)));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extents(of: &[(u64, u64, u64)]) -> Extents {
        let all = of.iter().map(|&(first_at, last_at, memory)| Extent {
            requests: 1,
            first_at,
            last_at,
            memory,
            is_first_of_persona: false,
        });
        Extents { by_name: HashMap::new(), all: all.collect() }
    }

    #[test]
    fn what_is_held_at_once_is_what_overlaps() {
        assert_eq!(extents(&[(0, 9, 5), (10, 19, 7), (20, 29, 6)]).held_at_once(), 7);
        // The first reaches over all that begin while it runs.
        assert_eq!(extents(&[(0, 25, 5), (10, 19, 7), (20, 29, 6)]).held_at_once(), 18);
    }
}
