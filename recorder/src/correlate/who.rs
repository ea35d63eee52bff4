//! Who a request with a password is of, and whether it makes an account or logs in to one.

use std::collections::BTreeSet;

use redact::{Place, is_password_name};

/// A body with a password.
#[derive(Debug)]
pub(super) struct Login {
    /// The manifest's account that it is of, if it is one's.
    pub(super) account: Option<usize>,
    /// The names that it logs in by, in lower case.
    pub(super) names: BTreeSet<String>,
    /// It makes an account, and may be for somebody else.
    pub(super) registers: bool,
}

/// What names fields that say who one is.
const NAMES: [&str; 7] = ["mail", "user", "login", "account", "ident", "phone", "handle"];

/// What a path is called that makes an account.
const REGISTERS: [&str; 5] = ["register", "registration", "signup", "enroll", "invit"];

/// What one is called that logs in.
const LOGS_IN: [&str; 7] = ["login", "logon", "signin", "session", "token", "auth", "oauth"];

/// A list of accounts, to which one is added.
const ACCOUNTS: [&str; 6] = ["users", "user", "accounts", "members", "customers", "people"];

impl Login {
    pub(super) fn new(path: &str, places: &[Place], account: Option<usize>) -> Self {
        let passwords = places.iter().filter(|place| is_password_name(&place.name));
        let values: Vec<&str> = passwords.map(|place| place.value.as_str()).collect();
        let is_confirmed = values.len() == 2 && values[0] == values[1];
        Self { account, names: names(places), registers: registers(path, is_confirmed) }
    }

    /// Whether it is of somebody else than one who logged in by other names; who says nothing of
    /// himself is nobody else.
    pub(super) fn is_of_another(&self, account: Option<usize>, names: &BTreeSet<String>) -> bool {
        match (self.account, account) {
            (Some(mine), Some(other)) => mine != other,
            _ => !self.names.is_empty() && !names.is_empty() && self.names.is_disjoint(names),
        }
    }
}

fn names(places: &[Place]) -> BTreeSet<String> {
    let says_who = |place: &&Place| {
        let name = plain(&place.name);
        !place.is_secret() && !place.value.is_empty() && NAMES.iter().any(|it| name.contains(it))
    };
    let said: BTreeSet<String> =
        places.iter().filter(says_who).map(|place| place.value.to_lowercase()).collect();
    if said.is_empty() {
        // A form that asks for a name alone.
        let named = places.iter().filter(|place| plain(&place.name) == "name");
        return named.map(|place| place.value.to_lowercase()).collect();
    }
    said
}

fn registers(path: &str, is_confirmed: bool) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let segments: Vec<String> = path.split('/').map(plain).filter(|it| !it.is_empty()).collect();
    let has = |words: &[&str]| {
        segments.iter().any(|segment| words.iter().any(|word| segment.contains(word)))
    };
    let adds = || segments.last().is_some_and(|last| ACCOUNTS.contains(&last.as_str()));
    has(&REGISTERS) || !has(&LOGS_IN) && (is_confirmed || adds())
}

fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_whether_an_account_is_made() {
        for path in [
            "/register",
            "/api/auth/register",
            "/users/sign_up?next=/",
            "/api/users",
            "/invitations",
        ] {
            assert!(registers(path, false), "{path}");
        }
        for path in
            ["/login", "/api/users/login", "/session", "/oauth/token", "/", "/users/7/unlock"]
        {
            assert!(!registers(path, false), "{path}");
        }
        assert!(registers("/begin", true), "a password that is said twice is a new one");
    }
}
