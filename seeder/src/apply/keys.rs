//! The keys of the plan's rows in a temporary table: which of a table's rows are the plan's.

use std::sync::Arc;

use sqlx::PgConnection;

use super::error::ApplyError;
use super::lines;
use super::send::{copy, execute};
use crate::database::DatabaseError;
use crate::rows::TableRows;
use crate::schema::{quoted, quoted_list};

/// A list of keys of one table's rows.
#[derive(Clone, Copy, Debug)]
pub(super) enum List {
    /// Those that the plan has.
    Planned,
    /// Those of which it has to be found out whose the rows are.
    Claimed,
    /// Those that an earlier apply has, as its manifest says.
    Recorded,
}

impl List {
    /// The temporary table that it is in.
    pub(super) fn of(self, table: &str) -> String {
        let what = match self {
            Self::Planned => "keys",
            Self::Claimed => "claims",
            Self::Recorded => "records",
        };
        format!("pg_temp.{}", quoted(&format!("seeder {what} of {table}")))
    }
}

pub(crate) fn is_planned(planned: &TableRows) -> String {
    is_in("t", &List::Planned.of(&planned.name), planned.key_columns())
}

/// The condition that these columns of a row are in a list.
pub(super) fn is_in<'c>(
    row: &str,
    list: &str,
    columns: impl IntoIterator<Item = &'c str>,
) -> String {
    let names: Vec<&str> = columns.into_iter().collect();
    let own = prefixed(row, names.iter().copied());
    format!("({own}) IN (SELECT {} FROM {list})", quoted_list(names))
}

pub(super) fn prefixed<'c>(alias: &str, columns: impl IntoIterator<Item = &'c str>) -> String {
    let columns = columns.into_iter().map(|column| format!("{alias}.{}", quoted(column)));
    columns.collect::<Vec<_>>().join(", ")
}

pub(crate) async fn send_keys(
    connection: &mut PgConnection,
    planned: &Arc<TableRows>,
) -> Result<(), ApplyError> {
    send(connection, planned, List::Planned).await
}

pub(super) async fn send(
    connection: &mut PgConnection,
    rows: &Arc<TableRows>,
    list: List,
) -> Result<(), ApplyError> {
    let failed = || DatabaseError::while_doing(format!("listing the keys of {}", rows.name));
    let keys = list.of(&rows.name);
    let columns = quoted_list(rows.key_columns());
    let make =
        format!("CREATE TABLE {keys} AS SELECT {columns} FROM {} WITH NO DATA", rows.sql_name);
    execute(connection, &make, &[]).await.map_err(failed())?;
    let statement = format!("COPY {keys} ({columns}) FROM STDIN");
    for index in 0..rows.groups.len() {
        let keys = lines::of_keys(rows.clone(), index);
        copy(connection, &statement, keys, &mut |_| {})
            .await
            .map_err(|error| error.of(&rows.name, "listing the keys of"))?;
    }
    execute(connection, &format!("ANALYZE {keys}"), &[]).await.map_err(failed())?;
    Ok(())
}

pub(super) async fn drop_keys(
    connection: &mut PgConnection,
    planned: &TableRows,
) -> Result<(), DatabaseError> {
    let drop = format!("DROP TABLE {}", List::Planned.of(&planned.name));
    execute(connection, &drop, &[])
        .await
        .map_err(DatabaseError::while_doing("dropping the list of keys"))?;
    Ok(())
}
