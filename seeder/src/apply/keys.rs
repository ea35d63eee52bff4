//! The keys of the plan's rows in a temporary table: which of a table's rows are the plan's.

use std::sync::Arc;

use sqlx::PgConnection;

use super::error::ApplyError;
use super::lines;
use super::send::{copy, execute};
use crate::database::DatabaseError;
use crate::rows::TableRows;
use crate::schema::{quoted, quoted_list};

pub(crate) fn is_planned(planned: &TableRows) -> String {
    let names: Vec<String> = planned.key.iter().map(|(name, _)| name.clone()).collect();
    format!(
        "({}) IN (SELECT {} FROM {})",
        prefixed("t", &names),
        quoted_list(names.iter().map(String::as_str)),
        keys_of(&planned.name)
    )
}

pub(super) fn prefixed(alias: &str, columns: &[String]) -> String {
    let columns = columns.iter().map(|column| format!("{alias}.{}", quoted(column)));
    columns.collect::<Vec<_>>().join(", ")
}

/// The temporary table that holds the keys of a table's planned rows.
pub(super) fn keys_of(table: &str) -> String {
    format!("pg_temp.{}", quoted(&format!("seeder keys of {table}")))
}

pub(crate) async fn send_keys(
    connection: &mut PgConnection,
    planned: &Arc<TableRows>,
) -> Result<(), ApplyError> {
    let failed = || DatabaseError::while_doing(format!("listing the keys of {}", planned.name));
    let keys = keys_of(&planned.name);
    let columns = quoted_list(planned.key.iter().map(|(name, _)| name.as_str()));
    let make =
        format!("CREATE TABLE {keys} AS SELECT {columns} FROM {} WITH NO DATA", planned.sql_name);
    execute(connection, &make, &[]).await.map_err(failed())?;
    let statement = format!("COPY {keys} ({columns}) FROM STDIN");
    for index in 0..planned.groups.len() {
        let keys = lines::of_keys(planned.clone(), index);
        copy(connection, &statement, keys, &mut |_| {})
            .await
            .map_err(|error| error.of(&planned.name, "listing the keys of"))?;
    }
    execute(connection, &format!("ANALYZE {keys}"), &[]).await.map_err(failed())?;
    Ok(())
}

pub(super) async fn drop_keys(
    connection: &mut PgConnection,
    planned: &TableRows,
) -> Result<(), DatabaseError> {
    let drop = format!("DROP TABLE {}", keys_of(&planned.name));
    execute(connection, &drop, &[])
        .await
        .map_err(DatabaseError::while_doing("dropping the list of keys"))?;
    Ok(())
}
