//! What an answer changes for its user: the one place where it does, and only once the outcome
//! of the attempt is known.
//!
//! | what came | cookies, captures from the head | captures from the body, token life |
//! | --- | --- | --- |
//! | no head | – | – |
//! | a head, and then a reset, a time-out or the end of the run | yes | – |
//! | a whole answer to a planned request, whatever its status | yes | yes |
//! | a whole answer to a planned request that is sent again with a new token | yes | – |
//! | a whole answer to a renewal, below 400 | yes | yes |
//! | a whole answer to a renewal, 400 and above | yes | – |
//!
//! Cookies of a failing answer are kept because browsers keep them. Of a capture that is
//! applied and of which the answer has no value, the value before is forgotten: a request that
//! needs it must not be sent with one that belongs to something else.

use super::answer::{Answer, shorter};
use super::expiry::{Expiry, life_of_token};
use super::release::Ticket;
use super::settings::Settings;
use super::user::User;
use crate::prepare::Source;
use crate::time::At;
use http1::cookies::Asked;

/// Whose answer it is, and to what.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub settings: &'a Settings,
    pub user: &'a User,
    pub ticket: &'a Ticket,
    /// When the request was taken: lives of cookies and tokens count from here.
    pub at: At,
}

/// Applies what stands in the head of an answer, if one came.
pub(super) fn apply_head(Asker { settings, user, ticket, at }: Asker<'_>, answer: &Answer<'_>) {
    if !answer.has_head() {
        return;
    }
    for set_cookie in answer.set_cookies() {
        let asked = Asked { host: &settings.host, path: &answer.request().path };
        user.state.borrow_mut().cookies.store(set_cookie, asked, settings.wall_clock(at));
    }
    for (number, capture) in answer.request().captures.iter().enumerate() {
        if !capture.from.is_in_body() {
            user.capture(ticket, capture.into, answer.value(number));
        }
    }
}

/// Applies what stands in the body of an answer, and how long the tokens of its head and body
/// live; returns whether a value came from a list that was shorter than recorded.
pub(super) fn apply_body(
    Asker { settings, user, ticket, at }: Asker<'_>,
    answer: &mut Answer<'_>,
) -> bool {
    let body = answer.read_body();
    let mut life = body.life;
    for (number, capture) in answer.request().captures.iter().enumerate() {
        let value = answer.value(number);
        if capture.from.is_in_body() {
            user.capture(ticket, capture.into, value);
        }
        if let (Source::Login(_), Some(value)) = (capture.into, value) {
            life = shorter(life, life_of_token(value, settings.wall_clock(at)));
        }
    }
    if let Some(life) = life {
        user.expires(Expiry { at: at + life, life });
    }
    body.is_rebound
}
