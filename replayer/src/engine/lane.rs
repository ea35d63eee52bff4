//! One connection's worth of a user: takes the next request, waits for it to
//! be ready, sends it, and notes what became of it.

use std::rc::Rc;
use std::time::Duration;

use super::answer::{Answer, Wanted};
use super::buffers::Buffers;
use super::context::Context;
use super::effects::{Asker, apply_head};
use super::exchange::{Attempt, Sender, Sending, Times};
use super::release::{Next, Ticket};
use super::render::render;
use super::renew::{Renewal, renew};
use super::settings::FidelityMode;
use super::settle::{FAILURE_BYTES, Release, Taken, settle};
use super::transport::Transport;
use super::user::User;
use crate::prepare::Request;
use crate::time::At;
use run_log::outcome::Outcome;
use scenario::Pacing;

/// Works for a user until nothing is left of its plan; `is_alone` where the user has no
/// other lane.
pub(super) async fn run_lane<T: Transport>(
    context: Rc<Context<T>>,
    user: Rc<User>,
    is_alone: bool,
) {
    let sender = Sender::new(&context, user.planned.stay);
    let (free, answered) = (user.planned.start, user.planned.start);
    let mut lane = Lane { context: &context, user: &user, is_alone, sender, free, answered };
    loop {
        let now = context.clock.now();
        let load = &context.settings.load;
        match user.take_next(&context.plan, load, context.stop(user.planned.stay)) {
            Next::Take(ticket) => match lane.serve(&ticket, now).await {
                Ok(()) => {}
                Err(Unserved::Disturbed) => user.put_back(&ticket),
                Err(Unserved::Unplanned) => {
                    user.put_back(&ticket);
                    break;
                }
            },
            Next::Wait => lane.wait_for_others().await,
            Next::Done => break,
        }
    }
    // Other lanes of this user may be waiting for what will no longer come.
    user.changed.notify_waiters();
}

struct Lane<'a, T: Transport> {
    context: &'a Context<T>,
    user: &'a User,
    is_alone: bool,
    sender: Sender<'a, T>,
    /// Since when it could have begun with another request, had the generator lost no time: what
    /// queues behind a delay of its own is delayed by the same.
    free: At,
    /// The same, had renewals taken no time either: what they take is nobody's wait for a connection.
    answered: At,
}

/// Why a request that was taken was not seen through.
enum Unserved {
    /// It is not part of the plan any more.
    Unplanned,
    /// Something of its user ended while the lane waited for it, so that an earlier one may
    /// be ready now.
    Disturbed,
}

