//! One simulated person: its account, what it knows, and what it has done.

use std::cell::RefCell;
use std::sync::Arc;

use tokio::sync::{Mutex, Notify};

use super::account::SharedAccount;
use super::expiry::Expiry;
use super::release::{Next, Runs, Ticket};
use super::remembered::Remembered;
use crate::bind::Slots;
use crate::prepare::{Prepared, Request, Source};
use crate::schedule::PlannedUser;
use crate::time::At;
use common::digest::stable_hash;
use http1::cookies::Jar;
use scenario::Load;

pub(super) struct User {
    pub planned: PlannedUser,
    pub account: Option<Arc<SharedAccount>>,
    /// What its fresh ids are made from.
    pub seed: u64,
    /// What is drawn from for all that must be the same in each run of a plan.
    pub draw: u64,
    runs: RefCell<Runs>,
    pub state: RefCell<State>,
    /// Something ended that others may wait for.
    pub changed: Notify,
    /// Held while its token is renewed.
    pub renewing: Mutex<()>,
}

/// What a user knows, and nobody else.
pub(super) struct State {
    /// What its prologue captured.
    pub login: Slots,
    /// Which slots of that hold the same, by slot.
    alike: Arc<Vec<u32>>,
    /// Counts the renewals of what its prologue captured.
    login_generation: u64,
    /// Of what its prologue captured, where it is known.
    expiry: Option<Expiry>,
    /// Endpoints that refused it with a token that was just renewed.
    barred: Vec<usize>,
    /// It was refused, and does not try again.
    login_refused: bool,
    /// Counts the users that took its place.
    generation: u64,
    pub cookies: Jar,
    /// Of it and of those whose place it took.
    pub remembered: Remembered,
}

/// Of what a login gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TokenEnd {
    /// When it is to be renewed, if there is time.
    pub renew: At,
    pub over: At,
}

impl User {
    pub(super) fn new(
        planned: PlannedUser,
        account: Option<Arc<SharedAccount>>,
        seed: u64,
        draw: u64,
        plan: &Prepared,
    ) -> Self {
        let persona = &plan.personas[planned.persona];
        Self {
            planned,
            account,
            seed,
            draw,
            runs: RefCell::new(Runs::new(&planned, plan)),
            state: RefCell::new(State {
                login: Slots::with_slots(persona.login_slots.len()),
                alike: Arc::clone(&persona.login_slots),
                login_generation: 0,
                expiry: None,
                barred: Vec::new(),
                login_refused: false,
                generation: 0,
                cookies: Jar::default(),
                remembered: Remembered::default(),
            }),
            changed: Notify::new(),
            renewing: Mutex::new(()),
        }
    }

    /// Takes the request that is ready first, of those that are part of the plan up to `stop`.
    pub(super) fn take_next(&self, plan: &Prepared, load: &Load, stop: At) -> Next {
        let mut runs = self.runs.borrow_mut();
        let next = runs.take_next(plan, load, stop);
        if runs.take_replaced() {
            self.state.borrow_mut().begin_anew();
        }
        next
    }

    /// The requests of the session that a ticket is of.
    pub(super) fn requests(&self, ticket: &Ticket) -> Arc<[Request]> {
        self.runs.borrow().requests(ticket)
    }

    /// Gives a ticket back that was not used.
    pub(super) fn put_back(&self, ticket: &Ticket) {
        self.runs.borrow_mut().put_back(ticket);
    }

    /// Notes that a request that was taken has ended, whatever came of it.
    pub(super) fn ended(&self, plan: &Prepared, load: &Load, ticket: &Ticket, end: At) {
        self.runs.borrow_mut().ended(plan, load, ticket, end);
        self.changed.notify_waiters();
    }

    /// Requests that are ready and were not taken, at most `most`.
    pub(super) fn queued(
        &self,
        plan: &Prepared,
        load: &Load,
        now: At,
        stop: At,
        most: usize,
    ) -> usize {
        self.runs.borrow().queued(plan, load, now, stop, most)
    }

    /// Hands a captured value to `read`, or none where there is none.
    pub(super) fn value<R>(
        &self,
        ticket: &Ticket,
        source: Source,
        read: impl FnOnce(Option<&str>) -> R,
    ) -> R {
        match source {
            Source::Login(slot) => read(self.state.borrow().of_login(slot)),
            Source::Session(slot) => {
                let runs = self.runs.borrow();
                read(runs.captures(ticket).and_then(|captures| captures.get(slot)))
            }
        }
    }

