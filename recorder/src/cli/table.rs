//! Columns for people: the first to the left, numbers to the right.

use common::shown::shortened;

/// Characters of a cell; the middle of a longer one is left out. All of a column are padded to its
/// longest, and names are what a trace says.
const LONGEST_CELL: usize = 120;

pub(super) fn table(rows: &[Vec<String>]) -> String {
    let shown = |row: &Vec<String>| -> Vec<String> {
        row.iter().map(|cell| shortened(cell, LONGEST_CELL).into_owned()).collect()
    };
    let rows: Vec<Vec<String>> = rows.iter().map(shown).collect();
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column == 0 { format!("  {cell:<width$}") } else { format!("  {cell:>width$}") }
        });
        cells.collect::<String>().trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

pub(super) fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_mib_is_shown_short() {
        let shown = table(&[row(["name", "count"]), row([&"x".repeat(1 << 20), "1"])]);
        assert!(shown.len() < 400, "{}", shown.len());
        assert!(shown.ends_with("x      1"), "{shown}");
    }
}
