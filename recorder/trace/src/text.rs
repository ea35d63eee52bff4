//! What captures from text mean.

/// What stands between the first `before` and the next `after`; to the end, if that is empty.
pub fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    let value = if after.is_empty() { rest } else { rest.split_once(after)?.0 };
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_between_two_texts() {
        assert_eq!(between("id=17\nok", "id=", "\n"), Some("17"));
        assert_eq!(between("created 17", "created ", ""), Some("17"));
        assert_eq!(between("17\n", "", "\n"), Some("17"));
        assert_eq!((between("id=", "id=", ""), between("x", "id=", "")), (None, None));
    }
}