impl<T: Transport> Lane<'_, T> {
    /// When its user's intake stops.
    fn stop(&self) -> At {
        self.context.stop(self.user.planned.stay)
    }

    /// Whether what its user has under way is cut off.
    fn is_cut(&self) -> bool {
        self.context.is_cut(self.user.planned.stay)
    }

    async fn wait_for_others(&self) {
        tokio::select! {
            () = self.user.changed.notified() => {},
            () = self.context.stop_changed.notified() => {},
        }
    }

    /// Sleeps until then; false if something of its user ended before.
    async fn sleep(&self, until: At) -> bool {
        let slept = self.context.pacer.until(until);
        if self.is_alone {
            slept.await;
            return true;
        }
        tokio::select! {
            () = self.user.changed.notified() => false,
            () = slept => true,
        }
    }

    /// Sees a request through to its outcome.
    async fn serve(&mut self, ticket: &Ticket, now: At) -> Result<(), Unserved> {
        let requests = self.user.requests(ticket);
        let request = &requests[ticket.request];
        let release = self.release(ticket, request, now).await?;
        let context = self.context;
        if !context.may_begin() {
            return Err(Unserved::Unplanned);
        }
        if !context.is_cut_by(self.user.planned.stay, ticket.ready) {
            context.count(|batch| batch.taken += 1);
        }
        let taken = Taken { ticket, request, release };
        if self.is_cut() {
            self.settle_unsent(taken, Outcome::CutOff);
            return Ok(());
        }
        if self.is_over_the_bound(release.taken) {
            self.settle_unsent(taken, Outcome::Shed);
            return Ok(());
        }
        let mut buffers = context.lend_buffers();
        self.send(taken, &mut buffers).await;
        context.give_back(buffers);
        Ok(())
    }

    /// Waits until the request is ready.
    async fn release(
        &mut self,
        ticket: &Ticket,
        request: &Request,
        mut now: At,
    ) -> Result<Release, Unserved> {
        let (context, user) = (self.context, self.user);
        let (mut has_no_token, mut is_renewed) = (false, false);
        // What was lost before a renewal, and what of its time the worker did not run.
        let mut lost = Duration::ZERO;
        loop {
            if !self.is_planned(ticket) {
                return Err(Unserved::Unplanned);
            }
            let token = request.has_token.then(|| user.token_end()).flatten();
            let generation = user.login_generation();
            if now >= ticket.ready || self.is_cut() {
                let is_over = token.is_some_and(|token| token.over <= now);
                if !is_over || has_no_token || self.is_cut() {
                    let waits_from = now - self.answered.since(ticket.ready);
                    let late = now.since(ticket.ready.max(self.free)) + lost;
                    return Ok(Release { taken: now, late, waits_from, has_no_token });
                }
                lost += now.since(ticket.ready.max(self.free));
                let renewal = self.renew(ticket, generation, None).await;
                has_no_token = renewal != Renewal::Done;
                lost += context.gaps.within(now, self.free);
                now = self.free;
                continue;
            }
            // By closed pacing nothing is sent after the end, however long the think time.
            let until = match context.settings.load.pacing {
                Pacing::Open => ticket.ready,
                Pacing::Closed => ticket.ready.min(self.stop()),
            };
            match token.filter(|token| token.renew < until.min(self.stop()) && !is_renewed) {
                Some(token) if token.renew <= now => {
                    self.renew(ticket, generation, Some(until)).await;
                    lost += context.gaps.within(ticket.ready, self.free);
                    // Once a request: after a failure it is tried again when the request is ready.
                    is_renewed = true;
                }
                token => {
                    if !self.sleep(token.map_or(until, |token| token.renew)).await {
                        return Err(Unserved::Disturbed);
                    }
                }
            }
            now = context.clock.now();
        }
    }

    /// As [`renew`]; the lane is free for its request from then on.
    async fn renew(&mut self, ticket: &Ticket, generation: u64, by: Option<At>) -> Renewal {
        let renewal = renew(&mut self.sender, self.user, ticket, generation, by).await;
        self.free = self.context.clock.now();
        renewal
    }

    /// Whether a request belongs to the plan, now that it may have been shortened.
    fn is_planned(&self, ticket: &Ticket) -> bool {
        let stop = self.stop();
        match self.context.settings.load.pacing {
            Pacing::Open => ticket.due.is_some_and(|due| due < stop),
            // Nothing is due, so that what has not begun when all is cut off was never planned.
            Pacing::Closed => ticket.ready < stop && !self.is_cut(),
        }
    }

    /// Whether more of this user's requests are ready than may queue.
    fn is_over_the_bound(&self, now: At) -> bool {
        let (plan, settings) = (&self.context.plan, &self.context.settings);
        let bound = settings.max_queue;
        settings.load.pacing == Pacing::Open
            && self.user.queued(plan, &settings.load, now, self.stop(), bound) >= bound
    }

    fn settle_unsent(&self, taken: Taken<'_>, outcome: Outcome) {
        let attempt = Attempt::unsent(outcome, taken.release.taken);
        settle(self.context, self.user, taken, &attempt, None);
    }

    async fn send(&mut self, taken: Taken<'_>, buffers: &mut Buffers) {
        let Taken { ticket, request, release } = taken;
        let (context, user) = (self.context, self.user);
        let login = user.login_generation();
        let in_prologue = ticket.request < context.plan.sessions[ticket.run.session].prologue;
        // Accounts lock: what was refused once is not tried again by others who have it.
        let is_refused = in_prologue && user.is_refused();
        if is_refused && user.refuse() {
            context.count(|batch| batch.logins_refused += 1);
        }
        let Buffers { rendered, answer } = buffers;
        if is_refused || render(context, user, ticket, request, rendered).is_err() {
            self.settle_unsent(taken, Outcome::Unbound);
            return;
        }
        let mut answer = Answer::new(request, self.wanted(request), answer)
            .checked(&context.settings.checks[request.endpoint]);
        let begun = release.taken;
        let timeout = context.settings.request_timeout;
        let sending = Sending::Planned;
        let times = Times { begun, deadline: begun + timeout, sending };
        let mut attempt = self.exchange(taken, &rendered.bytes, &mut answer, times).await;
        let again = |attempt: &Attempt| match attempt.first_byte_sent {
            Some(_) => Sending::Retry,
            None => Sending::Planned,
        };
        // Of the attempts and renewals before the last attempt.
        let mut own_delay = Duration::ZERO;
        if attempt.was_stale && request.idempotent {
            own_delay += attempt.own_delay;
            let times = Times { begun: attempt.end, sending: again(&attempt), ..times };
            attempt = self.exchange(taken, &rendered.bytes, &mut answer, times).await;
        }
        let refuses_token = token_expired(request, &attempt)
            && !release.has_no_token
            && !user.is_barred(request.endpoint);
        if refuses_token {
            let renewal = self.renew(ticket, login, None).await;
            own_delay += context.gaps.within(attempt.end, self.free);
            if self.is_cut() {
                (attempt.outcome, attempt.status) = (Outcome::CutOff, 0);
                attempt.end = context.clock.now();
            } else if renewal == Renewal::Done
                && render(context, user, ticket, request, rendered).is_ok()
            {
                // The wait for the login is not part of the time-out.
                own_delay += attempt.own_delay;
                let begun = self.free;
                let times = Times { begun, deadline: begun + timeout, sending: again(&attempt) };
                attempt = self.exchange(taken, &rendered.bytes, &mut answer, times).await;
                if token_expired(request, &attempt) {
                    user.bar(request.endpoint);
                }
            }
        }
        attempt.own_delay += own_delay;
        // Where a renewal came last, the lane was busy with it until then.
        self.free = attempt.end.max(self.free) - (release.late + attempt.own_delay);
        let took = attempt.end.since(release.taken).saturating_sub(attempt.own_delay);
        self.answered = self.answered.max(ticket.ready) + took;
        settle(context, user, taken, &attempt, Some(&mut answer));
    }

    /// Sends once, and applies what the head of the answer gives.
    async fn exchange(
        &mut self,
        Taken { ticket, request, release }: Taken<'_>,
        bytes: &[u8],
        answer: &mut Answer<'_>,
        times: Times,
    ) -> Attempt {
        let (user, settings) = (self.user, &self.context.settings);
        let generation = user.generation();
        answer.reset();
        let attempt = self.sender.exchange(generation, request, bytes, answer, times).await;
        apply_head(Asker { settings, user, ticket, sent: bytes, at: release.taken }, answer);
        attempt
    }

    /// How much of the answer's body is needed.
    fn wanted(&self, request: &Request) -> Wanted {
        let compares = self.context.settings.fidelity == FidelityMode::StatusAndShape;
        let checks = self.context.settings.checks[request.endpoint].need_body();
        let marking = self.context.settings.marking.as_ref();
        let has_mark = marking.is_some_and(|marking| marking.is_in_answer_to(request));
        if compares
            || checks
            || has_mark
            || request.captures.iter().any(|capture| capture.from.is_in_body())
        {
            Wanted::Whole
        } else if self.context.wants_error(request.endpoint) {
            Wanted::FailureSample { bytes: FAILURE_BYTES }
        } else {
            Wanted::Nothing
        }
    }
}

/// A refusal that was not recorded, of a token that once was good.
fn token_expired(request: &Request, attempt: &Attempt) -> bool {
    request.has_token
        && attempt.status == 401
        && request.recorded.as_ref().is_none_or(|recorded| recorded.status != 401)
}
