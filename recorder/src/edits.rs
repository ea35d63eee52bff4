//! Changes to one part of a request: where values are bound, and secrets left out.

use std::cmp::Reverse;
use std::ops::Range;

use trace::format::{Binding, Encoding, Origin, Part};

#[derive(Debug)]
pub(crate) struct Edit {
    /// In the bytes as they were sent.
    pub(crate) range: Range<usize>,
    pub(crate) from: Origin,
    pub(crate) encode: Encoding,
    /// What stands there is left out.
    pub(crate) is_secret: bool,
    /// Another value would have fitted as well.
    pub(crate) ambiguous: bool,
}

/// A secret that has to be given to the replay, under the name of its field.
pub(crate) fn slot(name: &str) -> Origin {
    // What stands under a secret in a list of secrets is not called by it.
    let is_name = !name.is_empty() && !redact::shapes::is_no_name(name);
    let name = if is_name { name } else { "secret" };
    Origin::Slot(key(name))
}

/// What a value is called that stands under this name: small letters, digits and `_`.
pub(crate) fn key(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    name.chars().map(plain).collect()
}

/// The bytes of a part as they are stored, with their bindings. Of edits that overlap the first
/// one holds, but nothing of a secret stays: secrets that reach beyond each other are left out as
/// one. The `/` that a path begins with is of no secret.
pub(crate) fn apply(sent: &[u8], edits: Vec<Edit>, part: Part) -> (Vec<u8>, Vec<Binding>) {
    let mut stored = Vec::with_capacity(sent.len());
    let mut bindings = Vec::with_capacity(edits.len());
    let mut from = 0;
    let root = usize::from(part == Part::Path && sent.starts_with(b"/"));
    for mut edit in apart(edits) {
        if edit.is_secret {
            edit.range.start = edit.range.start.max(root);
        }
        stored.extend_from_slice(&sent[from..edit.range.start]);
        let start = stored.len();
        if !edit.is_secret {
            stored.extend_from_slice(&sent[edit.range.clone()]);
        }
        from = edit.range.end;
        let (end, encode, ambiguous) = (stored.len(), edit.encode, edit.ambiguous);
        bindings.push(Binding { part, start, end, from: edit.from, encode, ambiguous });
    }
    stored.extend_from_slice(&sent[from..]);
    (stored, bindings)
}

/// The same for a part that is text.
pub(crate) fn apply_to_text(sent: &str, edits: Vec<Edit>, part: Part) -> (String, Vec<Binding>) {
    let (stored, bindings) = apply(sent.as_bytes(), edits, part);
    // Edits begin and end between characters.
    (String::from_utf8_lossy(&stored).into_owned(), bindings)
}

/// The edits in order, none of which reaches into another.
fn apart(edits: Vec<Edit>) -> Vec<Edit> {
    let (mut secret, mut others): (Vec<Edit>, Vec<Edit>) =
        edits.into_iter().partition(|edit| edit.is_secret);
    secret.sort_by_key(|edit| (edit.range.start, Reverse(edit.range.end)));
    let mut kept: Vec<Edit> = Vec::with_capacity(secret.len() + others.len());
    for edit in secret {
        match kept.last_mut() {
            Some(last) if edit.range.start < last.range.end || edit.range == last.range => {
                if edit.range.end > last.range.end {
                    last.range.end = edit.range.end;
                    last.from = Origin::Slot("secret".to_owned());
                }
            }
            _ => kept.push(edit),
        }
    }
    others.sort_by_key(|edit| edit.range.start);
    let secrets = kept.len();
    let mut end = 0;
    for edit in others {
        let next = kept[..secrets].partition_point(|secret| secret.range.end <= edit.range.start);
        let is_free = next == secrets || edit.range.end <= kept[next].range.start;
        if is_free && edit.range.start >= end {
            end = edit.range.end;
            kept.push(edit);
        }
    }
    kept.sort_by_key(|edit| (edit.range.start, edit.range.end));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(range: Range<usize>, name: &str, is_secret: bool) -> Edit {
        Edit {
            range,
            from: Origin::Slot(name.to_owned()),
            encode: Encoding::Raw,
            is_secret,
            ambiguous: false,
        }
    }

    #[test]
    fn secrets_leave_an_empty_range_and_other_values_stay() {
        let edits = vec![edit(10..13, "b", false), edit(2..5, "a", true)];
        let (stored, bindings) = apply_to_text("x=abc&yyy=def&z", edits, Part::Body);
        assert_eq!(stored, "x=&yyy=def&z");
        let ranges: Vec<_> = bindings.iter().map(|b| (b.start, b.end)).collect();
        assert_eq!(ranges, [(2, 2), (7, 10)]);
    }

    #[test]
    fn a_path_stays_one_without_its_secret() {
        let stored = |part| apply_to_text("/abc/d", vec![edit(0..4, "a", true)], part);
        let (path, bindings) = stored(Part::Path);
        assert_eq!((path.as_str(), bindings[0].start, bindings[0].end), ("//d", 1, 1));
        assert_eq!(stored(Part::Body).0, "/d");
    }

    #[test]
    fn of_what_overlaps_a_secret_holds() {
        let edits = vec![edit(0..4, "a", false), edit(2..6, "b", true), edit(4..5, "c", false)];
        let (stored, bindings) = apply_to_text("abcdefgh", edits, Part::Path);
        assert_eq!((stored.as_str(), bindings.len()), ("abgh", 1));
        assert_eq!(bindings[0].from, Origin::Slot("b".to_owned()));
    }

    #[test]
    fn of_secrets_that_overlap_nothing_stays() {
        let edits = vec![edit(3..6, "c", true), edit(1..4, "b", true), edit(2..3, "a", true)];
        let (stored, bindings) = apply_to_text("abcdefgh", edits, Part::Path);
        assert_eq!((stored.as_str(), bindings.len()), ("agh", 1));
    }
}
