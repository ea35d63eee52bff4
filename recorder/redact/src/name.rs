//! What the table says of a name.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use foldhash::fast::RandomState;

use crate::table::TABLE;

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
    if is_id(name) || table.harmless.iter().any(|harmless| *harmless == plain) {
        return Mark::None;
    }
    if has_secret_part(plain) || words(name).any(|word| is_secret_word(&word)) {
        return if tells_of_one(name, plain) { Mark::None } else { Mark::Secret };
    }
    let field = field(name);
    let is_in = |list: &[String]| list.contains(&field);
    if is_in(&table.fields) {
        Mark::Field
    } else if is_in(&table.oauth) {
        Mark::OAuth
    } else {
        Mark::None
    }
}

/// Whether a name is an id, as the keys of an object of things are: what stands in it by chance,
/// such as the `Pw` of `Zr3PwQ…`, is no word. A name of many words and a number is none of these,
/// so that capitals are asked for, which [`crate::looks_drawn`] does not.
fn is_id(name: &str) -> bool {
    name.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| {
        let count = |is: fn(&u8) -> bool| run.bytes().filter(is).count();
        run.len() >= 16
            && count(u8::is_ascii_digit) >= 2
            && count(u8::is_ascii_uppercase) >= 3
            && count(u8::is_ascii_lowercase) >= 3
    })
}

/// Longer ones are no names, but texts.
pub(crate) const MOST_NAME: usize = 200;

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

pub(crate) fn has_secret_part(plain: &str) -> bool {
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
pub(crate) fn field(name: &str) -> String {
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

/// Whether a text speaks of anything that has a secret name.
pub(crate) fn is_mentioned_in(plain: &str) -> bool {
    SEARCH.parts.is_match(plain)
}
