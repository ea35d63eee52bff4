//! From what was typed to a plan that makes sense.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use minijinja::Value;
use toml::Spanned;

use super::login::Login;
use super::model::{Accounts, Allowed, Cell, Content, Group, LoadRows, Named, Plan, Table, Which};
use super::typed::{self, Action, At, line};
use common::{digest, nearest};

pub(super) fn plan(path: &Path, text: &str, typed: typed::Plan) -> Result<Plan, At> {
    let file = File { text };
    let tables =
        typed.table.into_iter().map(|table| file.table(table)).collect::<Result<Vec<_>, At>>()?;
    let mut names = BTreeSet::new();
    if let Some(twice) = tables.iter().find(|table| !names.insert(&table.name)) {
        return Err((twice.line, format!("table {} stands here a second time", twice.name)));
    }
    if typed.name.get_ref().is_empty() {
        return Err((file.line(&typed.name), "the name is empty".to_owned()));
    }
    let accounts = typed
        .accounts
        .into_iter()
        .map(|accounts| file.accounts(accounts, &tables))
        .collect::<Result<Vec<_>, At>>()?;
    let login = typed.login.map(|login| file.login(login, &accounts)).transpose()?;
    Ok(Plan {
        path: path.to_owned(),
        text: text.to_owned(),
        digest: digest::of(text.as_bytes()),
        seed: typed.seed,
        epoch: file.epoch(&typed.epoch)?,
        constant_lines: typed
            .constants
            .iter()
            .map(|(name, value)| (name.clone(), file.line(value)))
            .collect(),
        constants: typed
            .constants
            .into_iter()
            .map(|(name, value)| Ok((name, file.constant(value)?)))
            .collect::<Result<_, At>>()?,
        accounts,
        login,
        load: typed
            .load
            .into_iter()
            .map(|load| file.load(load, &tables))
            .collect::<Result<_, At>>()?,
        allowed: Allowed {
            cascade: file.named(typed.cascade),
            triggers: file.named(typed.triggers),
            soft_delete: file.named(typed.soft_delete),
            adopt: file
                .named(typed.adopt)
                .into_iter()
                .map(|Named { name, line }| {
                    let name = planned(&name, line, &tables)?.name.clone();
                    Ok(Named { name, line })
                })
                .collect::<Result<_, At>>()?,
        },
        name: typed.name.into_inner(),
        tables,
    })
}

/// The text, for line numbers.
struct File<'a> {
    text: &'a str,
}

