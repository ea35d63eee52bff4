//! Rows of a table, made one by one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use minijinja::Expression;
use minijinja::value::Value;

use super::context::RowContext;
use super::expressions::{Expressions, describe, error};
use super::value;
use crate::copy;
use crate::plan::PlanError;
use crate::schema::{Kind, Schema};
use generate::Stream;

/// A table's rows, ready to be made.
pub struct TableRows {
    /// As in the plan.
    pub name: String,
    /// Quoted, for SQL.
    pub sql_name: String,
    /// Rows of everyone: see `plan::Table`.
    pub shared: bool,
    /// Columns that tell a row from the others, with their types in SQL.
    pub key: Vec<(String, String)>,
    pub groups: Vec<GroupRows>,
    /// Columns that are left to the database.
    pub filled_by_database: Vec<String>,
}

impl TableRows {
    /// The same rows, told apart by the key that the seeder makes; none where
    /// it makes none.
    pub(crate) fn with_generated_key(self, schema: &Schema) -> Option<Self> {
        let generated = |group: &GroupRows| {
            let mut columns = group.columns.iter();
            Some(columns.find(|column| matches!(column.content, Source::Key))?.name.clone())
        };
        let names = self.groups.iter().map(generated).collect::<Option<BTreeSet<String>>>()?;
        self.told_by(&Vec::from_iter(names), schema)
    }

    /// The same rows, told apart by these columns; none where the plan does not fill them.
    pub(crate) fn told_by(mut self, names: &[String], schema: &Schema) -> Option<Self> {
        let live = schema.table(&self.name)?;
        for group in &mut self.groups {
            let place = |name: &String| group.columns().position(|known| known == name);
            group.key = names.iter().map(place).collect::<Option<_>>()?;
            group.key_order.clear();
            for index in group.key.iter().flat_map(|index| &group.orders[*index]) {
                if !group.key_order.contains(index) {
                    group.key_order.push(*index);
                }
            }
        }
        let typed = |name: &String| Some((name.clone(), live.column(name)?.type_name.clone()));
        self.key = names.iter().map(typed).collect::<Option<_>>()?;
        Some(self)
    }

    /// Whether they are told apart by keys that the seeder makes, which no row of others has.
    pub(crate) fn is_by_generated_key(&self) -> bool {
        self.groups.iter().all(|group| {
            matches!(group.key[..], [key] if matches!(group.columns[key].content, Source::Key))
        })
    }

    /// Whether a uuid alone tells these rows from all others.
    pub(crate) fn is_by_uuid(&self) -> bool {
        matches!(&self.key[..], [(_, kind)] if kind == "uuid")
    }

    /// Whether a column's values are better not shown.
    pub(crate) fn may_be_secret(&self, name: &str) -> bool {
        const WORDS: [&str; 7] = ["pass", "pwd", "secret", "token", "hash", "otp", "api_key"];
        let lower = name.to_lowercase();
        let mut hashes = self.groups.iter().flat_map(GroupRows::hashes);
        WORDS.iter().any(|word| lower.contains(word)) || hashes.any(|hash| hash == name)
    }

    pub(crate) fn key_columns(&self) -> impl Iterator<Item = &str> {
        self.key.iter().map(|(name, _)| name.as_str())
    }

    pub fn rows(&self) -> u64 {
        self.groups.iter().map(|group| group.rows).sum()
    }
}

/// Rows of one group.
pub struct GroupRows {
    pub(super) expressions: &'static Expressions,
    pub(super) plan_path: std::path::PathBuf,
    pub(super) table: String,
    pub name: String,
    /// At the scale that was asked for.
    pub rows: u64,
    /// In the table's order.
    pub(super) columns: Vec<ColumnRows>,
    /// Indices of the columns, each after those that its expression names.
    pub(super) order: Vec<usize>,
    /// Indices of the key's columns, and what they need, in order.
    pub(super) key: Vec<usize>,
    pub(super) key_order: Vec<usize>,
    /// Of each column, what it needs and itself, in order.
    pub(super) orders: Vec<Vec<usize>>,
    pub(super) context: Arc<RowContext>,
    pub(super) context_value: Value,
    /// Whether these rows are made while another is being made.
    pub(super) referred: bool,
    /// Whether one of them is being made.
    pub(super) busy: AtomicBool,
}

pub(super) struct ColumnRows {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) kind: Kind,
    pub(super) not_null: bool,
    /// Whether its value is a hash of a password.
    pub(super) hash: bool,
    pub(super) content: Source,
    /// Indices of the columns that the expression names.
    pub(super) needs: Vec<usize>,
}

pub(super) enum Source {
    Planned(Formula),
    /// The row's id.
    Key,
}

