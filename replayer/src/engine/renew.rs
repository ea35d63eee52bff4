//! Logging in again when a token has expired, or soon will.
//!
//! A user whose token is known to end soon renews it while thinking; at the latest when a
//! request is ready and its token is over, or was refused with a 401. What is sent for this is
//! extra: it is no part of the plan. Together the renewals keep to the login
//! rate; a request that has to wait for one has the wait in its response time.

use std::ops::Range;

use super::answer::{Answer, Wanted};
use super::buffers::Buffers;
use super::context::Permit;
use super::effects::{Asker, apply_body, apply_head};
use super::exchange::{Sender, Sending, Times};
use super::release::Ticket;
use super::render::render;
use super::transport::Transport;
use super::user::User;
use crate::prepare::Request;
use crate::schedule::Run;
use crate::time::At;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// There is a token newer than the one before.
    Done,
    /// The login rate leaves no room for it in time.
    Later,
    /// It was refused, could not be sent, or was cut off.
    Failed,
}

/// Gets a new token for the user, unless another of its lanes did since `generation`: by
/// the refresh that its session recorded, else by the login. With `by`, only if the login
/// rate allows it before then. One at a time a user.
pub(super) async fn renew<T: Transport>(
    sender: &mut Sender<'_, T>,
    user: &User,
    ticket: &Ticket,
    generation: u64,
    by: Option<At>,
) -> Renewal {
    let context = sender.context();
    let _one_at_a_time = user.renewing.lock().await;
    if user.login_generation() != generation {
        return Renewal::Done;
    }
    let session = &context.plan.sessions[ticket.run.session];
    let requests = user.requests(ticket);
    let login = (session.prologue > 0).then_some(0..session.prologue);
    for way in session.refresh.map(|index| index..index + 1).into_iter().chain(login) {
        match context.login_permit(user.planned.stay, by).await {
            Permit::Granted => {}
            Permit::TooLate => return Renewal::Later,
            Permit::CutOff => return Renewal::Failed,
        }
        let is_login = way.start < session.prologue;
        // Asked only now: others with the same account may have been refused meanwhile.
        let ended = if is_login && user.is_refused() {
            Err(Ended::Refused)
        } else {
            send_all(sender, user, ticket, &requests, way).await
        };
        match ended {
            Ok(()) => {
                user.note_renewal();
                return Renewal::Done;
            }
            Err(Ended::Refused) if is_login => {
                if user.refuse() {
                    context.count(|batch| batch.logins_refused += 1);
                }
            }
            // The next request tries again; after a failed refresh the login is left.
            Err(_) => {}
        }
    }
    Renewal::Failed
}

/// Why there is no new token.
enum Ended {
    /// The target refused, and would again.
    Refused,
    /// There was no good answer this time.
    Lost,
}

/// Sends these requests of the session in turn.
///
/// # Errors
/// At the first answer that was not good.
async fn send_all<T: Transport>(
    sender: &mut Sender<'_, T>,
    user: &User,
    ticket: &Ticket,
    requests: &[Request],
    way: Range<usize>,
) -> Result<(), Ended> {
    let context = sender.context();
    let mut buffers = context.lend_buffers();
    let mut ended = Ok(());
    for (index, request) in requests.iter().enumerate().take(way.end).skip(way.start) {
        // The values go into the user's login slots, whichever run the request belongs to.
        let ticket = Ticket { run: Run { first: 0, ..ticket.run }, request: index, ..*ticket };
        let Buffers { rendered, answer } = &mut buffers;
        if render(context, user, &ticket, request, rendered).is_err() {
            ended = Err(Ended::Lost);
            break;
        }
        let begun = context.clock.now();
        let generation = user.generation();
        let mut answer = Answer::new(request, Wanted::Whole, answer);
        let deadline = begun + context.settings.request_timeout;
        let times = Times { begun, deadline, sending: Sending::Renewal };
        let attempt =
            sender.exchange(generation, request, &rendered.bytes, &mut answer, times).await;
        let asker = Asker {
            settings: &context.settings,
            user,
            ticket: &ticket,
            sent: &rendered.bytes,
            at: begun,
        };
        apply_head(asker, &answer);
        let is_good = attempt.is_completed() && attempt.status < 400;
        if is_good {
            apply_body(asker, &mut answer);
        }
        if !is_good {
            ended = Err(if attempt.is_refusal() { Ended::Refused } else { Ended::Lost });
            break;
        }
    }
    context.give_back(buffers);
    ended
}
