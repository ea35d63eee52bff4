//! Takes secrets out of the samples of failing answers, and knows them among the marks of an audit.

use ::redact::shapes::has_token;
use ::redact::{Known, Names, Redactor, is_identity_field, is_secret_field};
use common::secret::Secret;

use super::settings::Settings;
use super::user::User;

/// The text without what is secret by its name or its looks, and without what the user alone may
/// know: its account's fields that do not say who it is, its cookies, the values of slots, what
/// its login gave it, and what else answers gave it in the whole run.
pub(super) fn redact(text: &str, user: &User, settings: &Settings) -> String {
    let state = user.state.borrow();
    let fields = user.account.iter().flat_map(|account| &account.fields);
    let fields = fields.filter(|(field, _)| !is_identity_field(field)).map(|(_, value)| &**value);
    let slots = settings.secrets.values().map(Secret::expose);
    let mut known = Known::default();
    // Of too many the oldest are forgotten: those of the login come last.
    for secret in state.remembered.iter().chain(fields).chain(slots).chain(state.login.iter()) {
        known.add(secret.into());
    }
    for cookie in state.cookies.values().filter_map(|value| std::str::from_utf8(value).ok()) {
        known.add(cookie.into());
    }
    Redactor { names: &Names::default(), known: &known }.text(text)
}

/// Whether a text looks like a secret, or is one that the user alone may know.
pub(super) fn is_secret(text: &str, user: &User, settings: &Settings) -> bool {
    let state = user.state.borrow();
    let fields = user.account.iter().flat_map(|account| &account.fields);
    let fields = fields.filter(|(field, _)| is_secret_field(field)).map(|(_, value)| &**value);
    let slots = settings.secrets.values().map(Secret::expose);
    let mut known = state.remembered.iter().chain(fields).chain(slots);
    known.any(|secret| secret == text) || has_token(text)
}
