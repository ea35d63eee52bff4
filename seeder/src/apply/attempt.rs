//! A plan tried out: its rows go into the database and out again, and all that it is refused for
//! is told at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::config::Present;
use super::effects::Effects;
use super::error::ApplyError;
use super::insert;
use super::lines;
use super::loading::Loading;
use super::ownership::Ours;
use super::prepare::introspect;
use super::progress::Progress;
use super::removed::Effect;
use super::send::{copy, defer};
use super::triggered::{self, TriggeredRows};
use crate::database::{DatabaseError, SqlError};
use crate::plan::{Plan, PlanError};
use crate::rows::{Engine, TableRows};
use crate::schema::{self, Schema, quoted_list};

/// Whoever works with these tables is not kept from it for longer.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '10s'";

/// Why a table did not take the plan's rows.
#[derive(Debug)]
pub(crate) struct Failure {
    /// None where it is about no one table.
    pub(crate) table: Option<String>,
    /// Those that a constraint is about, or that a value did not fit.
    pub(crate) columns: Vec<Column>,
    /// Where the plan itself knows it.
    pub(crate) line: Option<usize>,
    pub(crate) message: String,
    /// Whether a CHECK of the table does not hold.
    is_check: bool,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) failures: Vec<Failure>,
    pub(crate) by_triggers: Vec<ByTriggers>,
}

/// Rows that triggers inserted beside the plan's: `clean` knows nothing of them.
#[derive(Debug)]
pub(crate) struct ByTriggers {
    pub(crate) table: String,
    pub(crate) rows: u64,
    /// The tables that have such triggers, one of which it must have been.
    pub(crate) of: String,
}

#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) nullable: bool,
}

/// Inserts the plan's rows in a transaction that is rolled back. Sequences that gave them numbers
/// do not go back.
///
/// # Errors
/// When the database cannot be asked at all; what it refuses is told.
pub(crate) async fn attempt(
    connection: &mut PgConnection,
    plan: &Plan,
) -> Result<Attempt, ApplyError> {
    let mut transaction =
        connection.begin().await.map_err(DatabaseError::while_doing("beginning a transaction"))?;
    let attempt = attempt_within(&mut transaction, plan).await;
    transaction.rollback().await.map_err(DatabaseError::while_doing("rolling back"))?;
    attempt
}

