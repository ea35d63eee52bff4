//! `plan draft`: a plan from a live schema, ready to run as it is.

mod bookkeeping;
mod check;
mod column;
mod facts;
mod hash;
mod meant;
mod table;
mod trial;
mod words;

use std::collections::BTreeMap;
use std::fmt::Write;

use sqlx::PgConnection;

use crate::apply::ApplyError;
use crate::database::{Database, DatabaseError, identify};
use crate::schema::{self, Kind, Schema, SchemaError};
use facts::Facts;
use hash::Found;
use table::{Draft, quoted};
pub use trial::Fault;

/// Rows per table, unless another number is asked for.
pub const ROWS: u64 = 100;

/// What to draft.
#[derive(Debug)]
pub struct Config {
    pub database: Database,
    /// All tables but those of frameworks where none is named.
    pub only: Vec<String>,
    /// A table.
    pub rows: u64,
    /// Whether it is tried before it is shown.
    pub check: bool,
}

/// A plan, and what is known of it.
#[derive(Debug)]
pub struct Drafted {
    pub text: String,
    /// What a trial has shown: lines to change.
    pub faults: Vec<Fault>,
    /// What its reader should know beside: which hash, which columns were left out.
    pub remarks: Vec<String>,
}

/// Writes a plan for all tables of a database, or for the ones named.
///
/// # Errors
/// When the database cannot be reached or has no such tables.
pub async fn draft(config: &Config) -> Result<Drafted, ApplyError> {
    let Config { database, only, rows, check } = config;
    let mut connection = database.connect().await?;
    let id = identify(&mut connection).await?;
    let failed = || DatabaseError::while_doing("reading the schema");
    let all = match only.as_slice() {
        [] => facts::tables(&mut connection).await.map_err(failed())?,
        only => only.to_vec(),
    };
    let empty = || SchemaError::Empty { place: database.place().to_owned() };
    if all.is_empty() {
        return Err(empty().into());
    }
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let whole = schema::introspect(&mut connection, &all).await?;
    let mut single = Vec::new();
    for (name, table) in whole.tables() {
        let facts = facts::facts(&mut connection, table.oid).await.map_err(failed())?;
        single.extend(facts.has_one_row(table).then_some(name));
    }
    let left_out = match only.as_slice() {
        [] => bookkeeping::left_out(&whole, &single),
        _ => BTreeMap::new(),
    };
    let names: Vec<&str> = all.into_iter().filter(|name| !left_out.contains_key(*name)).collect();
    if names.is_empty() {
        return Err(empty().into());
    }
    let schema = schema::introspect(&mut connection, &names).await?;
    let mut known = BTreeMap::new();
    for (name, table) in schema.tables() {
        let facts = facts::facts(&mut connection, table.oid).await.map_err(failed())?;
        let hash = hash_of(&mut connection, &schema, name, &facts).await.map_err(failed())?;
        known.insert(name, (facts, hash));
    }
    let order = schema::load_order(&schema, &names)?;
    let mut text = heading(&id.name, &left_out);
    let password = constant(&schema);
    let mut remarks: Vec<String> = Vec::new();
    for (name, (_, hash)) in &known {
        let Some((column, Found { scheme, because, .. })) = hash else { continue };
        remarks.push(match scheme {
            Some(scheme) => format!("{name}.{column}: {scheme}, {because}"),
            None => format!("{name}.{column}: no account can log in; {because}"),
        });
    }
    if known.values().any(|(_, hash)| hash.as_ref().is_some_and(|(_, of)| of.scheme.is_some())) {
        let _ = write!(
            text,
            "\n[constants]\n# Of all accounts. The numbers in its hashes are what a login costs.\n\
             {password} = \"TestPass123456!\"\n"
        );
    }
    for name in order.tables {
        let (Some(table), Some((facts, hash))) = (schema.table(name), known.get(name)) else {
            continue;
        };
        let hash = hash.as_ref().and_then(|(column, found)| Some((table.column(column)?, found)));
        let meant = meant::references(&schema, table);
        let (schema, meant, password) = (&schema, &meant[..], &*password);
        let draft = Draft { schema, name, table, facts, meant, hash, password };
        draft.write(*rows, &mut text);
    }
    let mut faults = Vec::new();
    if *check {
        let tried = trial::run(&mut connection, text).await?;
        text = tried.text;
        faults = tried.faults;
        remarks.extend(tried.remarks);
    }
    Ok(Drafted { text, faults, remarks })
}

fn heading(database: &str, left_out: &BTreeMap<String, String>) -> String {
    let mut text = format!(
        "# Drafted by seeder from the schema of database {database}. A string is an expression:\n\
         # see seeder/src/rows/mod.rs; columns that the database fills are left out.\n"
    );
    if !left_out.is_empty() {
        text.push_str("#\n# Left out, as the application itself makes their rows:\n");
        for (table, why) in left_out {
            let _ = writeln!(text, "# {} ({why})", common::shown::line(table));
        }
    }
    let _ =
        write!(text, "\nname = {}\nseed = 42\nepoch = 2026-01-01T00:00:00Z\n", quoted(database));
    text
}

/// A name for the password that no column has.
fn constant(schema: &Schema) -> String {
    let mut name = "test_password".to_owned();
    while schema.tables().any(|(_, table)| table.column(&name).is_some()) {
        name.push('_');
    }
    name
}

/// The column of a table that holds hashes of passwords, and which.
async fn hash_of(
    connection: &mut PgConnection,
    schema: &Schema,
    name: &str,
    facts: &Facts,
) -> Result<Option<(String, Found)>, sqlx::Error> {
    let Some(table) = schema.table(name) else { return Ok(None) };
    let column = table.columns.iter().find(|column| {
        matches!(column.kind, Kind::Text { .. }) && words::is_hash(&words::snake(&column.name))
    });
    let Some(column) = column else { return Ok(None) };
    let comment = facts.comments.get(&column.name).map(String::as_str);
    let found = hash::find(connection, table, column, comment).await?;
    Ok(Some((column.name.clone(), found)))
}
