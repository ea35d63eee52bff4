//! What is secret by the name that it stands under.

use crate::table::TABLE;

/// The names of the table, and those that somebody added to them.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// As written.
    added: Vec<String>,
    /// The same as they are compared.
    secret: Vec<String>,
    harmless: Vec<String>,
}

impl Names {
    /// Further names that are secret, and names that are not although they would be. Both as
    /// somebody writes them: letter case, `-`, `_` and spaces do not count.
    pub fn new(secret: Vec<String>, harmless: &[String]) -> Self {
        Self {
            secret: secret.iter().map(|name| plain(name)).collect(),
            harmless: harmless.iter().map(|name| plain(name)).collect(),
            added: secret,
        }
    }

    /// Whether what stands under this name is secret.
    pub fn is_secret(&self, name: &str) -> bool {
        let name = plain(name);
        let is_added = || self.secret.iter().any(|secret| name.contains(secret));
        !self.harmless.contains(&name) && (is_secret_by_table(&name) || is_added())
    }

    /// Whether a text speaks of anything that has a secret name.
    pub(crate) fn are_mentioned_in(&self, text: &str) -> bool {
        let text = plain(text);
        let mut all = TABLE.names.secret.iter().chain(&self.secret);
        all.any(|name| text.contains(name))
    }

    /// Those in force, for the header of a trace.
    pub fn in_force(&self) -> Vec<String> {
        TABLE.names.secret.iter().chain(&self.added).cloned().collect()
    }
}

/// Whether what stands under this name is secret by the table.
pub fn is_secret_name(name: &str) -> bool {
    is_secret_by_table(&plain(name))
}

/// Whether a field of an account must stay in the manifest.
pub fn is_secret_field(field: &str) -> bool {
    manifest::format::SECRET_FIELDS.contains(&field) || is_secret_name(field)
}

/// Whether a body with a field of this name is a login.
pub fn is_password_name(name: &str) -> bool {
    let name = plain(name);
    TABLE.names.login.iter().any(|login| name.contains(login))
}

fn is_secret_by_table(plain: &str) -> bool {
    let names = &TABLE.names;
    names.secret.iter().any(|secret| plain.contains(secret))
        && !names.harmless.iter().any(|harmless| harmless == plain)
}

/// A name as it is compared.
pub(crate) fn plain(name: &str) -> String {
    let letters = name.chars().filter(|c| !matches!(c, '-' | '_' | ' '));
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_names_are_known_however_they_are_written() {
        for name in ["password", "Authorization", "refresh_token", "X-Api-Key", "Set-Cookie"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["email", "title", "id", "token_type", "Accept"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn added_names_extend_those_of_the_table() {
        let names = Names::new(vec!["x-internal".to_owned()], &["token_count".to_owned()]);
        for name in ["X-Internal-Key", "password", "access_token"] {
            assert!(names.is_secret(name), "{name}");
        }
        for name in ["token_count", "Token-Count", "title", "token_type"] {
            assert!(!names.is_secret(name), "{name}");
        }
        assert_eq!(names.in_force().last().unwrap(), "x-internal");
        assert!(names.are_mentioned_in("an X-Internal matter") && !names.are_mentioned_in("all"));
    }

    #[test]
    fn a_login_has_a_password() {
        assert!(is_password_name("new-Passwort") && is_password_name("passwd"));
        assert!(!is_password_name("passport"));
    }
}
