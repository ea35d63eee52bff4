//! Changes to one part of a request: where values are bound, and secrets left out.

use std::ops::Range;

use trace::format::{Binding, Encoding, Origin, Part};

#[derive(Debug)]
pub(super) struct Edit {
    /// In the text as it was sent.
    pub(super) range: Range<usize>,
    pub(super) from: Origin,
    pub(super) encode: Encoding,
    /// What stands there is left out.
    pub(super) is_secret: bool,
}

/// The text of a part as it is stored, with its bindings. Where edits overlap, the first one
/// given wins, unless a later one removes a secret.
pub(super) fn apply(text: &str, mut edits: Vec<Edit>, part: Part) -> (String, Vec<Binding>) {
    edits.sort_by_key(|edit| (!edit.is_secret, edit.range.start));
    let mut kept: Vec<Edit> = Vec::with_capacity(edits.len());
    for edit in edits {
        let is_free = |other: &Edit| {
            other.range.end <= edit.range.start || edit.range.end <= other.range.start
        };
        if kept.iter().all(is_free) {
            kept.push(edit);
        }
    }
    kept.sort_by_key(|edit| edit.range.start);

    let mut stored = String::with_capacity(text.len());
    let mut bindings = Vec::with_capacity(kept.len());
    let mut from = 0;
    for edit in kept {
        stored.push_str(&text[from..edit.range.start]);
        let start = stored.len();
        if !edit.is_secret {
            stored.push_str(&text[edit.range.clone()]);
        }
        from = edit.range.end;
        let (end, encode) = (stored.len(), edit.encode);
        bindings.push(Binding { part, start, end, from: edit.from, encode });
    }
    stored.push_str(&text[from..]);
    (stored, bindings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(range: Range<usize>, name: &str, is_secret: bool) -> Edit {
        Edit { range, from: Origin::Slot(name.to_owned()), encode: Encoding::Raw, is_secret }
    }

    #[test]
    fn secrets_leave_an_empty_range_and_other_values_stay() {
        let edits = vec![edit(10..13, "b", false), edit(2..5, "a", true)];
        let (stored, bindings) = apply("x=abc&yyy=def&z", edits, Part::Body);
        assert_eq!(stored, "x=&yyy=def&z");
        let ranges: Vec<_> = bindings.iter().map(|b| (b.start, b.end)).collect();
        assert_eq!(ranges, [(2, 2), (7, 10)]);
    }

    #[test]
    fn of_what_overlaps_a_secret_holds() {
        let edits = vec![edit(0..4, "a", false), edit(2..6, "b", true), edit(4..5, "c", false)];
        let (stored, bindings) = apply("abcdefgh", edits, Part::Path);
        assert_eq!((stored.as_str(), bindings.len()), ("abgh", 1));
        assert_eq!(bindings[0].from, Origin::Slot("b".to_owned()));
    }
}
