//! Plan and schema put together, one table at a time.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use minijinja::Value;

use super::context::{GROUP, ROW_NUMBER, RowContext};
use super::expressions::{Expressions, describe};
use super::fill;
use super::keys::{generated_key, key_columns};
use super::password::FUNCTIONS;
use super::table::{ColumnRows, Formula, GroupRows, Source, TableRows};
use crate::plan::{self, Cell, Content, Plan, PlanError};
use crate::schema::{self, FilledBy, Schema, quoted};
use common::nearest;

pub(super) fn table(
    expressions: &'static Expressions,
    plan: &Plan,
    schema: &Schema,
    name: &str,
) -> Result<TableRows, PlanError> {
    let (Some(planned), Some(live)) = (plan.table(name), schema.table(name)) else {
        return Err(plan.error(1, format!("no table {name} in plan and schema")));
    };
    let compiler = Compiler { expressions, plan, schema, planned, live };
    let key = compiler.key()?;
    let groups = planned
        .groups
        .iter()
        .map(|group| compiler.group(group, &key))
        .collect::<Result<Vec<_>, _>>()?;
    let sent: BTreeSet<&str> = groups.iter().flat_map(GroupRows::columns).collect();
    let filled = live.columns.iter().filter(|column| {
        column.filled_by != FilledBy::Nobody && !sent.contains(column.name.as_str())
    });
    let key_type = |name: &String| {
        let column = live.column(name);
        (name.clone(), column.map_or_else(String::new, |column| column.type_name.clone()))
    };
    Ok(TableRows {
        name: name.to_owned(),
        sql_name: live.sql_name.clone(),
        shared: planned.shared,
        filled_by_database: filled.map(|column| column.name.clone()).collect(),
        key: key.iter().map(key_type).collect(),
        groups,
    })
}

struct Compiler<'p> {
    expressions: &'static Expressions,
    plan: &'p Plan,
    schema: &'p Schema,
    planned: &'p plan::Table,
    live: &'p schema::Table,
}

/// A column with what fills it, before it is compiled.
struct FilledColumn<'p> {
    column: &'p schema::Column,
    line: usize,
    content: Option<Content>,
}

