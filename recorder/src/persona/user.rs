//! One simulated user: logs in once, then does tasks and waits in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use generate::{Generators, Stream};
use manifest::format::Account;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use reqwest::Client;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use super::capture::Variables;
use super::collect::PersonaExchange;
use super::error::RecordError;
use super::render::{RenderContext, RenderError, Rendered, render};
use super::rewritten::rewrite;
use super::script::{Persona, Step, Task};
use super::send::{Received, Target, send};
use super::stored::clean;
use super::tasks::TaskCounts;
use redact::{Known, Names, Redactor};
use rewrites::{Rewrites, Traps};
use trace::format::{Answer, Body, Capture, RecordedError, RecordedResult, Request};

/// What all users share.
pub(super) struct Stage {
    pub(super) target: Target,
    pub(super) generators: Generators,
    pub(super) seed: u64,
    /// Monotonic time 0 of the recording.
    pub(super) started: Instant,
    /// Begins every session's name, so that recordings can be merged.
    pub(super) prefix: String,
    pub(super) exchanges: Sender<PersonaExchange>,
    /// No further request is begun.
    pub(super) stop: CancellationToken,
    /// No answer is waited for any longer.
    pub(super) abandon: CancellationToken,
    /// How many more requests may be sent; none for any number.
    pub(super) left: Option<AtomicU64>,
    /// What is sent in the place of what the steps say.
    pub(super) rewrites: Option<Arc<Rewrites>>,
    pub(super) traps: Traps,
    pub(super) tasks: Arc<TaskCounts>,
}

impl Stage {
    /// Whether one more request may be sent. The user that sends the last one ends the recording.
    fn may_send(&self) -> bool {
        if self.stop.is_cancelled() {
            return false;
        }
        let Some(left) = &self.left else { return true };
        // Relaxed: no other memory depends on it.
        let taken =
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if taken == Ok(1) {
            self.stop.cancel();
        }
        taken.is_ok()
    }
}

pub(super) struct User {
    pub(super) stage: Arc<Stage>,
    pub(super) client: Client,
    /// From 1, in the order of starting.
    pub(super) number: u32,
    pub(super) persona_index: usize,
    pub(super) persona: Arc<Persona>,
    pub(super) account: Account,
}

/// A session under way.
struct Session<'a> {
    user: &'a User,
    name: String,
    /// Number of requests sent.
    sent: u64,
    login: Variables,
    task: Variables,
    payloads: Stream,
    fresh: Stream,
}

/// Where in a session a step is done.
#[derive(Clone, Copy)]
struct StepPosition {
    /// Number of the task, from 1.
    turn: u64,
    /// Index of the step in the task.
    step: usize,
}

/// The turn that comes before all tasks.
const LOGIN: u64 = 0;

/// Why a session ends before its time.
enum End {
    /// The recording is over.
    Stopped,
    Failed(RecordError),
}

impl User {
    /// Runs from `start` until the recording is stopped.
    pub(super) async fn run(self, start: Duration) -> Result<(), RecordError> {
        tokio::select! {
            () = self.stage.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep_until((self.stage.started + start).into()) => {}
        }
        match self.session().await {
            Err(End::Failed(error)) => Err(error),
            Ok(()) | Err(End::Stopped) => Ok(()),
        }
    }

    async fn session(&self) -> Result<(), End> {
        let stage = &*self.stage;
        let number = self.number.to_string();
        let stream =
            |what| Stream::new(stage.seed, &["recorder", &self.persona.name, &number, what]);
        let mut decisions = stream("decisions").at(0);
        let mut session = Session {
            user: self,
            name: format!("{}-{number}", stage.prefix),
            sent: 0,
            login: Variables::new(),
            task: Variables::new(),
            payloads: stream("payloads"),
            fresh: stream("fresh"),
        };
        session.log_in().await?;
        for turn in 1.. {
            let task = choose(&self.persona.tasks, &mut decisions);
            session.do_task(task, turn).await?;
            let (least, most) = (self.persona.wait.start(), self.persona.wait.end());
            // Waits are far below the 580,000 years that do not fit.
            let wait = decisions.random_range(least.as_micros() as u64..=most.as_micros() as u64);
            tokio::select! {
                () = stage.stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(Duration::from_micros(wait)) => {}
            }
        }
        Ok(())
    }
}

