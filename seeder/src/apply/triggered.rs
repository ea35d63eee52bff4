//! What triggers do while a plan is applied, beside what the plan wants.

use std::sync::Arc;

use serde::Serialize;
use sqlx::{AssertSqlSafe, PgConnection};

use super::effects::{self, Effects};
use super::error::ApplyError;
use super::keys::{drop_keys, is_planned, send_keys};
use super::removed::Effect;
use crate::database::DatabaseError;
use crate::rows::TableRows;
use crate::schema::{self, Schema};

#[derive(Debug, Serialize)]
pub struct TriggeredRows {
    pub table: String,
    #[serde(flatten)]
    pub effect: Effect,
}

fn counting() -> impl FnOnce(sqlx::Error) -> DatabaseError {
    DatabaseError::while_doing("counting what triggers do")
}

/// Before the plan's rows come; none where the server does not count.
pub(super) async fn so_far(
    connection: &mut PgConnection,
) -> Result<Option<Effects>, DatabaseError> {
    effects::so_far(connection).await.map_err(counting())
}

/// Since then, beside what was `done`, by table.
pub(super) async fn rows(
    connection: &mut PgConnection,
    schema: &Schema,
    tables: &[Arc<TableRows>],
    before: Option<Effects>,
    done: Vec<(u32, Effect)>,
) -> Result<Vec<TriggeredRows>, ApplyError> {
    let (Some(before), Some(after)) = (before, so_far(connection).await?) else {
        return Ok(Vec::new());
    };
    let roots = schema::roots(connection, done.iter().map(|(table, _)| *table));
    let roots = roots.await.map_err(counting())?;
    let root = |table: u32| roots.get(&table).copied().unwrap_or(table);
    let mut expected = Effects::new();
    for (table, effect) in done {
        expected.entry(root(table)).or_default().add(effect);
    }
    let mut unexpected = effects::unexpected(&before, &after, &expected);
    for rows in tables {
        let Some(live) = schema.table(&rows.name) else { continue };
        let only_changed = unexpected
            .get(&root(live.oid))
            .is_some_and(|effect| effect.changed > 0 && effect.inserted + effect.deleted == 0);
        // A trigger may do with the plan's own rows what it likes: they go.
        if only_changed && !others_changed(connection, rows).await? {
            unexpected.remove(&root(live.oid));
        }
    }
    let names = schema::names(connection, unexpected.keys().copied()).await.map_err(counting())?;
    let named = unexpected.into_iter().filter_map(|(table, effect)| {
        let known = schema.name_of(table).map(str::to_owned);
        let table = known.or_else(|| names.get(&table).map(|name| name.plain.clone()))?;
        Some(TriggeredRows { table, effect })
    });
    Ok(named.collect())
}

/// Whether this transaction has changed rows of a table that are not the plan's.
async fn others_changed(
    connection: &mut PgConnection,
    rows: &Arc<TableRows>,
) -> Result<bool, ApplyError> {
    send_keys(connection, rows).await?;
    let any = format!(
        "SELECT EXISTS (SELECT FROM {} t
                        WHERE t.xmin = pg_current_xact_id()::xid AND NOT ({}))",
        rows.sql_name,
        is_planned(rows)
    );
    let any = sqlx::query_scalar(AssertSqlSafe(any)).fetch_one(&mut *connection).await;
    drop_keys(connection, rows).await?;
    Ok(any.map_err(counting())?)
}
