//! Secrets that somebody is known to hold, to be found wherever they stand.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::RandomState;
use manifest::format::Account;
use trace::format::Encoding;

use crate::names::is_secret_field;
use crate::spelling::{SHORT_TAIL, SPELLINGS, Spelling, TAIL, end_of, short, tail};
use crate::value::Reach;
use crate::view::{View, Written};

/// So many are kept, and so many bytes of them; the oldest make room.
const MAX_SECRETS: usize = 1024;
const MAX_BYTES: usize = 256 << 10;

/// The secrets of a session or of a user.
///
/// Short and common ones are not among them: they are known by the names that they stand under
/// alone. Adding one, and looking for all of them in a text, takes the same time however many
/// there are.
#[derive(Default)]
pub struct Known {
    secrets: VecDeque<Secret>,
    /// The number of the first of them.
    first: usize,
    bytes: usize,
    /// Numbers of secrets and their spellings by how these end.
    tails: HashMap<u64, Vec<(usize, Spelling)>, RandomState>,
    /// Whether some of them are shorter than [`TAIL`].
    has_short: bool,
    /// By their last bytes: most places of a text end none of them, which this tells at once.
    ends: [u64; 16],
}

struct Secret {
    text: Arc<str>,
    /// Of the account.
    field: Option<String>,
    reach: Reach,
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
        let others: Vec<_> =
            self.secrets.drain(..).filter(|secret| secret.field.is_none()).collect();
        *self = Self { first: self.first, ..Self::default() };
        for secret in others {
            self.insert(secret.text, None);
        }
        for (field, value) in account.fields.iter().filter(|(field, _)| is_secret_field(field)) {
            self.insert(value.as_str().into(), Some(field.clone()));
        }
    }

    /// A secret as it was written, and as it reads without its escapes, which cookies have: many
    /// a client writes `+` for a space.
    pub fn add(&mut self, text: Arc<str>) {
        if text.contains('+') {
            self.insert(text.replace('+', " ").into(), None);
        }
        for plain in View::of(text.trim_matches('"')).plain() {
            self.insert(plain.text.as_ref().into(), None);
        }
        self.insert(text, None);
    }

    fn insert(&mut self, text: Arc<str>, field: Option<String>) {
        let reach = Reach::of(&text);
        if reach == Reach::Own || text.len() < SHORT_TAIL || text.len() > MAX_BYTES {
            return;
        }
        if let Some(number) = self.number_of(&text) {
            if let Some(field) = field {
                self.secrets[number - self.first].field = Some(field);
            }
            return;
        }
        while self.secrets.len() >= MAX_SECRETS || self.bytes + text.len() > MAX_BYTES {
            self.remove_oldest();
        }
        let number = self.first + self.secrets.len();
        self.bytes += text.len();
        for spelling in SPELLINGS {
            let Some(tail) = spelling.of(&text).as_deref().and_then(tail) else { continue };
            self.has_short |= tail.0;
            let end = end_of(tail.1);
            self.ends[end / 64] |= 1 << (end % 64);
            self.tails.entry(tail.1).or_default().push((number, spelling));
        }
        self.secrets.push_back(Secret { text, field, reach });
    }

    fn number_of(&self, text: &str) -> Option<usize> {
        let (_, tail) = tail(text.as_bytes())?;
        let mut found = self.tails.get(&tail)?.iter().filter(|(_, s)| *s == Spelling::Raw);
        let is = |number: &usize| *self.secrets[number - self.first].text == *text;
        found.find_map(|(number, _)| Some(*number).filter(is))
    }

    /// An account's secret is put behind the others.
    fn remove_oldest(&mut self) {
        let Some(Secret { text, field, .. }) = self.secrets.pop_front() else { return };
        let number = self.first;
        self.first += 1;
        self.bytes -= text.len();
        for spelling in SPELLINGS {
            let Some((_, tail)) = spelling.of(&text).as_deref().and_then(tail) else { continue };
            if let Some(all) = self.tails.get_mut(&tail) {
                all.retain(|(other, _)| *other != number);
                if all.is_empty() {
                    self.tails.remove(&tail);
                }
            }
        }
        if field.is_some() && self.bytes + text.len() <= MAX_BYTES {
            self.insert(text, field);
        }
    }

    /// Everywhere that one stands, in any spelling: the secrets in the order in which they became
    /// known. Ranges of different secrets may overlap.
    pub fn find(&self, text: &str) -> Vec<Found> {
        let view = View::of(text);
        let plain = if self.secrets.is_empty() { Vec::new() } else { view.plain() };
        self.find_in(text.as_bytes(), &view, &plain)
    }

    /// The same in a part of a message, of which these are the views.
    pub(crate) fn find_in(&self, part: &[u8], view: &View<'_>, plain: &[View<'_>]) -> Vec<Found> {
        let mut found: Vec<(usize, Range<usize>, Option<Encoding>)> = Vec::new();
        for view in std::iter::once(view).chain(plain) {
            self.matches(&view.text, |number, spelling, range| {
                let range = view.place(&range);
                let text = &self.secrets[number - self.first].text;
                let encode = match (spelling, view.written) {
                    (Spelling::Raw, written) => written.encoding(text, &part[range.clone()]),
                    (Spelling::Plus, Written::As(Encoding::Raw | Encoding::Percent)) => {
                        Some(Encoding::Form)
                    }
                    _ => None,
                };
                found.push((number, range, encode));
                true
            });
        }
        found.sort_by_key(|(number, range, encode)| (*number, range.start, encode.is_none()));
        // The same in several views.
        found.dedup_by(|next, last| next.0 == last.0 && next.1.start < last.1.end);
        let found = found.into_iter().map(|(number, range, encode)| {
            let Secret { text, field, .. } = &self.secrets[number - self.first];
            Found { range, secret: Arc::clone(text), field: field.clone(), encode }
        });
        found.collect()
    }

    /// Whether one stands anywhere, in any spelling.
    pub fn are_in(&self, bytes: &[u8]) -> bool {
        if self.secrets.is_empty() {
            return false;
        }
        let is_in = |view: &View<'_>| {
            let mut any = false;
            self.matches(&view.text, |_, _, _| {
                any = true;
                false
            });
            any
        };
        let is_said = |view: View<'_>| is_in(&view) || view.plain().iter().any(is_in);
        is_said(View::of_bytes(bytes)) || View::of_utf_16(bytes).is_some_and(is_said)
    }

    /// Hands over each spelling that stands in the text, for as long as more are wanted.
    fn matches(&self, text: &str, mut take: impl FnMut(usize, Spelling, Range<usize>) -> bool) {
        if self.secrets.is_empty() {
            return;
        }
        let mut window = 0_u64;
        for (at, byte) in text.bytes().enumerate() {
            window = window << 8 | u64::from(byte);
            let end = end_of(window);
            if self.ends[end / 64] & 1 << (end % 64) == 0 {
                continue;
            }
            let long = (at + 1 >= TAIL).then(|| self.tails.get(&window)).flatten();
            let short = (self.has_short && at + 1 >= SHORT_TAIL)
                .then(|| self.tails.get(&short(window)))
                .flatten();
            for (number, spelling) in long.into_iter().chain(short).flatten() {
                let Secret { text: secret, reach, .. } = &self.secrets[number - self.first];
                let Some(written) = spelling.of(secret) else { continue };
                let end = at + 1;
                if !text.as_bytes()[..end].ends_with(&written) {
                    continue;
                }
                let range = end - written.len()..end;
                let is_apart =
                    *reach == Reach::Anywhere || !spelling.is_plain() || is_token(text, &range);
                let is_whole = text.is_char_boundary(range.start) && text.is_char_boundary(end);
                if is_apart && is_whole && !take(*number, *spelling, range) {
                    return;
                }
            }
        }
    }
}

