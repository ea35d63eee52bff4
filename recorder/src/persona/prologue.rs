//! A persona's login as lines of a trace, for sessions that were recorded without one.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use generate::{Generators, Stream};
use manifest::format::{Account, Manifest};

use super::capture::{Captured, Variables};
use super::error::RecordError;
use super::render::{RenderContext, Rendered};
use super::script::{Persona, Personas, Step};
use super::stored::render;
use trace::format::{Answer, Binding, Body, Capture, CaptureFrom, Part, RecordedResult, Request};

/// Time between two requests of a login.
const STEP_US: u64 = 100_000;

/// The most that a login may begin before its session.
pub const MOST_AHEAD_US: u64 = 5_000_000;

/// Logs sessions in, each as the persona's next account.
pub struct Prologue {
    persona: Arc<Persona>,
    accounts: Vec<Account>,
    generators: Generators,
    payloads: Stream,
    fresh: Stream,
}

/// What every request after the login gets.
pub struct AfterLogin {
    pub persona: String,
    pub account: String,
    pub headers: Vec<(String, String)>,
    /// Bindings of the headers' values; a header is numbered among these headers.
    pub bind: Vec<Binding>,
}

impl Prologue {
    /// Of the persona of this name.
    ///
    /// # Errors
    /// When there is no such persona, it has no login, or the manifest has no account for it.
    pub fn new(
        personas: &Personas,
        name: &str,
        manifest: &Manifest,
        seed: u64,
    ) -> Result<Self, RecordError> {
        let known = || personas.personas.iter().map(|persona| persona.name.as_str());
        let persona = personas.personas.iter().find(|persona| persona.name == name);
        let persona = persona.ok_or_else(|| RecordError::NoPersona {
            persona: name.to_owned(),
            known: known().collect::<Vec<_>>().join(", "),
        })?;
        if persona.login.is_empty() {
            return Err(RecordError::NoLogin { persona: name.to_owned() });
        }
        let accounts = super::cast::accounts_of(persona, manifest)?.into_iter().cloned().collect();
        let stream = |what| Stream::new(seed, &["recorder", name, "login", what]);
        Ok(Self {
            persona: Arc::clone(persona),
            accounts,
            generators: personas.generators.clone(),
            payloads: stream("payloads"),
            fresh: stream("fresh"),
        })
    }

    /// The persona's name.
    pub fn persona(&self) -> &str {
        &self.persona.name
    }

    /// The login of session `number`, which ends before `at` microseconds; at least
    /// [`MOST_AHEAD_US`] must lie before that.
    ///
    /// # Errors
    /// When an expression of the personas file fails.
    pub fn lines(
        &self,
        session: &str,
        number: u64,
        at: u64,
        now: DateTime<Utc>,
    ) -> Result<Vec<Request>, RecordError> {
        let account = self.account(number);
        let mut lines = Vec::with_capacity(self.persona.login.len());
        let steps = self.persona.login.len() as u64;
        let apart = STEP_US.min(MOST_AHEAD_US / steps.max(1));
        for (index, step) in (0..).zip(&self.persona.login) {
            let id = id(session, index);
            let login = self.captured(session, index);
            let rendered = self.render(step, account, &login, number << 8 | index, &id, now)?;
            let capture = step.captures.iter().map(|rule| Capture {
                name: rule.name.clone(),
                from: CaptureFrom::Json { pointer: rule.pointer.clone(), lists: Vec::new() },
                secret: rule.secret,
            });
            lines.push(Request {
                id,
                at: at.saturating_sub((steps - index) * apart),
                session: session.to_owned(),
                persona: Some(self.persona.name.clone()),
                account: Some(account.name.clone()),
                name: step.name.clone(),
                http: "1.1".to_owned(),
                method: step.method.to_string(),
                path: rendered.path.stored,
                headers: rendered.headers.into_iter().map(|(name, v)| (name, v.stored)).collect(),
                body: rendered.body.map(|body| Body::Text(body.stored)),
                bind: rendered.bind,
                after: Vec::new(),
                prologue: true,
                result: RecordedResult::Answer(Answer {
                    status: 200,
                    capture: capture.collect(),
                    ..Answer::default()
                }),
            });
        }
        Ok(lines)
    }

    /// What a request of session `number` gets after the login.
    ///
    /// # Errors
    /// As [`Prologue::lines`].
    pub fn common(
        &self,
        session: &str,
        number: u64,
        now: DateTime<Utc>,
    ) -> Result<AfterLogin, RecordError> {
        let account = self.account(number);
        let login = self.captured(session, self.persona.login.len() as u64);
        let (step, position) = (&self.persona.common, number << 8 | 255);
        let rendered = self.render(step, account, &login, position, session, now)?;
        // The first are the recorder's own.
        let own = rendered.headers.len() - step.headers.len();
        let headers = rendered.headers.into_iter().skip(own).map(|(name, v)| (name, v.stored));
        Ok(AfterLogin {
            persona: self.persona.name.clone(),
            account: account.name.clone(),
            headers: headers.collect(),
            bind: rendered.bind.into_iter().map(|binding| shifted(binding, own)).collect(),
        })
    }

    fn account(&self, number: u64) -> &Account {
        &self.accounts[usize::try_from(number).unwrap_or_default() % self.accounts.len()]
    }

    /// What so many steps of the login have captured; the values are not known.
    fn captured(&self, session: &str, steps: u64) -> Variables {
        let mut captured = Variables::new();
        for (index, step) in (0..steps).zip(&self.persona.login) {
            for rule in &step.captures {
                let value = Captured {
                    of: id(session, index),
                    text: String::new(),
                    is_string: true,
                    secret: rule.secret,
                };
                captured.insert(rule.name.clone(), value);
            }
        }
        captured
    }

    fn render(
        &self,
        step: &Step,
        account: &Account,
        login: &Variables,
        position: u64,
        id: &str,
        now: DateTime<Utc>,
    ) -> Result<Rendered, RecordError> {
        let values = RenderContext { account, login, task: &Variables::new(), now, id };
        let mut fresh = self.fresh.at(position);
        let drawn =
            self.generators.draw(&self.payloads, position, || render(step, &values, &mut fresh));
        drawn.map_err(|error| RecordError::Request {
            request: step.name.clone(),
            why: error.to_string(),
        })
    }
}

fn id(session: &str, index: u64) -> String {
    format!("{session}-login-{}", index + 1)
}

fn shifted(binding: Binding, by: usize) -> Binding {
    let part = match binding.part {
        Part::Header(index) => Part::Header(index - by),
        other => other,
    };
    Binding { part, ..binding }
}
