//! Secrets that somebody is known to hold, to be found wherever they stand.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use common::encoding::{form, json, percent};
use manifest::format::Account;
use trace::format::Encoding;

use crate::names::is_secret_field;

/// Shorter ones stand in anything.
const MIN_BYTES: usize = 4;

/// Older ones are known by the names of their fields alone.
const MAX_SECRETS: usize = 32;

/// The automaton looks for this much of each spelling, and what follows is compared: its size
/// does not grow with the length of tokens. At most `MAX_SECRETS` × 12 × 16 states.
const SEARCHED: usize = 16;

/// The secrets of a session or of a user.
#[derive(Default)]
pub struct Known {
    secrets: VecDeque<Secret>,
    /// Made when it is needed, after the last change.
    search: OnceLock<Search>,
}

struct Secret {
    text: Arc<str>,
    /// Of the account.
    field: Option<String>,
}

/// Where a secret stands.
pub struct Found {
    pub range: Range<usize>,
    pub secret: Arc<str>,
    /// The account's field that it is.
    pub field: Option<String>,
    /// Without one it cannot be written anew.
    pub encode: Option<Encoding>,
}

impl Known {
    /// The secret fields of an account.
    pub fn of(account: &Account) -> Self {
        let mut known = Self::default();
        known.set_account(account);
        known
    }

    /// The account's secrets, in place of another's.
    pub fn set_account(&mut self, account: &Account) {
        self.secrets.retain(|secret| secret.field.is_none());
        self.search.take();
        for (field, value) in account.fields.iter().filter(|(field, _)| is_secret_field(field)) {
            self.insert(value.as_str().into(), Some(field.clone()));
        }
    }

    pub fn add(&mut self, text: Arc<str>) {
        self.insert(text, None);
    }

    fn insert(&mut self, text: Arc<str>, field: Option<String>) {
        if text.len() < MIN_BYTES || self.secrets.iter().any(|secret| secret.text == text) {
            return;
        }
        if self.secrets.len() == MAX_SECRETS
            && let Some(oldest) = self.secrets.iter().position(|secret| secret.field.is_none())
        {
            self.secrets.remove(oldest);
        }
        self.secrets.push_back(Secret { text, field });
        self.search.take();
    }

    /// Everywhere that one stands, in any spelling: the secrets in the order in which they became
    /// known. Ranges of different spellings may overlap.
    pub fn find(&self, text: &str) -> Vec<Found> {
        let search = self.search();
        let mut found: Vec<(usize, Range<usize>)> = search.matches(text.as_bytes()).collect();
        found.sort_unstable_by_key(|(spelling, range)| (*spelling, range.start));
        let found = found.into_iter().map(|(spelling, range)| {
            let Spelling { secret, encode, .. } = &search.spellings[spelling];
            let Secret { text, field } = &self.secrets[*secret];
            Found { range, secret: Arc::clone(text), field: field.clone(), encode: *encode }
        });
        found.collect()
    }

    /// Whether one stands anywhere, in any spelling.
    pub fn are_in(&self, bytes: &[u8]) -> bool {
        self.search().matches(bytes).next().is_some()
    }

    fn search(&self) -> &Search {
        self.search.get_or_init(|| Search::new(&self.secrets))
    }
}

/// Without the secrets.
impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").field("secrets", &self.secrets.len()).finish_non_exhaustive()
    }
}

/// Without the secret.
impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { range, field, encode, .. } = self;
        f.debug_struct("Found")
            .field("range", range)
            .field("field", field)
            .field("encode", encode)
            .finish_non_exhaustive()
    }
}

/// All spellings of all secrets, looked for at once.
struct Search {
    /// Finds the first bytes of each of the spellings, in their order.
    beginnings: AhoCorasick,
    spellings: Vec<Spelling>,
}

struct Spelling {
    text: String,
    /// Index of the secret.
    secret: usize,
    encode: Option<Encoding>,
}

impl Search {
    fn new(secrets: &VecDeque<Secret>) -> Self {
        let mut all = Vec::new();
        for (secret, Secret { text, .. }) in secrets.iter().enumerate() {
            let spellings = spellings(text).into_iter();
            all.extend(spellings.map(|(text, encode)| Spelling { text, secret, encode }));
        }
        let beginnings = all
            .iter()
            .map(|spelling| &spelling.text.as_bytes()[..spelling.text.len().min(SEARCHED)]);
        let beginnings = AhoCorasick::builder()
            // Many sessions have one each: small rather than fastest.
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(beginnings)
            .expect("a few hundred short patterns are far below what an automaton can hold");
        Self { beginnings, spellings: all }
    }

    /// Index and range of each spelling that stands in the text; those of one spelling do not
    /// overlap.
    fn matches(&self, text: &[u8]) -> impl Iterator<Item = (usize, Range<usize>)> {
        // Where the last of each spelling ended.
        let mut ends = vec![0; self.spellings.len()];
        self.beginnings.find_overlapping_iter(text).filter_map(move |found| {
            let index = found.pattern().as_usize();
            let spelling = self.spellings[index].text.as_bytes();
            let range = found.start()..found.start() + spelling.len();
            if range.start < ends[index] || !text[range.start..].starts_with(spelling) {
                return None;
            }
            ends[index] = range.end;
            Some((index, range))
        })
    }
}

