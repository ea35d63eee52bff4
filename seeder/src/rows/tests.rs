//! Rows from a plan and a schema that are defined here.

use proptest::prelude::*;

use super::*;
use crate::plan::Plan;
use crate::schema::{Column, FilledBy, Kind, Schema, Table};

const PLAN: &str = "
    name = 'p'
    epoch = 2026-01-01T00:00:00Z
    [[table]]
    name = 'parents'
    rows = 3
    [[table]]
    name = 'things'
    [table.columns]
    parent = \"ref('parents')\"
    text = \"fake.sentence() ~ number ~ text_of_number\"
    text_of_number = \"pad(number, 3)\"
    number = 'integer(1, 999)'
    [[table.group]]
    name = 'a'
    rows = 500
    [[table.group]]
    name = 'b'
    rows = 500
";

fn column(name: &str, kind: Kind) -> Column {
    let type_name = String::new();
    let filled_by = FilledBy::Nobody;
    let base_type = String::new();
    Column { name: name.to_owned(), type_name, base_type, kind, not_null: true, filled_by }
}

fn schema() -> Schema {
    let text = Kind::Text { max: None };
    let number = Kind::Integer { min: 0, max: 999 };
    let table = |oid, columns| Table {
        oid,
        sql_name: String::new(),
        columns,
        primary_key: vec!["id".to_owned()],
        foreign_keys: vec![],
    };
    let things = vec![
        column("id", Kind::Uuid),
        column("parent", Kind::Uuid),
        column("text", text.clone()),
        column("text_of_number", text),
        column("number", number),
        column("filled", Kind::Boolean),
    ];
    Schema::of([
        ("parents".to_owned(), table(1, vec![column("id", Kind::Uuid)])),
        ("things".to_owned(), table(2, things)),
    ])
}

fn plan() -> Plan {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.toml");
    std::fs::write(&path, PLAN).unwrap();
    Plan::read(&path).unwrap()
}

fn lines(scale: u32, group: usize, numbers: impl Iterator<Item = u64>) -> Vec<String> {
    let (plan, schema) = (plan(), schema());
    let engine = Engine::new(&plan, &schema, 1, scale).unwrap();
    let table = engine.compile(&plan, &schema, "things").unwrap();
    let write = |n| {
        let mut line = Vec::new();
        table.groups[group].write(n, &mut line).unwrap();
        String::from_utf8(line).unwrap()
    };
    numbers.map(write).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]
    #[test]
    fn a_row_is_the_same_whatever_the_batch_and_the_order(
        numbers in proptest::collection::vec(1..500u64, 1..40), group in 0..2usize
    ) {
        let all = lines(1, group, 1..=500);
        let some = lines(1, group, numbers.iter().copied());
        for (n, line) in numbers.iter().zip(some) {
            prop_assert_eq!(&all[usize::try_from(*n - 1).unwrap()], &line);
        }
    }
}

#[test]
fn rows_of_two_groups_have_nothing_in_common() {
    let (a, b) = (lines(1, 0, 1..=20), lines(1, 1, 1..=20));
    let fields = |lines: &[String], field| -> Vec<String> {
        lines.iter().map(|line| line.split('\t').nth(field).unwrap().to_owned()).collect()
    };
    assert!(fields(&a, 0).iter().all(|id| !fields(&b, 0).contains(id)));
    assert_ne!(fields(&a, 2), fields(&b, 2));
}

#[test]
fn a_column_may_name_columns_that_come_after_it() {
    for line in lines(1, 0, 1..=5) {
        let fields: Vec<&str> = line.trim_end().split('\t').collect();
        let number: u32 = fields[4].parse().unwrap();
        assert_eq!(fields[3], format!("{number:03}"));
        assert!(fields[2].ends_with(&format!("{number}{number:03}")), "{line}");
        assert_eq!(fields[5], "f", "filled by its type");
    }
}

/// Ids and values are part of the interface: another tool may know them.
#[test]
fn rows_are_the_same_in_every_version() {
    assert_eq!(
        lines(1, 0, 7..=7),
        [concat!(
            "b9d9c481-7a39-5a16-8374-f78c9435a47c\t2abec867-76ae-5b1f-ba8f-c7d2e949aa51\t",
            "sunt aut quia possimus eveniet.691691\t691\t691\tf\n"
        )]
    );
}
