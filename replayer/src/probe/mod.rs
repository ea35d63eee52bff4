//! One session of each persona, once, before any load.
//!
//! A load test that cannot log in measures refusals. So that nobody finds out
//! afterwards, each persona's first session runs without think times, one request
//! after another, and what fails in it is shown with the target's answer. Unless
//! more is asked for, only that runs of it which changes nothing: see [`choose`].

mod choose;

pub use choose::Extent;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use self::choose::Chosen;
use crate::engine::{EngineError, Http, Settings, Stop, Worker};
use crate::pacer::Pacer;
use crate::prepare::Prepared;
use crate::schedule::{Bound, Chain, PlannedUser};
use crate::time::{At, Clock};
use run_log::format::ErrorSample;
use run_log::outcome::Outcome;
use scenario::{Load, Pacing, Speed};

#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error("no answer from {target}: {outcome}; is the target up?")]
    NoAnswer { target: String, outcome: String },
    #[error("persona {persona} (account {account}) cannot log in: {endpoint} answered {answer}")]
    LoginRefused { persona: String, account: String, endpoint: String, answer: String },
    #[error("cannot set up a timer")]
    Timer(#[source] std::io::Error),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What the probe found.
#[derive(Debug, Default)]
pub struct Probed {
    /// Requests that went out.
    pub sent: u64,
    /// Those that failed, and had not when they were recorded.
    pub failed: u64,
    pub samples: Vec<ErrorSample>,
    /// Requests that were left out, by endpoint.
    pub not_tried: BTreeMap<String, u64>,
}

/// Runs the first session of each persona, as far as `extent` allows.
///
/// # Errors
/// When the target does not answer at all, or refuses a login that was recorded as good.
pub async fn probe(
    plan: &Arc<Prepared>,
    settings: &Settings,
    http: &Http,
    extent: Extent,
) -> Result<Probed, ProbeError> {
    let settings = Settings {
        // What is sent here is extra.
        budget: None,
        // Every one of them is shown.
        error_samples: usize::MAX,
        excuses_recorded: true,
        load: Load {
            pacing: Pacing::Closed,
            speed: Speed::WITHOUT_WAITS,
            stop_on: None,
            max_requests: None,
            ..settings.load.clone()
        },
        ..settings.clone()
    };
    let mut probed = Probed::default();
    for persona in 0..plan.personas.len() {
        let Some(chosen) = choose::first_session(plan, persona, extent) else { continue };
        let Chosen { plan, not_tried } = chosen;
        for endpoint in not_tried {
            *probed.not_tried.entry(plan.endpoints[endpoint].clone()).or_default() += 1;
        }
        if plan.sessions[0].offsets.is_empty() {
            continue;
        }
        let user = PlannedUser {
            persona,
            ordinal: 0,
            start: At::START,
            chain: Chain::Once { session: 0 },
            bound: Bound::NONE,
        };
        run_one(&Arc::new(plan), &settings, http, user, &mut probed).await?;
    }
    Ok(probed)
}

async fn run_one(
    plan: &Arc<Prepared>,
    settings: &Settings,
    http: &Http,
    user: PlannedUser,
    probed: &mut Probed,
) -> Result<(), ProbeError> {
    let clock = Clock::starting(Instant::now());
    let pacer = Pacer::new(clock).map_err(ProbeError::Timer)?;
    let settings = Arc::new(settings.clone());
    let worker = Worker::new(
        0,
        Arc::clone(plan),
        Arc::clone(&settings),
        clock,
        pacer,
        http.clone(),
        At::NEVER,
    );
    let (_stop, stopped) = watch::channel(Stop { at: At::NEVER, now: false });
    let (batches, mut received) = mpsc::channel(4);
    let (_spare, spare_taken) = std::sync::mpsc::channel();
    let running = async move { worker.run(vec![user], None, stopped, batches, spare_taken).await };
    let persona = &plan.personas[user.persona].name;
    let collecting = async {
        let mut found = Found::default();
        while let Some(batch) = received.recv().await {
            found.panicked |= batch.panicked;
            found.refused |= batch.logins_failed > 0;
            probed.sent += batch.sent + batch.extra.sum();
            for sample in &batch.samples {
                probed.failed += u64::from(sample.is_failed);
                found.answered |= sample.outcome == Outcome::Completed;
                if !found.answered {
                    found.outcome = sample.outcome.name();
                }
            }
            probed.samples.extend(batch.errors.iter().cloned());
            found.errors.extend(batch.errors);
        }
        found
    };
    let ((), found) = tokio::join!(running, collecting);
    if found.panicked {
        return Err(EngineError::panicked().into());
    }
    if !found.answered {
        let target = http.destination.authority().to_owned();
        return Err(ProbeError::NoAnswer { target, outcome: found.outcome });
    }
    if found.refused {
        let error = found.errors.first();
        let outcome = error.map_or("nothing", |error| error.outcome.as_str());
        let status = error.and_then(|error| error.status).map(|status| status.to_string());
        let body = error.and_then(|error| error.body.as_deref()).unwrap_or_default();
        let account = settings.accounts[user.persona].first();
        return Err(ProbeError::LoginRefused {
            persona: persona.clone(),
            account: account.map_or_else(|| "none".to_owned(), |account| account.name.clone()),
            endpoint: error.map_or_else(String::new, |error| error.endpoint.clone()),
            answer: format!("{} {body}", status.as_deref().unwrap_or(outcome))
                .trim_end()
                .to_owned(),
        });
    }
    Ok(())
}

#[derive(Default)]
struct Found {
    panicked: bool,
    answered: bool,
    refused: bool,
    /// Of the request that got no answer.
    outcome: String,
    errors: Vec<ErrorSample>,
}
