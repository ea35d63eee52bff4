//! What a load left behind, told by the marks of its run: rows whose marked column has a mark that
//! the run noted. Only those go, of columns that the plan names; the plan's own rows stay.
//!
//! A mark that the run wrote into a request is nobody else's. One that the target answered is often
//! an id, and may be that of a row that was there before, which an answer gives as well: there the
//! rule has to say `since`, and rows from before the run stay.

use chrono::{SecondsFormat, SubsecRound as _};
use run_log::audit::{MadeBy, MarkRow, Stored};
use run_log::reader::Rows;
use sqlx::PgConnection;

use super::delete::Found;
use super::doomed::{self, Whose};
use super::error::ApplyError;
use super::ownership::Ours;
use super::prepare::introspect;
use super::removed::{Removed, RemovedRows};
use super::run_marks::{MarkedRun, MarksError};
use super::send::execute;
use super::step::{Condition, marked};
use crate::copy::push_text;
use crate::database::DatabaseError;
use crate::plan::{LoadRows, Plan, Which};
use crate::schema::{self, Kind, Schema, SchemaError, Table, quoted};

/// Bytes of marks that are sent at once.
const CHUNK: usize = 64 << 10;

impl MarkedRun {
    /// Marks the rows that are to go; their table.
    async fn find<'p>(
        self,
        connection: &mut PgConnection,
        plan: &'p Plan,
        schema: &Schema,
        number: usize,
    ) -> Result<(u32, &'p str), ApplyError> {
        let found = schema::table_id(connection, &self.stored.table).await;
        let id = found.map_err(DatabaseError::while_doing("looking for the marked table"))?;
        let (rule, live) = self.rule(plan, schema, id)?;
        let list = format!("pg_temp.{}", quoted(&format!("seeder marks {number}")));
        let is_uuid = self.stored.path.is_empty()
            && live.column(&self.stored.column).is_some_and(|column| column.kind == Kind::Uuid);
        // Rows since then, of the database's clock, which may keep whole seconds alone.
        let started = self.started.trunc_subsecs(0).to_rfc3339_opts(SecondsFormat::Secs, true);
        send(connection, &list, self.marks, is_uuid).await?;
        let condition: Condition = marked(plan, live, rule, &list)?;
        let (sql, parameters) = condition.since(&started);
        doomed::add(connection, Whose::Load, &live.sql_name, &sql, &parameters)
            .await
            .map_err(DatabaseError::while_doing(format!("looking into {}", rule.table)))?;
        Ok((live.oid, &rule.table))
    }

    /// The rule of the plan that says that a load makes these rows.
    fn rule<'p, 's>(
        &self,
        plan: &'p Plan,
        schema: &'s Schema,
        id: Option<u32>,
    ) -> Result<(&'p LoadRows, &'s Table), MarksError> {
        let Self { dir, place, stored: Stored { table, column, path, made_by }, .. } = self;
        let rules = plan.load.iter().filter_map(|rule| {
            let live = schema.table(&rule.table).filter(|live| Some(live.oid) == id)?;
            match &rule.which {
                Which::DeleteMarked { column: of, path: at } if of == column && at == path => {
                    Some((rule, live))
                }
                _ => None,
            }
        });
        let found = rules.max_by_key(|(rule, _)| rule.since.is_some());
        let (dir, name) = (dir.clone(), plan.name.clone());
        match found {
            None => {
                let marked = [std::slice::from_ref(column), path].concat().join(".");
                let (place, table) = (place.clone(), table.clone());
                Err(MarksError::NotNamed { dir, place, plan: name, table, marked })
            }
            Some((LoadRows { line, since: None, .. }, _)) if *made_by == MadeBy::Target => {
                Err(MarksError::MayBeOlder { dir, plan: name, line: *line })
            }
            Some(found) => Ok(found),
        }
    }
}

/// Removes the rows with marks of these runs.
///
/// # Errors
/// When the plan does not name their columns, rows of others would not stay as they are and it does
/// not allow that, and when the database refuses or fails.
pub(crate) async fn remove_marked(
    connection: &mut PgConnection,
    plan: &Plan,
    runs: Vec<MarkedRun>,
) -> Result<Vec<RemovedRows>, ApplyError> {
    let failed = || DatabaseError::while_doing("looking for what is to be removed");
    let schema = introspect(connection, plan).await?;
    let references = schema::references(connection).await.map_err(SchemaError::from)?;
    // Rows that are hidden from us could not be counted: then the server says so.
    execute(connection, "SET LOCAL row_security = off", &[]).await.map_err(failed())?;
    doomed::create(connection).await.map_err(failed())?;
    let mut tables = Vec::new();
    for (number, run) in runs.into_iter().enumerate() {
        let table = run.find(connection, plan, &schema, number).await?;
        if !tables.contains(&table) {
            tables.push(table);
        }
    }
    let found = Found {
        plan,
        schema: &schema,
        references: &references,
        shared: &[],
        ours: &Ours::default(),
    };
    let mut removed = Removed::default();
    found.remove(connection, &mut removed).await?;
    Ok(removed.told(tables.into_iter()))
}

/// Sends the marks of a run into a list of their own, which is gone with the session. Those of
/// requests without one are left out.
async fn send(
    connection: &mut PgConnection,
    list: &str,
    marks: Rows<MarkRow>,
    is_uuid: bool,
) -> Result<(), ApplyError> {
    let failed = || DatabaseError::while_doing("sending the marks");
    // Compared byte by byte, whatever the column's collation is.
    let create = format!("CREATE TABLE {list} (mark text COLLATE \"C\") ON COMMIT DROP");
    execute(connection, &create, &[]).await.map_err(failed())?;
    let statement = format!("COPY {list} (mark) FROM STDIN");
    let mut copy = connection.copy_in_raw(&statement).await.map_err(failed())?;
    let mut lines = Vec::with_capacity(2 * CHUNK);
    for row in marks {
        let mark = match row {
            Ok(MarkRow { mark, .. }) if mark.is_empty() => continue,
            // Postgres writes uuids in small letters, whoever made them.
            Ok(MarkRow { mark, .. }) if is_uuid => mark.to_ascii_lowercase(),
            Ok(MarkRow { mark, .. }) => mark,
            Err(error) => {
                copy.abort("the marks cannot be read").await.map_err(failed())?;
                return Err(MarksError::from(error).into());
            }
        };
        push_text(&mut lines, &mark);
        lines.push(b'\n');
        if lines.len() >= CHUNK {
            copy.send(&lines[..]).await.map_err(failed())?;
            lines.clear();
        }
    }
    copy.send(&lines[..]).await.map_err(failed())?;
    copy.finish().await.map_err(failed())?;
    execute(connection, &format!("ANALYZE {list}"), &[]).await.map_err(failed())?;
    Ok(())
}
