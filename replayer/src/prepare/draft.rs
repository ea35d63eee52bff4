//! A session whose lines are still coming.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use trace::format as disk;

use super::capture::Source;
use super::line;
use super::overlap::Overlaps;
use super::session::{Body, MAX_CONNECTIONS, Offset, Request, Session, Wait, link, number};

pub(super) struct Draft {
    name: String,
    pub(super) persona: usize,
    /// Times are in microseconds from the start of the recording.
    first: u64,
    prologue: usize,
    prologue_end: u64,
    end: u64,
    requests: Vec<Request>,
    /// Of each, from the session's first.
    offsets: Vec<Offset>,
    by_id: HashMap<String, usize, RandomState>,
    pub(super) values: KeptValues,
    refresh: Option<usize>,
    overlaps: Overlaps,
    /// Login slots that its prologue fills.
    gives: Vec<usize>,
    /// Names of the routes and captures that those came from, as often as they came.
    given: Vec<(String, String)>,
}

/// Where the values of a session's requests are kept.
#[derive(Default)]
pub(super) struct KeptValues {
    /// By id of the request, with the name of each.
    by_request: HashMap<String, Vec<(String, Source)>>,
    /// Login slots of the prologue's secrets, by name.
    login: HashMap<String, usize>,
    session: usize,
    /// Keys of fresh values of the prologue, as hashes: a user who begins the next session from
    /// behind its prologue is still who it was.
    made: HashSet<u64>,
}

impl KeptValues {
    pub(super) fn of(&self, request: &str, name: &str) -> Option<Source> {
        let values = self.by_request.get(request)?;
        values.iter().find(|(known, _)| known == name).map(|(_, source)| *source)
    }

    /// Notes the fresh values of a request of the prologue.
    pub(super) fn note_made(&mut self, line: &disk::Request) {
        let keys = line.bind.iter().filter_map(|binding| match &binding.from {
            disk::Origin::Fresh { key, .. } => Some(common::digest::stable_hash(key.as_bytes())),
            _ => None,
        });
        self.made.extend(keys);
    }

    pub(super) fn is_made_by_user(&self, key: u64) -> bool {
        self.made.contains(&key)
    }

    /// Whether a request after the prologue renews what that captured: it sends a value of
    /// the login in its path or body, needs nothing else of the session, and is answered
    /// with a secret of the same name as one of the login's.
    fn is_refresh(&self, line: &disk::Request) -> bool {
        let mut sends_login = false;
        for binding in &line.bind {
            if let disk::Origin::Capture { of, name } = &binding.from {
                match self.of(of, name) {
                    Some(Source::Login(_)) => {
                        sends_login |= !matches!(binding.part, disk::Part::Header(_));
                    }
                    Some(Source::Session(_)) | None => return false,
                }
            }
        }
        let is_renewed =
            |capture: &disk::Capture| capture.secret && self.login.contains_key(&*capture.name);
        sends_login && line::captures(line).iter().any(is_renewed)
    }
}

impl Draft {
    pub(super) fn new(name: String, persona: usize, first: u64) -> Self {
        Self {
            name,
            persona,
            first,
            prologue: 0,
            prologue_end: first,
            end: first,
            requests: Vec::new(),
            offsets: Vec::new(),
            by_id: HashMap::default(),
            values: KeptValues::default(),
            refresh: None,
            overlaps: Overlaps::default(),
            gives: Vec::new(),
            given: Vec::new(),
        }
    }

    /// Whether the next line is of the prologue, which is over with the first line that is not.
    pub(super) fn is_prologue(&self, line: &disk::Request) -> bool {
        line.prologue && self.prologue == self.requests.len()
    }

    /// Whether the next line renews what the prologue captured.
    pub(super) fn renews(&self, line: &disk::Request) -> bool {
        !self.is_prologue(line) && self.values.is_refresh(line)
    }

    /// How often a route gave a value of this name in the prologue, before this time.
    pub(super) fn count_given(&mut self, route: &str, name: &str) -> usize {
        let times = self.given.iter().filter(|(by, given)| by == route && given == name).count();
        self.given.push((route.to_owned(), name.to_owned()));
        times
    }

    /// Notes that the prologue fills a login slot.
    pub(super) fn gives(&mut self, slot: usize) {
        self.gives.push(slot);
    }

    /// The login slot of a secret of the prologue.
    pub(super) fn renewed(&self, name: &str) -> Option<usize> {
        self.values.login.get(name).copied()
    }

    pub(super) fn note_login(&mut self, name: &str, slot: usize) {
        self.values.login.insert(name.to_owned(), slot);
    }

    /// Where another value of this session is kept.
    pub(super) fn next_value(&mut self) -> Source {
        self.values.session += 1;
        Source::Session(self.values.session - 1)
    }

    /// An earlier request by its id.
    pub(super) fn earlier(&self, id: &str) -> Result<usize, String> {
        self.by_id.get(id).copied().ok_or_else(|| {
            format!("it needs request {id}, which does not come before it in its session")
        })
    }

    /// The exchange that had ended last before this time.
    pub(super) fn predecessor(&mut self, at: u64) -> Option<usize> {
        self.overlaps.ended_before(at)
    }

    /// Has the next line wait for an earlier request.
    pub(super) fn wait(
        &self,
        line: &disk::Request,
        waits: &mut Vec<Wait>,
        request: usize,
        thinks: bool,
    ) {
        if request < self.prologue && !self.is_prologue(line) {
            return;
        }
        waits.push(Wait { request: number(request), thinks });
    }

    /// Adds a line and the request that was made of it.
    pub(super) fn push(&mut self, line: &disk::Request, request: Request) -> Result<(), String> {
        let index = self.requests.len();
        let end = line.at.saturating_add(line.result.took_us());
        self.end = self.end.max(end);
        if self.is_prologue(line) {
            self.prologue += 1;
            self.prologue_end = self.prologue_end.max(end);
        } else if self.values.is_refresh(line) {
            self.refresh.get_or_insert(index);
        }
        let names = line::captures(line).iter().map(|capture| capture.name.clone());
        let values: Vec<(String, Source)> =
            names.zip(request.captures.iter().map(|capture| capture.into)).collect();
        if !values.is_empty() {
            self.values.by_request.insert(line.id.clone(), values);
        }
        if self.by_id.insert(line.id.clone(), index).is_some() {
            return Err("its id is that of an earlier request of its session".to_owned());
        }
        self.overlaps.begin(end, index);
        self.offsets.push(Offset::from(Duration::from_micros(line.at - self.first)));
        self.requests.push(request);
        Ok(())
    }

    pub(super) fn finish(mut self) -> (Session, Arc<[Request]>) {
        link(&mut self.requests);
        let mut needs: Vec<usize> = Vec::new();
        for source in self.requests[self.prologue..].iter().flat_map(|r| r.template.captured()) {
            if let Source::Login(slot) = source
                && !needs.contains(&slot)
            {
                needs.push(slot);
            }
        }
        let micros = Duration::from_micros;
        let session = Session {
            name: self.name,
            persona: self.persona,
            arrival: micros(self.first),
            prologue: self.prologue,
            prologue_length: micros(self.prologue_end - self.first),
            body_length: micros(self.end - self.prologue_end),
            offsets: self.offsets.into(),
            body: Body::default(),
            captures: self.values.session,
            gives: self.gives.into(),
            needs: needs.into(),
            refresh: self.refresh,
            width: self.overlaps.width().clamp(1, MAX_CONNECTIONS),
        };
        (session, self.requests.into())
    }
}
