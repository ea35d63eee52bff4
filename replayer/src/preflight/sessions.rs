//! One session of each persona, once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::answers::{Answers, Kind, Login, answer};
use super::choose::{self, Chosen, Extent};
use super::error::PreflightError;
use super::heard::{Heard, Listening};
use super::limiter::Limits;
use super::table::State;
use crate::engine::{EngineError, Http, Settings, Stop, Transport as _, Worker};
use crate::measure::Sample;
use crate::pacer::Pacer;
use crate::prepare::{Prepared, Request, Session};
use crate::schedule::{Bound, Chain, Ends, PlannedUser, Stay};
use crate::time::{At, Clock};
use run_log::format::ErrorSample;
use run_log::outcome::Outcome;
use scenario::{Load, Pacing, Speed};

/// What was found, as far as it was tried.
#[derive(Debug, Default)]
pub(super) struct Tried {
    /// Requests that went out.
    pub(super) sent: u64,
    /// Those that failed, and had not when they were recorded.
    pub(super) failed: u64,
    pub(super) failures: Vec<(Kind, ErrorSample)>,
    /// Requests that were left out, by endpoint.
    pub(super) not_tried: BTreeMap<String, u64>,
    pub(super) logins: Vec<Login>,
    pub(super) reads: Answers,
    pub(super) writes: Answers,
    pub(super) limits: Limits,
    pub(super) heard: Rc<RefCell<Heard>>,
}

/// Runs the first session of each persona, as far as `extent` allows: without think times, one
/// request after another. Where nothing may be sent, the target is connected to.
///
/// # Errors
/// When the target does not answer at all, or refuses a login that was recorded as good.
pub(super) async fn try_each(
    plan: &Arc<Prepared>,
    settings: &Settings,
    http: &Http,
    extent: Extent,
    tried: &mut Tried,
) -> Result<(), PreflightError> {
    let settings = Arc::new(Settings {
        // What is sent here is extra.
        budget: None,
        // Every one of them is shown.
        error_samples: usize::MAX,
        excuses_recorded: true,
        // An audit is of the run's own requests.
        marking: None,
        load: Load {
            pacing: Pacing::Closed,
            speed: Speed::WITHOUT_WAITS,
            stop_on: None,
            max_requests: None,
            recovery: None,
            ..settings.load.clone()
        },
        ..settings.clone()
    });
    let listening = Listening { http: http.clone(), heard: Rc::clone(&tried.heard) };
    let mut is_asked = false;
    for persona in 0..plan.personas.len() {
        let Some(chosen) = choose::first_session(plan, persona, extent) else { continue };
        let Chosen { plan: of_one, not_tried, has_login } = chosen;
        for endpoint in not_tried {
            *tried.not_tried.entry(plan.endpoints[endpoint].clone()).or_default() += 1;
        }
        let mut refusal = None;
        if !of_one.sessions[0].offsets.is_empty() {
            is_asked = true;
            let of_one = Arc::new(of_one);
            refusal = run_one(&of_one, &settings, &listening, persona, tried).await?;
        }
        let name = plan.personas[persona].name.clone();
        let account = settings.accounts[persona].first().map(|account| account.name.clone());
        if let Some(is_tried) = has_login {
            tried.logins.push(Login {
                persona: name.clone(),
                account: account.clone(),
                state: match &refusal {
                    Some(_) => State::Failed,
                    None if is_tried => State::Good,
                    None => State::NotTried,
                },
                answer: refusal
                    .as_ref()
                    .map(|Refusal { endpoint, answer }| format!("{endpoint} answered {answer}")),
            });
        }
        if let Some(Refusal { endpoint, answer }) = refusal {
            let account = account.unwrap_or_else(|| "none".to_owned());
            return Err(PreflightError::LoginRefused { persona: name, account, endpoint, answer });
        }
    }
    if !is_asked {
        let by = Instant::now() + settings.connect_timeout;
        let opened = listening.connect(by).await;
        opened.map_err(|_| no_answer(http, Outcome::ConnectFailed.name()))?;
    }
    Ok(())
}

fn no_answer(http: &Http, outcome: String) -> PreflightError {
    PreflightError::NoAnswer { target: http.destination.authority().to_owned(), outcome }
}

/// How a login was refused.
struct Refusal {
    endpoint: String,
    answer: String,
}

