//! A temporary table with a group's rows, for what only the server can tell:
//! which of them exist already, and which of those somebody has changed.

use sqlx::{AssertSqlSafe, PgConnection};

use super::config::Present;
use super::error::{ApplyError, refused};
use super::keys::is_in;
use super::loading::Loading;
use super::taken;
use crate::database::DatabaseError;
use crate::rows::{GroupRows, TableRows};
use crate::schema::{Kind, quoted, quoted_list};

pub(super) struct Stage {
    /// Name of the table that it stands in for, for people and for SQL.
    table: String,
    target: String,
    name: String,
    /// All columns that are sent.
    columns: Vec<String>,
    key: Vec<String>,
    /// Columns that are filled once all tables have their rows.
    later: Vec<String>,
}

pub(super) struct StageCounts {
    pub(super) inserted: u64,
    pub(super) changed: u64,
}

impl Stage {
    pub(super) async fn create(
        connection: &mut PgConnection,
        table: &TableRows,
        group: usize,
        later: Vec<String>,
    ) -> Result<Self, ApplyError> {
        let group = &table.groups[group];
        let stage = Self {
            table: table.name.clone(),
            target: table.sql_name.clone(),
            name: format!("pg_temp.{}", quoted(&stage_name(table, group))),
            columns: group.columns().map(str::to_owned).collect(),
            key: table.key.iter().map(|(name, _)| name.clone()).collect(),
            later,
        };
        let columns = quoted_list(stage.columns.iter().map(String::as_str));
        let Self { name, target, .. } = &stage;
        let create = format!("CREATE TABLE {name} AS SELECT {columns} FROM {target} WITH NO DATA");
        stage.execute(connection, create, "staging").await?;
        Ok(stage)
    }

    pub(super) fn copy_statement(&self) -> String {
        let columns = quoted_list(self.columns.iter().map(String::as_str));
        format!("COPY {} ({columns}) FROM STDIN", self.name)
    }

    /// Whether all rows that are there already are ours.
    ///
    /// # Errors
    /// Where some have come that are not, since the plan's tables were looked at.
    pub(super) async fn look(
        &self,
        connection: &mut PgConnection,
        rows: &TableRows,
        Loading { plan, schema, ours, present, .. }: &Loading<'_>,
    ) -> Result<(), ApplyError> {
        let taken = match ours.of(&rows.name).filter(|_| !rows.shared) {
            Some(ours) => {
                let under = is_in("t", &self.name, rows.key_columns());
                taken::under(connection, rows, &under, ours).await?
            }
            None => None,
        };
        let taken = match taken {
            // One row of the plan's would be put into several places.
            None if *present == Present::Repair => {
                taken::beside(connection, plan, schema, rows, &self.name).await?
            }
            taken => taken,
        };
        match taken {
            Some(taken) => Err(taken::not_inserted(plan, &[taken])),
            None => Ok(()),
        }
    }

    /// Counts the rows that others have changed, repairs them if asked to, and inserts
    /// the missing ones. Only the inserted rows stay on the stage.
    pub(super) async fn settle(
        &self,
        connection: &mut PgConnection,
        rows: &TableRows,
        present: Present,
    ) -> Result<StageCounts, ApplyError> {
        let Self { name, target, .. } = self;
        self.execute(connection, format!("ANALYZE {name}"), "staging").await?;
        let same = self.same_key();
        let changed = match self.differs(rows) {
            // Shared rows may be changed by anybody.
            _ if rows.shared => 0,
            None => 0,
            Some(differs) if present == Present::Repair => {
                let sets = self.columns.iter().filter(|column| !self.key.contains(column));
                let sets: Vec<String> = sets
                    .map(|column| format!("{} = s.{}", quoted(column), quoted(column)))
                    .collect();
                let update = format!(
                    "UPDATE {target} t SET {} FROM {name} s WHERE {same} AND ({differs})",
                    sets.join(", ")
                );
                self.execute(connection, update, "repairing").await?
            }
            Some(differs) => {
                let count = format!(
                    "SELECT count(*) FROM {target} t JOIN {name} s ON {same} WHERE {differs}"
                );
                let count: i64 = sqlx::query_scalar(AssertSqlSafe(count))
                    .fetch_one(&mut *connection)
                    .await
                    .map_err(DatabaseError::while_doing(format!("comparing {}", self.table)))?;
                u64::try_from(count).unwrap_or_default()
            }
        };
        let drop_present =
            format!("DELETE FROM {name} s WHERE EXISTS (SELECT FROM {target} t WHERE {same})");
        self.execute(connection, drop_present, "comparing").await?;
        let now = self.columns.iter().filter(|column| !self.later.contains(column));
        let now = quoted_list(now.map(String::as_str));
        // Even an identity column takes the plan's value.
        let insert = format!(
            "INSERT INTO {target} ({now}) OVERRIDING SYSTEM VALUE SELECT {now} FROM {name}"
        );
        let inserted = self.execute(connection, insert, "loading").await?;
        Ok(StageCounts { inserted, changed })
    }

