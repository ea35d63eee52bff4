//! Columns that must have a value and that the plan says nothing about.

use crate::schema::{Column, Kind};

/// The expression that fills such a column by its type, if there is one.
///
/// A foreign key is the caller's: it needs to know the plan's tables.
pub(super) fn expression(column: &Column) -> Option<String> {
    by_kind(&column.kind)
}

/// The expression for a column of a key: never the same twice.
pub(super) fn distinct(table: &str, column: &Column) -> Option<String> {
    match column.kind {
        Kind::Integer { .. } => Some("n".to_owned()),
        Kind::Text { max: Some(max) } if max < table.len() + 8 => Some("n ~ ''".to_owned()),
        Kind::Text { .. } => Some(format!("{} ~ n", literal(&format!("{table}-")))),
        _ => None,
    }
}

fn by_kind(kind: &Kind) -> Option<String> {
    Some(match kind {
        Kind::Boolean => "false".to_owned(),
        Kind::Integer { .. } => "integer(0, 100)".to_owned(),
        Kind::Number => "uniform(0, 100) | round(2)".to_owned(),
        Kind::Text { max: Some(max) } => format!("fake.word()[:{max}]"),
        Kind::Text { max: None } => "fake.word()".to_owned(),
        Kind::Uuid => "uuid()".to_owned(),
        Kind::Json => "{}".to_owned(),
        Kind::Timestamp => "now()".to_owned(),
        Kind::Date => "now()[:10]".to_owned(),
        Kind::Enum { labels } => {
            let labels: Vec<String> = labels.iter().map(|label| literal(label)).collect();
            format!("pick([{}])", labels.join(", "))
        }
        Kind::Array(_) => "[]".to_owned(),
        Kind::Other => return None,
    })
}

/// A text as an expression writes it.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use minijinja::Value;

    use super::*;
    use crate::rows::value::text;
    use generate::{Clock, Generators, Stream};

    #[test]
    fn every_filled_value_fits_its_type() {
        let generators = Generators::new(Clock::System);
        let environment = generators.environment();
        let kinds = [
            Kind::Boolean,
            Kind::Integer { min: i16::MIN.into(), max: i16::MAX.into() },
            Kind::Number,
            Kind::Text { max: Some(1) },
            Kind::Text { max: None },
            Kind::Uuid,
            Kind::Json,
            Kind::Timestamp,
            Kind::Date,
            Kind::Enum { labels: vec!["it's".to_owned(), "back\\slash".to_owned()] },
            Kind::Array(Box::new(Kind::Uuid)),
        ];
        for kind in kinds {
            let expression = environment.compile_expression_owned(by_kind(&kind).unwrap()).unwrap();
            for n in 0..20 {
                let stream = Stream::new(1, &["fill"]);
                let value = generators.draw(&stream, n, || expression.eval(Value::UNDEFINED));
                let value = value.unwrap();
                assert!(text(&kind, &value).is_ok_and(|text| text.is_some()), "{kind:?}: {value}");
            }
        }
    }
}
