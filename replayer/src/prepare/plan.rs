//! A trace as the engine runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use figures::Names;
use trace::format::Failures;
use trace::shape::Shape;

use super::rewritten::Rewritten;
use super::select::LeftOut;
use super::session::Session;
use super::template::Origin;
use run_log::format::TraceRef;

/// A trace, ready to be scheduled.
#[derive(Debug)]
pub struct Prepared {
    pub file: TraceRef,
    /// Digest of the manifest that the trace was recorded with, where it says so.
    pub manifest: Option<String>,
    /// Endpoint names by index; past [`run_log::format::MAX_ENDPOINTS`] they share the last, "other".
    pub endpoints: Vec<String>,
    pub personas: Vec<TracePersona>,
    pub sessions: Vec<Session>,
    pub shapes: Vec<Shape>,
    pub bindings: Bindings,
    pub left_out: LeftOut,
    /// What changed requests, when they were recorded or here.
    pub rewrites: Vec<Rewritten>,
    /// Where over 1 % of the recording had failed already.
    pub recorded_failures: Option<Failures>,
}

impl Prepared {
    /// What the indices of histograms stand for.
    pub fn names(&self) -> Names {
        Names {
            endpoints: self.endpoints.clone(),
            personas: self.personas.iter().map(|persona| persona.name.clone()).collect(),
        }
    }
}

/// What the requests need that is not a literal.
#[derive(Debug, Default)]
pub struct Bindings {
    /// How many, by where the value comes from, in words.
    pub counts: BTreeMap<&'static str, u64>,
    /// Names of the secrets that have to be given.
    pub secrets: BTreeSet<String>,
}

impl Bindings {
    pub(super) fn add(&mut self, origin: &Origin) {
        let kind = match origin {
            Origin::Captured(_) | Origin::EntityTag(_) => "from answers",
            Origin::Account(_) => "from the account",
            Origin::Clock(_) => "from the clock",
            Origin::Fresh { .. } => "fresh values",
            Origin::Secret(name) => {
                self.secrets.insert(name.clone());
                "secret slots"
            }
        };
        *self.counts.entry(kind).or_default() += 1;
    }

    /// Counts values that the recording could have taken from elsewhere as well.
    pub(super) fn add_ambiguous(&mut self, count: usize) {
        if count > 0 {
            *self.counts.entry("ambiguous").or_default() += count as u64;
        }
    }
}

#[derive(Clone, Debug)]
pub struct TracePersona {
    pub name: String,
    /// Its share of the users.
    pub weight: f64,
    /// Its sessions by arrival, as indices.
    pub sessions: Vec<usize>,
    /// By value that its prologues capture, what it is: those with the same number are the same to
    /// a user who has one of them, such as the tokens that a registration and a login give.
    pub login_slots: Arc<Vec<u32>>,
    /// Whether its requests need anything of an account.
    pub needs_account: bool,
    /// The first account that took part as this persona, where the trace says so.
    pub account: Option<String>,
}
