//! A draft is tried before it is shown: what it is refused for is mended where that takes no
//! knowledge, and named with its line where it does.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use sqlx::PgConnection;

use crate::apply::{self, ApplyError, Attempt, ByTriggers, Failure};
use crate::plan::{Content, Plan, PlanError};

/// Of each table; what a constraint refuses shows in the first ones.
const ROWS: u64 = 1000;
/// Each leaves at least one column out, and what still fails then is named.
const TRIALS: usize = 100;

/// A line to change, and why.
#[derive(Debug)]
pub struct Fault {
    /// None where no line would help.
    pub line: Option<usize>,
    pub content: String,
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, content, message } = self;
        match line {
            Some(line) => write!(f, "line {line}: {content} — {message}"),
            None => f.write_str(message),
        }
    }
}

pub(super) struct Tried {
    pub(super) text: String,
    pub(super) faults: Vec<Fault>,
    /// Columns that are left NULL after all, and why; what triggers did.
    pub(super) remarks: Vec<String>,
}

/// Tries a plan, and without the columns for which it is refused, where these may be NULL.
pub(super) async fn run(
    connection: &mut PgConnection,
    mut text: String,
) -> Result<Tried, ApplyError> {
    let mut remarks = Vec::new();
    for _ in 0..TRIALS {
        let mut plan = match Plan::parse(Path::new("the draft"), &text) {
            Ok(plan) => plan,
            Err(PlanError::At { line, message, .. }) => {
                let faults = vec![fault(&text, Some(line), message)];
                return Ok(Tried { text, faults, remarks });
            }
            Err(error) => return Err(error.into()),
        };
        for group in plan.tables.iter_mut().flat_map(|table| &mut table.groups) {
            group.rows = group.rows.min(ROWS);
        }
        let Attempt { failures, by_triggers } = apply::attempt(connection, &plan).await?;
        let mut mended = false;
        for failure in &failures {
            let Some((line, column)) = superfluous(&plan, failure) else { continue };
            let table = failure.table.as_deref().unwrap_or_default();
            remarks.push(format!("{table}.{column} is left NULL: {}", failure.message));
            text = without(&text, line, &failure.message);
            mended = true;
        }
        if !mended {
            let faults = failures.into_iter().map(|failure| {
                let (line, at_table) = line_of(&plan, &failure);
                let remedy =
                    if at_table { "; rows = 0 below it leaves the table empty" } else { "" };
                fault(&text, line, failure.message + remedy)
            });
            let faults = faults.collect();
            remarks.extend(by_triggers.into_iter().map(|ByTriggers { table, rows, of }| {
                format!(
                    "{table}: triggers (of {of}) make {rows} more rows in it, which clean does not know; rows = 0 there avoids them"
                )
            }));
            return Ok(Tried { text, faults, remarks });
        }
    }
    let message = format!("it is refused for other reasons each of {TRIALS} times");
    let faults = vec![Fault { line: None, content: String::new(), message }];
    Ok(Tried { text, faults, remarks })
}

/// A column that the plan can do without, and its line.
fn superfluous<'f>(plan: &Plan, failure: &'f Failure) -> Option<(usize, &'f str)> {
    let table = plan.table(failure.table.as_deref()?)?;
    let accounts = plan.accounts.iter().filter(|accounts| accounts.table == table.name);
    let needed: BTreeSet<&str> = accounts
        .flat_map(|accounts| accounts.fields.values())
        .filter_map(|cell| match &cell.content {
            Content::Expression(text) => Some(text.as_str()),
            Content::Constant(_) => None,
        })
        .chain(table.key.iter().flatten().map(String::as_str))
        .collect();
    let columns = &table.groups.first()?.columns;
    // The last: what stands before it is more likely to mean something.
    failure.columns.iter().rev().find_map(|column| {
        let cell = columns.get(&column.name)?;
        let free = column.nullable && !needed.contains(column.name.as_str());
        free.then_some((cell.line, column.name.as_str()))
    })
}

/// The line, and whether it is that of a whole table.
fn line_of(plan: &Plan, failure: &Failure) -> (Option<usize>, bool) {
    let table = failure.table.as_deref().and_then(|name| plan.table(name));
    let at_table = table.map(|table| table.line);
    let cell = || {
        let columns = &table?.groups.first()?.columns;
        failure.columns.iter().rev().find_map(|column| Some(columns.get(&column.name)?.line))
    };
    let line = failure.line.or_else(cell).or(at_table);
    (line, line.is_some() && line == at_table)
}

fn fault(text: &str, line: Option<usize>, message: String) -> Fault {
    let content = line.and_then(|line| text.lines().nth(line.checked_sub(1)?)).unwrap_or_default();
    Fault { line, content: content.to_owned(), message }
}

/// The line stays, for whoever knows what belongs there.
fn without(text: &str, line: usize, why: &str) -> String {
    let why = common::shown::line(why);
    let lines = text.lines().enumerate().map(|(place, content)| {
        if place + 1 == line {
            format!("# {content} # left NULL: {why}")
        } else {
            content.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}
