//! How many responses took how long, by time.

use figures::Recorded;

use crate::units::Figure;

/// Rows from 0.1 ms to 100 s, six in each power of ten.
const ROWS: usize = 36;
const LOWEST_US: f64 = 100.0;
/// The most columns; a longer run has several seconds in each.
const MOST_COLUMNS: u64 = 180;

pub struct Heat {
    /// Seconds of a column.
    pub column_s: u64,
    pub columns: Vec<[u64; ROWS]>,
}

impl Heat {
    pub const A_DECADE: usize = 6;

    pub(super) fn new(length_s: u64) -> Self {
        let column_s = length_s.div_ceil(MOST_COLUMNS).max(1);
        let columns = usize::try_from(length_s.div_ceil(column_s)).unwrap_or(0);
        Self { column_s, columns: vec![[0; ROWS]; columns] }
    }

    pub(super) fn add(&mut self, second: u64, recorded: &Recorded) {
        let column = usize::try_from(second / self.column_s).unwrap_or(usize::MAX);
        let Some(column) = self.columns.get_mut(column) else { return };
        for (us, count) in recorded.values() {
            let cell = &mut column[row(us)];
            *cell = cell.saturating_add(count);
        }
    }

    /// The lowest and the highest row that has any; none where no request ended.
    pub fn rows_used(&self) -> Option<(usize, usize)> {
        let has = |row: &usize| self.columns.iter().any(|column| column[*row] > 0);
        Some(((0..ROWS).find(has)?, (0..ROWS).rev().find(has)?))
    }

    /// The row that has the most, and its share of all.
    pub fn most_frequent(&self) -> (usize, Figure) {
        let sum = |row: usize| self.columns.iter().map(|column| column[row]).sum::<u64>();
        let all = (0..ROWS).map(sum).sum();
        let most = (0..ROWS).rev().max_by_key(|row| sum(*row)).unwrap_or(0);
        (most, Figure::share(sum(most), all))
    }

    /// Where a row begins, in microseconds.
    pub fn from_us(row: usize) -> f64 {
        LOWEST_US * 10_f64.powf(row as f64 / Self::A_DECADE as f64)
    }
}

fn row(us: u64) -> usize {
    let row = ((us.max(1) as f64 / LOWEST_US).log10() * Heat::A_DECADE as f64).floor();
    // What is lower or higher than all rows is in the first or the last.
    (row.max(0.0) as usize).min(ROWS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_in_the_row_of_its_time_and_in_the_column_of_its_second() {
        let mut heat = Heat::new(360);
        assert_eq!((heat.column_s, heat.columns.len()), (2, 180));
        let mut times = figures::histogram();
        for us in [1, 100, 1_000, 1_000_000, 3_000_000_000] {
            times.record(us).unwrap();
        }
        heat.add(3, &Recorded::of(&times));
        heat.add(4000, &Recorded::of(&times));
        let counts = heat.columns[1];
        assert_eq!((counts[0], counts[6], counts[24], counts[ROWS - 1]), (2, 1, 1, 1));
        assert_eq!(heat.rows_used(), Some((0, ROWS - 1)));
        assert_eq!(heat.most_frequent().0, 0);
        assert_eq!(Heat::from_us(6).round(), 1_000.0);
        assert_eq!(Heat::new(0).rows_used(), None);
    }
}
