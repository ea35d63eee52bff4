//! `ref(…)`: values of other rows, for foreign keys.

use std::sync::{Arc, OnceLock};

use minijinja::value::Kwargs;
use minijinja::{Environment, Error, State, Value};
use rand::RngExt;

use super::context::{GROUP, ROW_NUMBER, TABLE};
use super::expressions::error;
use super::keys::Keys;
use super::table::{GroupRows, TableRows};
use common::nearest;
use generate::{Generators, Stream, lock, skewed};

/// All rows that may be referred to, compiled a second time: a row of a table
/// may then refer to another row of it while it is made itself.
pub(super) struct References {
    keys: Arc<Keys>,
    generators: Generators,
    seed: u64,
    plan: String,
    tables: OnceLock<Vec<TableRows>>,
}

/// How a row is chosen where it is not numbered.
#[derive(Clone, Copy)]
struct Choice<'a> {
    n: Option<u64>,
    column: Option<&'a str>,
    skew: u32,
}

impl References {
    pub(super) fn new(keys: Arc<Keys>, generators: Generators, seed: u64, plan: &str) -> Arc<Self> {
        let plan = plan.to_owned();
        Arc::new(Self { keys, generators, seed, plan, tables: OnceLock::new() })
    }

    pub(super) fn install(self: &Arc<Self>, environment: &mut Environment<'_>) {
        let references = self.clone();
        environment.add_function(
            "ref",
            move |state: &State<'_, '_>, target: &str, n: Option<u64>, options: Kwargs| {
                let column = options.get::<Option<&str>>("column")?;
                let skew = options.get::<Option<u32>>("skew")?.unwrap_or(1);
                options.assert_all_used()?;
                references.value(state, target, Choice { n, column, skew })
            },
        );
    }

    /// From now on `ref` finds these; before, it finds nothing.
    pub(super) fn set(&self, tables: Vec<TableRows>) {
        // A second call would change values that were given: the first one stands.
        let _ = self.tables.set(tables);
    }

    fn value(
        &self,
        state: &State<'_, '_>,
        target: &str,
        choice: Choice<'_>,
    ) -> Result<Value, Error> {
        let (table, groups) = self.rows_of(target)?;
        let total: u64 = groups.iter().map(|group| group.rows).sum();
        if total == 0 {
            return Err(error(format!("ref('{target}'): it has no rows")));
        }
        let index = match choice {
            Choice { n: Some(0), .. } => {
                return Err(error(format!("ref('{target}', 0): rows count from 1")));
            }
            Choice { n: Some(n), .. } => (n - 1) % total,
            // Those of one row that name columns of one table mean one row of it.
            Choice { column: Some(_), skew, .. } => {
                let source = &mut self.shared_stream(state, target)?;
                skewed(source, total, skew)?
            }
            Choice { skew: 1, .. } => lock(&self.generators.source()).random_range(0..total),
            Choice { skew, .. } => skewed(&mut *lock(&self.generators.source()), total, skew)?,
        };
        let (group, n) = row(groups, index);
        match choice.column {
            None => match self.keys.of(&table.name, &group.name, n) {
                Some(key) => Ok(key),
                None => group.referred(n, only_key(table)?),
            },
            Some(column) => match group.columns().position(|name| name == column) {
                Some(index) => group.referred(n, index),
                None => {
                    let hint = nearest::hint(column, group.columns());
                    Err(error(format!(
                        "ref('{target}', column='{column}'): the plan fills no such column{hint}"
                    )))
                }
            },
        }
    }

    fn shared_stream(
        &self,
        state: &State<'_, '_>,
        target: &str,
    ) -> Result<rand_chacha::ChaCha8Rng, Error> {
        let name = |name| state.lookup(name).map(|value| value.to_string()).unwrap_or_default();
        let n = state.lookup(ROW_NUMBER).and_then(|n| u64::try_from(n).ok());
        let n = n.ok_or_else(|| error("ref() is for columns of a table".to_owned()))?;
        let (table, group) = (name(TABLE), name(GROUP));
        Ok(Stream::new(self.seed, &[&self.plan, "ref", &table, &group, target]).at(n))
    }

    fn rows_of(&self, target: &str) -> Result<(&TableRows, &[GroupRows]), Error> {
        let tables = self.tables.get().map_or(&[][..], Vec::as_slice);
        let named = |name: &str| tables.iter().find(|table| table.name == name);
        if let Some(table) = named(target).filter(|table| !table.shared) {
            return Ok((table, &table.groups));
        }
        let found = target.rsplit_once('.').and_then(|(table, group)| {
            let table = named(table).filter(|table| !table.shared)?;
            let place = table.groups.iter().position(|known| known.name == group)?;
            Some((table, &table.groups[place..=place]))
        });
        found.ok_or_else(|| {
            let own = || tables.iter().filter(|table| !table.shared);
            let groups = own().flat_map(|table| {
                let groups = table.groups.iter().filter(|group| !group.name.is_empty());
                groups.map(move |group| format!("{}.{}", table.name, group.name))
            });
            let known: Vec<String> = groups.chain(own().map(|table| table.name.clone())).collect();
            let hint = nearest::hint(target, known.iter().map(String::as_str));
            error(format!("ref('{target}'): the plan has no such rows of its own{hint}"))
        })
    }
}

fn row(groups: &[GroupRows], mut index: u64) -> (&GroupRows, u64) {
    let mut groups = groups.iter().peekable();
    loop {
        match groups.next() {
            Some(group) if index < group.rows || groups.peek().is_none() => {
                return (group, index + 1);
            }
            Some(group) => index -= group.rows,
            None => unreachable!("there is a row, and so a group that it is in"),
        }
    }
}

fn only_key(table: &TableRows) -> Result<usize, Error> {
    let names: Vec<&str> = table.key.iter().map(|(name, _)| name.as_str()).collect();
    match names.as_slice() {
        [name] => {
            let group = table.groups.first();
            let index = group.and_then(|group| group.columns().position(|known| known == *name));
            index.ok_or_else(|| error(format!("ref('{}'): its {name} is not known", table.name)))
        }
        _ => Err(error(format!(
            "ref('{}'): its key is {}; say which with column='…'",
            table.name,
            names.join(", ")
        ))),
    }
}
