//! What is noted of a request once its outcome is known: its effects, the comparison with the
//! recording, counts and times.

use std::time::Duration;

use trace::shape::Shape;

use super::answer::{Answer, AnswerText};
use super::buffers::Rendered;
use super::context::Context;
use super::effects::{Asker, apply_body};
use super::exchange::Attempt;
use super::marking::Marking;
use super::marks::{Audited, row};
use super::redact::redact;
use super::release::Ticket;
use super::render::{Unbound, render};
use super::settings::FidelityMode;
use super::user::User;
use crate::measure::{FidelityCheck, Sample};
use crate::prepare::Request;
use crate::time::At;
use run_log::format::{ErrorSample, READY_SLACK};
use run_log::outcome::Outcome;

/// Bytes that a sample of a failing answer has at most.
const SAMPLE_BYTES: usize = 2048;

/// Bytes kept of a failing answer: more than is shown, so that a secret across the end of the
/// sample is seen whole, and small enough to lie in the buffers of all lanes.
pub(super) const FAILURE_BYTES: usize = 2 * SAMPLE_BYTES;

/// Bytes that are decoded of an answer that was not kept whole.
const DECODED_BYTES: usize = 8 * SAMPLE_BYTES;

/// How late a request may be begun by the generator's own fault before it says nothing of the
/// load that was to be.
const LATE: Duration = Duration::from_secs(1);

/// How a request was released.
#[derive(Clone, Copy)]
pub(super) struct Release {
    /// When the lane began with it.
    pub taken: At,
    /// How much later that was than it could have been, by the generator's own fault: the
    /// request was ready, its lane free, and its token good.
    pub late: Duration,
    /// From here on it waits for a connection: since it was ready, but for what its lane was late
    /// by the generator's own fault, and for waiting for a token.
    pub waits_from: At,
    /// The user's token is over, and there is no new one.
    pub has_no_token: bool,
}

/// A request that a lane took.
#[derive(Clone, Copy)]
pub(super) struct Taken<'a> {
    pub ticket: &'a Ticket,
    pub request: &'a Request,
    pub release: Release,
}

/// Applies what the answer gives, compares, counts, and wakes the lanes that wait for it.
pub(super) fn settle<T>(
    context: &Context<T>,
    user: &User,
    Taken { ticket, request, release }: Taken<'_>,
    attempt: &Attempt,
    answer: Option<&mut Answer<'_>>,
) {
    let settings = &context.settings;
    let was_rendered = answer.is_some();
    let mut answer = answer.filter(|_| attempt.is_completed());
    let is_failing = settings.is_failure(request, attempt.outcome, attempt.status);
    // One that failed already is looked into no further.
    let missed_check = answer
        .as_ref()
        .filter(|_| !is_failing)
        .and_then(|answer| answer.missed_check(attempt.body_bytes));
    let is_failed = is_failing || missed_check.is_some();
    let asker = Asker { settings, user, ticket, sent: &[], at: release.taken };
    let is_rebound = answer.as_mut().is_some_and(|answer| apply_body(asker, answer));
    let answer = answer.as_deref();
    if let Some(marking) = settings.marking.as_ref().filter(|of| was_rendered && of.is_of(request))
    {
        let audited = Audited { settings, user, ticket, request, attempt, is_failed, answer };
        context.count(|batch| batch.marks.push(row(marking, audited)));
    }
    let session = &context.plan.sessions[ticket.run.session];
    if session.refresh == Some(ticket.request) && !is_failed && answer.is_some() {
        user.note_renewal();
    }
    let lacks_by_target = attempt.outcome == Outcome::Unbound
        && (is_refused_login(context, user, ticket) || user.is_denied(ticket, request));
    let is_targets_fault = match attempt.outcome {
        Outcome::Completed => is_failed,
        // What needs it in turn is no more the tool's miss than this one.
        Outcome::Unbound => lacks_by_target,
        Outcome::LocalLimit => false,
        _ => true,
    };
    if is_targets_fault {
        user.deny(ticket, request);
    }
    if is_failed {
        let sample = || error_sample(context, user, ticket, request, attempt, answer, missed_check);
        context.note_error(request.endpoint, sample);
        if is_good_login(context, ticket, request) {
            context.count(|batch| batch.logins_failed += 1);
            if attempt.is_refusal() && user.refuse() {
                context.note_refusal(sample);
            }
        }
    }
    let micros = |duration: Duration| u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
    // A later attempt waits for a connection from when it begins: what came before it was the
    // first one's answer, or a renewal.
    let is_first = attempt.begun == release.taken;
    let waited_from = if is_first { release.waits_from } else { attempt.begun };
    let ready_second =
        (!context.is_cut_by(user.planned.stay, ticket.ready)).then(|| held_second(ticket));
    let bytes = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    context.record(Sample {
        endpoint: u16::try_from(request.endpoint).unwrap_or(u16::MAX),
        persona: u16::try_from(user.planned.persona).unwrap_or(u16::MAX),
        outcome: attempt.outcome,
        status: attempt.status,
        is_failed,
        missed_check,
        was_sent: attempt.first_byte_sent.is_some(),
        second: u32::try_from(attempt.end.second()).unwrap_or(u32::MAX),
        ready_second: ready_second.map(|second| u32::try_from(second).unwrap_or(u32::MAX)),
        response_us: micros(attempt.end.since(ticket.ready)),
        service_us: attempt.first_byte_sent.map(|sent| micros(attempt.end.since(sent))),
        queue_us: attempt.connected.map_or(0, |at| micros(at.since(waited_from))),
        connect_us: attempt.connect.map(micros),
        session_delay_us: ticket
            .due
            .filter(|_| ready_second.is_some())
            .map(|due| micros(ticket.ready.since(due))),
        lag_us: micros(attempt.end.since(ticket.ready).min(release.late + attempt.own_delay)),
        left_late: release.late > LATE,
        body_bytes: bytes(attempt.body_bytes),
        fidelity: compare(context, request, attempt, answer),
        is_rebound,
        lacks_by_target,
    });
    user.ended(&context.plan, &settings.load, ticket, attempt.end);
}

