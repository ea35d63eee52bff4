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
//! needs it must not be sent with one that belongs to something else. But a failing answer,
//! 400 and above, takes nothing away that a login gave: a refresh that fails leaves the token
//! that there is, which the target accepts or refuses.

use super::answer::{Answer, shorter};
use super::expiry::{Expiry, life_of_token};
use super::release::Ticket;
use super::render::path_of;
use super::settings::Settings;
use super::user::User;
use crate::prepare::{Capture, Source};
use crate::time::At;
use http1::cookies::Asked;

/// Whose answer it is, and to what.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub settings: &'a Settings,
    pub user: &'a User,
    pub ticket: &'a Ticket,
    /// The request as it was sent: by its path go cookies that name none.
    pub sent: &'a [u8],
    /// When the request was taken: lives of cookies and tokens count from here.
    pub at: At,
}

/// Applies what stands in the head of an answer, if one came.
pub(super) fn apply_head(
    Asker { settings, user, ticket, sent, at }: Asker<'_>,
    answer: &Answer<'_>,
) {
    if !answer.has_head() {
        return;
    }
    for set_cookie in answer.set_cookies() {
        let asked = Asked { host: &settings.host, path: path_of(sent) };
        user.state.borrow_mut().cookies.store(set_cookie, asked, settings.wall_clock(at));
    }
    for (number, capture) in answer.request().captures.iter().enumerate() {
        if !capture.from.is_in_body() {
            keep(user, ticket, capture, answer, number);
        }
    }
}

/// Applies what stands in the body of an answer, and how long the tokens of its head and body
/// live; returns whether a value came from a list that was shorter than recorded.
pub(super) fn apply_body(
    Asker { settings, user, ticket, at, .. }: Asker<'_>,
    answer: &mut Answer<'_>,
) -> bool {
    let body = answer.read_body();
    let mut life = body.life;
    for (number, capture) in answer.request().captures.iter().enumerate() {
        if capture.from.is_in_body() {
            keep(user, ticket, capture, answer, number);
        }
        if let (Source::Login(_), Some(value)) = (capture.into, answer.value(number)) {
            life = shorter(life, life_of_token(value, settings.wall_clock(at)));
        }
    }
    if let Some(life) = life {
        user.expires(Expiry { at: at + life, life });
    }
    body.is_rebound
}

/// Keeps what a capture gave, or forgets the value before.
fn keep(user: &User, ticket: &Ticket, capture: &Capture, answer: &Answer<'_>, number: usize) {
    let value = answer.value(number);
    let is_of_login = matches!(capture.into, Source::Login(_));
    if let Some(secret) = value.filter(|_| capture.is_secret) {
        user.remember(secret);
    }
    if !(value.is_none() && answer.is_failing() && is_of_login) {
        user.capture(ticket, capture.into, value);
    }
}

#[cfg(test)]
mod tests {
    use http1::Sink;
    use httparse::Header;
    use scenario::Load;

    use super::super::answer::{Kept, Wanted};
    use super::super::release::Next;
    use super::super::tests::{plan, request, session, settings};
    use super::*;
    use crate::prepare::{CaptureFrom, Request};
    use crate::schedule::{Bound, Chain, PlannedUser, Stay};

    const HEAD: [Header<'_>; 2] = [
        Header { name: "X-Token", value: b"of-head" },
        Header { name: "Set-Cookie", value: b"a=b" },
    ];
    const BODY: &[u8] = br#"{"t":"of-body","expires_in":60}"#;

    struct Case {
        settings: Settings,
        user: User,
        ticket: Ticket,
        request: Request,
        kept: Kept,
    }

    impl Case {
        /// A login that gives one token in the head of its answer and another in the body.
        fn new() -> Self {
            let (plan, settings) = (plan(session(&[0], 1)), settings(Load::as_recorded()));
            let chain = Chain::Once { session: 0 };
            let planned = PlannedUser {
                persona: 0,
                ordinal: 0,
                start: At::START,
                chain,
                bound: Bound::NONE,
                stay: Stay::WithLoad,
            };
            let user = User::new(planned, None, 0, 0, &plan);
            let next = user.take_next(&plan, &settings.load, At::NEVER);
            let Next::Take(ticket) = next else { panic!("there is a request: {next:?}") };
            let json = CaptureFrom::Json { tokens: vec!["t".to_owned()], lists: Vec::new() };
            let captures = vec![
                (Source::Login(0), CaptureFrom::Header("X-Token".to_owned())),
                (Source::Login(1), json),
            ];
            let captures = captures.into_iter();
            let captures =
                captures.map(|(into, from)| Capture { into, from, is_secret: true }).collect();
            let request = Request { captures, ..request() };
            Self { settings, user, ticket, request, kept: Kept::default() }
        }

        /// What the user knows after reading such an answer, its head, and its body.
        fn answered(&mut self, headers: Option<&[Header<'_>]>, body: &[u8]) -> [String; 3] {
            self.answered_with(200, headers, body)
        }

        fn answered_with(
            &mut self,
            status: u16,
            headers: Option<&[Header<'_>]>,
            body: &[u8],
        ) -> [String; 3] {
            let Self { settings, user, ticket, request, kept } = self;
            let asker = Asker { settings, user, ticket, sent: b"", at: At::START };
            let mut answer = Answer::new(request, Wanted::Whole, kept);
            if let Some(headers) = headers {
                answer.head(status, headers);
                answer.body(body);
            }
            let read = known(user);
            apply_head(asker, &answer);
            let of_head = known(user);
            if answer.has_head() {
                apply_body(asker, &mut answer);
            }
            [read, of_head, known(user)]
        }
    }

    /// Both tokens, whether there is a cookie, and whether an end of the login is known.
    fn known(user: &User) -> String {
        let state = user.state.borrow();
        let [head, body] = [0, 1].map(|slot| state.login.get(slot).unwrap_or("-").to_owned());
        let cookie = if state.cookies.is_empty() { "-" } else { "cookie" };
        drop(state);
        let end = if user.token_end().is_some() { "end" } else { "-" };
        format!("{head} {body} {cookie} {end}")
    }

    #[test]
    fn reading_changes_nothing_and_head_and_body_count_apart() {
        let [read, of_head, of_body] = Case::new().answered(Some(&HEAD), BODY);
        assert_eq!(read, "- - - -");
        assert_eq!(of_head, "of-head - cookie -");
        assert_eq!(of_body, "of-head of-body cookie end");
    }

    #[test]
    fn an_attempt_without_a_head_leaves_what_was_known() {
        let mut case = Case::new();
        let before = case.answered(Some(&HEAD), BODY);
        assert_eq!(case.answered(None, b"")[2], before[2]);
    }

    /// A planned refresh that fails once must not leave the next hundred requests unbound.
    #[test]
    fn a_failing_answer_takes_nothing_away_that_a_login_gave() {
        let mut case = Case::new();
        case.answered(Some(&HEAD), BODY);
        let [_, of_head, of_body] = case.answered_with(503, Some(&[]), b"busy");
        assert_eq!((of_head, of_body.as_str()), (of_body.clone(), "of-head of-body cookie end"));
    }

    #[test]
    fn a_value_that_the_answer_does_not_hold_is_forgotten() {
        let mut case = Case::new();
        case.answered(Some(&HEAD), BODY);
        let [_, of_head, of_body] = case.answered(Some(&[]), b"{}");
        assert_eq!(of_head, "- of-body cookie end");
        assert_eq!(of_body, "- - cookie end");
    }
}