impl Compiler<'_> {
    /// Columns that tell a row from the others.
    fn key(&self) -> Result<Vec<String>, PlanError> {
        let at = self.planned.line;
        let key = key_columns(self.planned, self.live).to_vec();
        if key.is_empty() {
            let message = format!(
                "{} has no primary key; name the columns that tell its rows apart with key = [\"…\"]",
                self.planned.name
            );
            return Err(self.plan.error(at, message));
        }
        match key.iter().find(|name| self.live.column(name).is_none()) {
            Some(name) => Err(self.no_column(at, name)),
            None => Ok(key),
        }
    }

    fn group(&self, group: &plan::Group, key: &[String]) -> Result<GroupRows, PlanError> {
        if let Some((name, cell)) =
            group.columns.iter().find(|(name, _)| self.live.column(name).is_none())
        {
            return Err(self.no_column(cell.line, name));
        }
        let mut filled = Vec::new();
        for column in &self.live.columns {
            filled.extend(self.fill(group, column)?);
        }
        let names: Vec<&str> = filled.iter().map(|filled| filled.column.name.as_str()).collect();
        let columns = filled
            .iter()
            .map(|filled| self.column(group, filled, &names))
            .collect::<Result<Vec<_>, _>>()?;
        let all: Vec<usize> = (0..columns.len()).collect();
        let order = self.order(&columns, &all)?;
        let key = key
            .iter()
            .map(|name| {
                names.iter().position(|known| known == name).ok_or_else(|| {
                    let message = format!(
                        "{}.{name} is made by the database and cannot tell rows apart; name other columns with key = [\"…\"]",
                        self.planned.name
                    );
                    self.plan.error(self.planned.line, message)
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let key_order = self.order(&columns, &key)?;
        let orders = all.iter().map(|index| self.order(&columns, &[*index]));
        let orders = orders.collect::<Result<_, _>>()?;
        let context = RowContext::new(
            &self.expressions.constants,
            &self.planned.name,
            &group.name,
            // A function is never hidden by a column of its name.
            names.iter().map(|name| {
                if self.is_function(name) { String::new() } else { (*name).to_owned() }
            }),
        );
        Ok(GroupRows {
            expressions: self.expressions,
            plan_path: self.plan.path.clone(),
            table: self.planned.name.clone(),
            name: group.name.clone(),
            rows: group.rows_at(self.expressions.scale),
            context_value: Value::from_dyn_object(context.clone()),
            columns,
            order,
            key,
            key_order,
            orders,
            context,
            referred: false,
            busy: AtomicBool::new(false),
        })
    }

    /// What fills a column; none where nothing is sent for it.
    fn fill<'p>(
        &self,
        group: &plan::Group,
        column: &'p schema::Column,
    ) -> Result<Option<FilledColumn<'p>>, PlanError> {
        let at = self.planned.line;
        let planned = group.columns.get(&column.name);
        if column.filled_by == FilledBy::Database {
            return match planned {
                None => Ok(None),
                Some(Cell { line, .. }) => Err(self.plan.error(
                    *line,
                    format!(
                        "{}.{} is made by the database; leave it out",
                        self.planned.name, column.name
                    ),
                )),
            };
        }
        if let Some(Cell { line, content }) = planned {
            return Ok(Some(FilledColumn { column, line: *line, content: Some(content.clone()) }));
        }
        if generated_key(self.planned, self.live) == Some(&column.name) {
            return Ok(Some(FilledColumn { column, line: at, content: None }));
        }
        if column.filled_by == FilledBy::Default || !column.not_null {
            return Ok(None);
        }
        let expression = self.unplanned(column).ok_or_else(|| {
            let of = self.live.foreign_keys.iter().any(|key| key.columns.contains(&column.name));
            let why = if of { ", which refers to a table that the plan lacks" } else { "" };
            let message = format!(
                "{}.{} must have a value and the plan gives none; add to its columns: {} = \"…\" # {}{why}",
                self.planned.name, column.name, column.name, column.type_name
            );
            self.plan.error(at, message)
        })?;
        Ok(Some(FilledColumn { column, line: at, content: Some(Content::Expression(expression)) }))
    }

    /// The expression for a column that must have a value and is not in the plan.
    fn unplanned(&self, column: &schema::Column) -> Option<String> {
        let in_key = self.live.primary_key.contains(&column.name);
        let mut keys = self.live.foreign_keys.iter();
        let Some(key) = keys.find(|key| key.columns.contains(&column.name)) else {
            let named = in_key.then(|| fill::distinct(&self.planned.name, column)).flatten();
            return named.or_else(|| fill::expression(column));
        };
        let parent = self.schema.name_of(key.parent)?;
        let planned = self.plan.table(parent).filter(|parent| !parent.shared)?;
        let place = key.columns.iter().position(|name| *name == column.name)?;
        let referred = &key.parent_columns[place];
        let generated = self.schema.table(parent).and_then(|live| generated_key(planned, live));
        // What is the row's own key refers to a row of its own, too.
        let turn = if in_key { ", n" } else { "" };
        Some(if generated == Some(referred) {
            format!("ref('{parent}'{turn})")
        } else {
            format!("ref('{parent}'{turn}, column='{referred}')")
        })
    }

    fn column(
        &self,
        group: &plan::Group,
        filled: &FilledColumn<'_>,
        names: &[&str],
    ) -> Result<ColumnRows, PlanError> {
        let FilledColumn { column, line, content } = filled;
        let (content, needs, hash) = match content {
            None => (Source::Key, Vec::new(), false),
            Some(content) => {
                let place = Place {
                    line: *line,
                    what: &format!("{}.{}", self.planned.name, column.name),
                    columns: names,
                };
                let stream = [&*self.planned.name, &*group.name, &*column.name];
                let Compiled { formula, needs, hash } =
                    formula(self.expressions, self.plan, content, &stream, &place)?;
                (Source::Planned(formula), needs, hash)
            }
        };
        Ok(ColumnRows {
            name: column.name.clone(),
            line: *line,
            kind: column.kind.clone(),
            not_null: column.not_null,
            hash,
            content,
            needs,
        })
    }

    /// The wanted columns and all that they need, each after what it needs.
    fn order(&self, columns: &[ColumnRows], wanted: &[usize]) -> Result<Vec<usize>, PlanError> {
        let mut order = Vec::new();
        let mut path = Vec::new();
        for &index in wanted {
            self.visit(columns, index, &mut path, &mut order)?;
        }
        Ok(order)
    }

    fn visit(
        &self,
        columns: &[ColumnRows],
        index: usize,
        path: &mut Vec<usize>,
        order: &mut Vec<usize>,
    ) -> Result<(), PlanError> {
        if order.contains(&index) {
            return Ok(());
        }
        let column = &columns[index];
        if path.contains(&index) {
            let message = format!("{}.{} needs its own value", self.planned.name, column.name);
            return Err(self.plan.error(column.line, message));
        }
        path.push(index);
        for &needed in &column.needs {
            self.visit(columns, needed, path, order)?;
        }
        path.pop();
        order.push(index);
        Ok(())
    }

    fn is_function(&self, name: &str) -> bool {
        self.expressions.is_function(name)
    }

    fn no_column(&self, line: usize, name: &str) -> PlanError {
        let known = self.live.columns.iter().map(|column| column.name.as_str());
        let hint = nearest::hint(name, known);
        let message = format!("table {} has no column {}{hint}", self.planned.name, quoted(name));
        self.plan.error(line, message)
    }
}

/// Where an expression stands, and what it may name.
pub(super) struct Place<'a> {
    pub(super) line: usize,
    pub(super) what: &'a str,
    pub(super) columns: &'a [&'a str],
}

