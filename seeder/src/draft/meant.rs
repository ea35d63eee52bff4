//! References that no foreign key tells of: some applications keep them to themselves.

use super::words::snake;
use crate::schema::{ForeignKey, Kind, Schema, Table};

/// Of columns that are called after a table: `project_id` is of a row of `projects`. A number of
/// anything else might be that of somebody's row.
pub(super) fn references(schema: &Schema, table: &Table) -> Vec<ForeignKey> {
    let columns = table.columns.iter().filter(|column| {
        let mut keys = table.foreign_keys.iter();
        !keys.any(|key| key.columns.contains(&column.name)) && table.primary_key != [&*column.name]
    });
    let meant = columns.filter_map(|column| {
        let name = snake(&column.name);
        let of = name.strip_suffix("_id")?;
        let (_, parent) = schema.tables().find(|(name, _)| is_of(name, of))?;
        let [key] = parent.primary_key.as_slice() else { return None };
        let kind = &parent.column(key)?.kind;
        let is_number = |kind: &Kind| matches!(kind, Kind::Integer { .. });
        (parent.oid != table.oid
            && (*kind == column.kind || is_number(kind) && is_number(&column.kind)))
        .then(|| ForeignKey {
            columns: vec![column.name.clone()],
            parent: parent.oid,
            parent_columns: vec![key.clone()],
            deferrable: true,
        })
    });
    meant.collect()
}

/// Whether a table has what is called so in the singular.
fn is_of(table: &str, singular: &str) -> bool {
    let table = snake(table.rsplit('.').next().unwrap_or(table));
    let ending = |ending: &str| table.strip_suffix(ending);
    table == singular
        || ending("s") == Some(singular)
        || ending("es") == Some(singular)
        || ending("ies").is_some_and(|stem| singular.strip_suffix('y') == Some(stem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_known_by_the_name_of_one_of_its_rows() {
        for (table, singular) in [
            ("projects", "project"),
            ("public.issue_statuses", "issue_status"),
            ("categories", "category"),
            ("user", "user"),
        ] {
            assert!(is_of(table, singular), "{table}");
        }
        assert!(!is_of("projects", "pro"));
    }
}
