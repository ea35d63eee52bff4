//! How long what a login gave is good for, where the target says so.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::bind::{Extracted, extract_json};
use crate::time::At;

/// The end of a captured value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expiry {
    pub at: At,
    /// From the moment it was asked for.
    pub life: Duration,
}

/// RFC 7519, section 4.1; times are seconds since the epoch.
#[derive(Deserialize)]
struct Claims {
    exp: f64,
    iat: Option<f64>,
}

/// The life of a JSON Web Token that was asked for at `now`; none of any other text, nor
/// of a token that is over already: then the clocks differ, and only a 401 will show its end.
pub(super) fn life_of_token(token: &str, now: DateTime<Utc>) -> Option<Duration> {
    let mut parts = token.split('.');
    let (Some(_), Some(claims), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    let Claims { exp, iat } = serde_json::from_slice(&claims).ok()?;
    // By the target's own clock where it says when it made the token.
    let begun = iat.unwrap_or(now.timestamp_millis() as f64 / 1e3);
    Duration::try_from_secs_f64(exp - begun).ok().filter(|life| !life.is_zero())
}

/// The `expires_in` beside a token in a login's answer (RFC 6749, section 5.1).
pub(super) fn life_beside(body: &[u8], pointer: &[String]) -> Option<Duration> {
    let (_, parent) = pointer.split_last()?;
    let mut sibling = parent.to_vec();
    sibling.push("expires_in".to_owned());
    match extract_json(body, &sibling, &[]) {
        Extracted::Found(seconds) => {
            let life = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
            Some(life).filter(|life| !life.is_zero())
        }
        Extracted::Rebound(_) | Extracted::Nothing => None,
    }
}

impl Expiry {
    /// When to renew: 5 to 10 % of the life before its end, by `draw` in 0 to 1, so that
    /// users who logged in together do not all come back at once.
    pub(super) fn renew_from(&self, draw: f64) -> At {
        self.at - self.life.mul_f64(0.05 + 0.05 * draw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_says_how_long_it_lives() {
        let now = DateTime::from_timestamp(1_000_000, 0).unwrap();
        let life = |claims: &str| life_of_token(&token(claims), now).map(|life| life.as_secs());
        assert_eq!(life(r#"{"sub":"x","exp":1000020}"#), Some(20));
        assert_eq!(life(r#"{"exp":5020,"iat":5000}"#), Some(20), "whatever this clock says");
        assert_eq!(life(r#"{"exp":999000}"#), None, "the clocks differ");
        assert_eq!(life(r#"{"sub":"x"}"#), None);
        for text in ["", "a.b", "a.b.c", "opaque-token", "a.b.c.d"] {
            assert_eq!(life_of_token(text, now), None, "{text}");
        }
    }

    #[test]
    fn or_the_answer_does() {
        let pointer = ["data".to_owned(), "access_token".to_owned()];
        let body = br#"{"data":{"access_token":"x","expires_in":1800},"expires_in":1}"#;
        assert_eq!(life_beside(body, &pointer), Some(Duration::from_secs(1800)));
        assert_eq!(life_beside(br#"{"data":{"access_token":"x"}}"#, &pointer), None);
        assert_eq!(life_beside(br#"{"data":{"expires_in":-1}}"#, &pointer), None);
    }

    #[test]
    fn renewals_spread_over_a_twentieth_of_the_life() {
        let expiry =
            Expiry { at: At::START + Duration::from_secs(100), life: Duration::from_secs(20) };
        assert_eq!(expiry.renew_from(0.0), At::START + Duration::from_secs(99));
        assert_eq!(expiry.renew_from(1.0), At::START + Duration::from_secs(98));
    }
}
