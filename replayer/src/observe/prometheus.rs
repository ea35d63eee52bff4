//! The part of the Prometheus text format that is needed: values without labels.

use std::collections::BTreeMap;

/// Metrics without labels, by name.
pub(super) fn parse(text: &str) -> BTreeMap<String, f64> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.contains('{'))
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn plain_values_are_read_and_the_rest_is_passed_over() {
        let metrics =
            parse("# HELP a b\n# TYPE a counter\na 12\nb{x=\"1\"} 3\nc 1.5e3 1700000000\n");
        assert_eq!(
            metrics.into_iter().collect::<Vec<_>>(),
            [("a".to_owned(), 12.0), ("c".to_owned(), 1500.0)]
        );
    }
}
