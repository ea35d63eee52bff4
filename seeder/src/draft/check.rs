//! What a check constraint says about one value, as far as it is simple:
//! bounds, lists of values, lengths. Anything else is left to the server.

use std::collections::BTreeSet;

/// Values that a column may have.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Limits {
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) one_of: Vec<String>,
    pub(super) longest: Option<usize>,
    pub(super) shortest: Option<usize>,
}

impl Limits {
    /// Of conditions as the catalog writes them, with `VALUE` for the column.
    pub(super) fn of(checks: &[String]) -> Self {
        let mut limits = Self::default();
        for check in checks {
            limits.read(check);
        }
        limits
    }

    fn read(&mut self, check: &str) {
        // Of alternatives none can be told to hold.
        if check.contains(" OR ") {
            return;
        }
        let plain = without_casts(check);
        if let Some((_, list)) = plain.split_once("VALUE = ANY") {
            let literals: Vec<&str> = list.split('\'').skip(1).step_by(2).collect();
            let seen: BTreeSet<&str> = literals.iter().copied().collect();
            if seen.len() == literals.len() {
                self.one_of = literals.into_iter().map(str::to_owned).collect();
            }
            return;
        }
        if let Some(literal) = plain.strip_prefix("VALUE = '")
            && let Some(literal) = literal.strip_suffix('\'')
            && !literal.contains('\'')
        {
            self.one_of = vec![literal.to_owned()];
            return;
        }
        for condition in plain.split(" AND ") {
            for operator in [">=", "<=", ">", "<"] {
                if let Some((left, right)) = condition.split_once(&format!(" {operator} ")) {
                    self.compare(left, operator, right);
                    break;
                }
            }
        }
    }

    fn compare(&mut self, left: &str, operator: &str, right: &str) {
        let Ok(bound) = right.parse::<f64>() else { return };
        // The least step of what is drawn: hundredths, or whole numbers.
        let step = 1.0;
        let length = ["length VALUE", "char_length VALUE"].contains(&left);
        let (min, max) = match operator {
            ">=" => (Some(bound), None),
            ">" => (Some(bound + step), None),
            "<=" => (None, Some(bound)),
            _ => (None, Some(bound - step)),
        };
        if length {
            // Lengths are small and whole.
            self.shortest = min.map(|min| min as usize).or(self.shortest);
            self.longest = max.map(|max| max as usize).or(self.longest);
        } else if left == "VALUE" {
            self.min = min.or(self.min);
            self.max = max.or(self.max);
        }
    }
}

/// `CHECK (((VALUE)::numeric >= (0)::numeric))` becomes `VALUE >= 0`: without
/// parentheses and casts, which end at what cannot be in a type's name.
fn without_casts(check: &str) -> String {
    let mut plain = String::new();
    let mut rest = check.strip_prefix("CHECK ").unwrap_or(check);
    while let Some(at) = rest.find("::") {
        plain.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let name = after.find(|c: char| !(c.is_alphanumeric() || "_[]\"".contains(c)));
        rest = &after[name.unwrap_or(after.len())..];
        // Types of several words.
        for word in [" varying", " precision", " with time zone", " without time zone"] {
            rest = rest.strip_prefix(word).unwrap_or(rest);
        }
    }
    plain.push_str(rest);
    let plain: String = plain.chars().map(|c| if "()".contains(c) { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_conditions_are_understood_and_others_left_alone() {
        let limits = |check: &str| Limits::of(&[check.to_owned()]);
        let none = Limits::default();
        for (check, expected) in [
            ("CHECK ((VALUE >= (0)::numeric))", Limits { min: Some(0.0), ..none.clone() }),
            (
                "CHECK (((VALUE >= 1) AND (VALUE <= 5)))",
                Limits { min: Some(1.0), max: Some(5.0), ..none.clone() },
            ),
            ("CHECK ((VALUE > 0))", Limits { min: Some(1.0), ..none.clone() }),
            (
                "CHECK (((VALUE)::text = ANY ((ARRAY['new'::character varying, 'paid'::character varying])::text[])))",
                Limits { one_of: vec!["new".to_owned(), "paid".to_owned()], ..none.clone() },
            ),
            (
                "CHECK ((VALUE = 'X'::bpchar))",
                Limits { one_of: vec!["X".to_owned()], ..none.clone() },
            ),
            ("CHECK ((length((VALUE)::text) <= 8))", Limits { longest: Some(8), ..none.clone() }),
            ("CHECK ((VALUE < other))", none.clone()),
            ("CHECK (((VALUE < 1) OR (VALUE > 9)))", none.clone()),
            ("CHECK ((VALUE ~ '^[a-z]+$'::text))", none),
        ] {
            assert_eq!(limits(check), expected, "{check}");
        }
    }
}