/// Whether no letter and no digit goes on with what stands here.
fn is_token(text: &str, range: &Range<usize>) -> bool {
    let is_open = |inner: Option<char>, outer: Option<char>| {
        inner.is_some_and(char::is_alphanumeric) && outer.is_some_and(char::is_alphanumeric)
    };
    let inner = &text[range.clone()];
    !is_open(inner.chars().next(), text[..range.start].chars().next_back())
        && !is_open(inner.chars().next_back(), text[range.end..].chars().next())
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use base64::Engine as _;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};

    use super::*;

    #[test]
    fn a_plus_in_a_query_may_be_a_space() {
        let mut known = Known::default();
        known.add("MtCxr9B7V=+dULnmfS9C".into());
        let later = BASE64_STANDARD.encode("u:MtCxr9B7V= dULnmfS9C;x");
        assert_eq!(known.find(&later).len(), 1);
    }

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        let secret = "Pass \"w/ö1+";
        let mut known = Known::default();
        known.add(secret.into());
        let json = serde_json::Value::from(secret).to_string();
        let hex = common::digest::hex(secret.as_bytes());
        for text in [
            secret.to_owned(),
            json.clone(),
            serde_json::Value::from(json).to_string(),
            r#"Pass \u0022w\/\u00f61+"#.to_owned(),
            "q=Pass%20%22w%2F%C3%B61%2B&x".to_owned(),
            "q=Pass%20%22w%2f%c3%b61%2b&x".to_owned(),
            "q=Pass+%22w%2F%C3%B61%2B".to_owned(),
            "%50%61%73%73%20%22%77%2f%c3%b6%31%2b".to_owned(),
            "<a>Pass &quot;w/&#246;1+</a>".to_owned(),
            hex.to_uppercase(),
            hex,
            BASE64_STANDARD.encode(format!("user:{secret}")),
            BASE64_STANDARD.encode(format!("u:{secret}:x")),
            BASE64_STANDARD.encode(format!("us:{secret}")),
            BASE64_URL_SAFE.encode(format!("user:{secret}")),
        ] {
            assert!(!known.find(&text).is_empty(), "{text}");
            assert!(known.are_in(text.as_bytes()), "{text}");
        }
        let utf_16 =
            |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        assert!(known.are_in(&utf_16(secret)));
        known.add("hunter2!".into());
        assert!(known.are_in(&[b"\x01\x02\xff", &*utf_16("hunter2!")].concat()));
        assert!(known.find("Pass w").is_empty());
        assert!(!format!("{known:?}{:?}", known.find(secret)).contains("Pass"));
    }

    #[test]
    fn a_secret_that_only_begins_or_ends_like_one_is_none() {
        let mut known = Known::default();
        known.add("eyJhbGciOiJIUzI1NiJ9.one1".into());
        known.add("eyJhbGciOiJIUzI1NiJ9.other1".into());
        let text = "x eyJhbGciOiJIUzI1NiJ9.other1 eyJhbGciOiJIUzI1NiJ9.onl zI1NiJ9.one1";
        let found = known.find(text);
        assert_eq!(found.len(), 1);
        assert_eq!(&text[found[0].range.clone()], "eyJhbGciOiJIUzI1NiJ9.other1");
    }

    #[test]
    fn short_ones_are_found_only_as_whole_tokens_and_words_not_at_all() {
        let mut known = Known::default();
        for secret in ["hunter2", "dark", "sunshine", "true", "en-US", "1234"] {
            known.add(secret.into());
        }
        let found = |text: &str| known.find(text).len();
        assert_eq!((found("/hunter2/x"), found("a_hunter2"), found("\"hunter2\"")), (1, 1, 1));
        assert_eq!((found("hunter21"), found("bhunter2"), found("éhunter2")), (0, 0, 0));
        assert_eq!(found("/darkroom dark sunshine true en-US 1234"), 0);
    }

    #[test]
    fn a_secret_that_was_shown_with_escapes_is_found_without_them() {
        let mut known = Known::default();
        known.add("%24R3Pg%29%3Ba%3D7q".into());
        assert!(known.are_in(b"%24R3Pg%29%3Ba%3D7q") && known.are_in(b"x $R3Pg);a=7q y"));
        assert!(known.are_in(common::digest::hex(b"$R3Pg);a=7q").as_bytes()));
    }

    #[test]
    fn a_secret_that_overlaps_itself_is_found_once() {
        let mut known = Known::default();
        known.add("ab1-ab1-ab1-ab1-ab1".into());
        let text = "ab1-ab1-ab1-ab1-ab1-ab1-ab1 x";
        let ranges: Vec<_> = known.find(text).into_iter().map(|f| f.range).collect();
        assert_eq!(ranges.first(), Some(&(0..19)));
        assert_eq!(ranges.len(), 1);
    }

    #[test]
    fn a_secret_that_became_known_later_is_found_too() {
        let mut known = Known::default();
        known.add("first-one1".into());
        assert!(!known.are_in(b"second-one1"));
        known.add("second-one1".into());
        let order: Vec<_> =
            known.find("second-one1 first-one1").into_iter().map(|f| f.secret).collect();
        assert_eq!(order, ["first-one1".into(), "second-one1".into()]);
    }

    #[test]
    fn replay_writes_a_secret_as_it_was_written() {
        let mut known = Known::default();
        known.add("pa ss/1\"2".into());
        let encode = |text: &str| known.find(text)[0].encode;
        assert_eq!(encode("pa ss/1\"2"), Some(Encoding::Raw));
        assert_eq!(encode(r#"pa ss/1\"2"#), Some(Encoding::Json));
        assert_eq!(encode("pa%20ss%2F1%222"), Some(Encoding::Percent));
        assert_eq!(encode("pa+ss%2F1%222"), Some(Encoding::Form));
        assert_eq!(encode("pa ss/1&quot;2"), None);
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
        assert!(!known.are_in(b"token-0000") && known.are_in(b"token-2047"));
        assert_eq!(known.secrets.len(), MAX_SECRETS);
        known.set_account(&account("another1"));
        assert!(!known.are_in(b"hunter2") && known.are_in(b"another1"));
        assert!(known.are_in(b"token-2047"));
    }
}
