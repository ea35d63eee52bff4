//! Whether a request is a login or makes an account, and which of its fields have to be unique.

use redact::{Place, is_password_name};

use super::names::{ends_with, last_of};

/// What a request with a password is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Whatever it says of a user was there before.
    Login,
    /// It makes a user.
    SignUp,
    None,
}

/// Segments of paths that users are made at.
const SIGN_UP: [&str; 14] = [
    "register",
    "registration",
    "registrations",
    "signup",
    "sign-up",
    "sign_up",
    "join",
    "enroll",
    "users",
    "user",
    "accounts",
    "account",
    "members",
    "customers",
];

/// Segments of paths that users log in at.
const LOGIN: [&str; 14] = [
    "login",
    "log-in",
    "log_in",
    "signin",
    "sign-in",
    "sign_in",
    "session",
    "sessions",
    "auth",
    "authenticate",
    "authentication",
    "token",
    "tokens",
    "oauth",
];

impl Entry {
    /// Of a request with these places, by its path and by how it was answered, if it was.
    pub(super) fn of(method: &str, path: &str, places: &[Place], status: Option<u16>) -> Self {
        if !places.iter().any(|place| is_password_name(&place.name)) {
            return Self::None;
        }
        let path = path.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
        // The last one counts: `/users/login`, `/auth/register`.
        let of = |segment: &str| {
            let segment = segment.split('.').next().unwrap_or_default();
            match (SIGN_UP.contains(&segment), LOGIN.contains(&segment)) {
                (true, _) => Some(Self::SignUp),
                (_, true) => Some(Self::Login),
                _ => None,
            }
        };
        let entry = path.rsplit('/').find_map(of);
        let entry = entry.unwrap_or(if status == Some(201) { Self::SignUp } else { Self::Login });
        let is_made = method == "POST" && status.is_some_and(|status| status < 400);
        if entry == Self::SignUp && !is_made { Self::None } else { entry }
    }
}

/// Whether a field often has to be unique, though it says nothing of a user.
pub(super) fn is_often_unique(name: &str) -> bool {
    const ENDS: [&str; 9] =
        ["name", "title", "slug", "code", "sku", "reference", "subject", "label", "alias"];
    ENDS.iter().any(|end| ends_with(last_of(name), end))
}
