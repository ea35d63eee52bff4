//! Takes secrets out of the samples of failing answers.

use ::redact::{Known, Names, Redactor};

use super::user::User;

/// The text without what is secret by its name or its looks, and without what the user alone may
/// know: its account's secrets and what its login gave it.
pub(super) fn redact(text: &str, user: &User) -> String {
    let account = user.account.as_deref();
    let mut known = account.map_or_else(Known::default, |account| Known::of(account));
    for secret in user.state.borrow().login.iter() {
        known.add(secret.into());
    }
    Redactor { names: &Names::default(), known: &known }.text(text)
}
