//! Rows: the plan's expressions, compiled against the live schema.
//!
//! Row `n` of a group is a function of seed, plan, table, group and `n`: it can
//! be made alone, in any order, in any batch. Every column draws from a stream
//! of its own, so that a column more or less changes no other.
//!
//! Besides the functions of `generate` an expression has:
//!
//! | | |
//! | --- | --- |
//! | `n`, `group` | the row's number in its group, from 1, and the group's name |
//! | a constant, a column | its value; the order of the columns does not matter |
//! | `ref('table')`, `ref('table.group')` | the id of any of these rows |
//! | `ref('table', n)` | the id of the n-th, in turn |
//! | `ref('table', skew=3)` | of earlier rows more often than of later ones, from 1 to 8 |
//! | `ref('table', column='sku')` | another column; with several of these, of one row |
//! | `bcrypt('password', cost)` | its hash, made once |

mod accounts;
mod compile;
mod context;
mod fill;
mod keys;
mod password;
mod reference;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use minijinja::value::Value;
use minijinja::{Environment, Expression};

use crate::copy;
use crate::plan::{Plan, PlanError};
use crate::schema::{Kind, Schema};
use context::RowContext;
use generate::{Clock, Generators, Stream};
use keys::Keys;
use password::Passwords;
use reference::References;

pub use accounts::AccountRows;
pub(crate) use fill::literal;

/// What expressions run on.
///
/// It lives as long as the process: expressions borrow the environment, and
/// what the environment's `ref` calls holds expressions. A run has a few.
pub struct Engine {
    generators: Generators,
    environment: Environment<'static>,
    constants: BTreeMap<String, Value>,
    keys: Arc<Keys>,
    passwords: Arc<Passwords>,
    plan: String,
    seed: u64,
    scale: u32,
}

impl Engine {
    /// # Errors
    /// When plan and schema do not go together, with line, table and column.
    pub fn new(
        plan: &Plan,
        schema: &Schema,
        seed: u64,
        scale: u32,
    ) -> Result<&'static Self, PlanError> {
        let generators = Generators::new(Clock::Fixed(plan.epoch));
        let keys = Arc::new(Keys::new(plan, schema));
        let passwords = Arc::new(Passwords::new(seed, &plan.name));
        let mut environment = generators.environment();
        let references = References::new(keys.clone(), generators.clone(), seed, &plan.name);
        references.install(&mut environment);
        let hashed = passwords.clone();
        environment
            .add_function("bcrypt", move |password: &str, cost: u32| hashed.hash(password, cost));
        let engine: &'static Self = Box::leak(Box::new(Self {
            generators,
            environment,
            constants: plan.constants.clone(),
            keys,
            passwords,
            plan: plan.name.clone(),
            seed,
            scale,
        }));
        let tables = plan.tables.iter().map(|table| {
            let mut rows = engine.compile(plan, schema, &table.name)?;
            rows.groups.iter_mut().for_each(|group| group.referred = true);
            Ok(rows)
        });
        references.set(tables.collect::<Result<_, PlanError>>()?);
        Ok(engine)
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Costs of the password hashes that rows have been given so far, ascending.
    pub fn bcrypt_costs(&self) -> Vec<u32> {
        self.passwords.costs()
    }

    /// Compiles a table's rows.
    ///
    /// # Errors
    /// When plan and schema do not go together, with line, table and column.
    pub fn compile(
        &'static self,
        plan: &Plan,
        schema: &Schema,
        table: &str,
    ) -> Result<TableRows, PlanError> {
        compile::table(self, plan, schema, table)
    }

    /// Compiles the accounts that are rows of these tables.
    ///
    /// # Errors
    /// When an expression names what there is not.
    pub fn accounts(
        &'static self,
        plan: &Plan,
        tables: &[Arc<TableRows>],
    ) -> Result<Vec<AccountRows>, PlanError> {
        accounts::compile(self, plan, tables)
    }

    fn stream(&self, name: &[&str]) -> Stream {
        let mut whole = vec![self.plan.as_str()];
        whole.extend(name);
        Stream::new(self.seed, &whole)
    }
}

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
    pub(crate) fn with_made_key(mut self, schema: &Schema) -> Option<Self> {
        let live = schema.table(&self.name)?;
        for group in &mut self.groups {
            let made =
                group.columns.iter().position(|column| matches!(column.content, Source::Key))?;
            group.key = vec![made];
            group.key_order = vec![made];
            let column = live.column(&group.columns[made].name)?;
            self.key = vec![(column.name.clone(), column.type_name.clone())];
        }
        Some(self)
    }

    pub fn rows(&self) -> u64 {
        self.groups.iter().map(|group| group.rows).sum()
    }
}

/// Rows of one group.
pub struct GroupRows {
    engine: &'static Engine,
    plan_path: std::path::PathBuf,
    table: String,
    pub name: String,
    /// At the scale that was asked for.
    pub rows: u64,
    /// In the table's order.
    columns: Vec<ColumnRows>,
    /// Indices of the columns, each after those that its expression names.
    order: Vec<usize>,
    /// Indices of the key's columns, and what they need, in order.
    key: Vec<usize>,
    key_order: Vec<usize>,
    /// Of each column, what it needs and itself, in order.
    orders: Vec<Vec<usize>>,
    context: Arc<RowContext>,
    context_value: Value,
    /// Whether these rows are made while another is being made.
    referred: bool,
    /// Whether one of them is being made.
    busy: AtomicBool,
}

struct ColumnRows {
    name: String,
    line: usize,
    kind: Kind,
    not_null: bool,
    /// Whether its value is a hash of a password.
    hash: bool,
    content: Source,
    /// Indices of the columns that the expression names.
    needs: Vec<usize>,
}

enum Source {
    Planned(Formula),
    /// The row's id.
    Key,
}

/// A cell of the plan, compiled.
enum Formula {
    Constant(Value),
    Expression { expression: Expression<'static, 'static>, stream: Stream },
}

impl Formula {
    fn value(&self, of: &GroupRows, n: u64) -> Result<Value, String> {
        let Self::Expression { expression, stream } = self else {
            let Self::Constant(value) = self else { unreachable!("there are two kinds") };
            return Ok(value.clone());
        };
        let evaluate = || expression.eval(of.context_value.clone());
        let generators = &of.engine.generators;
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
    fn referred(&self, n: u64, index: usize) -> Result<Value, minijinja::Error> {
        if self.busy.swap(true, Ordering::Relaxed) {
            let column = &self.columns[index].name;
            let message = format!("{}.{column} needs the value of another row's", self.table);
            return Err(reference::error(message));
        }
        let evaluated = self.evaluate(n, &self.orders[index]);
        self.busy.store(false, Ordering::Relaxed);
        evaluated.map_err(|problem| reference::error(problem.to_string()))?;
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
    fn evaluate(&self, n: u64, order: &[usize]) -> Result<(), PlanError> {
        self.context.begin(n);
        for &index in order {
            let value = match &self.columns[index].content {
                Source::Key => {
                    self.engine.keys.of(&self.table, &self.name, n).unwrap_or(Value::UNDEFINED)
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

/// What the engine complains about, without its picture of the place.
fn describe(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}
