//! A plan and a schema put together, ready to make rows.

use std::sync::Arc;

use super::accounts::{self, AccountRows};
use super::compile;
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
        let hashed = passwords.clone();
        environment
            .add_function("bcrypt", move |password: &str, cost: u32| hashed.hash(password, cost));
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

    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// Costs of the password hashes that rows have been given so far, ascending.
    pub fn bcrypt_costs(&self) -> Vec<u32> {
        self.0.passwords.costs()
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
