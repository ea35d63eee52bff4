//! Rows, references and accounts, one after another.

use std::path::PathBuf;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::accounts;
use super::error::VerifyError;
use super::login::Target;
use super::report::{ReferenceCount, Report, TableCount};
use crate::apply::{self, ApplyError, Compiled, Earlier};
use crate::clean::manifest_of;
use crate::database::{Database, DatabaseError};
use crate::plan::Plan;
use crate::rows::Engine;
use crate::schema::{ForeignKey, Schema, Table, quoted};

/// What to verify.
#[derive(Debug)]
pub struct Config {
    pub plan: PathBuf,
    pub database: Database,
    pub manifest: PathBuf,
    /// Where accounts log in; without it their hashes are compared.
    pub target: Option<Target>,
}

/// Checks the rows and accounts of the plan as it was applied.
///
/// # Errors
/// When manifest, plan and database do not belong together, or one of them or
/// the target cannot be reached. Faults of the data are in the report.
pub async fn verify(config: &Config) -> Result<Report, VerifyError> {
    let plan = Plan::read(&config.plan).map_err(ApplyError::from)?;
    let (mut connection, id) = apply::open(&config.database, &config.manifest).await?;
    let header = manifest_of(&config.manifest, &plan, &id, config.database.place())?
        .ok_or_else(|| VerifyError::NoManifest { path: config.manifest.clone() })?;
    let Earlier { plan: applied, seed, scale, .. } =
        Earlier::from_header(&config.manifest, header, &plan)?;
    // Where passwords go is never told by a manifest.
    let login = config.target.as_ref().map(|target| (target, target.login(plan.login.as_ref())));
    let plan = applied.unwrap_or(plan);
    let schema = apply::introspect(&mut connection, &plan).await?;
    let engine = Engine::new(&plan, &schema, seed, scale).map_err(ApplyError::from)?;
    let Compiled { tables, .. } = apply::compile(engine, &plan, &schema)?;
    let failed = |doing| move |error| ApplyError::from(DatabaseError::while_doing(doing)(error));

    // The lists of keys are temporary tables, which go with the transaction.
    let mut transaction = connection.begin().await.map_err(failed("beginning a transaction"))?;
    let mut counted = Vec::new();
    for table in &tables {
        apply::send_keys(&mut transaction, table).await?;
        let condition = apply::is_planned(table);
        let statement = format!("SELECT count(*) FROM {} t WHERE {condition}", table.sql_name);
        let present = count(&mut transaction, statement).await.map_err(failed("counting"))?;
        counted.push(TableCount { table: table.name.clone(), planned: table.rows(), present });
    }
    let mut foreign_keys = Vec::new();
    for (name, table) in schema.tables() {
        for key in &table.foreign_keys {
            let Some(statement) = dangling(&schema, table, key) else { continue };
            let dangling = count(&mut transaction, statement);
            let dangling = dangling.await.map_err(failed("looking for what is referred to"))?;
            let columns = key.columns.clone();
            foreign_keys.push(ReferenceCount { table: name.to_owned(), columns, dangling });
        }
    }
    let accounts = accounts::check(
        &mut transaction,
        &config.manifest,
        login.as_ref().map(|(target, login)| (*target, login)),
        &plan,
        &schema,
        &tables,
    )
    .await?;
    transaction.rollback().await.map_err(failed("rolling back"))?;
    Ok(Report { tables: counted, foreign_keys, accounts })
}

/// The server enforces foreign keys by itself, unless it was told not to while
/// rows were loaded, or the key was added without checking existing rows.
fn dangling(schema: &Schema, table: &Table, key: &ForeignKey) -> Option<String> {
    let parent = schema.table(schema.name_of(key.parent)?)?;
    let set = key.columns.iter().map(|column| format!("t.{} IS NOT NULL", quoted(column)));
    let pairs = key.columns.iter().zip(&key.parent_columns);
    let same = pairs.map(|(own, of)| format!("p.{} = t.{}", quoted(of), quoted(own)));
    Some(format!(
        "SELECT count(*) FROM {} t WHERE {} AND NOT EXISTS (SELECT FROM {} p WHERE {})",
        table.sql_name,
        set.collect::<Vec<_>>().join(" AND "),
        parent.sql_name,
        same.collect::<Vec<_>>().join(" AND ")
    ))
}

async fn count(connection: &mut PgConnection, statement: String) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(connection).await?;
    Ok(u64::try_from(count).unwrap_or_default())
}
