//! What an audit has to know of each request to its endpoint: the mark, and what the client saw.
//!
//! Of other requests nothing is read, and nothing is allocated.

use run_log::audit::{MarkOutcome, MarkRow};

use super::answer::Answer;
use super::exchange::Attempt;
use super::marking::{MarkFrom, Marking};
use super::redact::is_secret;
use super::release::Ticket;
use super::render::mark_of;
use super::settings::Settings;
use super::user::User;
use crate::bind::{Extracted, extract_json};
use crate::prepare::Request;

/// A longer value is no mark: each takes room in the run directory and in the database.
const LONGEST: usize = 1024;

/// A request that ended.
#[derive(Clone, Copy)]
pub(super) struct Audited<'a, 'r> {
    pub settings: &'a Settings,
    pub user: &'a User,
    pub ticket: &'a Ticket,
    pub request: &'a Request,
    pub attempt: &'a Attempt,
    pub is_failed: bool,
    /// If it came whole.
    pub answer: Option<&'a Answer<'r>>,
}

/// What is noted of a request.
pub(super) fn row(marking: &Marking, audited: Audited<'_, '_>) -> MarkRow {
    let Audited { settings, user, ticket, request, attempt, is_failed, answer } = audited;
    let is_acknowledged =
        attempt.is_completed() && (200..300).contains(&attempt.status) && !is_failed;
    let mark = match &marking.from {
        MarkFrom::Payload { .. } => request.mark.map(|key| mark_of(user, ticket, key)),
        // What a failure names is not what the request made.
        MarkFrom::Answer(_) if !is_acknowledged => None,
        MarkFrom::Answer(tokens) => {
            let body = answer.and_then(Answer::decoded);
            let mark = body.and_then(|body| text_of(extract_json(&body, tokens, &[])));
            // What is secret is not written down.
            mark.filter(|mark| is_mark(mark) && !is_secret(mark, user, settings))
        }
    };
    MarkRow {
        second: attempt.end.second(),
        mark: mark.unwrap_or_default(),
        outcome: match is_acknowledged {
            true => MarkOutcome::Acknowledged,
            false => MarkOutcome::Failed,
        },
    }
}

fn text_of(extracted: Extracted) -> Option<String> {
    match extracted {
        Extracted::Found(text) => Some(text),
        Extracted::Rebound(_) | Extracted::Nothing => None,
    }
}

/// Whether a value may be looked for; Postgres holds no NUL.
fn is_mark(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && !text.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postgres_cannot_hold_is_no_mark() {
        assert!(is_mark("1") && is_mark("a b") && is_mark(&"x".repeat(LONGEST)));
        assert!(!is_mark("") && !is_mark("a\0b") && !is_mark(&"x".repeat(LONGEST + 1)));
    }
}
