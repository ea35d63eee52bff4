//! Whether a sample of the manifest's accounts can log in.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, PgConnection};

use super::error::VerifyError;
use super::login::{LoginError, Target};
use super::report::LoginCheck;
use crate::apply::ApplyError;
use crate::clean::CleanError;
use crate::database::DatabaseError;
use crate::password::Stored;
use crate::plan::{Accounts, Content, Login, Plan};
use crate::rows::{GroupRows, TableRows};
use crate::schema::{Schema, quoted};
use manifest::{Account, each_account};

/// How many of the first and of the last accounts of a persona are tried.
const ENDS: usize = 3;

#[derive(Default)]
struct Sample {
    first: Vec<Account>,
    last: std::collections::VecDeque<Account>,
}

pub(super) async fn check(
    connection: &mut PgConnection,
    manifest: &Path,
    target: Option<(&Target, &Login)>,
    plan: &Plan,
    schema: &Schema,
    tables: &[Arc<TableRows>],
) -> Result<Vec<LoginCheck>, VerifyError> {
    let mut samples: BTreeMap<String, Sample> = BTreeMap::new();
    each_account(manifest, |account| {
        let sample = samples.entry(account.persona.clone()).or_default();
        if sample.first.len() < ENDS {
            sample.first.push(account);
        } else {
            sample.last.push_back(account);
            if sample.last.len() > ENDS {
                sample.last.pop_front();
            }
        }
    })
    .map_err(CleanError::from)?;
    let mut checked = Vec::new();
    for (persona, sample) in samples {
        let mut logged_in = LoginCheck { persona, tried: 0, refused: Vec::new() };
        let accounts = plan.accounts.iter().find(|known| known.persona == logged_in.persona);
        for account in sample.first.into_iter().chain(sample.last) {
            let problem = match (target, accounts) {
                (Some((target, login)), _) => match target.log_in(login, &account).await {
                    Ok(()) => None,
                    Err(LoginError::Refused(answer)) => Some(answer),
                    Err(error) => return Err(error.into()),
                },
                (None, Some(accounts)) => {
                    match hash_column(accounts, tables) {
                        // An account that does not log in with a password.
                        None => continue,
                        Some(column) => {
                            compare(connection, accounts, schema, &column, &account).await?
                        }
                    }
                }
                (None, None) => Some("the plan has no such persona".to_owned()),
            };
            logged_in.tried += 1;
            logged_in.refused.extend(problem.map(|problem| format!("{}: {problem}", account.name)));
        }
        checked.push(logged_in);
    }
    Ok(checked)
}

fn hash_column(accounts: &Accounts, tables: &[Arc<TableRows>]) -> Option<String> {
    let table = tables.iter().find(|table| table.name == accounts.table)?;
    let group = table.groups.iter().find(|group| group.name == accounts.group)?;
    GroupRows::hashes(group).next().map(str::to_owned)
}

/// What is wrong with the stored password hash of an account.
async fn compare(
    connection: &mut PgConnection,
    accounts: &Accounts,
    schema: &Schema,
    hash_column: &str,
    account: &Account,
) -> Result<Option<String>, VerifyError> {
    let Some(table) = schema.table(&accounts.table) else { return Ok(None) };
    // The row is found by those fields that are columns as they are.
    let (mut conditions, mut values) = (Vec::new(), Vec::new());
    for (name, cell) in &accounts.fields {
        if let (Content::Expression(text), Some(value)) = (&cell.content, account.fields.get(name))
            && table.column(text).is_some()
        {
            values.push(value);
            conditions.push(format!("{}::text = ${}", quoted(text), values.len()));
        }
    }
    let (Some(password), false) = (account.fields.get("password"), conditions.is_empty()) else {
        return Ok(Some("the manifest has no password, or no column to find it by".to_owned()));
    };
    let statement = format!(
        "SELECT {}::text FROM {} WHERE {}",
        quoted(hash_column),
        table.sql_name,
        conditions.join(" AND ")
    );
    let mut query = sqlx::query_scalar(AssertSqlSafe(statement));
    for value in values {
        query = query.bind(value);
    }
    let stored: Option<Option<String>> = query
        .fetch_optional(connection)
        .await
        .map_err(DatabaseError::while_doing("looking for an account"))
        .map_err(ApplyError::from)?;
    Ok(match stored.flatten() {
        None => Some("there is no such row".to_owned()),
        Some(hash) => match Stored::parse(&hash) {
            Some(stored) if stored.fits(password) => None,
            Some(stored) => {
                Some(format!("the stored hash ({}) is of another password", stored.scheme()))
            }
            None => Some(
                "what is stored is no bcrypt hash, nor one of argon2, scrypt or pbkdf2".to_owned(),
            ),
        },
    })
}