async fn attempt_within(connection: &mut PgConnection, plan: &Plan) -> Result<Attempt, ApplyError> {
    execute(connection, LOCK_TIMEOUT).await?;
    let schema = introspect(connection, plan).await?;
    let (mut failures, mut broken) = (Vec::new(), BTreeSet::new());
    // Without the tables whose lines say nothing that makes sense.
    let mut sound = plan.clone();
    let engine = loop {
        let engine = Engine::new(&sound, &schema, plan.seed, 1)
            .and_then(|engine| engine.check_constants(&sound, &schema).map(|()| engine));
        let failure = match engine {
            Ok(engine) => break engine,
            Err(error) => of_plan(plan, &schema, error)?,
        };
        let before = sound.tables.len();
        sound.tables.retain(|table| failure.table.as_ref() != Some(&table.name));
        broken.extend(failure.table.clone());
        failures.push(failure);
        if sound.tables.len() == before {
            return Ok(Attempt { failures, by_triggers: Vec::new() });
        }
    };
    let names: Vec<&str> = plan.tables.iter().map(|table| table.name.as_str()).collect();
    let order = schema::load_order(&schema, &names)?;
    execute(connection, "SET CONSTRAINTS ALL DEFERRED").await?;
    let ours = Ours::default();
    let (present, progress) = (Present::Keep, Progress::Silent);
    let loading = Loading { plan, schema: &schema, ours: &ours, present, progress };
    let before = triggered::so_far(connection).await?;
    let (mut unfinished, mut inserted_rows) = (Vec::new(), Vec::new());
    // Rows that are there already: of an earlier apply, where keys that it alone makes are among
    // them.
    let (mut applied, mut taken) = (false, Vec::new());
    for name in &order.tables {
        if broken.contains(*name) || refers_to_any(&schema, name, &broken) {
            // Why is told of the other.
            broken.insert((*name).to_owned());
            continue;
        }
        execute(connection, "SAVEPOINT attempt").await?;
        let later = order.later.get(name);
        let rows = match engine.compile(&sound, &schema, name).map(Arc::new) {
            Ok(rows) => rows,
            Err(error) => {
                broken.insert((*name).to_owned());
                failures.push(of_plan(plan, &schema, error)?);
                continue;
            }
        };
        let inserted = insert::table(connection, &rows, later, &loading).await;
        match inserted {
            Ok(load) => {
                let table = schema.table(name).map(|table| table.oid).unwrap_or_default();
                inserted_rows
                    .push((table, Effect { inserted: load.inserted, ..Effect::default() }));
                let present = rows.rows() - load.inserted;
                if present > 0 && rows.is_by_generated_key() {
                    applied = true;
                } else if present > 0 {
                    taken.push(of_others(&rows, &schema, present));
                }
                unfinished.extend(load.unfinished.into_iter().map(|stage| (*name, stage)));
            }
            Err(error) => {
                broken.insert((*name).to_owned());
                execute(connection, "ROLLBACK TO SAVEPOINT attempt").await?;
                let failure = explain(connection, plan, &schema, Some(name), error).await?;
                // What may write nowhere is told once.
                let forbidden = failure.table.is_none();
                // The server tells the first condition that does not hold.
                let all = match failure.is_check {
                    true => unmet(connection, &schema, &rows).await?,
                    false => Vec::new(),
                };
                match all.is_empty() {
                    true => failures.push(failure),
                    false => failures.extend(all),
                }
                if forbidden {
                    return Ok(Attempt { failures, by_triggers: Vec::new() });
                }
            }
        }
    }
    for (name, stage) in unfinished {
        execute(connection, "SAVEPOINT attempt").await?;
        if let Err(error) = stage.finish(connection).await {
            execute(connection, "ROLLBACK TO SAVEPOINT attempt").await?;
            failures.push(explain(connection, plan, &schema, Some(name), error).await?);
        }
    }
    execute(connection, "SAVEPOINT attempt").await?;
    if let Err(error) = defer(connection, "IMMEDIATE").await {
        execute(connection, "ROLLBACK TO SAVEPOINT attempt").await?;
        let error = super::error::refused("the database", "checking", error);
        failures.push(explain(connection, plan, &schema, None, error).await?);
    }
    if !applied {
        failures.extend(taken);
    }
    let by_triggers = match failures.is_empty() {
        true => beyond(connection, &schema, before, inserted_rows).await?,
        // What was taken back is counted, too.
        false => Vec::new(),
    };
    Ok(Attempt { failures, by_triggers })
}

/// Tables that got more rows than the plan has for them.
async fn beyond(
    connection: &mut PgConnection,
    schema: &Schema,
    before: Option<Effects>,
    inserted: Vec<(u32, Effect)>,
) -> Result<Vec<ByTriggers>, ApplyError> {
    let filled: Vec<i64> = inserted.iter().map(|(table, _)| i64::from(*table)).collect();
    let mut rows = triggered::rows(connection, schema, &[], before, inserted).await?;
    rows.sort_by(|one, other| one.table.cmp(&other.table));
    let by: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger
         WHERE NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 4 <> 0
           AND tgrelid::bigint = ANY($1) ORDER BY 1",
    )
    .bind(filled)
    .fetch_all(connection)
    .await
    .map_err(DatabaseError::while_doing("looking for triggers"))?;
    let by = by.join(", ");
    let more = rows.into_iter().filter_map(|TriggeredRows { table, effect }| {
        let rows = effect.inserted;
        (rows > 0).then(|| ByTriggers { table, rows, of: by.clone() })
    });
    Ok(more.collect())
}

/// With these in its way, the plan would not be applied.
fn of_others(rows: &TableRows, schema: &Schema, present: u64) -> Failure {
    let key: Vec<String> = rows.key.iter().map(|(name, _)| name.clone()).collect();
    let message = format!(
        "{present} of its rows are there already by their key ({}), and are of others; give the plan's other values",
        key.join(", ")
    );
    let columns = columns_of(schema, &rows.name, key);
    Failure { table: Some(rows.name.clone()), columns, line: None, message, is_check: false }
}

fn refers_to_any(schema: &Schema, table: &str, broken: &BTreeSet<String>) -> bool {
    schema.table(table).is_some_and(|live| {
        let mut parents = live.foreign_keys.iter().filter_map(|key| schema.name_of(key.parent));
        parents.any(|parent| broken.contains(parent))
    })
}

