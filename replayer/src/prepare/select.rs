//! Which requests of a trace take part.

use std::collections::{BTreeSet, HashSet};

use scenario::{Order, Pacing};
use trace::format::{Body, Origin, Request};
use trace::order::Predecessors;

use super::line;

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
}

/// Requests that were left out, counted of the personas that take part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// By `read_only`.
    pub unsafe_methods: u64,
    pub truncated: u64,
    /// They need a value from the answer of one that was left out.
    pub dependent: u64,
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
    selection: &'a Selection,
    /// Ids of those that were left out, since any later request may need one. What they take is
    /// part of the memory that the trace may take, which bounds them: see [`Selector::memory`].
    left_out: HashSet<Box<str>>,
    memory: u64,
    /// Those that take part, of which each session has one or a few.
    kept: Predecessors,
    pub(super) noted: LeftOut,
}

impl<'a> Selector<'a> {
    pub(super) fn new(selection: &'a Selection) -> Self {
        Self {
            selection,
            left_out: HashSet::new(),
            memory: 0,
            kept: Predecessors::default(),
            noted: LeftOut::default(),
        }
    }

    /// Whether a request takes part; it then came after the nearest that do, and waits for no other.
    pub(super) fn selects(&mut self, request: &mut Request) -> bool {
        let persona = line::persona(request);
        let Selection { personas, read_only, skip_truncated, .. } = self.selection;
        if !personas.is_empty() && !personas.iter().any(|name| name == persona) {
            self.noted.note(persona);
            self.noted.note(&request.name);
            return false;
        }
        let is_safe = line::is_safe(&request.method);
        let is_truncated = matches!(request.body, Some(Body::Truncated { .. }));
        let needs_left_out = request.bind.iter().any(|binding| match &binding.from {
            Origin::Capture { of, .. } => self.left_out.contains(of.as_str()),
            _ => false,
        });
        let count = if *read_only && !is_safe {
            &mut self.noted.unsafe_methods
        } else if *skip_truncated && is_truncated {
            &mut self.noted.truncated
        } else if needs_left_out {
            &mut self.noted.dependent
        } else {
            if *read_only || *skip_truncated {
                self.bridge(request);
            }
            return true;
        };
        *count += 1;
        self.noted.note(&request.name);
        self.memory += (request.id.len() + BESIDE_AN_ID) as u64;
        self.left_out.insert(request.id.as_str().into());
        false
    }

    /// Where a request came after one that is left out, has it come after those that take part and
    /// had ended before it began: order is no need.
    fn bridge(&mut self, request: &mut Request) {
        let is_whole = !request.after.iter().any(|id| self.left_out.contains(id.as_str()));
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