    /// Whether its login was refused, or that of another user with its account.
    pub(super) fn is_refused(&self) -> bool {
        let account = self.account.as_ref();
        self.state.borrow().login_refused || account.is_some_and(|account| account.is_refused())
    }

    /// Notes that it cannot log in; returns whether that is news.
    pub(super) fn refuse(&self) -> bool {
        if let Some(account) = &self.account {
            account.refuse();
        }
        !std::mem::replace(&mut self.state.borrow_mut().login_refused, true)
    }

    /// Which user it is, where one takes the place of another.
    pub(super) fn generation(&self) -> u64 {
        self.state.borrow().generation
    }

    /// Which login it is that the user has.
    pub(super) fn login_generation(&self) -> u64 {
        self.state.borrow().login_generation
    }

    /// Notes that what its login gave was renewed.
    pub(super) fn note_renewal(&self) {
        self.state.borrow_mut().login_generation += 1;
    }

    /// Notes how long what its login gave is good for.
    pub(super) fn expires(&self, expiry: Expiry) {
        self.state.borrow_mut().expiry = Some(expiry);
    }

    /// When what its login gave is to be renewed, and when it is over, where that is known.
    pub(super) fn token_end(&self) -> Option<TokenEnd> {
        let state = self.state.borrow();
        let expiry = state.expiry?;
        let drawn = stable_hash(&(self.draw ^ state.login_generation).to_le_bytes());
        // The upper 53 bits, as a fraction.
        let draw = (drawn >> 11) as f64 / (1_u64 << 53) as f64;
        Some(TokenEnd { renew: expiry.renew_from(draw), over: expiry.at })
    }

    /// Notes that a renewed token did not help at this endpoint: it refuses the user for another
    /// reason, and renewing for it again would only be load.
    pub(super) fn bar(&self, endpoint: usize) {
        self.state.borrow_mut().barred.push(endpoint);
    }

    pub(super) fn is_barred(&self, endpoint: usize) -> bool {
        self.state.borrow().barred.contains(&endpoint)
    }

    /// Notes that the target failed a request: what its answer would have given and the user has
    /// not is missing by the target's fault.
    pub(super) fn deny(&self, ticket: &Ticket, request: &Request) {
        let (mut state, mut runs) = (self.state.borrow_mut(), self.runs.borrow_mut());
        for capture in &request.captures {
            match capture.into {
                Source::Login(slot) => state.login.deny(slot),
                Source::Session(slot) => {
                    if let Some(captures) = runs.captures_mut(ticket) {
                        captures.deny(slot);
                    }
                }
            }
        }
    }

    /// Whether a request lacks a value that the target should have given, and failed to.
    pub(super) fn is_denied(&self, ticket: &Ticket, request: &Request) -> bool {
        let (state, runs) = (self.state.borrow(), self.runs.borrow());
        request.template.captured().any(|source| match source {
            Source::Login(slot) => state.login.is_denied(slot),
            Source::Session(slot) => {
                runs.captures(ticket).is_some_and(|captures| captures.is_denied(slot))
            }
        })
    }

    /// Notes a secret, to be known again wherever the target quotes it.
    pub(super) fn remember(&self, secret: &str) {
        self.state.borrow_mut().remembered.add(secret);
    }

    /// Keeps a captured value, or forgets the one before where there is none.
    pub(super) fn capture(&self, ticket: &Ticket, into: Source, value: Option<&str>) {
        let (mut state, mut runs) = (self.state.borrow_mut(), self.runs.borrow_mut());
        let (values, slot) = match into {
            Source::Login(slot) => (Some(&mut state.login), slot),
            Source::Session(slot) => (runs.captures_mut(ticket), slot),
        };
        match (values, value) {
            (Some(values), Some(value)) => values.set(slot, value),
            (Some(values), None) => values.clear(slot),
            (None, _) => {}
        }
    }
}

impl State {
    /// A value of its login; where its own prologue was never to give that, one that is the same.
    fn of_login(&self, slot: usize) -> Option<&str> {
        if !self.login.is_unknown(slot) {
            return self.login.get(slot);
        }
        let kind = self.alike.get(slot)?;
        let alike = (0..self.alike.len()).rev().filter(|other| self.alike[*other] == *kind);
        alike.filter_map(|other| self.login.get(other)).next()
    }

    /// Another user takes the place of this one: nothing of it is left.
    fn begin_anew(&mut self) {
        self.login.reset(self.alike.len());
        self.cookies = Jar::default();
        self.login_generation += 1;
        self.expiry = None;
        self.barred.clear();
        self.generation += 1;
    }
}