/// A mistake of the plan is about the cell on its line.
fn of_plan(plan: &Plan, schema: &Schema, error: PlanError) -> Result<Failure, ApplyError> {
    let PlanError::At { line, message, .. } = error else { return Err(error.into()) };
    let cell = plan.tables.iter().find_map(|table| {
        let cells = table.groups.iter().flat_map(|group| &group.columns);
        let (name, _) = cells.into_iter().find(|(_, cell)| cell.line == line)?;
        Some((table.name.clone(), name.clone()))
    });
    let (table, columns) = match cell {
        Some((table, name)) => {
            let columns = columns_of(schema, &table, vec![name]);
            (Some(table), columns)
        }
        None => {
            let table = plan.tables.iter().find(|table| table.line == line);
            (table.map(|table| table.name.clone()), Vec::new())
        }
    };
    Ok(Failure { table, columns, line: Some(line), message, is_check: false })
}

fn columns_of(schema: &Schema, table: &str, names: Vec<String>) -> Vec<Column> {
    let nullable = |name: &String| {
        let column = schema.table(table).and_then(|table| table.column(name));
        column.is_some_and(|column| !column.not_null)
    };
    names.into_iter().map(|name| Column { nullable: nullable(&name), name }).collect()
}

async fn explain(
    connection: &mut PgConnection,
    plan: &Plan,
    schema: &Schema,
    table: Option<&str>,
    error: ApplyError,
) -> Result<Failure, ApplyError> {
    let source = match error {
        ApplyError::Plan(error) => return of_plan(plan, schema, error),
        ApplyError::Rows { source, .. } => source,
        ApplyError::Database(DatabaseError::Failed { source, .. }) => source,
        other => return Err(other),
    };
    let Some(said) = said(&source) else {
        return Err(DatabaseError::Failed { doing: "trying the draft".to_owned(), source }.into());
    };
    // No right to write, or a transaction that may only read.
    if ["42501", "25006"].contains(&said.code.as_str()) {
        let message = format!("the rows could not be tried: {}", said.message);
        let columns = Vec::new();
        return Ok(Failure { table: None, columns, line: None, message, is_check: false });
    }
    // A row of another table may be what refused it.
    let table = match (&said.schema, &said.table) {
        (Some(of), Some(name)) => {
            let sql_name = format!("{}.{}", schema::quoted(of), schema::quoted(name));
            let known = schema.tables().find(|(_, live)| live.sql_name == sql_name);
            known.map(|(name, _)| name).or(table)
        }
        _ => table,
    };
    let mut message = said.message;
    let mut names: Vec<String> = said.column.into_iter().collect();
    if let (Some(constraint), Some(live)) =
        (said.constraint, table.and_then(|table| schema.table(table)))
    {
        let (columns, definition) = constrained(connection, live.oid, &constraint)
            .await
            .map_err(DatabaseError::while_doing("reading a constraint"))?;
        names.extend(columns);
        if let Some(definition) = definition {
            message = format!("{message} ({definition})");
        }
    }
    let columns = table.map(|table| columns_of(schema, table, names)).unwrap_or_default();
    let is_check = said.code == "23514";
    Ok(Failure { table: table.map(str::to_owned), columns, line: None, message, is_check })
}

/// All conditions of a table that its rows do not meet: told by a table without any.
async fn unmet(
    connection: &mut PgConnection,
    schema: &Schema,
    rows: &Arc<TableRows>,
) -> Result<Vec<Failure>, ApplyError> {
    let Some(live) = schema.table(&rows.name) else { return Ok(Vec::new()) };
    execute(connection, "SAVEPOINT unmet").await?;
    let found = conditions(connection, live, rows).await;
    execute(connection, "ROLLBACK TO SAVEPOINT unmet").await?;
    // Where this fails, too, the one that the server told is what is known.
    let failures = found.unwrap_or_default().into_iter().map(|(columns, definition)| Failure {
        table: Some(rows.name.clone()),
        columns: columns_of(schema, &rows.name, columns),
        line: None,
        message: format!("its rows do not meet {definition}"),
        is_check: true,
    });
    Ok(failures.collect())
}

