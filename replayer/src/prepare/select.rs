//! Which requests of a trace take part.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use rewrites::{Applied, Rewrites};
use scenario::{Order, Pacing};
use trace::format::{self, Body, Header, Origin, Request};
use trace::order::Predecessors;

use super::error::PrepareError;
use super::line;
use super::marked::Marked;
use super::rewritten::{self, Rewritten};

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// All if it is empty.
    pub personas: Vec<String>,
    /// GET and HEAD alone.
    pub read_only: bool,
    /// Without requests whose body was not kept; else such a request is an error.
    pub skip_truncated: bool,
    /// Whether what a request came after is kept.
    pub order: Order,
    pub pacing: Pacing,
    /// What is sent in the place of what was recorded.
    pub rewrites: Option<Arc<Rewrites>>,
    /// Which requests get a mark of their own into their payload.
    pub marked: Option<Marked>,
}

/// Requests that were left out, counted of the personas that take part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// By `read_only`.
    pub unsafe_methods: u64,
    pub truncated: u64,
    /// They need a value from the answer of one that was left out.
    pub dependent: u64,
    /// By a rewrite.
    pub dropped: u64,
    /// By a rewrite, and what they gave is as it was recorded.
    pub answered: u64,
    /// The endpoints and personas of all of them; bounded as the names that take part are,
    /// by what a trace names.
    pub names: BTreeSet<String>,
}

impl LeftOut {
    fn note(&mut self, name: &str) {
        if !self.names.contains(name) {
            self.names.insert(name.to_owned());
        }
    }
}

/// What an id takes beside its text: its place in a table that is half full, and what the
/// allocator adds.
const BESIDE_AN_ID: usize = 50;

/// Decides request by request, in the order of the trace.
pub(super) struct Selector<'a> {
    pub(super) selection: &'a Selection,
    /// What is applied here, and was not when it was recorded.
    rewrites: Option<&'a Rewrites>,
    /// What is in force of either kind.
    pub(super) rewritten: Vec<Rewritten>,
    /// Ids of those that were left out, since any later request may need one, and whether what they
    /// gave is known. What they take is part of the memory that the trace may take, which bounds
    /// them: see [`Selector::memory`].
    left_out: HashMap<Box<str>, bool>,
    memory: u64,
    /// Those that take part, of which each session has one or a few.
    kept: Predecessors,
    pub(super) noted: LeftOut,
}

impl<'a> Selector<'a> {
    /// Of the trace at `path` with this header.
    ///
    /// # Errors
    /// When a part of it was rewritten in this way when it was recorded, and another was not.
    pub(super) fn new(
        path: &Path,
        header: &Header,
        selection: &'a Selection,
    ) -> Result<Self, PrepareError> {
        let asked = selection.rewrites.as_deref();
        let rewrites = rewritten::to_apply(path, header, asked)?;
        Ok(Self {
            selection,
            rewrites,
            rewritten: rewritten::in_force(header, rewrites),
            left_out: HashMap::new(),
            memory: 0,
            kept: Predecessors::default(),
            noted: LeftOut::default(),
        })
    }

    /// Whether a request takes part; it is then as it is to be sent, came after the nearest that
    /// take part, too, and waits for no other.
    ///
    /// # Errors
    /// When it cannot be rewritten; in words.
    pub(super) fn selects(&mut self, request: &mut Request) -> Result<bool, String> {
        let persona = line::persona(request);
        let Selection { personas, read_only, skip_truncated, .. } = self.selection;
        if !personas.is_empty() && !personas.iter().any(|name| name == persona) {
            self.noted.note(persona);
            self.noted.note(&request.name);
            return Ok(false);
        }
        let applied = self.rewrite(request)?;
        let is_safe = format::is_safe(&request.method);
        let is_truncated = matches!(request.body, Some(Body::Truncated { .. }));
        let needs_left_out = self.needs_left_out(request);
        let count = if applied == Applied::Dropped {
            &mut self.noted.dropped
        } else if applied == Applied::Answered {
            &mut self.noted.answered
        } else if *read_only && !is_safe {
            &mut self.noted.unsafe_methods
        } else if *skip_truncated && is_truncated {
            &mut self.noted.truncated
        } else if needs_left_out {
            &mut self.noted.dependent
        } else {
            if *read_only || *skip_truncated || self.rewrites.is_some() {
                self.bridge(request);
            }
            return Ok(true);
        };
        *count += 1;
        self.noted.note(&request.name);
        self.memory += (request.id.len() + BESIDE_AN_ID) as u64;
        self.left_out.insert(request.id.as_str().into(), applied == Applied::Answered);
        Ok(false)
    }

    fn rewrite(&mut self, request: &mut Request) -> Result<Applied, String> {
        let Some(rewrites) = self.rewrites else { return Ok(Applied::Sent) };
        let change = rewrites.apply(request).map_err(|error| error.to_string())?;
        rewritten::count(&mut self.rewritten, &change.rules);
        Ok(change.applied)
    }

    /// Whether a request needs what one that is left out would have given. What an answered one
    /// gave stands there as it was recorded, unless that is a secret.
    fn needs_left_out(&self, request: &mut Request) -> bool {
        if self.left_out.is_empty() {
            return false;
        }
        request.bind.retain(|binding| match &binding.from {
            Origin::Capture { of, .. } => {
                binding.start == binding.end || self.left_out.get(of.as_str()) != Some(&true)
            }
            _ => true,
        });
        request.bind.iter().any(|binding| match &binding.from {
            Origin::Capture { of, .. } => self.left_out.contains_key(of.as_str()),
            _ => false,
        })
    }

    /// Where a request came after one that is left out, has it come after those that take part and
    /// had ended before it began: order is no need.
    fn bridge(&mut self, request: &mut Request) {
        let is_whole = !request.after.iter().any(|id| self.left_out.contains_key(id.as_str()));
        let said = is_whole.then(|| std::mem::take(&mut request.after));
        self.kept.fill(request);
        if let Some(said) = said {
            request.after = said;
        }
    }

    /// About how many bytes are held.
    pub(super) fn memory(&self) -> u64 {
        self.memory
    }
}