    /// Drops it, unless there is something left to fill in.
    pub(super) async fn close(
        self,
        connection: &mut PgConnection,
        rows: &TableRows,
    ) -> Result<Option<Self>, ApplyError> {
        if !self.later.is_empty() && rows.rows() > 0 {
            return Ok(Some(self));
        }
        self.drop_table(connection).await?;
        Ok(None)
    }

    /// Fills in references to rows that were inserted later. Returns the table's name and how
    /// many of its rows that was.
    pub(super) async fn finish(
        self,
        connection: &mut PgConnection,
    ) -> Result<(String, u64), ApplyError> {
        let later = |prefix: &str| {
            let names = self.later.iter().map(|column| format!("{prefix}{}", quoted(column)));
            names.collect::<Vec<_>>().join(", ")
        };
        let sets = self.later.iter().map(|c| format!("{} = s.{}", quoted(c), quoted(c)));
        let update = format!(
            "UPDATE {} t SET {} FROM {} s WHERE {} AND ({}) IS DISTINCT FROM ({})",
            self.target,
            sets.collect::<Vec<_>>().join(", "),
            self.name,
            self.same_key(),
            later("t."),
            later("s."),
        );
        let rows = self.execute(connection, update, "connecting").await?;
        let table = self.table.clone();
        self.drop_table(connection).await?;
        Ok((table, rows))
    }

    async fn drop_table(self, connection: &mut PgConnection) -> Result<(), ApplyError> {
        self.execute(connection, format!("DROP TABLE {}", self.name), "staging").await?;
        Ok(())
    }

    fn same_key(&self) -> String {
        let same = self.key.iter().map(|name| format!("t.{0} = s.{0}", quoted(name)));
        same.collect::<Vec<_>>().join(" AND ")
    }

    /// The condition that a column differs from the plan; none where all columns are in the key.
    fn differs(&self, rows: &TableRows) -> Option<String> {
        let kinds = rows.groups.iter().flat_map(GroupRows::kinds);
        let kinds: std::collections::BTreeMap<&str, &Kind> = kinds.collect();
        let differs =
            self.columns.iter().filter(|column| !self.key.contains(column)).map(|column| {
                // Some types have no equality operator; all have a text form.
                let cast = match kinds.get(column.as_str()) {
                    Some(Kind::Json) => "::jsonb",
                    Some(Kind::Other | Kind::Array(_)) => "::text",
                    _ => "",
                };
                let column = quoted(column);
                format!("t.{column}{cast} IS DISTINCT FROM s.{column}{cast}")
            });
        let differs: Vec<String> = differs.collect();
        (!differs.is_empty()).then(|| differs.join(" OR "))
    }

    async fn execute(
        &self,
        connection: &mut PgConnection,
        statement: String,
        doing: &str,
    ) -> Result<u64, ApplyError> {
        let done = sqlx::query(AssertSqlSafe(statement)).execute(connection).await;
        done.map(|done| done.rows_affected()).map_err(|error| refused(&self.table, doing, error))
    }
}

fn stage_name(table: &TableRows, group: &GroupRows) -> String {
    format!("seeder rows of {}.{}", table.name, group.name)
}