/// A cell of the plan, compiled.
pub(super) enum Formula {
    Constant(Value),
    Expression { expression: Expression<'static, 'static>, stream: Stream },
}

impl Formula {
    pub(super) fn value(&self, of: &GroupRows, n: u64) -> Result<Value, String> {
        let Self::Expression { expression, stream } = self else {
            let Self::Constant(value) = self else { unreachable!("there are two kinds") };
            return Ok(value.clone());
        };
        let evaluate = || expression.eval(of.context_value.clone());
        let generators = &of.expressions.generators;
        let value = if of.referred {
            generators.draw_within(stream, n, evaluate)
        } else {
            generators.draw(stream, n, evaluate)
        };
        value.map_err(|error| describe(&error))
    }
}

impl GroupRows {
    /// Names of the columns that are sent, in the order of a row's fields.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// Types in SQL and whatever else the schema has of the columns that are sent.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = (&str, &Kind)> {
        self.columns.iter().map(|column| (column.name.as_str(), &column.kind))
    }

    /// The columns that hold hashes of passwords.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().filter(|column| column.hash).map(|column| column.name.as_str())
    }

    /// Appends row `n`, from 1, as a line of COPY.
    ///
    /// # Errors
    /// When an expression fails or its value does not fit the column.
    pub fn write(&self, n: u64, line: &mut Vec<u8>) -> Result<(), PlanError> {
        self.evaluate(n, &self.order)?;
        for index in 0..self.columns.len() {
            if index > 0 {
                line.push(b'\t');
            }
            match self.text(n, index)? {
                Some(text) => copy::push_text(line, &text),
                None => copy::push_null(line),
            }
        }
        line.push(b'\n');
        Ok(())
    }

    /// Names and texts of the columns of row `n`, none for NULL.
    ///
    /// # Errors
    /// As [`GroupRows::write`].
    pub fn row(&self, n: u64) -> Result<Vec<(&str, Option<String>)>, PlanError> {
        self.evaluate(n, &self.order)?;
        let texts = self.columns.iter().enumerate();
        texts.map(|(index, column)| Ok((column.name.as_str(), self.text(n, index)?))).collect()
    }

    /// The value of a column of row `n`, for a row that refers to it.
    pub(super) fn referred(&self, n: u64, index: usize) -> Result<Value, minijinja::Error> {
        if self.busy.swap(true, Ordering::Relaxed) {
            let column = &self.columns[index].name;
            let message = format!("{}.{column} needs the value of another row's", self.table);
            return Err(error(message));
        }
        let evaluated = self.evaluate(n, &self.orders[index]);
        self.busy.store(false, Ordering::Relaxed);
        evaluated.map_err(|problem| error(problem.to_string()))?;
        Ok(self.context.get(index))
    }

    /// Appends the key of row `n` alone, as a line of COPY.
    ///
    /// # Errors
    /// As [`GroupRows::write`].
    pub fn write_key(&self, n: u64, line: &mut Vec<u8>) -> Result<(), PlanError> {
        self.evaluate(n, &self.key_order)?;
        for (place, &index) in self.key.iter().enumerate() {
            if place > 0 {
                line.push(b'\t');
            }
            let text = self.text(n, index)?;
            let text = text.ok_or_else(|| self.error(n, index, "a column of the key is null"))?;
            copy::push_text(line, &text);
        }
        line.push(b'\n');
        Ok(())
    }

    /// Puts the values of these columns into the context.
    pub(super) fn evaluate(&self, n: u64, order: &[usize]) -> Result<(), PlanError> {
        self.context.begin(n);
        for &index in order {
            let value = match &self.columns[index].content {
                Source::Key => {
                    self.expressions.keys.of(&self.table, &self.name, n).unwrap_or(Value::UNDEFINED)
                }
                Source::Planned(formula) => {
                    formula.value(self, n).map_err(|problem| self.error(n, index, &problem))?
                }
            };
            self.context.set(index, value);
        }
        Ok(())
    }

    fn text(&self, n: u64, index: usize) -> Result<Option<String>, PlanError> {
        let column = &self.columns[index];
        match value::text(&column.kind, &self.context.get(index)) {
            Ok(None) if column.not_null => {
                Err(self.error(n, index, "null, and the column is NOT NULL"))
            }
            Ok(text) => Ok(text),
            Err(problem) => Err(self.error(n, index, &problem)),
        }
    }

    fn error(&self, n: u64, index: usize, problem: &str) -> PlanError {
        let column = &self.columns[index];
        let of = if self.name.is_empty() { String::new() } else { format!(" of {}", self.name) };
        PlanError::At {
            path: self.plan_path.clone(),
            line: column.line,
            message: format!("{}.{}, row {n}{of}: {problem}", self.table, column.name),
        }
    }
}
