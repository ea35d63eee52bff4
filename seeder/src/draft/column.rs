//! A sensible expression for a column, by its name and its type.

use super::check::Limits;
use super::words;
use crate::rows::literal;
use crate::schema::{Column, Kind};

/// What needs to be known about a column beyond the catalog's entry.
pub(super) struct Wanted<'a> {
    pub(super) table: &'a str,
    pub(super) column: &'a Column,
    /// Whether no two rows may have the same value.
    pub(super) unique: bool,
    /// Of the whole table, the rows of others among them.
    pub(super) alone: bool,
    /// Whether its rows log in.
    pub(super) account: bool,
    pub(super) limits: Limits,
    /// Values that a partition takes, where it matters.
    pub(super) partitions: &'a [String],
}

/// The expression; none for a type that only its owner understands.
pub(super) fn expression(wanted: &Wanted<'_>) -> Option<String> {
    let Wanted { column, limits, unique, partitions, .. } = wanted;
    if !partitions.is_empty() {
        let numbers = matches!(column.kind, Kind::Integer { .. } | Kind::Number);
        let values = partitions.iter();
        let values: Vec<String> =
            values.map(|value| if numbers { value.clone() } else { literal(value) }).collect();
        return Some(format!("cycle([{}], n)", values.join(", ")));
    }
    if !limits.one_of.is_empty() && !unique {
        return Some(choose(wanted, &limits.one_of));
    }
    if let Some(time) = when(wanted) {
        return Some(time);
    }
    by_kind(wanted, &column.kind)
}

/// When a row came to be: a minute before the one before it.
fn when(wanted: &Wanted<'_>) -> Option<String> {
    let name = words::snake(&wanted.column.name);
    if !words::is_of_itself(&name) || wanted.unique {
        return None;
    }
    match wanted.column.kind {
        Kind::Timestamp => Some("time('-' ~ (60 * n) ~ 's')".to_owned()),
        Kind::Date => Some("time('-' ~ n ~ 'd')[:10]".to_owned()),
        _ => None,
    }
}

fn by_kind(wanted: &Wanted<'_>, kind: &Kind) -> Option<String> {
    let Wanted { column, limits, unique, alone, account, .. } = wanted;
    let name = words::snake(&column.name);
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    Some(match kind {
        Kind::Boolean if *account => words::flag(&name).to_string(),
        Kind::Boolean if has(&["deleted", "archived", "locked", "disabled", "banned"]) => {
            "false".to_owned()
        }
        Kind::Integer { .. } if *account && words::is_failures(&name) => "0".to_owned(),
        Kind::Boolean => {
            format!("chance({})", if has(&["active", "enabled"]) { "0.9" } else { "0.5" })
        }
        Kind::Integer { min, max } => {
            let (low, high) = match () {
                () if has(&["year"]) => (1990, 2025),
                () if has(&["age"]) => (18, 90),
                () if has(&["priority", "rating", "level", "score"]) => (1, 5),
                () if has(&["quantity", "qty", "count"]) => (1, 10),
                () => (1, 1000),
            };
            let low = limits.min.map_or(low, |min| min.ceil() as i64).max(*min);
            let high = limits.max.map_or(high.max(low), |max| max.floor() as i64).min(*max);
            // Far from where an application begins to count.
            let far = if *max > i64::from(i16::MAX) { 1_000_000_000 } else { 10_000 };
            match (*unique, low) {
                (true, _) if *alone && limits.max.is_none() => format!("n + {far}"),
                (true, 1) => "n".to_owned(),
                (true, low) => format!("n + {}", low - 1),
                (false, _) if low > high => format!("integer({high}, {high})"),
                (false, _) => format!("integer({low}, {high})"),
            }
        }
        Kind::Number => number(wanted, &has),
        Kind::Text { max } => text(wanted, *max, &has),
        Kind::Uuid => "uuid()".to_owned(),
        Kind::Json => "{'n': n}".to_owned(),
        Kind::Timestamp if *unique => "time('-' ~ n ~ 's')".to_owned(),
        Kind::Timestamp if has(&["expire", "due", "until", "deadline", "end"]) => {
            "time_between('1h', '30d')".to_owned()
        }
        Kind::Timestamp => "time_between('-30d', '-1h')".to_owned(),
        Kind::Date if *unique && *alone => "time('-' ~ (n + 20000) ~ 'd')[:10]".to_owned(),
        Kind::Date if *unique => "time('-' ~ n ~ 'd')[:10]".to_owned(),
        Kind::Date if has(&["birth"]) => "time_between('-29000d', '-6600d')[:10]".to_owned(),
        Kind::Date => "time_between('-365d', '-1d')[:10]".to_owned(),
        Kind::Enum { labels } => choose(wanted, labels),
        Kind::Array(item) => {
            let one =
                Wanted { limits: Limits::default(), unique: false, partitions: &[], ..*wanted };
            let item = by_kind(&one, item)?;
            format!("[{item}, {item}]")
        }
        Kind::Other if column.base_type == "citext" => text(wanted, None, &has),
        Kind::Other => by_type_name(&column.base_type)?,
    })
}

