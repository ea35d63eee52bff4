//! The one task that owns the journal and the counts; users send it exchanges.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use tokio::sync::mpsc::Receiver;
use tokio::time::{Duration, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use rewrites::{Trap, Traps};
use trace::failures::failed;
use trace::format::{RecordedResult, Request};
use trace::journal::Journal;
use trace::shape::Shape;
use trace::writer::WriteError;

/// A persona is not judged by its failures before it made this many requests.
const JUDGED_FROM: u64 = 20;

/// One in this many requests of a persona may fail.
const FAILURES_ONE_IN: u64 = 5;

/// A finished exchange, its shape not yet in the journal.
#[derive(Debug)]
pub(super) struct PersonaExchange {
    /// Index of the persona.
    pub(super) persona: usize,
    pub(super) request: Request,
    pub(super) shape: Option<Shape>,
    /// What may be shown of a failing answer.
    pub(super) answer: Option<String>,
}

/// Gets progress while recording; called from the thread that writes the journal.
pub trait Observer: Send + 'static {
    /// About once a second.
    fn second(&mut self, elapsed: Duration, totals: &Totals);
    /// For each exchange that failed.
    fn failure(&mut self, failure: &Failure<'_>);
}

#[derive(Clone, Debug)]
pub struct Failure<'a> {
    pub persona: &'a str,
    pub endpoint: &'a str,
    /// None where there was no answer.
    pub status: Option<u16>,
    /// What may be shown of the answer.
    pub answer: &'a str,
    /// Known faults that it shows.
    pub traps: Vec<&'a Trap>,
}

/// A kind of failure: what is asked of and what comes back.
#[derive(Clone, Debug, Default)]
pub(super) struct Kind {
    count: u64,
    /// Of the first.
    answer: String,
}

#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Users that began a session.
    pub users: u64,
    pub requests: u64,
    pub failures: u64,
    pub personas: Vec<PersonaTotals>,
}

#[derive(Clone, Debug)]
pub struct PersonaTotals {
    pub name: String,
    /// Users that began a session.
    pub users: u64,
    pub accounts: u64,
    pub requests: u64,
    /// A status of 400 or above, or no answer.
    pub failures: u64,
}

impl PersonaTotals {
    fn fails_too_often(&self) -> bool {
        self.failures * FAILURES_ONE_IN > self.requests
    }
}

/// What the collector leaves behind.
pub(super) struct Collected {
    pub(super) journal: Journal,
    pub(super) totals: Totals,
    /// By persona, what failed most, in words.
    pub(super) mostly: Vec<String>,
}

pub(super) struct Collector {
    pub(super) journal: Journal,
    pub(super) totals: Totals,
    pub(super) started: Instant,
    pub(super) allow_failures: bool,
    /// Cancelled when failures are too many.
    pub(super) stop: CancellationToken,
    pub(super) observer: Box<dyn Observer>,
    pub(super) sessions: HashSet<String>,
    pub(super) traps: Traps,
    /// By persona, route and status; bounded by the steps of the personas file.
    pub(super) kinds: BTreeMap<(usize, String, Option<u16>), Kind>,
}

impl Collector {
    /// Takes exchanges until the last sender is gone.
    pub(super) async fn run(
        mut self,
        mut exchanges: Receiver<PersonaExchange>,
    ) -> Result<Collected, WriteError> {
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Skip);
        second.tick().await;
        loop {
            let flush_due = self.journal.flush_due();
            let flush = async {
                match flush_due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                exchange = exchanges.recv() => match exchange {
                    Some(exchange) => self.take(exchange)?,
                    None => break,
                },
                () = flush => self.journal.flush()?,
                _ = second.tick() => self.observer.second(self.started.elapsed(), &self.totals),
            }
        }
        let mostly = (0..self.totals.personas.len()).map(|persona| self.mostly(persona)).collect();
        Ok(Collected { journal: self.journal, totals: self.totals, mostly })
    }

    fn take(&mut self, exchange: PersonaExchange) -> Result<(), WriteError> {
        let PersonaExchange { persona, mut request, shape, answer } = exchange;
        let status = match &mut request.result {
            RecordedResult::Answer(answer) => {
                if let Some(shape) = shape {
                    answer.shape = Some(self.journal.shape(shape)?);
                }
                Some(answer.status)
            }
            RecordedResult::Error(_) => None,
        };
        let is_failure = failed(&request.result).is_some();
        self.journal.append(&request)?;

        let totals = &mut self.totals.personas[persona];
        if !self.sessions.contains(&request.session) {
            totals.users += 1;
            self.totals.users += 1;
            self.sessions.insert(request.session.clone());
        }
        totals.requests += 1;
        self.totals.requests += 1;
        if is_failure {
            totals.failures += 1;
            self.totals.failures += 1;
            let name = &totals.name;
            let answer = answer.unwrap_or_default();
            self.observer.failure(&Failure {
                persona: name,
                endpoint: &request.name,
                status,
                answer: &answer,
                traps: status.map_or_else(Vec::new, |of| self.traps.shown_by(&request.name, of)),
            });
            let kind = self.kinds.entry((persona, request.name.clone(), status)).or_default();
            kind.count += 1;
            if kind.count == 1 {
                kind.answer = answer;
            }
            let judged = totals.requests >= JUDGED_FROM && !self.allow_failures;
            if judged && totals.fails_too_often() {
                self.stop.cancel();
            }
        }
        Ok(())
    }
}

impl Collector {
    /// What failed most of a persona, with the first answer, and what is known of it.
    fn mostly(&self, persona: usize) -> String {
        let of_persona = self.kinds.iter().filter(|((of, ..), _)| *of == persona);
        let Some(((_, name, status), kind)) = of_persona.max_by_key(|(_, kind)| kind.count) else {
            return String::new();
        };
        let Kind { count, answer } = kind;
        match status {
            None => format!("{name}, {count} times without an answer"),
            Some(status) => {
                let traps = self.traps.shown_by(name, *status);
                let traps: String = traps.iter().map(|trap| format!("; {trap}")).collect();
                let answered = format!("{name}, {count} times answered {status} {answer}");
                answered.trim_end().to_owned() + &traps
            }
        }
    }
}

impl Totals {
    /// The first persona of whose requests more than a fifth failed.
    pub(super) fn failing(&self) -> Option<(usize, &PersonaTotals)> {
        self.personas.iter().enumerate().find(|(_, persona)| persona.fails_too_often())
    }
}