/// One of the tasks, by weight.
fn choose<'a>(tasks: &'a [Task], decisions: &mut ChaCha8Rng) -> &'a Task {
    let total: u64 = tasks.iter().map(|task| u64::from(task.weight)).sum();
    let mut left = decisions.random_range(0..total);
    for task in tasks {
        match left.checked_sub(task.weight.into()) {
            Some(less) => left = less,
            None => return task,
        }
    }
    unreachable!("the number drawn is below the sum of the weights")
}

impl Session<'_> {
    async fn log_in(&mut self) -> Result<(), End> {
        let user = self.user;
        for (index, step) in user.persona.login.iter().enumerate() {
            let position = StepPosition { turn: LOGIN, step: index };
            let Some((received, captured)) = self.exchange(step, position).await? else { continue };
            let why = match &received {
                Received::Answer { status, body, .. } if *status >= 400 => {
                    let answer = self.without_secrets(body);
                    let traps = user.stage.traps.shown_by(&step.name, *status);
                    let traps: String = traps.iter().map(|trap| format!("; {trap}")).collect();
                    format!("was answered {status} {answer}{traps}")
                }
                Received::Answer { .. } => {
                    match step.captures.iter().find(|r| !captured.contains_key(&r.name)) {
                        Some(rule) => format!("was answered without a value at {}", rule.pointer),
                        None => {
                            self.login.extend(captured);
                            continue;
                        }
                    }
                }
                // The grace period at the end is over, which is not the server's fault.
                Received::Failed { error: None, .. } => return Err(End::Stopped),
                Received::Failed { error: Some(error), .. } => {
                    format!("got no answer: {}", innermost(error))
                }
            };
            return Err(End::Failed(RecordError::Login {
                persona: user.persona.name.clone(),
                account: user.account.name.clone(),
                request: step.name.clone(),
                why,
            }));
        }
        Ok(())
    }

    /// An answer as a message may show it.
    fn without_secrets(&self, answer: &[u8]) -> String {
        Redactor { names: &Names::default(), known: &self.known() }.message(answer)
    }

    /// What this user alone may know, and what rewrites take from the environment.
    fn known(&self) -> Known {
        let mut known = Known::of(&self.user.account);
        let captured = self.login.values().chain(self.task.values());
        for captured in captured.filter(|captured| captured.secret) {
            known.add(captured.text.as_str().into());
        }
        let rewrites = self.user.stage.rewrites.iter();
        for secret in rewrites.flat_map(|rewrites| rewrites.secrets().values()) {
            known.add(secret.expose().into());
        }
        known
    }

    /// Does the steps of a task, up to one that needs a value which no answer had.
    async fn do_task(&mut self, task: &Task, turn: u64) -> Result<(), End> {
        self.task.clear();
        let mut missing = None;
        for (index, step) in task.steps.iter().enumerate() {
            let has =
                |name: &&String| self.task.contains_key(*name) || self.login.contains_key(*name);
            if let Some(name) = step.needs.iter().find(|name| !has(name)) {
                let gives = |step: &&Step| step.captures.iter().any(|rule| rule.name == *name);
                let before = task.steps[..index].iter().chain(&self.user.persona.login);
                let giver = before.rev().find(gives).map_or("nothing", |step| &step.name);
                missing = Some(format!("{giver} gave no {name}"));
                break;
            }
            let position = StepPosition { turn, step: index };
            if let Some((_, captured)) = self.exchange(step, position).await? {
                self.task.extend(captured);
            }
        }
        self.user.stage.tasks.over(&self.user.persona.name, &task.name, missing);
        Ok(())
    }

    /// Sends a step's request and hands the exchange over; nothing where a rewrite drops it. Captures
    /// are those of a success.
    async fn exchange(
        &mut self,
        step: &Step,
        position: StepPosition,
    ) -> Result<Option<(Received, Variables)>, End> {
        let user = self.user;
        let stage = &*user.stage;
        if stage.stop.is_cancelled() {
            return Err(End::Stopped);
        }
        let id = format!("{}-{}", self.name, self.sent + 1);
        let rendered = self.render(step, position, &id).map_err(End::Failed)?;
        let Some(rendered) = rendered else { return Ok(None) };
        if !stage.may_send() {
            return Err(End::Stopped);
        }
        self.sent += 1;
        let request = stage.target.request(&rendered.method, &rendered).ok_or_else(|| {
            End::Failed(RecordError::Request {
                request: step.name.clone(),
                why: "a value in it cannot stand in a path or header".to_owned(),
            })
        })?;

        let at = stage.started.elapsed();
        let received = send(&user.client, request, &stage.abandon).await;

        let json = received.json();
        let (mut captured, mut capture) = (Variables::new(), Vec::new());
        if let (Received::Answer { status: ..400, .. }, Some(json)) = (&received, &json) {
            for rule in &step.captures {
                if let Some((value, from)) = rule.take(json, &id) {
                    captured.insert(rule.name.clone(), value);
                    capture.push(from);
                }
            }
        }
        let request = Request {
            id,
            at: micros(at),
            session: self.name.clone(),
            persona: Some(user.persona.name.clone()),
            account: Some(user.account.name.clone()),
            name: step.name.clone(),
            http: "1.1".to_owned(),
            method: rendered.method.to_string(),
            path: rendered.path.stored,
            headers: rendered.headers.into_iter().map(|(name, v)| (name, v.stored)).collect(),
            body: rendered.body.map(|body| Body::Text(body.stored)),
            bind: rendered.bind,
            after: Vec::new(),
            prologue: position.turn == LOGIN,
            result: result(&received, capture),
        };
        let names = Names::default();
        let shape = received.shape(Redactor { names: &names, known: &self.known() });
        let answer = match &received {
            Received::Answer { status: 400.., body, .. } => Some(self.without_secrets(body)),
            _ => None,
        };
        let exchange = PersonaExchange { persona: user.persona_index, request, shape, answer };
        // The collector is gone where it could not write; it reports the reason itself.
        stage.exchanges.send(exchange).await.map_err(|_| End::Stopped)?;
        Ok(Some((received, captured)))
    }

    fn render(
        &self,
        step: &Step,
        position: StepPosition,
        id: &str,
    ) -> Result<Option<Rendered>, RecordError> {
        let values = RenderContext {
            account: &self.user.account,
            login: &self.login,
            task: &self.task,
            now: Utc::now(),
            id,
        };
        // Each step of each turn draws from a position of its own, whatever earlier answers were.
        let draw = (position.turn << 16) + position.step as u64;
        let mut fresh = self.fresh.at(draw);
        let generators = &self.user.stage.generators;
        let failed = |error: RenderError| RecordError::Request {
            request: step.name.clone(),
            why: error.to_string(),
        };
        let rendered = generators
            .draw(&self.payloads, draw, || render(step, &values, &mut fresh))
            .map_err(failed)?;
        let rendered = match &self.user.stage.rewrites {
            Some(rewrites) => {
                let who = (self.user.persona.name.as_str(), id);
                rewrite(rewrites, step, who, position.turn == LOGIN, rendered).map_err(failed)?
            }
            None => Some(rendered),
        };
        Ok(rendered.map(|mut rendered| {
            clean(&mut rendered, &values);
            rendered
        }))
    }
}

fn result(received: &Received, capture: Vec<Capture>) -> RecordedResult {
    match received {
        Received::Answer { status, header, total, size, .. } => RecordedResult::Answer(Answer {
            status: *status,
            header_us: micros(*header),
            total_us: micros(*total),
            size: *size,
            // The journal gives its digest.
            shape: None,
            capture,
            body: None,
        }),
        Received::Failed { kind, after, .. } => {
            RecordedResult::Error(RecordedError { kind: kind.clone(), after_us: micros(*after) })
        }
    }
}

/// Microseconds; no recording is 580,000 years long.
fn micros(duration: Duration) -> u64 {
    duration.as_micros() as u64
}

/// The cause at the bottom, such as "connection refused": the levels above repeat themselves.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
