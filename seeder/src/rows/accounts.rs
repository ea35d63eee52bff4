//! Rows that are accounts of a persona.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compile::{Compiled, Place, formula};
use super::expressions::Expressions;
use super::table::{Formula, GroupRows, TableRows};
use crate::plan::{Cell, Plan, PlanError};
use manifest::Account;

/// The accounts that the rows of one group are.
pub struct AccountRows {
    persona: String,
    table: Arc<TableRows>,
    /// Index of the group.
    group: usize,
    name: Field,
    fields: BTreeMap<String, Field>,
}

struct Field {
    line: usize,
    what: String,
    formula: Formula,
}

pub(super) fn compile(
    expressions: &'static Expressions,
    plan: &Plan,
    tables: &[Arc<TableRows>],
) -> Result<Vec<AccountRows>, PlanError> {
    let accounts = plan.accounts.iter().filter_map(|accounts| {
        let table = tables.iter().find(|table| table.name == accounts.table)?;
        let group = table.groups.iter().position(|group| group.name == accounts.group)?;
        Some((accounts, table, group))
    });
    accounts
        .map(|(accounts, table, group)| {
            let rows = &table.groups[group];
            let field = |name: &str, cell: &Cell| {
                field(expressions, plan, rows, &accounts.persona, name, cell)
            };
            Ok(AccountRows {
                persona: accounts.persona.clone(),
                table: table.clone(),
                group,
                name: field("name", &accounts.name)?,
                fields: accounts
                    .fields
                    .iter()
                    .map(|(name, cell)| Ok((name.clone(), field(name, cell)?)))
                    .collect::<Result<_, PlanError>>()?,
            })
        })
        .collect()
}

fn field(
    expressions: &'static Expressions,
    plan: &Plan,
    group: &GroupRows,
    persona: &str,
    name: &str,
    cell: &Cell,
) -> Result<Field, PlanError> {
    let what = format!("accounts of {persona}, {name}");
    let columns: Vec<&str> = group.columns().collect();
    let place = Place { line: cell.line, what: &what, columns: &columns };
    let stream = ["accounts", persona, name];
    let Compiled { formula, .. } = formula(expressions, plan, &cell.content, &stream, &place)?;
    Ok(Field { line: cell.line, what, formula })
}

impl AccountRows {
    pub fn rows(&self) -> u64 {
        self.group().rows
    }

    fn group(&self) -> &GroupRows {
        &self.table.groups[self.group]
    }

    /// The account that row `n`, from 1, is.
    ///
    /// # Errors
    /// When an expression fails or gives no text.
    pub fn account(&self, n: u64) -> Result<Account, PlanError> {
        self.group().evaluate(n, &self.group().order)?;
        let fields = self
            .fields
            .iter()
            .map(|(name, field)| Ok((name.clone(), self.value(n, field)?)))
            .collect::<Result<_, PlanError>>()?;
        Ok(Account { persona: self.persona.clone(), name: self.value(n, &self.name)?, fields })
    }

    fn value(&self, n: u64, field: &Field) -> Result<String, PlanError> {
        let error = |problem: &str| PlanError::At {
            path: self.group().plan_path.clone(),
            line: field.line,
            message: format!("{}, row {n}: {problem}", field.what),
        };
        let value = field.formula.value(self.group(), n).map_err(|problem| error(&problem))?;
        if value.is_undefined() || value.is_none() {
            return Err(error("it has no value"));
        }
        Ok(value.to_string())
    }
}
