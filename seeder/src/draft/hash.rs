//! Which hash an application uses for its passwords.

use sqlx::{AssertSqlSafe, PgConnection};

use super::words::snake;
use crate::password::{Digest, Form, Scheme, Stored, Variant};
use crate::schema::{Column, Kind, Table, quoted};

/// Rows of a table that are looked at.
const LOOKED_AT: u32 = 50;
/// The cheapest that there is: where nothing says what costs what, logins are not what a load
/// test should measure.
const CHEAP: u32 = 4;

/// What was found, and by what.
pub(super) struct Found {
    /// None where none of ours fits.
    pub(super) scheme: Option<Scheme>,
    /// Whether nothing but the column's name tells that there is one.
    pub(super) guess: bool,
    /// To be read after the scheme: `by the length of the column`.
    pub(super) because: &'static str,
}

/// By a row that is there, else by the column's comment, else by its length.
pub(super) async fn find(
    connection: &mut PgConnection,
    table: &Table,
    column: &Column,
    comment: Option<&str>,
) -> Result<Found, sqlx::Error> {
    let statement = format!(
        "SELECT left({0}::text, 4096) FROM {1} WHERE length({0}::text) > 12 LIMIT {LOOKED_AT}",
        quoted(&column.name),
        table.sql_name
    );
    let stored: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(statement)).fetch_all(connection).await?;
    // With these some applications lock an account for good.
    let stored = stored.iter().filter(|text| !text.starts_with(['!', '*']));
    let mut others = false;
    for text in stored {
        match Stored::parse(text) {
            Some(found) => {
                let scheme = Some(found.scheme());
                return Ok(Found { scheme, guess: false, because: "as in a row that is there" });
            }
            None => others = true,
        }
    }
    if others {
        let because = "what the rows have is no hash of bcrypt, argon2, scrypt or pbkdf2";
        return Ok(Found { scheme: None, guess: false, because });
    }
    Ok(guess(table, column, comment))
}

fn guess(table: &Table, column: &Column, comment: Option<&str>) -> Found {
    let max = match column.kind {
        Kind::Text { max } => max,
        _ => None,
    };
    let fits = |least: usize| max.is_none_or(|max| max >= least);
    let of = |scheme: Result<Scheme, _>, because| {
        let scheme = scheme.ok();
        Found { scheme, guess: false, because }
    };
    let bcrypt = Scheme::bcrypt(CHEAP, Form::Phc);
    let argon2 = Scheme::argon2(Variant::Id, 65536, 3, 4, Form::Phc);
    let django = Scheme::pbkdf2(Digest::Sha256, 1_000_000, Form::Django);
    let comment = comment.map(str::to_lowercase).unwrap_or_default();
    let says = |word: &str| comment.contains(word);
    const COMMENT: &str = "as the column's comment says";
    match () {
        () if says("argon2") && fits(97) => return of(argon2, COMMENT),
        () if says("bcrypt") && fits(60) => return of(bcrypt, COMMENT),
        () if says("scrypt") && fits(97) => {
            let scheme = match says("werkzeug") {
                true => Scheme::scrypt(1 << 15, 8, 1, Form::Werkzeug),
                false => Scheme::scrypt(1 << 17, 8, 1, Form::Phc),
            };
            return of(scheme, COMMENT);
        }
        () if says("pbkdf2") && says("werkzeug") && fits(102) => {
            return of(Scheme::pbkdf2(Digest::Sha256, 1_000_000, Form::Werkzeug), COMMENT);
        }
        () if says("pbkdf2") && fits(89) => return of(django, COMMENT),
        () => {}
    }
    let names: Vec<String> = table.columns.iter().map(|column| snake(&column.name)).collect();
    let has = |name: &str| names.iter().any(|known| known == name);
    const LENGTH: &str = "by the length of the column";
    match max {
        Some(128) if has("last_login") => of(django, "by the columns, which are Django's"),
        Some(60) => of(bcrypt, LENGTH),
        Some(95..=99) => of(argon2, LENGTH),
        Some(162) => of(Scheme::scrypt(1 << 15, 8, 1, Form::Werkzeug), LENGTH),
        Some(max) if max < 60 => {
            Found { scheme: None, guess: false, because: "the column is too short for one" }
        }
        _ => Found { guess: true, ..of(bcrypt, "a guess, as nothing tells which it is") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::FilledBy;

    #[test]
    fn comment_and_length_tell_which_hash_it_is() {
        let column = |name: &str, max| Column {
            name: name.to_owned(),
            type_name: String::new(),
            base_type: String::new(),
            kind: Kind::Text { max },
            not_null: true,
            filled_by: FilledBy::Nobody,
        };
        let table = Table {
            oid: 1,
            sql_name: String::new(),
            columns: vec![column("last_login", None)],
            primary_key: Vec::new(),
            foreign_keys: Vec::new(),
        };
        for (max, comment, expected) in [
            (None, Some("Argon2id hash"), "argon2id"),
            (Some(60), Some("argon2"), "bcrypt, cost 4"),
            (None, Some("werkzeug.security scrypt"), "as Werkzeug writes it"),
            (Some(128), None, "pbkdf2, sha256, 1000000 iterations, as Django writes it"),
            (Some(97), None, "argon2id"),
            (Some(255), None, "bcrypt, cost 4"),
            (Some(40), None, "none"),
        ] {
            let found = guess(&table, &column("password", max), comment);
            let scheme = found.scheme.map_or("none".to_owned(), |scheme| scheme.to_string());
            assert!(scheme.contains(expected), "{max:?} {comment:?}: {scheme}");
        }
    }
}