fn number(wanted: &Wanted<'_>, has: &dyn Fn(&[&str]) -> bool) -> String {
    let Wanted { column, limits, unique, alone, .. } = wanted;
    let has_room = limits.max.is_none() && !column.base_type.contains('(');
    if *unique {
        return if *alone && has_room { "n + 1000000000" } else { "n" }.to_owned();
    }
    let (low, high) = match () {
        () if has(&["latitude"]) => (-60.0, 60.0),
        () if has(&["longitude"]) => (-180.0, 180.0),
        () if has(&["price", "amount", "total", "cost"]) => (1.0, 500.0),
        () if has(&["rate", "share", "confidence", "percent", "discount"]) => (0.0, 1.0),
        () => (0.0, 100.0),
    };
    // `numeric(8,2)` has room for six digits before the point, and two after.
    let digits = column.base_type.strip_prefix("numeric(").and_then(|rest| {
        let (precision, scale) = rest.trim_end_matches(')').split_once(',')?;
        Some((precision.parse::<i32>().ok()?, scale.parse::<i32>().ok()?))
    });
    let room = digits.map_or(f64::MAX, |(precision, scale)| {
        10_f64.powi(precision - scale) - 10_f64.powi(-scale)
    });
    let decimals = digits.map_or(2, |(_, scale)| scale.clamp(0, 6));
    let low = limits.min.unwrap_or(low);
    let high = limits.max.unwrap_or(if high > low { high } else { low + 100.0 }).min(room);
    if low >= high {
        return format!("{high:?}");
    }
    format!("uniform({low:?}, {high:?}) | round({decimals})")
}

fn text(wanted: &Wanted<'_>, max: Option<usize>, has: &dyn Fn(&[&str]) -> bool) -> String {
    let Wanted { table, unique, limits, .. } = wanted;
    let max = match (max, limits.longest) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    let table = table.rsplit('.').next().unwrap_or(table);
    let cut = |expression: String, longest: usize| match max {
        Some(max) if max < longest => format!("({expression})[:{max}]"),
        _ => expression,
    };
    if has(&["email", "e_mail"]) {
        let mailbox = table.replace(|c: char| !c.is_ascii_alphanumeric(), "");
        let long = format!("'{mailbox}' ~ n ~ '@example.com'");
        return if max.is_none_or(|max| max >= table.len() + 20) {
            long
        } else {
            "n ~ '@example.com'".to_owned()
        };
    }
    if has(&["password"]) {
        return if max.is_none_or(|max| max >= 60) {
            "bcrypt('TestPass123456!', 4)".to_owned()
        } else {
            cut("'TestPass123456!'".to_owned(), 15)
        };
    }
    if *unique || limits.shortest.is_some_and(|least| least > 1) {
        // Wide enough for a minimum length.
        let width = limits.shortest.unwrap_or(1).max(6);
        return match max {
            Some(max) if max < table.len() + 1 + width => {
                format!("pad(n, {})", width.min(max))
            }
            _ => format!("{} ~ pad(n, {width})", literal(&format!("{table}-"))),
        };
    }
    match () {
        () if has(&["first_name", "given_name"]) => cut("fake.first_name()".to_owned(), 20),
        () if has(&["last_name", "surname", "family_name"]) => {
            cut("fake.last_name()".to_owned(), 20)
        }
        () if has(&["user_agent"]) => cut("fake.user_agent()".to_owned(), 250),
        () if has(&["username", "login"]) => cut("fake.username()".to_owned(), 40),
        () if has(&["company", "manufacturer", "brand"]) => cut("fake.company()".to_owned(), 60),
        () if has(&["full_name", "contact_name"]) => cut("fake.name()".to_owned(), 60),
        () if has(&["phone", "mobile"]) => cut("pattern('+1 514 555 01##')".to_owned(), 15),
        () if has(&["postal", "zip"]) => cut("pattern('H#? #?#')".to_owned(), 7),
        () if has(&["city", "town"]) => cut("fake.city()".to_owned(), 40),
        () if has(&["country"]) => cut(
            if max.is_some_and(|max| max < 20) { "'CA'" } else { "fake.country()" }.to_owned(),
            60,
        ),
        () if has(&["state", "province"]) => cut("fake.state()".to_owned(), 30),
        () if has(&["street", "address"]) => {
            cut("integer(1, 9999) ~ ' ' ~ fake.street()".to_owned(), 60)
        }
        () if has(&["url", "link", "website"]) => cut("'https://example.com/' ~ n".to_owned(), 40),
        () if has(&["ip_address"]) => cut("'192.0.2.' ~ integer(1, 254)".to_owned(), 13),
        () if has(&["color", "colour"]) => cut("pick(['red', 'green', 'blue'])".to_owned(), 5),
        () if has(&["currency"]) => cut("pick(['CAD', 'EUR', 'USD'])".to_owned(), 3),
        () if has(&["job", "profession"]) => cut("fake.job()".to_owned(), 60),
        () if has(&["code", "sku", "serial", "number", "reference"]) => {
            cut("pattern('??-####')".to_owned(), 7)
        }
        () if has(&["description", "notes", "comment", "body", "text", "summary", "message"]) => {
            cut("fake.sentence(6, 12)".to_owned(), 300)
        }
        () if has(&["title", "subject"]) => cut("fake.sentence(3, 6)".to_owned(), 120),
        () if has(&["name"]) => cut(format!("'{} ' ~ n", singular(table)), table.len() + 12),
        () => cut("fake.word()".to_owned(), 30),
    }
}