/// Runs the only session of the plan, and notes what came of it.
///
/// # Errors
/// When nothing of it is answered, or the engine fails.
async fn run_one(
    plan: &Arc<Prepared>,
    settings: &Arc<Settings>,
    listening: &Listening,
    persona: usize,
    tried: &mut Tried,
) -> Result<Option<Refusal>, PreflightError> {
    let Found { samples, errors, is_refused } =
        samples(plan, settings, listening, persona, tried).await?;
    let kinds = kinds(plan);
    let kind_of = |endpoint: &str| {
        let of = plan.endpoints.iter().position(|name| name == endpoint);
        of.and_then(|of| kinds.get(&of).copied()).unwrap_or(Kind::Write)
    };
    let names = samples
        .iter()
        .map(|sample| (plan.endpoints[usize::from(sample.endpoint)].as_str(), sample.status));
    let heard = std::mem::take(&mut tried.heard.borrow_mut().limited);
    tried.limits.note(heard, names);
    tried.failed += samples.iter().filter(|sample| sample.is_failed).count() as u64;
    let refusal = is_refused.then(|| match errors.first() {
        Some(error) => Refusal { endpoint: error.endpoint.clone(), answer: answer(error) },
        None => Refusal { endpoint: String::new(), answer: "nothing".to_owned() },
    });
    tried.failures.extend(errors.into_iter().map(|error| (kind_of(&error.endpoint), error)));
    let is_answered = |sample: &Sample| sample.outcome == Outcome::Completed;
    if !samples.iter().any(is_answered) {
        // What comes after it may lack what it would have given.
        let outcome = samples.first().map_or_else(String::new, |sample| sample.outcome.name());
        return Err(no_answer(&listening.http, outcome));
    }
    for sample in &samples {
        // What lacks what a login gives says nothing of the target.
        match kinds.get(&usize::from(sample.endpoint)) {
            _ if is_refused => {}
            Some(Kind::Read) => tried.reads.add(sample),
            Some(Kind::Write) => tried.writes.add(sample),
            Some(Kind::Login) | None => {}
        }
    }
    Ok(refusal)
}

/// What a session's requests are, by their endpoints.
fn kinds(plan: &Prepared) -> BTreeMap<usize, Kind> {
    let Session { body, prologue, .. } = &plan.sessions[0];
    let requests = body.held().iter().enumerate();
    let kind = |(index, request): (usize, &Request)| match request.is_safe {
        true => (request.endpoint, Kind::Read),
        false if index < *prologue => (request.endpoint, Kind::Login),
        false => (request.endpoint, Kind::Write),
    };
    requests.map(kind).collect()
}

/// What a worker said of a session.
#[derive(Default)]
struct Found {
    samples: Vec<Sample>,
    errors: Vec<ErrorSample>,
    is_refused: bool,
}

async fn samples(
    plan: &Arc<Prepared>,
    settings: &Arc<Settings>,
    listening: &Listening,
    persona: usize,
    tried: &mut Tried,
) -> Result<Found, PreflightError> {
    let user = PlannedUser {
        persona,
        ordinal: 0,
        start: At::START,
        chain: Chain::Once { session: 0 },
        bound: Bound::NONE,
        stay: Stay::WithLoad,
    };
    let clock = Clock::starting(Instant::now());
    let pacer = Pacer::new(clock).map_err(PreflightError::Timer)?;
    let worker = Worker::new(
        0,
        Arc::clone(plan),
        Arc::clone(settings),
        clock,
        pacer,
        listening.clone(),
        Ends::at(At::NEVER),
    );
    let (_stop, stopped) = watch::channel(Stop { ends: Ends::at(At::NEVER), now: false });
    let (batches, mut received) = mpsc::channel(4);
    let (_spare, spare_taken) = std::sync::mpsc::channel();
    let running = async move { worker.run(vec![user], None, stopped, batches, spare_taken).await };
    let collecting = async {
        let mut found = Found::default();
        let mut panicked = false;
        while let Some(batch) = received.recv().await {
            panicked |= batch.panicked;
            found.is_refused |= batch.logins_failed > 0;
            tried.sent += batch.sent + batch.extra.sum();
            found.samples.extend(batch.samples);
            found.errors.extend(batch.errors);
        }
        if panicked { Err(EngineError::panicked().into()) } else { Ok(found) }
    };
    tokio::join!(running, collecting).1
}
