//! One table of a drafted plan.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::check::Limits;
use super::column::{Wanted, expression};
use super::facts::Facts;
use super::hash::Found;
use super::words;
use crate::schema::{Column, FilledBy, ForeignKey, Kind, Schema, Table};

/// A text as TOML writes it.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

pub(super) struct Draft<'a> {
    pub(super) schema: &'a Schema,
    pub(super) name: &'a str,
    pub(super) table: &'a Table,
    pub(super) facts: &'a Facts,
    /// References that no foreign key tells of.
    pub(super) meant: &'a [ForeignKey],
    /// The column with hashes of passwords, and which these are.
    pub(super) hash: Option<(&'a Column, &'a Found)>,
    /// The constant that is the password.
    pub(super) password: &'a str,
}

impl Draft<'_> {
    pub(super) fn write(&self, rows: u64, plan: &mut String) {
        // Writing to a String cannot fail.
        let _ = write!(plan, "\n[[table]]\nname = {}\nrows = {rows}\n", quoted(self.name));
        if self.table.primary_key.is_empty()
            && let Some(key) = self.key()
        {
            let names: Vec<String> = key.iter().map(|name| quoted(name)).collect();
            let _ = writeln!(plan, "key = [{}]", names.join(", "));
        }
        let mut lines = String::new();
        for column in &self.table.columns {
            self.column(column, &mut lines);
        }
        if !lines.is_empty() {
            let _ = write!(plan, "\n[table.columns]\n{lines}");
        }
        self.accounts(plan);
    }

    /// What tells the rows of a table without primary key apart.
    fn key(&self) -> Option<BTreeSet<String>> {
        match self.facts.unique.iter().take(self.facts.plain).next() {
            Some(unique) => Some(unique.clone()),
            None => self.unique().into_iter().last(),
        }
    }

    /// Sets of columns in which no two rows are alike.
    fn unique(&self) -> Vec<BTreeSet<String>> {
        let mut sets = self.facts.unique.clone();
        if self.table.primary_key.is_empty() && self.facts.plain == 0 {
            // Nothing asks for it but the plan, which has to know its rows again.
            let filled = || {
                let columns = self.table.columns.iter();
                columns.filter(|column| {
                    column.filled_by == FilledBy::Nobody && !self.stays_null(column)
                })
            };
            let free = filled().find(|column| self.is_free(column));
            let references =
                || filled().filter(|column| self.keys_of(&column.name).next().is_some());
            sets.push(match free {
                Some(free) => BTreeSet::from([free.name.clone()]),
                None => references().map(|column| column.name.clone()).collect(),
            });
        }
        sets.retain(|set| !set.is_empty());
        sets
    }

    fn column(&self, column: &Column, lines: &mut String) {
        if self.is_made(column) || column.filled_by == FilledBy::Database {
            return;
        }
        let in_key = self.table.primary_key.contains(&column.name)
            || self.key().is_some_and(|key| key.contains(&column.name));
        let partitioned = self.facts.partitions.contains_key(&column.name);
        let reference = self.reference(column);
        // No two rows came to be at once, whatever the default says.
        let is_time = matches!(column.kind, Kind::Timestamp | Kind::Date)
            && words::is_of_itself(&words::snake(&column.name));
        // A default is the same in all rows, and nothing that another row can name.
        let is_needed = in_key
            || partitioned
            || is_time
            || self.is_referred(column)
            || self.varies_alone(column)
            || self.login().is_some_and(|login| login.name == column.name);
        let left_out = column.filled_by == FilledBy::Default && !is_needed;
        if left_out && reference.is_none() || self.stays_null(column) {
            return;
        }
        let name = match toml_edit_key(&column.name) {
            true => column.name.clone(),
            false => quoted(&column.name),
        };
        let parent =
            reference.is_none() && column.not_null && self.keys_of(&column.name).next().is_some();
        let (expression, remark) = match self.hash {
            Some((hash, found)) if hash.name == column.name => self.hashed(found),
            _ if parent => (None, String::new()),
            _ => (reference.or_else(|| self.expression(column)), String::new()),
        };
        let _ = match expression {
            Some(expression) => writeln!(lines, "{name} = {}{remark}", quoted(&expression)),
            None if column.not_null => {
                let why = if parent {
                    "refers to a table that the plan lacks"
                } else {
                    "must have a value"
                };
                writeln!(lines, "# {name} = \"…\" # {}: {why}", column.type_name)
            }
            None => Ok(()),
        };
    }

    fn hashed(&self, found: &Found) -> (Option<String>, String) {
        let because = found.because;
        match found.scheme {
            Some(scheme) => {
                (Some(scheme.expression(&self.password())), format!(" # {scheme}: {because}"))
            }
            None => (Some("'!'".to_owned()), format!(" # nobody logs in with this: {because}")),
        }
    }

    /// One for all, unless no two may have the same hash.
    fn password(&self) -> String {
        match self.hash {
            Some((hash, _)) if self.varies_alone(hash) => format!("{} ~ n", self.password),
            _ => self.password.to_owned(),
        }
    }

    /// Whether a row of another table names it.
    fn is_referred(&self, column: &Column) -> bool {
        self.schema.tables().any(|(_, table)| {
            let mut keys = table.foreign_keys.iter();
            keys.any(|key| {
                key.parent == self.table.oid && key.parent_columns.contains(&column.name)
            })
        })
    }

    fn expression(&self, column: &Column) -> Option<String> {
        let name = words::snake(&column.name);
        let created = self.table.columns.iter().find(|other| {
            words::is_created(&words::snake(&other.name))
                && other.kind == column.kind
                && other.filled_by != FilledBy::Database
        });
        let unique = self.varies_alone(column);
        if let Some(created) = created.filter(|_| words::is_updated(&name) && !unique)
            && toml_edit_key(&created.name)
            && !created.name.contains('-')
        {
            return Some(created.name.clone());
        }
        let is_login = self.login().is_some_and(|login| login.name == column.name);
        expression(&Wanted {
            table: self.name,
            column,
            unique: unique || is_login,
            alone: self.is_alone(column),
            account: self.is_account(),
            limits: self.limits(column),
            partitions: self.facts.partitions.get(&column.name).map_or(&[], Vec::as_slice),
        })
    }

    fn limits(&self, column: &Column) -> Limits {
        Limits::of(self.facts.checks.get(&column.name).map_or(&[], Vec::as_slice))
    }

    /// Whether the seeder makes it: see `rows::keys`.
    fn is_made(&self, column: &Column) -> bool {
        self.table.primary_key == [column.name.as_str()]
            && matches!(column.kind, Kind::Uuid | Kind::Integer { .. })
            && self.keys_of(&column.name).next().is_none()
            && self.limits(column) == Limits::default()
            && !self.facts.partitions.contains_key(&column.name)
    }

    /// States that a new row is not in, and of accounts what nothing has happened to.
    fn stays_null(&self, column: &Column) -> bool {
        let name = words::snake(&column.name);
        let is_spare = self.is_account() && words::is_spare(&name) && !words::is_hash(&name);
        let is_reference = || self.keys_of(&column.name).next().is_some();
        let is_kept = column.not_null
            || self.is_referred(column)
            || self.facts.partitions.contains_key(&column.name);
        !is_kept && (words::is_state(&name) && !is_reference() || is_spare)
    }

    fn is_account(&self) -> bool {
        self.login().is_some()
    }

    /// What a person types beside the password.
    fn login(&self) -> Option<&Column> {
        let (_, found) = self.hash?;
        let is_account = found.scheme.is_some() && (!found.guess || words::is_people(self.name));
        if !is_account {
            return None;
        }
        words::LOGIN_NAMES.iter().find_map(|known| {
            self.table.columns.iter().find(|column| {
                let is_text =
                    matches!(column.kind, Kind::Text { .. }) || column.base_type == "citext";
                is_text
                    && words::snake(&column.name) == *known
                    && column.filled_by != FilledBy::Database
            })
        })
    }

    fn accounts(&self, plan: &mut String) {
        let Some(login) = self.login() else { return };
        let persona = words::persona(self.name);
        let mut fields = Vec::new();
        let id = self.table.columns.iter().find(|column| self.is_made(column));
        fields.extend(id.map(|id| ("id".to_owned(), id.name.clone())));
        // Some log in by the one, some by the other.
        for known in words::LOGIN_NAMES {
            let column = self.table.columns.iter().find(|c| words::snake(&c.name) == known);
            let column = column
                .filter(|column| column.name == login.name || column.filled_by == FilledBy::Nobody);
            fields.extend(column.map(|column| (known.to_owned(), column.name.clone())));
        }
        let is_name = |name: &str| toml_edit_key(name) && !name.contains('-');
        fields.retain(|(_, column)| is_name(column));
        fields.push(("password".to_owned(), self.password()));
        let fields = fields.iter();
        let fields = fields.map(|(name, column)| format!("{name} = {}", quoted(column)));
        let prefix = crate::rows::literal(&persona.to_lowercase());
        let _ = write!(
            plan,
            "\n[[accounts]]\npersona = {}\nof = {}\nname = {}\nfields = {{ {} }}\n",
            quoted(&persona),
            quoted(self.name),
            quoted(&format!("{prefix} ~ n")),
            fields.collect::<Vec<_>>().join(", ")
        );
    }

    /// Whether it can make rows differ: no reference, with room for it, and no partition of its
    /// own.
    fn is_free(&self, column: &Column) -> bool {
        !matches!(column.kind, Kind::Boolean | Kind::Enum { .. })
            && self.limits(column).one_of.is_empty()
            && !self.facts.partitions.contains_key(&column.name)
            && self.keys_of(&column.name).next().is_none()
    }

    /// The column of a unique set that makes the rows differ, if one can.
    fn varying<'s>(&self, unique: &'s BTreeSet<String>) -> Option<&'s String> {
        unique.iter().find(|name| {
            let column = self.table.column(name);
            column.is_some_and(|column| self.is_free(column) && !self.stays_null(column))
        })
    }

    /// Whether it alone keeps rows apart from those of others: no column of a unique set refers to
    /// a row of the plan.
    fn is_alone(&self, column: &Column) -> bool {
        self.unique().iter().any(|set| {
            set.contains(&column.name) && set.iter().all(|name| self.keys_of(name).next().is_none())
        })
    }

    fn varies_alone(&self, column: &Column) -> bool {
        self.unique().iter().any(|unique| self.varying(unique) == Some(&column.name))
    }

    fn keys_of(&self, column: &str) -> impl Iterator<Item = &ForeignKey> {
        let column = column.to_owned();
        let keys = self.table.foreign_keys.iter().chain(self.meant);
        keys.filter(move |key| key.columns.contains(&column))
    }

    /// The expression of a column that refers to another table's row.
    fn reference(&self, column: &Column) -> Option<String> {
        // Of several keys the one with the most columns: the others' columns
        // are as the row has them that it names.
        let key = self.keys_of(&column.name).max_by_key(|key| key.columns.len())?;
        let Some(parent) = self.schema.name_of(key.parent) else {
            return (!column.not_null).then(|| "none".to_owned());
        };
        let live = self.schema.table(parent)?;
        let place = key.columns.iter().position(|name| *name == column.name)?;
        let referred = &key.parent_columns[place];
        // Another key of several columns has another idea of what it should be.
        let crossing = self.table.foreign_keys.iter().any(|other| {
            !std::ptr::eq(other, key)
                && other.columns.len() > 1
                && other.columns.iter().any(|name| key.columns.contains(name))
        });
        if crossing && !column.not_null {
            return Some("none".to_owned());
        }
        let to = crate::rows::literal(parent);
        let whole = live.primary_key == [referred.as_str()];
        let of = if whole { String::new() } else { format!(", column='{referred}'") };
        if key.parent == self.table.oid {
            // A tree: the first row is its root.
            let above = format!("ref({to}, n // 2{of})");
            return Some(if column.not_null {
                format!("ref({to}, [n // 2, 1] | max{of})")
            } else {
                format!("{above} if n > 1 else none")
            });
        }
        let turn = match self.turn(column, key) {
            None => String::new(),
            Some(0) => ", n".to_owned(),
            Some(further) => format!(", n + {further}"),
        };
        Some(format!("ref({to}{turn}{of})"))
    }

    /// Where rows would else be alike, each refers to the next; of several keys to one table,
    /// each to one further, where a condition is about more than one of them. None for any row.
    fn turn(&self, column: &Column, key: &ForeignKey) -> Option<usize> {
        let to_the_same = self.table.columns.iter().filter(|other| {
            self.keys_of(&other.name)
                .any(|other| other.columns.len() == 1 && other.parent == key.parent)
        });
        let to_the_same: Vec<&str> = to_the_same.map(|column| column.name.as_str()).collect();
        let sets = self.unique();
        let asked = sets.iter().chain(&self.facts.together).any(|set| {
            set.contains(&column.name)
                && to_the_same.iter().filter(|name| set.contains(**name)).count() > 1
        });
        if asked {
            return to_the_same.iter().position(|name| *name == column.name);
        }
        let distinct = sets.iter().any(|set| {
            // Nothing else in the set makes its rows differ.
            set.contains(&column.name) && self.varying(set).is_none()
        });
        distinct.then_some(0)
    }
}

/// Whether a key needs no quotes.
fn toml_edit_key(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
}