fn singular(table: &str) -> String {
    let word = table.strip_suffix('s').unwrap_or(table).replace(['_', '\''], " ");
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn by_type_name(name: &str) -> Option<String> {
    let base = name.split('(').next().unwrap_or(name);
    Some(match base {
        "inet" | "cidr" => "'192.0.2.' ~ integer(1, 254)".to_owned(),
        "macaddr" => "'08:00:2b:01:02:' ~ pad(integer(10, 99), 2)".to_owned(),
        "bytea" => "'\\\\x' ~ pad(n, 8)".to_owned(),
        "interval" => "integer(1, 90) ~ ' minutes'".to_owned(),
        "money" => "integer(1, 500) ~ '.00'".to_owned(),
        "point" => "'(' ~ integer(-90, 90) ~ ',' ~ integer(-90, 90) ~ ')'".to_owned(),
        "name" | "tsvector" => "fake.word()".to_owned(),
        _ if base.starts_with("time") => "pad(integer(0, 23), 2) ~ ':00'".to_owned(),
        _ if base.starts_with("bit") => return None,
        _ if base.ends_with("range") => "'empty'".to_owned(),
        _ => return None,
    })
}

/// Of a row that logs in, the state that lets it.
fn choose(wanted: &Wanted<'_>, labels: &[String]) -> String {
    match labels.iter().find(|label| wanted.account && words::is_good_state(label)) {
        Some(good) => literal(good),
        None => pick(labels),
    }
}

fn pick(labels: &[String]) -> String {
    let labels: Vec<String> = labels.iter().map(|label| literal(label)).collect();
    format!("pick([{}])", labels.join(", "))
}

#[cfg(test)]
mod tests {
    use minijinja::Value;
    use proptest::prelude::*;

    use super::*;
    use crate::schema::FilledBy;
    use generate::{Clock, Generators, Stream};

    fn column(name: &str, max: usize) -> Column {
        Column {
            name: name.to_owned(),
            type_name: String::new(),
            base_type: format!("character varying({max})"),
            kind: Kind::Text { max: Some(max) },
            not_null: true,
            filled_by: FilledBy::Nobody,
        }
    }

    fn names() -> impl Strategy<Value = String> {
        let known = proptest::sample::select(vec![
            "email",
            "password",
            "first_name",
            "full_name",
            "phone",
            "postal_code",
            "city",
            "country",
            "state",
            "street",
            "url",
            "ip_address",
            "color",
            "currency",
            "job",
            "code",
            "description",
            "title",
            "name",
            "user_agent",
            "username",
            "company",
            "kind",
        ]);
        prop_oneof![known.prop_map(str::to_owned), "[a-z_]{1,12}"]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn every_generated_text_fits_its_column(
            name in names(), table in "[a-z_']{1,30}", max in 20..200_usize, unique: bool,
        ) {
            let column = column(&name, max);
            let wanted = Wanted {
                table: &table,
                column: &column,
                unique,
                alone: unique,
                account: false,
                limits: Limits::default(),
                partitions: &[],
            };
            let text = expression(&wanted).unwrap();
            // Hashes are of one length, and have been looked after by it.
            prop_assume!(!text.starts_with("bcrypt("));
            let generators = Generators::new(Clock::System);
            let environment = generators.environment();
            let compiled = environment.compile_expression_owned(text.clone()).unwrap();
            let stream = Stream::new(1, &["draft"]);
            for n in [1_u64, 2, 99, 100_000] {
                let row = Value::from(std::collections::BTreeMap::from([("n", n)]));
                let value = generators.draw(&stream, n, || compiled.eval(row)).unwrap();
                let length = value.to_string().chars().count();
                prop_assert!(length <= max, "{text}: {length} characters where {max} fit");
            }
        }
    }
}