fn compare<T>(
    context: &Context<T>,
    request: &Request,
    attempt: &Attempt,
    answer: Option<&Answer<'_>>,
) -> FidelityCheck {
    let Some(recorded) = &request.recorded else { return FidelityCheck::None };
    // What got no answer differs from the recording, unless the run ended first.
    if attempt.outcome == Outcome::CutOff {
        return FidelityCheck::None;
    }
    // 304 is a 200 whose body the client has already (RFC 9110, section 15.4.5): which of the two it
    // is depends on what others wrote in between.
    let is_revalidated = matches!((attempt.status, recorded.status), (200, 304) | (304, 200));
    let same_status = attempt.status == recorded.status || is_revalidated;
    if context.settings.fidelity == FidelityMode::Status {
        return FidelityCheck::Status { same: same_status };
    }
    if is_revalidated {
        return FidelityCheck::StatusAndShape { same_status, same_shape: true };
    }
    let shape = answer.and_then(|answer| {
        // One that cannot be looked into is not what was: it has none.
        let body = answer.decoded()?;
        Shape::of_body(attempt.status, answer.content_type(), Some(&*body))
    });
    let added = context.settings.marking.as_ref().and_then(Marking::added_key);
    let shape = match added {
        Some(key) => shape.map(|shape| shape.with_missing(key)),
        None => shape,
    };
    let recorded_shape = recorded.shape.map(|index| &context.plan.shapes[index]);
    let same_shape = answer.is_some() && Shape::agree(recorded_shape, shape.as_ref());
    FidelityCheck::StatusAndShape { same_status, same_shape }
}

fn error_sample<T>(
    context: &Context<T>,
    user: &User,
    ticket: &Ticket,
    request: &Request,
    attempt: &Attempt,
    answer: Option<&Answer<'_>>,
    missed_check: Option<u16>,
) -> ErrorSample {
    let body = answer.map(|answer| {
        let AnswerText { text, is_whole } = answer.text(DECODED_BYTES);
        let redacted = redact(&text, user, &context.settings);
        sample(redacted, is_whole)
    });
    ErrorSample {
        second: attempt.end.second(),
        endpoint: context.plan.endpoints[request.endpoint].clone(),
        persona: context.plan.personas[user.planned.persona].name.clone(),
        outcome: attempt.outcome.name(),
        status: attempt.is_completed().then_some(attempt.status),
        body: body.filter(|body| !body.is_empty()),
        check: missed_check
            .and_then(|number| context.settings.check_names.get(usize::from(number)).cloned()),
        lacks: (attempt.outcome == Outcome::Unbound).then(|| lacks(context, user, ticket, request)),
    }
}

/// What an unbound request lacked.
fn lacks<T>(context: &Context<T>, user: &User, ticket: &Ticket, request: &Request) -> String {
    match render(context, user, ticket, request, &mut Rendered::default()) {
        Err(Unbound::Captured(source)) => {
            let requests = user.requests(ticket);
            let giver = requests.iter().find_map(|giver| {
                let capture = giver.captures.iter().find(|capture| capture.into == source)?;
                Some((giver, capture))
            });
            match giver {
                Some((giver, capture)) => {
                    format!("{} of {}", capture.from, context.plan.endpoints[giver.endpoint])
                }
                None => "a value of the login".to_owned(),
            }
        }
        Err(Unbound::Account(field)) => format!("an account with {field}"),
        Err(Unbound::Secret(name)) => format!("a value for {name} (--slot)"),
        Err(Unbound::Path) => "a path of the target: its values would name another host".to_owned(),
        // What is complete was not sent for another reason.
        Ok(()) => "a login that is not refused".to_owned(),
    }
}

/// The second of the load that a request is part of: the one in which it became ready, or, where
/// that is hardly later, was due.
fn held_second(ticket: &Ticket) -> u64 {
    match ticket.due {
        Some(due) => (ticket.ready - READY_SLACK).second().max(due.second()),
        None => ticket.ready.second(),
    }
}

fn is_in_prologue<T>(context: &Context<T>, ticket: &Ticket) -> bool {
    ticket.request < context.plan.sessions[ticket.run.session].prologue
}

/// The beginning of what may be shown of an answer.
fn sample(mut text: String, is_whole: bool) -> String {
    // Without its secrets it is shorter, so that the end of what was kept may be in the sample: its
    // last word may be half a secret, which nobody knows.
    if !is_whole && text.len() < SAMPLE_BYTES {
        let is_between = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '&' | ',');
        text.truncate(text.rfind(is_between).unwrap_or(0));
    }
    text.truncate(text.floor_char_boundary(SAMPLE_BYTES));
    text
}

/// A request of a login that was good when it was recorded.
fn is_good_login<T>(context: &Context<T>, ticket: &Ticket, request: &Request) -> bool {
    let was_good = request.recorded.as_ref().is_some_and(|recorded| recorded.status < 400);
    is_in_prologue(context, ticket) && was_good
}

/// A request of a login that is not sent because the target refused the account before.
fn is_refused_login<T>(context: &Context<T>, user: &User, ticket: &Ticket) -> bool {
    is_in_prologue(context, ticket) && user.is_refused()
}
