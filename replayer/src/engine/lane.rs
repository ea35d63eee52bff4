//! One connection's worth of a user: takes the next request, waits for it to
//! be ready, sends it, and notes what became of it.

use std::rc::Rc;
use std::time::Duration;

use trace::shape::Shape;

use super::answer::{Answer, Wanted};
use super::attempt::{Attempt, Times};
use super::redact::redact;
use super::render::render;
use super::renew::{Renewal, is_refusal, renew};
use super::transport::Transport;
use super::user::{Next, Ticket, User};
use super::worker::{Buffers, FidelityMode, Worker};
use crate::measure::{FidelityCheck, Sample};
use crate::pacer::Alarm;
use crate::prepare::{CaptureFrom, Request};
use crate::time::At;
use run_log::format::ErrorSample;
use run_log::outcome::Outcome;
use scenario::Pacing;

/// Bytes kept of a failing answer.
const SAMPLE_BYTES: usize = 2048;

/// Works for a user until nothing is left of his plan.
pub(super) async fn run_lane<T: Transport>(worker: Rc<Worker<T>>, user: Rc<User>) {
    let alarm = Alarm::of(&worker.pacer);
    let mut lane = Lane { worker: &worker, user: &user, connection: None, generation: 0, alarm };
    loop {
        let now = worker.clock.now();
        let load = &worker.settings.load;
        match user.take_next(&worker.plan, load, now, worker.stop()) {
            Next::Take(ticket) => {
                if !lane.serve(&ticket, now).await {
                    user.put_back(&ticket);
                    break;
                }
            }
            Next::Wait { until } => lane.wait_for_others(until).await,
            Next::Done => break,
        }
    }
    // Others of this user's lanes may wait for what will not come any more.
    user.changed.notify_waiters();
}

pub(super) struct Lane<'a, T: Transport> {
    pub worker: &'a Rc<Worker<T>>,
    pub user: &'a Rc<User>,
    pub connection: Option<T::Connection>,
    /// Of the user whom the connection belongs to, where users are replaced.
    pub generation: u64,
    /// Goes off when an exchange takes too long.
    pub alarm: Alarm<'a>,
}

/// How a request was released.
#[derive(Clone, Copy)]
struct Release {
    /// When the lane began with it.
    taken: At,
    /// Whether the lane slept until it was ready, so that being late is the generator's fault.
    slept: bool,
    /// His token is over, and there is no new one.
    has_no_token: bool,
}

