//! What is held of a run's tables, which somebody may have made.

use run_log::reader::ReadError;

/// Of one table: 4 million samples of what is drawn of the target, which is six metrics for a week.
const MAX_BYTES: usize = 64 << 20;

/// Why a table is not held.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unbounded {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("it has more rows than a report can be made of, over {} MiB", MAX_BYTES >> 20)]
    TooMuch,
}

/// How much of a table is held so far.
#[derive(Default)]
pub(super) struct Held(usize);

impl Held {
    /// # Errors
    /// When with these bytes it is more than is held.
    pub(super) fn add(&mut self, bytes: usize) -> Result<(), Unbounded> {
        self.0 += bytes;
        if self.0 > MAX_BYTES { Err(Unbounded::TooMuch) } else { Ok(()) }
    }
}

/// All rows; `text` is how much text a row holds.
///
/// # Errors
/// When a row cannot be read, or they are too many.
pub(super) fn all<T>(
    rows: impl Iterator<Item = Result<T, ReadError>>,
    text: impl Fn(&T) -> usize,
) -> Result<Vec<T>, Unbounded> {
    let mut held = Held::default();
    let mut kept = Vec::new();
    for row in rows {
        let row = row?;
        held.add(size_of::<T>() + text(&row))?;
        kept.push(row);
    }
    Ok(kept)
}

/// The first rows of each kind, of which there are but a few; the others are read, as they may be
/// damaged, and not held.
///
/// # Errors
/// When a row cannot be read.
pub(super) fn first_of_each<T, K: PartialEq>(
    rows: impl Iterator<Item = Result<T, ReadError>>,
    kind: impl Fn(&T) -> K,
    most: usize,
) -> Result<Vec<T>, ReadError> {
    let mut kept: Vec<T> = Vec::new();
    for row in rows {
        let row = row?;
        if kept.iter().filter(|other| kind(other) == kind(&row)).count() < most {
            kept.push(row);
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_without_end_is_not_read_to_it() {
        let rows = std::iter::repeat_with(|| Ok(String::from("xy")));
        assert!(matches!(all(rows, String::len), Err(Unbounded::TooMuch)));
        let some = std::iter::repeat_n("xy", 9).map(|row| Ok(row.to_owned()));
        assert_eq!(all(some, String::len).unwrap().len(), 9);
    }

    #[test]
    fn of_each_kind_the_first_are_kept() {
        let rows = ["a1", "a2", "a3", "b1", "a4", "b2"].map(|row| Ok(row.to_owned()));
        let kept = first_of_each(rows.into_iter(), |row: &String| row.as_bytes()[0], 2).unwrap();
        assert_eq!(kept, ["a1", "a2", "b1", "b2"]);
    }
}
