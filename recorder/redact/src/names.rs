//! What is secret by the name that it stands under.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use foldhash::fast::RandomState;

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

/// What a name says of what stands under it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    #[default]
    None,
    /// Secret where OAuth is spoken.
    OAuth,
    /// Secret where it is a field's whole name, and by what the value is.
    Field,
    Secret,
}

/// What the table says of a name.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Name {
    pub(crate) mark: Mark,
    /// A card's number may stand under it.
    pub(crate) is_of_card: bool,
    /// OAuth is spoken where it stands.
    pub(crate) is_of_oauth: bool,
    /// A number under it counts things: `tokens`, `cookies`.
    pub(crate) counts: bool,
    /// Within something secret it says how that is, not what: `expires_in`.
    pub(crate) tells: bool,
}

/// Names come again and again: so many of them, none longer than this, are remembered.
const REMEMBERED: usize = 4096;
const MOST_REMEMBERED: usize = 64;

thread_local! {
    static NAMES: RefCell<HashMap<Box<str>, Name, RandomState>> = RefCell::default();
}

impl Name {
    pub(crate) fn of(name: &str) -> Self {
        if name.is_empty() || name.len() > MOST_NAME {
            return Self::default();
        }
        if name.len() > MOST_REMEMBERED {
            return Self::by_table(name);
        }
        NAMES.with_borrow_mut(|names| {
            if let Some(known) = names.get(name) {
                return *known;
            }
            if names.len() >= REMEMBERED {
                names.clear();
            }
            let found = Self::by_table(name);
            names.insert(name.into(), found);
            found
        })
    }

    fn by_table(name: &str) -> Self {
        let table = &TABLE.names;
        let plain = plain(name);
        let is_in = |list: &[String]| list.iter().any(|other| *other == plain);
        let is_card = |word: Cow<'_, str>| table.cards.iter().any(|card| *card == word);
        Self {
            mark: mark(name, &plain),
            is_of_card: words(name).any(is_card),
            is_of_oauth: is_in(&table.beside),
            counts: plain.ends_with('s') && has_secret_part(plain.trim_end_matches('s')),
            tells: is_in(&table.tells),
        }
    }
}

/// What the table says of what stands under a name.
fn mark(name: &str, plain: &str) -> Mark {
    let table = &TABLE.names;
    if table.harmless.iter().any(|harmless| *harmless == plain) {
        return Mark::None;
    }
    if has_secret_part(plain) || words(name).any(|word| is_secret_word(&word)) {
        return if tells_of_one(name, plain) { Mark::None } else { Mark::Secret };
    }
    let field = field(name);
    let is_in = |list: &[String]| list.iter().any(|other| *other == field);
    if is_in(&table.fields) {
        Mark::Field
    } else if is_in(&table.oauth) {
        Mark::OAuth
    } else {
        Mark::None
    }
}

/// The rules of the table, as the header of a trace names them.
const RULES: [&str; 5] = ["names", "words", "fields", "oauth", "shapes"];

/// Longer ones are no names, but texts.
const MOST_NAME: usize = 200;

/// The lists of the table, made ready to be looked through.
struct Search {
    parts: AhoCorasick,
    disguises: AhoCorasick,
    words: HashSet<&'static str>,
    ends: HashSet<&'static str>,
    begins: HashSet<&'static str>,
}

static SEARCH: LazyLock<Search> = LazyLock::new(|| {
    let names = &TABLE.names;
    let automaton = |list: &'static [String]| {
        AhoCorasick::new(list)
            .expect("a few hundred names are far below what an automaton can hold")
    };
    let set = |list: &'static [String]| list.iter().map(String::as_str).collect();
    Search {
        parts: automaton(&names.secret),
        disguises: automaton(&names.disguises),
        words: set(&names.words),
        ends: set(&names.ends),
        begins: set(&names.begins),
    }
});

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
        SEARCH.parts.is_match(text.as_ref())
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

fn has_secret_part(plain: &str) -> bool {
    let Search { parts, disguises, .. } = &*SEARCH;
    let mut found = parts.find_overlapping_iter(plain).peekable();
    if found.peek().is_none() {
        return false;
    }
    let hidden: Vec<_> = disguises.find_overlapping_iter(plain).map(|m| m.range()).collect();
    found.any(|part| !hidden.iter().any(|h| h.start <= part.start() && part.end() <= h.end))
}

/// `otp`, and `cvv2`.
fn is_secret_word(word: &str) -> bool {
    let words = &SEARCH.words;
    words.contains(word) || words.contains(word.trim_end_matches(|c: char| c.is_ascii_digit()))
}

/// Whether a name with a secret part only tells something about a secret: `token_expires_in`,
/// `has_password`.
fn tells_of_one(name: &str, plain: &str) -> bool {
    let Search { begins, ends, .. } = &*SEARCH;
    let words: Vec<_> = words(name).collect();
    match words.as_slice() {
        [] => false,
        [_] => ends.iter().any(|end| {
            plain.strip_suffix(end).is_some_and(|rest| end.len() > 3 && has_secret_part(rest))
        }),
        [first, .., before, last] if words.len() > 2 => {
            begins.contains(first.as_ref())
                || ends.contains(last.as_ref())
                || ends.contains(format!("{before}{last}").as_str())
        }
        [first, .., last] => begins.contains(first.as_ref()) || ends.contains(last.as_ref()),
    }
}

/// The name of a field itself: of `user[pin]`, `login.pin` or `ns:pin` the last part, of a header
/// what stands behind `X-`.
fn field(name: &str) -> String {
    let name = name.trim_end_matches(']');
    let last = name.rsplit(['[', ']', '.', ':', '/', '$']).find(|part| !part.is_empty());
    let last = last.unwrap_or_default();
    let last = match last.get(..2) {
        Some("X-" | "x-" | "x_") => &last[2..],
        _ => last,
    };
    plain(last).into_owned()
}

/// The words of a name in lower case: `newUserPIN` and `new_user-pin` have the same three.
fn words(name: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let pieces = name.split(|c: char| !c.is_alphanumeric()).filter(|piece| !piece.is_empty());
    pieces.flat_map(|piece| {
        let mut starts = vec![0];
        let letters: Vec<(usize, char)> = piece.char_indices().collect();
        for (index, pair) in letters.windows(2).enumerate() {
            let [(_, before), (at, letter)] = pair else { continue };
            let begins_word = letter.is_uppercase()
                && (!before.is_uppercase()
                    || letters.get(index + 2).is_some_and(|(_, next)| next.is_lowercase()));
            if begins_word {
                starts.push(*at);
            }
        }
        starts.push(piece.len());
        let words: Vec<_> = starts.windows(2).map(|ends| lower(&piece[ends[0]..ends[1]])).collect();
        words
    })
}

fn lower(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_uppercase) { text.to_lowercase().into() } else { text.into() }
}

/// A name as it is compared.
pub(crate) fn plain(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        return Cow::Borrowed(name);
    }
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
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
