//! What names of columns mean, whoever writes them: `deletedAt`, `deleted_at`, `DELETED_AT`.

/// In lower case, with `_` between words.
pub(super) fn snake(name: &str) -> String {
    let mut words = String::new();
    let mut before = ' ';
    for letter in name.chars() {
        if letter.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit()) {
            words.push('_');
        }
        words.extend(letter.to_lowercase());
        before = letter;
    }
    words
}

fn has(name: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| name.contains(part))
}

/// When a row came to be. No two rows did at once, and "newest first" is one order.
pub(super) fn is_created(name: &str) -> bool {
    const WHOLE: [&str; 4] = ["created", "date_joined", "date_created", "date_added"];
    has(name, &["created_at", "created_on", "created_time", "creation_time", "inserted_at"])
        || WHOLE.contains(&name)
}

/// When a row was changed last: when it came to be, for rows that nobody has changed.
pub(super) fn is_updated(name: &str) -> bool {
    has(name, &["updated_at", "updated_on", "modified_at", "modified_on", "updated_time"])
        || ["updated", "modified", "date_updated", "date_modified"].contains(&name)
}

/// A time that every row has of itself.
pub(super) fn is_of_itself(name: &str) -> bool {
    is_created(name) || is_updated(name)
}

/// A time that says what has become of a row (deleted, locked, closed, …): where it may be empty
/// it is, since what it tells is mostly an end.
pub(super) fn is_state(name: &str) -> bool {
    // What is good once it has happened, or what every row has.
    const KEPT: [&str; 22] = [
        "created",
        "inserted",
        "updated",
        "modified",
        "confirmed",
        "verified",
        "activated",
        "approved",
        "accepted",
        "published",
        "registered",
        "joined",
        "occurred",
        "recorded",
        "measured",
        "received",
        "reported",
        "placed",
        "ordered",
        "posted",
        "submitted",
        "started",
    ];
    let is_time = ["_at", "_until", "_on"].iter().any(|end| name.ends_with(end));
    (is_time || has(name, &["last_login", "last_seen", "last_activity", "last_access"]))
        && !has(name, &KEPT)
}

/// Whether a column holds a hash of a password.
pub(super) fn is_hash(name: &str) -> bool {
    const NOT: [&str; 19] = [
        "policy", "strength", "require", "reset", "hint", "changed", "change", "expire", "token",
        "_at", "_on", "algo", "salt", "old", "previous", "history", "format", "must", "count",
    ];
    (has(name, &["password", "passwd", "passhash", "pass_hash", "pwd", "passphrase"]))
        && !has(name, &NOT)
}

/// What a person types beside his password, the likeliest first.
pub(super) const LOGIN_NAMES: [&str; 10] = [
    "email",
    "e_mail",
    "email_address",
    "mail",
    "username",
    "user_name",
    "login",
    "nickname",
    "handle",
    "name",
];

/// Of a row that logs in: what lets it, and what would keep it from that.
pub(super) fn flag(name: &str) -> bool {
    const BAD: [&str; 14] = [
        "inactive",
        "deactivat",
        "disabled",
        "mfa",
        "otp",
        "2fa",
        "factor",
        "unverified",
        "unconfirmed",
        "locked",
        "blocked",
        "banned",
        "must",
        "require",
    ];
    has(name, &["active", "enabled", "verified", "confirmed", "approved", "activated", "can_login"])
        && !has(name, &BAD)
}

/// Of a row that logs in: what is better empty, as a token of a reset that was never asked for.
pub(super) fn is_spare(name: &str) -> bool {
    const SPARE: [&str; 13] = [
        "token",
        "secret",
        "otp",
        "mfa",
        "tfa",
        "2fa",
        "reset",
        "recovery",
        "provider",
        "external",
        "challenge",
        "unconfirmed",
        "auth_data",
    ];
    has(name, &SPARE)
}

/// Of a row that logs in: failures that were never made.
pub(super) fn is_failures(name: &str) -> bool {
    has(name, &["failed", "failure", "attempt", "lockout"])
}

/// States in which a row may log in.
pub(super) fn is_good_state(label: &str) -> bool {
    ["active", "enabled", "confirmed", "verified", "approved", "normal", "ok"]
        .contains(&label.to_lowercase().as_str())
}

/// Whether a table is of people, by its name.
pub(super) fn is_people(table: &str) -> bool {
    const PEOPLE: [&str; 16] = [
        "user",
        "account",
        "member",
        "customer",
        "person",
        "people",
        "admin",
        "login",
        "staff",
        "employee",
        "client",
        "player",
        "author",
        "contact",
        "subscriber",
        "principal",
    ];
    has(&snake(table.rsplit('.').next().unwrap_or(table)), &PEOPLE)
}

/// A table's name as that of one of its rows: `auth_users` is of `AuthUser`s.
pub(super) fn persona(table: &str) -> String {
    let table = table.rsplit('.').next().unwrap_or(table);
    let words = snake(table);
    let words = words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    let count = words.len();
    let words = words.into_iter().enumerate().map(|(place, word)| {
        let is_plural = place + 1 == count && word.len() > 3 && !word.ends_with("ss");
        let word = match word.strip_suffix("ies").filter(|_| is_plural) {
            Some(stem) => format!("{stem}y"),
            None if is_plural => word.strip_suffix('s').unwrap_or(word).to_owned(),
            None => word.to_owned(),
        };
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_uppercase().collect::<String>());
        first.unwrap_or_default() + letters.as_str()
    });
    let persona: String = words.collect();
    if persona.is_empty() { "User".to_owned() } else { persona }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_understood_whoever_wrote_them() {
        for (name, expected) in
            [("deletedAt", "deleted_at"), ("HTTPStatus", "httpstatus"), ("a_b", "a_b")]
        {
            assert_eq!(snake(name), expected);
        }
        for name in ["deleted_at", "locked_until", "closed_on", "last_login", "archived_at"] {
            assert!(is_state(name), "{name}");
        }
        for name in ["created_at", "email_verified_at", "confirmed_at", "format", "updated_on"] {
            assert!(!is_state(name), "{name}");
        }
        for name in ["password", "hashed_password", "encrypted_password", "passwd", "password_hash"]
        {
            assert!(is_hash(name), "{name}");
        }
        for name in
            ["reset_password_token", "password_changed_at", "password_salt", "auth_password_policy"]
        {
            assert!(!is_hash(name), "{name}");
        }
        for (table, expected) in [
            ("repositories", "Repository"),
            ("users", "User"),
            ("public.auth_user", "AuthUser"),
            ("address", "Address"),
        ] {
            assert_eq!(persona(table), expected);
        }
    }
}