/// A cell, with what it needs.
pub(super) struct Compiled {
    pub(super) formula: Formula,
    /// Indices of the columns that it names.
    pub(super) needs: Vec<usize>,
    /// Whether it hashes a password.
    pub(super) hash: bool,
}

/// Compiles a cell and checks every name in it.
pub(super) fn formula(
    expressions: &'static Expressions,
    plan: &Plan,
    content: &Content,
    stream: &[&str],
    place: &Place<'_>,
) -> Result<Compiled, PlanError> {
    let text = match content {
        Content::Constant(value) => {
            let formula = Formula::Constant(value.clone());
            return Ok(Compiled { formula, needs: Vec::new(), hash: false });
        }
        Content::Expression(text) => text,
    };
    let Place { line, what, columns } = *place;
    let expression = generate::compile(&expressions.environment, text)
        .map_err(|error| plan.error(line, format!("{what}: {}", describe(&error))))?;
    // In a fixed order: of two mistakes the same one is told each time.
    let names: BTreeSet<String> = expression.undeclared_variables(false).into_iter().collect();
    let mut needs = Vec::new();
    for name in names.iter().filter(|name| !expressions.is_function(name)) {
        if let Some(index) = columns.iter().position(|column| column == name) {
            needs.push(index);
        } else if name != ROW_NUMBER && name != GROUP && !expressions.constants.contains_key(name) {
            let functions = expressions.environment.globals().map(|(name, _)| name);
            let constants = expressions.constants.keys().map(String::as_str);
            let known = columns.iter().copied().chain(functions).chain(constants);
            let hint = nearest::hint(name, known);
            let message = format!(
                "{what}: {name} is no function, no constant, and no column that the plan fills{hint}"
            );
            return Err(plan.error(line, message));
        }
    }
    let hash = names.iter().any(|name| FUNCTIONS.contains(&name.as_str()));
    let same_for_all = |name: &String| {
        SAME_FOR_ALL.contains(&name.as_str())
            || FUNCTIONS.contains(&name.as_str())
            || expressions.constants.contains_key(name) && !columns.contains(&name.as_str())
    };
    if names.iter().all(same_for_all)
        // A mistake is told when a row is made, with the row.
        && let Ok(value) = expression.eval(Value::from(expressions.constants.clone()))
        && !value.is_undefined()
    {
        return Ok(Compiled { formula: Formula::Constant(value), needs, hash });
    }
    let formula = Formula::Expression { expression, stream: expressions.stream(stream) };
    Ok(Compiled { formula, needs, hash })
}

/// Functions that neither draw nor know the row: an expression of these and of
/// constants is evaluated once, not once a row. So are those of passwords.
const SAME_FOR_ALL: [&str; 3] = ["now", "pad", "time"];