impl File<'_> {
    fn line<T>(&self, value: &Spanned<T>) -> usize {
        line(self.text, value.span().start)
    }

    fn table(&self, typed: typed::Table) -> Result<Table, At> {
        let at = self.line(&typed.name);
        let name = typed.name.into_inner();
        let scales = typed.scale.unwrap_or(true);
        let columns = self.cells(typed.columns)?;
        let groups = match (typed.rows, typed.group.is_empty()) {
            (Some(rows), true) => vec![Group { name: String::new(), rows, scales, columns }],
            (None, false) => typed
                .group
                .into_iter()
                .map(|group| self.group(group, &columns, scales))
                .collect::<Result<Vec<_>, At>>()?,
            (None, true) => return Err((at, format!("{name} has neither rows nor groups"))),
            (Some(_), false) => {
                return Err((
                    at,
                    format!("{name} has rows beside groups; give each group its rows"),
                ));
            }
        };
        let mut names = BTreeSet::new();
        if let Some(twice) = groups.iter().find(|group| !names.insert(&group.name)) {
            return Err((at, format!("{name} has two groups named {}", twice.name)));
        }
        Ok(Table { name, line: at, shared: typed.shared, key: typed.key, groups })
    }

    fn group(
        &self,
        typed: typed::Group,
        shared: &BTreeMap<String, Cell>,
        scales: bool,
    ) -> Result<Group, At> {
        let at = self.line(&typed.name);
        let name = typed.name.into_inner();
        if name.is_empty() || name.contains('.') {
            return Err((at, format!("{name:?} is no name of a group: a word without a dot")));
        }
        let mut columns = shared.clone();
        columns.extend(self.cells(typed.columns)?);
        Ok(Group { name, rows: typed.rows, scales, columns })
    }

    fn accounts(&self, typed: typed::Accounts, tables: &[Table]) -> Result<Accounts, At> {
        let at = self.line(&typed.of);
        let of = typed.of.into_inner();
        let found = tables.iter().find_map(|table| {
            let group = table.groups.iter().find(|group| qualified(table, group) == of)?;
            Some((table.name.clone(), group.name.clone()))
        });
        let Some((table, group)) = found else {
            let known: Vec<String> = tables
                .iter()
                .flat_map(|table| table.groups.iter().map(|group| qualified(table, group)))
                .collect();
            let hint = nearest::hint(&of, known.iter().map(String::as_str));
            return Err((at, format!("no group {of} in the plan{hint}")));
        };
        Ok(Accounts {
            persona: typed.persona,
            table,
            group,
            name: self.cell(typed.name)?,
            fields: self.cells(typed.fields)?,
        })
    }

    fn login(&self, typed: Spanned<toml::Value>, accounts: &[Accounts]) -> Result<Login, At> {
        let at = self.line(&typed);
        let login = Login::resolve(at, typed.into_inner()).map_err(|problem| (at, problem))?;
        for field in login.fields() {
            if let Some(without) = accounts.iter().find(|of| !of.fields.contains_key(&field)) {
                let persona = &without.persona;
                let message = format!(
                    "login: accounts of {persona} have no field {field}; add it to their fields"
                );
                return Err((at, message));
            }
        }
        Ok(login)
    }

    fn load(&self, typed: typed::Load, tables: &[Table]) -> Result<LoadRows, At> {
        let at = self.line(&typed.table);
        let typed::Load { refers_to, like, equals, marked, action, .. } = typed;
        let which = match (refers_to, like, equals, marked, action) {
            (Some(parent), None, None, None, action) => {
                let line = self.line(&parent);
                let parent = removed(parent.into_inner(), line, tables)?;
                match action {
                    Action::Delete => Which::DeleteReferring(parent),
                    Action::Detach => Which::DetachReferring(parent),
                }
            }
            (None, Some(typed::Like { column, pattern }), None, None, Action::Delete) => {
                Which::DeleteLike { column, pattern }
            }
            (None, None, Some(equals), None, Action::Delete) => self.equal(equals, tables)?,
            (None, None, None, Some(marked), Action::Delete) => {
                let (column, path) = column_and_path(&marked);
                Which::DeleteMarked { column, path }
            }
            _ => {
                return Err((
                    at,
                    "a [[load]] entry needs either refers_to = \"table\", \
                     equals = { column = …, of = \"table.column\" }, \
                     like = { column = …, pattern = … } or marked = \"column\"; action = \"detach\" goes with the first"
                        .to_owned(),
                ));
            }
        };
        let (since, older) = (typed.since, typed.also.is_some());
        if older
            && (since.is_some()
                || !matches!(which, Which::DeleteLike { .. } | Which::DeleteEqual { .. }))
        {
            return Err((
                at,
                "also = \"older\" goes with like or equals, and not with since".to_owned(),
            ));
        }
        Ok(LoadRows { table: typed.table.into_inner(), line: at, which, since, older })
    }

    fn equal(&self, typed: typed::Equals, tables: &[Table]) -> Result<Which, At> {
        let line = self.line(&typed.of);
        let of = typed.of.into_inner();
        let Some((parent, of)) = of.rsplit_once('.') else {
            return Err((line, format!("{of} is no table.column of the plan")));
        };
        let parent = removed(parent.to_owned(), line, tables)?;
        let (column, path) = column_and_path(&typed.column);
        Ok(Which::DeleteEqual { column, path, parent, of: of.to_owned() })
    }

    fn named(&self, typed: Vec<Spanned<String>>) -> Vec<Named> {
        let named =
            |name: Spanned<String>| Named { line: self.line(&name), name: name.into_inner() };
        typed.into_iter().map(named).collect()
    }

    fn cells(
        &self,
        typed: BTreeMap<String, Spanned<toml::Value>>,
    ) -> Result<BTreeMap<String, Cell>, At> {
        typed.into_iter().map(|(name, value)| Ok((name, self.cell(value)?))).collect()
    }

    /// A string is an expression, anything else a value as it stands.
    fn cell(&self, typed: Spanned<toml::Value>) -> Result<Cell, At> {
        let line = self.line(&typed);
        let content = match typed.get_ref() {
            toml::Value::String(text) => Content::Expression(text.clone()),
            _ => Content::Constant(self.constant(typed)?),
        };
        Ok(Cell { line, content })
    }

    fn constant(&self, typed: Spanned<toml::Value>) -> Result<Value, At> {
        let at = self.line(&typed);
        match typed.into_inner() {
            toml::Value::String(text) => Ok(Value::from(text)),
            toml::Value::Integer(number) => Ok(Value::from(number)),
            toml::Value::Float(number) => Ok(Value::from(number)),
            toml::Value::Boolean(truth) => Ok(Value::from(truth)),
            toml::Value::Datetime(time) => Ok(Value::from(time.to_string())),
            toml::Value::Array(_) | toml::Value::Table(_) => Err((
                at,
                "write lists and tables as expressions, such as \"['a', 'b']\"".to_owned(),
            )),
        }
    }

    fn epoch(&self, typed: &Spanned<toml::value::Datetime>) -> Result<DateTime<Utc>, At> {
        DateTime::parse_from_rfc3339(&typed.get_ref().to_string())
            .map(|time| time.to_utc())
            .map_err(|_| {
                (self.line(typed), "epoch is not a time such as 2026-01-01T00:00:00Z".to_owned())
            })
    }
}

/// A column, and the keys that lead to something in its JSON.
fn column_and_path(text: &str) -> (String, Vec<String>) {
    let mut path = text.split('.').map(str::to_owned);
    (path.next().unwrap_or_default(), path.collect())
}

/// A table of the plan whose rows are removed, on this line.
fn removed(name: String, line: usize, tables: &[Table]) -> Result<String, At> {
    match planned(&name, line, tables)? {
        table if table.shared => Err((line, format!("{name} is shared, and is never removed"))),
        _ => Ok(name),
    }
}

/// The table of the plan that a line means.
fn planned<'t>(name: &str, line: usize, tables: &'t [Table]) -> Result<&'t Table, At> {
    tables.iter().find(|table| table.name == name).ok_or_else(|| {
        let hint = nearest::hint(name, tables.iter().map(|table| table.name.as_str()));
        (line, format!("no table {name} in the plan{hint}"))
    })
}

/// How a group is referred to.
fn qualified(table: &Table, group: &Group) -> String {
    match group.name.as_str() {
        "" => table.name.clone(),
        group => format!("{}.{group}", table.name),
    }
}
