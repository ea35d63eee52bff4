//! What an expression sees: constants, the row's number, and its other columns.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use minijinja::Value;
use minijinja::value::{Object, ObjectRepr};

use generate::lock;

/// Names that every expression has besides the columns and constants.
pub(super) const ROW_NUMBER: &str = "n";
pub(super) const GROUP: &str = "group";
/// For `ref`; no name that an expression can write.
pub(super) const TABLE: &str = "the table";

/// One row at a time; made once a group, its values are replaced for each row.
#[derive(Debug)]
pub(super) struct RowContext {
    fixed: BTreeMap<String, Value>,
    names: BTreeMap<String, usize>,
    values: Mutex<Vec<Value>>,
    number: Mutex<u64>,
}

impl RowContext {
    pub(super) fn new(
        constants: &BTreeMap<String, Value>,
        table: &str,
        group: &str,
        columns: impl Iterator<Item = String>,
    ) -> Arc<Self> {
        let mut fixed = constants.clone();
        fixed.insert(GROUP.to_owned(), Value::from(group));
        fixed.insert(TABLE.to_owned(), Value::from(table));
        let names: BTreeMap<String, usize> = columns.zip(0..).collect();
        let values = Mutex::new(vec![Value::UNDEFINED; names.len()]);
        Arc::new(Self { fixed, names, values, number: Mutex::new(0) })
    }

    pub(super) fn begin(&self, n: u64) {
        *lock(&self.number) = n;
    }

    /// The value that the column with this index was given.
    pub(super) fn get(&self, index: usize) -> Value {
        lock(&self.values)[index].clone()
    }

    pub(super) fn set(&self, index: usize, value: Value) {
        lock(&self.values)[index] = value;
    }
}

impl Object for RowContext {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if key == ROW_NUMBER {
            return Some(Value::from(*lock(&self.number)));
        }
        match self.names.get(key) {
            Some(index) => Some(lock(&self.values)[*index].clone()),
            None => self.fixed.get(key).cloned(),
        }
    }
}