/// How a secret may be written.
fn spellings(secret: &str) -> Vec<(String, Option<Encoding>)> {
    let mut all: Vec<(String, Option<Encoding>)> = Vec::new();
    let mut add = |text: String, encode| {
        if text.len() >= MIN_BYTES && all.iter().all(|(known, _)| *known != text) {
            all.push((text, encode));
        }
    };
    add(secret.to_owned(), Some(Encoding::Raw));
    add(encoded(secret, json), Some(Encoding::Json));
    for (write, encode) in
        [(percent as fn(&str, &mut Vec<u8>), Encoding::Percent), (form, Encoding::Form)]
    {
        let text = encoded(secret, write);
        let lower = with_lower_escapes(&text);
        add(text, Some(encode));
        add(lower, Some(encode));
    }
    // Base64 of a longer text has these within it, by where in a group of three it begins.
    for before in 0..3 {
        let padded = [&b"\0\0"[..before], secret.as_bytes()].concat();
        // Characters that share bits with what stands before or after say nothing.
        let (first, end) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        for alphabet in [&BASE64_STANDARD_NO_PAD, &BASE64_URL_SAFE_NO_PAD] {
            add(alphabet.encode(&padded)[first..end].to_owned(), None);
        }
    }
    all
}

fn encoded(text: &str, write: fn(&str, &mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(text, &mut out);
    String::from_utf8(out).expect("encodings make text of text")
}

/// `%2F` as `%2f`.
fn with_lower_escapes(text: &str) -> String {
    let mut escape = 0_u8;
    let lower = |c: char| {
        let is_digit = escape > 0;
        escape = if c == '%' { 2 } else { escape.saturating_sub(1) };
        if is_digit { c.to_ascii_lowercase() } else { c }
    };
    text.chars().map(lower).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};

    use super::*;

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        let secret = "Pass \"w/ö1+";
        let mut known = Known::default();
        known.add(secret.into());
        let json = serde_json::Value::from(secret).to_string();
        for text in [
            secret.to_owned(),
            json,
            "q=Pass%20%22w%2F%C3%B61%2B&x".to_owned(),
            "q=Pass%20%22w%2f%c3%b61%2b&x".to_owned(),
            "q=Pass+%22w%2F%C3%B61%2B".to_owned(),
            BASE64_STANDARD.encode(format!("user:{secret}")),
            BASE64_STANDARD.encode(format!("u:{secret}:x")),
            BASE64_STANDARD.encode(format!("us:{secret}")),
            BASE64_URL_SAFE.encode(format!("user:{secret}")),
        ] {
            assert!(!known.find(&text).is_empty(), "{text}");
            assert!(known.are_in(text.as_bytes()), "{text}");
        }
        assert!(known.find("Pass w").is_empty());
        assert!(!format!("{known:?}{:?}", known.find(secret)).contains("Pass"));
    }

    #[test]
    fn a_secret_that_only_begins_like_one_is_none() {
        let mut known = Known::default();
        known.add("eyJhbGciOiJIUzI1NiJ9.one".into());
        known.add("eyJhbGciOiJIUzI1NiJ9.other".into());
        let text = "x eyJhbGciOiJIUzI1NiJ9.other eyJhbGciOiJIUzI1NiJ9.onl";
        let found = known.find(text);
        assert_eq!(found.len(), 1);
        assert_eq!(&text[found[0].range.clone()], "eyJhbGciOiJIUzI1NiJ9.other");
    }

    #[test]
    fn a_secret_that_overlaps_itself_is_found_once() {
        let mut known = Known::default();
        known.add("abab".into());
        let ranges: Vec<_> = known.find("abababab ab").into_iter().map(|f| f.range).collect();
        assert_eq!(ranges, [0..4, 4..8]);
    }

    #[test]
    fn a_secret_that_became_known_later_is_found_too() {
        let mut known = Known::default();
        known.add("first-one".into());
        assert!(!known.are_in(b"second-one"));
        known.add("second-one".into());
        let order: Vec<_> =
            known.find("second-one first-one").into_iter().map(|f| f.secret).collect();
        assert_eq!(order, ["first-one".into(), "second-one".into()]);
    }

    #[test]
    fn the_oldest_make_room_and_an_account_replaces_another() {
        let account = |password: &str| Account {
            name: "a".to_owned(),
            persona: "p".to_owned(),
            fields: BTreeMap::from([
                ("password".to_owned(), password.to_owned()),
                ("email".to_owned(), "a@b.c".to_owned()),
            ]),
        };
        let mut known = Known::of(&account("hunter2"));
        for number in 0..2 * MAX_SECRETS {
            known.add(format!("token-{number:04}").into());
        }
        assert!(known.are_in(b"hunter2") && !known.are_in(b"a@b.c"));
        assert!(!known.are_in(b"token-0000") && known.are_in(b"token-0063"));
        assert_eq!(known.secrets.len(), MAX_SECRETS);
        known.set_account(&account("another"));
        assert!(!known.are_in(b"hunter2") && known.are_in(b"another"));
    }
}
