//! What is secret by the name that it stands under.

pub use crate::name::Mark;
use crate::name::{MOST_NAME, field, is_mentioned_in};
pub(crate) use crate::name::{Name, plain};
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

/// The rules of the table, as the header of a trace names them.
const RULES: [&str; 5] = ["names", "words", "fields", "oauth", "shapes"];

impl Names {
    /// Further names that are secret, and names that are not although they would be. Both as
    /// somebody writes them: letter case, `-`, `_` and spaces do not count.
    pub fn new(secret: Vec<String>, harmless: &[String]) -> Self {
        let plain = |names: &[String]| names.iter().map(|name| plain(name).into_owned()).collect();
        Self { secret: plain(&secret), harmless: plain(harmless), added: secret }
    }

    /// Whether what stands under this name is secret, but for fields of which it depends on the
    /// value or on what stands beside it.
    pub fn is_secret(&self, name: &str) -> bool {
        self.mark(name) == Mark::Secret
    }

    /// What a name says.
    pub fn mark(&self, name: &str) -> Mark {
        if self.harmless.is_empty() && self.secret.is_empty() {
            return Name::of(name).mark;
        }
        let plain = plain(name);
        if self.harmless.iter().any(|harmless| *harmless == plain) {
            return Mark::None;
        }
        let is_in = |secret: &String| !secret.is_empty() && plain.contains(secret.as_str());
        let is_added = name.len() <= MOST_NAME && self.secret.iter().any(is_in);
        if is_added { Mark::Secret } else { Name::of(name).mark }
    }

    /// Whether a text speaks of anything that has a secret name.
    pub(crate) fn are_mentioned_in(&self, text: &str) -> bool {
        let text = plain(text);
        is_mentioned_in(&text)
            || self.secret.iter().any(|name| !name.is_empty() && text.contains(name.as_str()))
    }

    /// Those in force, for the header of a trace: the rules of the table, then what was added.
    pub fn in_force(&self) -> Vec<String> {
        RULES.into_iter().map(str::to_owned).chain(self.added.iter().cloned()).collect()
    }
}

/// Whether what stands under this name is secret by the table, whatever it is.
pub fn is_secret_name(name: &str) -> bool {
    Names::default().is_secret(name)
}

/// Whether a field of an account must stay in the manifest.
pub fn is_secret_field(field: &str) -> bool {
    manifest::format::SECRET_FIELDS.contains(&field)
        || matches!(Names::default().mark(field), Mark::Secret | Mark::Field)
}

/// Whether a body with a field of this name is a login.
pub fn is_password_name(name: &str) -> bool {
    let name = plain(name);
    TABLE.names.login.iter().any(|login| name.contains(login.as_str()))
}

/// Whether a field of this name is secret only if its value looks like a secret.
pub(crate) fn has_to_look_secret(name: &str) -> bool {
    TABLE.names.looks.contains(&field(name))
}

/// Whether a word may be the secret of a field of this name.
pub(crate) fn may_be_a_word(name: &str) -> bool {
    TABLE.names.spoken.contains(&field(name))
}

/// Whether OAuth is spoken on this path.
pub(crate) fn is_path_of_oauth(path: &str) -> bool {
    let mut segments = path.split(['/', '?', '.']);
    segments.any(|segment| TABLE.names.paths.iter().any(|path| path.eq_ignore_ascii_case(segment)))
}

/// What a path segment says of the one behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    /// It is a secret if it is long and looks like one,
    Token,
    /// if it has letters and digits mixed,
    Mailed,
    /// or is a UUID.
    Reset,
}

impl Before {
    pub(crate) fn of(segment: &str) -> Self {
        let plain = plain(segment);
        let names = &TABLE.names;
        let is_in = |list: &[String]| list.iter().any(|name| *name == plain);
        if is_in(&names.resets) {
            Self::Reset
        } else if is_in(&names.mailed) {
            Self::Mailed
        } else if is_in(&names.segments) {
            Self::Token
        } else {
            Self::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(name: &str) -> Mark {
        Names::default().mark(name)
    }

    #[test]
    fn secret_names_are_known_however_they_are_written() {
        for name in [
            "password",
            "Authorization",
            "refresh_token",
            "X-Api-Key",
            "Set-Cookie",
            "newUserPassword",
            "user[password]",
            "Passwort",
            "mot de passe",
            "mot_de_passe",
            "contraseña",
            "contrasen\u{303}a",
            "clave",
            "senha",
            "пароль",
            "密码",
            "新密碼",
            "パスワード",
            "비밀번호",
            "userPwd",
            "otp",
            "mfa_code",
            "cvv2",
            "cardCVC",
            "card_number",
            "iban",
            "SSN",
            "csrfmiddlewaretoken",
            "X-XSRF-TOKEN",
            "sid",
            "PHPSESSID",
            "session_id",
            "connect.sid",
            "jwt",
            "access_key",
            "Ocp-Apim-Subscription-Key",
            "privateKey",
            "X-Amz-Signature",
            "client_secret",
            "new_password_confirmation",
        ] {
            assert_eq!(mark(name), Mark::Secret, "{name}");
        }
        for name in ["pass", "pin", "sig", "X-Auth", "key", "user[pin]", "login.pass", "PIN"] {
            assert_eq!(mark(name), Mark::Field, "{name}");
        }
    }

    /// Keys of an object of things; a word in them is there by chance.
    #[test]
    fn an_id_is_no_name() {
        for id in [
            "!prxQRJ1Sid1r3jPwO6xFPbh5PAUGuk9Chz3",
            "$aPWDq7Jwt2xTokenK9mQbv",
            "V1StGXR8Z5jdPwHi6B",
        ] {
            assert!(!is_secret_name(id), "{id}");
        }
        for name in
            ["X-Amz-Security-Token", "accessTokenSecret2", "user2FAOtp", "PASSWORD_2024_OLD"]
        {
            assert!(is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn harmless_names_are_not_taken_for_secret_ones() {
        for name in [
            "email",
            "title",
            "id",
            "token_type",
            "Accept",
            "tokenExpiry",
            "Access-Control-Allow-Credentials",
            "secretary",
            "max_tokens",
            "tokenizer",
            "token_count",
            "hasPassword",
            "password_changed_at",
            "passwordPolicy",
            "token_endpoint",
            "spinner",
            "passenger",
            "bypass",
            "author",
            "authority",
            "keyword",
            "keyboard",
            "resident",
            "side",
            "className",
            "signal",
            "design",
            "shotput",
            "caribbean",
            "postcode",
            "agency_code",
            "country_code",
            "status",
            "primary_key",
            "cookie_consent",
            "enclave",
            "sort_key",
            "tokensUsed",
            "remember_token_enabled",
            "",
        ] {
            assert_eq!(mark(name), Mark::None, "{name}");
        }
        assert_eq!((mark("code"), mark("state")), (Mark::OAuth, Mark::OAuth));
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