/// Columns and text of those that do not hold.
async fn conditions(
    connection: &mut PgConnection,
    live: &schema::Table,
    rows: &Arc<TableRows>,
) -> Result<Vec<(Vec<String>, String)>, ApplyError> {
    const PLACE: &str = "pg_temp.\"seeder's attempt\"";
    let failed = || DatabaseError::while_doing("looking for what rows do not meet");
    let like = format!("CREATE TABLE {PLACE} (LIKE {} INCLUDING DEFAULTS)", live.sql_name);
    sqlx::query(AssertSqlSafe(like)).execute(&mut *connection).await.map_err(failed())?;
    for (index, group) in rows.groups.iter().enumerate() {
        let columns = quoted_list(group.columns());
        let statement = format!("COPY {PLACE} ({columns}) FROM STDIN");
        let lines = lines::of_rows(rows.clone(), index);
        copy(connection, &statement, lines, &mut |_| {})
            .await
            .map_err(|error| error.of(&rows.name, "trying"))?;
    }
    let all: Vec<(Vec<String>, String, String)> = sqlx::query_as(
        "SELECT ARRAY(SELECT a.attname::text FROM pg_attribute a
                      WHERE a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey)),
                pg_get_expr(c.conbin, c.conrelid), pg_get_constraintdef(c.oid)
         FROM pg_constraint c WHERE c.contype = 'c' AND c.conrelid = $1::bigint::oid
         ORDER BY c.conname",
    )
    .bind(i64::from(live.oid))
    .fetch_all(&mut *connection)
    .await
    .map_err(failed())?;
    let mut unmet = Vec::new();
    for (columns, condition, definition) in all {
        execute(connection, "SAVEPOINT condition").await?;
        // The catalog's own words: the server reads them as it wrote them.
        let statement = format!("SELECT EXISTS (SELECT FROM {PLACE} WHERE NOT ({condition}))");
        match sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(&mut *connection).await {
            Ok(false) => {}
            Ok(true) => unmet.push((columns, definition)),
            Err(_) => execute(connection, "ROLLBACK TO SAVEPOINT condition").await?,
        }
    }
    Ok(unmet)
}

/// What the server said of a refusal.
struct Said {
    code: String,
    message: String,
    schema: Option<String>,
    table: Option<String>,
    column: Option<String>,
    constraint: Option<String>,
}

fn said(source: &SqlError) -> Option<Said> {
    let said = source.server()?;
    let owned = |part: Option<&str>| part.map(str::to_owned);
    // `COPY things, line 1, column shape: "…"`
    let copied = said.r#where().and_then(|place| {
        let (_, rest) = place.strip_prefix("COPY ")?.split_once(", column ")?;
        let end = rest.find([':', ',', '\n']).unwrap_or(rest.len());
        Some(rest[..end].to_owned())
    });
    Some(Said {
        code: said.code().to_owned(),
        message: said.message().to_owned(),
        schema: owned(said.schema()),
        table: owned(said.table()),
        column: owned(said.column()).or(copied),
        constraint: owned(said.constraint()),
    })
}

/// The columns of a constraint or a unique index, and what it says.
async fn constrained(
    connection: &mut PgConnection,
    table: u32,
    name: &str,
) -> Result<(Vec<String>, Option<String>), sqlx::Error> {
    let found: Option<(Vec<String>, String)> = sqlx::query_as(
        "SELECT ARRAY(SELECT a.attname::text FROM pg_attribute a
                      WHERE a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey)),
                pg_get_constraintdef(c.oid)
         FROM pg_constraint c WHERE c.conrelid = $1::bigint::oid AND c.conname = $2
         UNION ALL
         SELECT ARRAY(SELECT a.attname::text FROM pg_attribute a
                      WHERE a.attrelid = i.indrelid AND (a.attnum = ANY(i.indkey)
                          OR EXISTS (SELECT FROM pg_depend d
                                     WHERE d.classid = 'pg_class'::regclass
                                       AND d.objid = i.indexrelid AND d.refobjid = i.indrelid
                                       AND d.refobjsubid = a.attnum))),
                pg_get_indexdef(i.indexrelid)
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE i.indrelid = $1::bigint::oid AND c.relname = $2
         LIMIT 1",
    )
    .bind(i64::from(table))
    .bind(name)
    .fetch_optional(connection)
    .await?;
    Ok(found.map_or((Vec::new(), None), |(columns, definition)| (columns, Some(definition))))
}

async fn execute(connection: &mut PgConnection, statement: &'static str) -> Result<(), ApplyError> {
    sqlx::query(statement)
        .execute(connection)
        .await
        .map_err(DatabaseError::while_doing("trying a plan"))?;
    Ok(())
}
