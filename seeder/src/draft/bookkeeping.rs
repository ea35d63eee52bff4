//! Tables whose rows frameworks write for themselves: no plan fills them.

use std::collections::{BTreeMap, BTreeSet};

use super::words::snake;
use crate::schema::Schema;

/// What they are to whom, by their names without schema.
const KNOWN: [(&str, &str); 21] = [
    ("_sqlx_migrations", "migrations of sqlx"),
    ("__diesel_schema_migrations", "migrations of Diesel"),
    ("refinery_schema_history", "migrations of refinery"),
    ("seaql_migrations", "migrations of SeaORM"),
    ("_prisma_migrations", "migrations of Prisma"),
    ("alembic_version", "migrations of Alembic"),
    ("schema_migrations", "migrations of Rails"),
    ("ar_internal_metadata", "metadata of Rails"),
    ("flyway_schema_history", "migrations of Flyway"),
    ("schema_version", "migrations of Flyway"),
    ("databasechangelog", "migrations of Liquibase"),
    ("databasechangeloglock", "migrations of Liquibase"),
    ("django_migrations", "migrations of Django"),
    ("django_content_type", "content types of Django"),
    ("django_session", "sessions of Django"),
    ("django_site", "sites of Django"),
    ("sequelizemeta", "migrations of Sequelize"),
    ("goose_db_version", "migrations of Goose"),
    ("__efmigrationshistory", "migrations of Entity Framework"),
    ("phinxlog", "migrations of Phinx"),
    ("spatial_ref_sys", "reference systems of PostGIS"),
];

/// Columns that sessions of a framework have, and seldom anything else of that name.
const OF_SESSIONS: [&str; 9] = [
    "sess",
    "session_data",
    "session_id",
    "session_key",
    "payload",
    "data",
    "token",
    "sid",
    "next_token",
];

/// The tables to leave out, and why; `single` are those that have one row, which is there.
pub(super) fn left_out(schema: &Schema, single: &[&str]) -> BTreeMap<String, String> {
    let mut out: BTreeMap<String, String> = BTreeMap::new();
    for name in single {
        out.insert((*name).to_owned(), "has one row alone".to_owned());
    }
    for (name, table) in schema.tables() {
        let columns = table.columns.iter().map(|column| snake(&column.name)).collect();
        if let Some(why) = why(name, &columns) {
            out.insert(name.to_owned(), why.to_owned());
        }
    }
    // What cannot be without a row of these is made with them.
    loop {
        let next = schema.tables().find_map(|(name, table)| {
            if out.contains_key(name) {
                return None;
            }
            let key = table.foreign_keys.iter().find(|key| {
                let must = |column: &String| table.column(column).is_some_and(|c| c.not_null);
                let parent = schema.name_of(key.parent);
                key.columns.iter().all(must)
                    && parent.is_some_and(|parent| out.contains_key(parent))
            })?;
            Some((name.to_owned(), format!("refers to {}", schema.name_of(key.parent)?)))
        });
        match next {
            Some((name, why)) => out.insert(name, why),
            None => return out,
        };
    }
}

fn why(table: &str, columns: &BTreeSet<String>) -> Option<&'static str> {
    let name = table.rsplit('.').next().unwrap_or(table).to_lowercase();
    if let Some((_, why)) = KNOWN.iter().find(|(known, _)| *known == name) {
        return Some(why);
    }
    let words = snake(table.rsplit('.').next().unwrap_or(table));
    let is_session = words == "session" || words == "sessions";
    if (is_session || words.ends_with("_session") || words.ends_with("_sessions"))
        && OF_SESSIONS.iter().any(|known| columns.contains(*known))
    {
        return Some("sessions");
    }
    let is_migration = name.contains("migrations") || name.ends_with("_migration");
    (is_migration || name.ends_with("schema_history") || name.ends_with("schema_version"))
        .then_some("migrations")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_frameworks_are_known_by_name_and_those_of_sessions_by_columns_too() {
        let why = |table: &str, columns: &[&str]| {
            why(table, &columns.iter().map(|column| (*column).to_owned()).collect())
        };
        for table in [
            "_sqlx_migrations",
            "public.DATABASECHANGELOG",
            "knex_migrations_lock",
            "SequelizeMeta",
        ] {
            assert!(why(table, &[]).is_some(), "{table}");
        }
        assert!(why("sessions", &["sid", "sess", "expire"]).is_some());
        assert!(why("training_sessions", &["id", "trainer_id"]).is_none());
        assert!(why("users", &["token"]).is_none());
    }
}
