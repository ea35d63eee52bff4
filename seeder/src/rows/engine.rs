//! A plan and a schema put together, ready to make rows.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::accounts::{self, AccountRows};
use super::ahead::{self, Estimate};
use super::compile;
use super::context::{GROUP, ROW_NUMBER};
use super::expressions::Expressions;
use super::keys::Keys;
use super::password::Passwords;
use super::reference::References;
use super::table::TableRows;
use crate::plan::{Plan, PlanError};
use crate::schema::Schema;
use generate::{Clock, Generators};

/// What expressions run on.
///
/// It lives as long as the process: expressions borrow the environment, and
/// what the environment's `ref` calls holds expressions. A run has a few.
pub struct Engine(Expressions);

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
        passwords.install(&mut environment);
        let engine: &'static Self = Box::leak(Box::new(Self(Expressions {
            generators,
            environment,
            constants: plan.constants.clone(),
            keys,
            passwords,
            plan: plan.name.clone(),
            seed,
            scale,
        })));
        let tables = plan.tables.iter().map(|table| {
            let mut rows = engine.compile(plan, schema, &table.name)?;
            rows.groups.iter_mut().for_each(|group| group.referred = true);
            Ok(rows)
        });
        references.set(tables.collect::<Result<_, PlanError>>()?);
        Ok(engine)
    }

    /// Whether each name of the plan means one thing.
    ///
    /// # Errors
    /// With the constant that is called as a column, a function or the row's number is: which of
    /// the two an expression means, its writer cannot have known.
    pub(crate) fn check_constants(&self, plan: &Plan, schema: &Schema) -> Result<(), PlanError> {
        for (name, line) in &plan.constant_lines {
            let own = |what: &str| plan.error(*line, format!("constant {name} {what}"));
            if self.0.is_function(name) {
                return Err(own("has the name of a function; call it otherwise"));
            }
            if [ROW_NUMBER, GROUP].contains(&name.as_str()) {
                return Err(own("has a name that every row has for itself; call it otherwise"));
            }
            let column = |table: &&crate::plan::Table| {
                schema.table(&table.name).is_some_and(|live| live.column(name).is_some())
            };
            if let Some(table) = plan.tables.iter().find(column) {
                let table = &table.name;
                return Err(own(&format!(
                    "has the name of a column of {table}, and an expression there could mean either; call it otherwise, such as the_{name}"
                )));
            }
        }
        Ok(())
    }

    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    pub fn scale(&self) -> u32 {
        self.0.scale
    }

    /// Costs of the password hashes that rows have been given so far, ascending.
    pub fn bcrypt_costs(&self) -> Vec<u32> {
        self.0.passwords.costs()
    }

    /// Hashes the passwords of these tables' rows on all cores; `tell` hears of each kind how
    /// long it will take, before it does. Ends early once `stop` is set.
    ///
    /// # Errors
    /// When an expression fails or its parameters are impossible.
    pub(crate) fn hash_ahead(
        &'static self,
        tables: &[Arc<TableRows>],
        tell: &mut dyn FnMut(&Estimate),
        stop: &AtomicBool,
    ) -> Result<(), PlanError> {
        ahead::hash(&self.0.passwords, tables, tell, stop)
    }

    /// Makes rows to see whether they can be made: without the time that hashes take.
    pub(crate) fn without_hashing<T>(&self, making: impl FnOnce() -> T) -> T {
        self.0.passwords.gather(making).0
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
        compile::table(&self.0, plan, schema, table)
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
        accounts::compile(&self.0, plan, tables)
    }
}