impl<T: Transport> Lane<'_, T> {
    async fn wait_for_others(&self, until: At) {
        let changed = self.user.changed.notified();
        let stopped = self.worker.stop_changed.notified();
        if until == At::NEVER {
            tokio::select! { () = changed => {}, () = stopped => {} }
        } else {
            tokio::select! {
                () = changed => {},
                () = stopped => {},
                () = self.worker.pacer.until(until) => {},
            }
        }
    }

    /// Sees a request through to its outcome; false if it is not part of the plan any more.
    async fn serve(&mut self, ticket: &Ticket, now: At) -> bool {
        let requests = self.user.requests(ticket);
        let request = &requests[ticket.request];
        let Some(release) = self.release(ticket, request, now).await else { return false };
        let worker = self.worker;
        if !worker.may_begin() {
            return false;
        }
        worker.count(|batch| batch.taken += 1);
        if worker.is_cut() {
            self.finish(
                ticket,
                request,
                release,
                &Attempt::unsent(Outcome::CutOff, release.taken),
                None,
            );
            return true;
        }
        if self.is_over_the_bound(release.taken) {
            self.finish(
                ticket,
                request,
                release,
                &Attempt::unsent(Outcome::Shed, release.taken),
                None,
            );
            return true;
        }
        let mut buffers = worker.lend_buffers();
        self.send(ticket, request, release, &mut buffers).await;
        worker.give_back(buffers);
        true
    }

    /// Waits until the request is ready.
    async fn release(
        &mut self,
        ticket: &Ticket,
        request: &Request,
        mut now: At,
    ) -> Option<Release> {
        let (worker, user) = (self.worker, self.user);
        let (mut slept, mut has_no_token, mut is_renewed) = (false, false, false);
        loop {
            if !worker.is_planned(ticket) {
                return None;
            }
            let token = request.has_token.then(|| user.token_end()).flatten();
            let generation = user.state.borrow().login_generation;
            if now >= ticket.ready || worker.is_cut() {
                let is_over = token.is_some_and(|token| token.over <= now);
                if !is_over || has_no_token || worker.is_cut() {
                    return Some(Release { taken: now, slept, has_no_token });
                }
                has_no_token = renew(self, ticket, generation, None).await != Renewal::Done;
                slept = false;
                now = worker.clock.now();
                continue;
            }
            // By closed pacing nothing is sent after the end, however long the think time.
            let until = match worker.settings.load.pacing {
                Pacing::Open => ticket.ready,
                Pacing::Closed => ticket.ready.min(worker.stop()),
            };
            match token.filter(|token| token.renew < until.min(worker.stop()) && !is_renewed) {
                Some(token) if token.renew <= now => {
                    renew(self, ticket, generation, Some(until)).await;
                    // Once for a request: what fails is seen to when it is ready.
                    (is_renewed, slept) = (true, false);
                }
                Some(token) => {
                    slept = true;
                    worker.pacer.until(token.renew).await;
                }
                None => {
                    slept = true;
                    worker.pacer.until(until).await;
                }
            }
            now = worker.clock.now();
        }
    }

    /// Whether more of this user's requests are ready than may queue.
    fn is_over_the_bound(&self, now: At) -> bool {
        let (plan, settings) = (&self.worker.plan, &self.worker.settings);
        let bound = settings.max_queue;
        settings.load.pacing == Pacing::Open
            && self.user.queued(plan, &settings.load, now, self.worker.stop(), bound) >= bound
    }

    async fn send(
        &mut self,
        ticket: &Ticket,
        request: &Request,
        release: Release,
        buffers: &mut Buffers,
    ) {
        let worker = self.worker;
        let login = self.user.state.borrow().login_generation;
        let in_prologue = ticket.request < worker.plan.sessions[ticket.run.session].prologue;
        // Accounts lock: what was refused once is not tried again by others who have it.
        let is_refused = in_prologue && self.user.is_refused();
        if is_refused && self.user.refuse() {
            worker.count(|batch| batch.logins_refused += 1);
        }
        if is_refused || render(worker, self.user, ticket, request, buffers).is_err() {
            let attempt = Attempt::unsent(Outcome::Unbound, release.taken);
            self.finish(ticket, request, release, &attempt, None);
            return;
        }
        let wanted = self.wanted(request);
        let body = std::mem::take(&mut buffers.answer_body);
        let taken = release.taken;
        let mut answer = Answer::new(wanted, body, self.user, ticket, request, worker, taken);
        let timeout = worker.settings.request_timeout;
        let times = Times { begun: taken, deadline: taken + timeout };
        let mut attempt = self.exchange(request, &buffers.request, &mut answer, times).await;
        let mut times_sent = u64::from(attempt.first_byte_sent.is_some());
        if attempt.was_stale && request.idempotent {
            let again = Times { begun: attempt.end, ..times };
            attempt = self.exchange(request, &buffers.request, &mut answer, again).await;
            times_sent += u64::from(attempt.first_byte_sent.is_some());
        }
        let refuses_token = token_expired(request, &attempt)
            && !release.has_no_token
            && !self.user.is_barred(request.endpoint);
        if refuses_token {
            let renewal = renew(self, ticket, login, None).await;
            if worker.is_cut() {
                attempt.outcome = Outcome::CutOff;
                attempt.end = worker.clock.now();
            } else if renewal == Renewal::Done
                && render(worker, self.user, ticket, request, buffers).is_ok()
            {
                // It waited for the login, which is none of the target's time for it.
                let begun = worker.clock.now();
                let times = Times { begun, deadline: begun + timeout };
                attempt = self.exchange(request, &buffers.request, &mut answer, times).await;
                times_sent += u64::from(attempt.first_byte_sent.is_some());
                if token_expired(request, &attempt) {
                    self.user.bar(request.endpoint);
                }
            }
        }
        worker.count(|batch| {
            batch.sent += times_sent.min(1);
            batch.extra.retries += times_sent.saturating_sub(1);
        });
        self.finish(ticket, request, release, &attempt, Some(&answer));
        buffers.answer_body = answer.body;
    }

    /// How much of the answer's body is needed.
    fn wanted(&self, request: &Request) -> Wanted {
        let from_body =
            |from: &CaptureFrom| matches!(from, CaptureFrom::Json { .. } | CaptureFrom::Form(_));
        let compares = self.worker.settings.fidelity == FidelityMode::StatusAndShape;
        if compares || request.captures.iter().any(|capture| from_body(&capture.from)) {
            Wanted::Whole
        } else if self.worker.wants_error(request.endpoint) {
            Wanted::FailureSample { bytes: SAMPLE_BYTES }
        } else {
            Wanted::Nothing
        }
    }

    /// Captures, compares, counts, and tells those who wait.
    fn finish(
        &self,
        ticket: &Ticket,
        request: &Request,
        release: Release,
        attempt: &Attempt,
        answer: Option<&Answer<'_>>,
    ) {
        let worker = self.worker;
        let is_failed = worker.is_failure(request.endpoint, attempt.outcome, attempt.status);
        let answer = answer.filter(|_| attempt.is_completed());
        let is_rebound = answer.is_some_and(Answer::capture);
        let session = &worker.plan.sessions[ticket.run.session];
        if session.refresh == Some(ticket.request) && !is_failed && answer.is_some() {
            self.user.state.borrow_mut().login_generation += 1;
        }
        if is_failed {
            self.note_error(request, attempt, answer);
            if is_good_login(ticket, request, worker) {
                worker.count(|batch| batch.logins_failed += 1);
                if is_refusal(attempt) && self.user.refuse() {
                    worker.count(|batch| batch.logins_refused += 1);
                }
            }
        }
        let micros = |duration: Duration| u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
        let waited_from = if release.slept { release.taken } else { ticket.ready };
        let bytes = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        worker.record(Sample {
            endpoint: u16::try_from(request.endpoint).unwrap_or(u16::MAX),
            persona: u16::try_from(self.user.planned.persona).unwrap_or(u16::MAX),
            outcome: attempt.outcome,
            status: attempt.status,
            is_failed,
            was_sent: attempt.first_byte_sent.is_some(),
            second: u32::try_from(attempt.end.second()).unwrap_or(u32::MAX),
            response_us: micros(attempt.end.since(ticket.ready)),
            service_us: attempt.first_byte_sent.map(|sent| micros(attempt.end.since(sent))),
            queue_us: attempt.connected.map_or(0, |at| micros(at.since(waited_from))),
            connect_us: attempt.connect.map(micros),
            session_delay_us: ticket.due.map(|due| micros(ticket.ready.since(due))),
            lag_us: release.slept.then(|| micros(release.taken.since(ticket.ready))),
            bytes_sent: bytes(attempt.bytes_sent),
            bytes_received: bytes(attempt.bytes_received),
            body_bytes: bytes(attempt.body_bytes),
            fidelity: self.compare(request, attempt, answer),
            is_rebound,
        });
        self.user.ended(&worker.plan, &worker.settings.load, ticket, attempt.end);
    }

    fn compare(
        &self,
        request: &Request,
        attempt: &Attempt,
        answer: Option<&Answer<'_>>,
    ) -> FidelityCheck {
        let Some(recorded) = &request.recorded else { return FidelityCheck::None };
        // What was not answered is not the same, unless it was never to be sent.
        if attempt.outcome == Outcome::CutOff {
            return FidelityCheck::None;
        }
        let same_status = attempt.status == recorded.status;
        if self.worker.settings.fidelity == FidelityMode::Status {
            return FidelityCheck::Status { same: same_status };
        }
        let body = answer.and_then(Answer::decoded);
        let shape =
            body.and_then(|body| serde_json::from_slice(&body).ok()).map(|json| Shape::of(&json));
        let same_shape = match (recorded.shape.map(|index| &self.worker.plan.shapes[index]), shape)
        {
            (Some(recorded), Some(shape)) => recorded.fits(&shape),
            (None, None) => true,
            _ => false,
        };
        FidelityCheck::StatusAndShape { same_status, same_shape }
    }

    fn note_error(&self, request: &Request, attempt: &Attempt, answer: Option<&Answer<'_>>) {
        let worker = self.worker;
        worker.note_error(request.endpoint, || {
            let status = attempt.is_completed().then_some(attempt.status);
            let body = answer.map(|answer| {
                let kept = &answer.body[..answer.body.len().min(SAMPLE_BYTES)];
                redact(&String::from_utf8_lossy(kept), self.user)
            });
            ErrorSample {
                second: attempt.end.second(),
                endpoint: worker.plan.endpoints[request.endpoint].clone(),
                persona: worker.plan.personas[self.user.planned.persona].name.clone(),
                outcome: attempt.outcome.name(),
                status,
                body: body.filter(|body| !body.is_empty()),
            }
        });
    }
}

/// A request of a login that was good when it was recorded.
fn is_good_login<T>(ticket: &Ticket, request: &Request, worker: &Worker<T>) -> bool {
    let in_prologue = ticket.request < worker.plan.sessions[ticket.run.session].prologue;
    in_prologue && request.recorded.as_ref().is_some_and(|recorded| recorded.status < 400)
}

/// A refusal that was not recorded, of a token that once was good.
fn token_expired(request: &Request, attempt: &Attempt) -> bool {
    request.has_token
        && attempt.status == 401
        && request.recorded.as_ref().is_none_or(|recorded| recorded.status != 401)
}
