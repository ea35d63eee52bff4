//! Whether a probe had come to rest: no trend in its response times, nor in what is under way.
//!
//! The test is that of Mann and Kendall (Mann, Econometrica 13, 1945; Kendall, Rank Correlation
//! Methods, 1975) on a value a second, its slope that of Theil and Sen (Sen, JASA 63, 1968). A
//! trend is one that chance would hardly make, and that moves the value by more than matters.

/// How a value went over the seconds of a probe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trend {
    None,
    /// From, and to.
    Up(f64, f64),
    Down(f64, f64),
}

/// Chance makes as much of a trend in one of a hundred series, both ways taken together. That
/// neighbouring seconds are alike makes it less rare, and the least change below holds that off.
const SIGNIFICANT: f64 = 2.576;

/// By less than this share of its median a value may move.
const LEAST_SHARE: f64 = 0.25;

/// Fewer seconds say nothing.
const FEWEST: usize = 8;

/// The trend of a value a second; by less than `least`, in the value's unit, it may move.
pub fn trend(values: &[f64], least: f64) -> Trend {
    if values.len() < FEWEST {
        return Trend::None;
    }
    let count = values.len() as f64;
    let pairs = || {
        let before = values.iter().enumerate();
        before.flat_map(move |(index, one)| {
            let after = values.iter().enumerate().skip(index + 1);
            after.map(move |(later, other)| (other - one, (later - index) as f64))
        })
    };
    let concordance: f64 = pairs().map(|(change, _)| sign(change)).sum();
    let variance = (count * (count - 1.0) * (2.0 * count + 5.0) - ties(values)) / 18.0;
    let score = (concordance - sign(concordance)) / variance.max(f64::MIN_POSITIVE).sqrt();
    let slope = median(pairs().map(|(change, apart)| change / apart).collect());
    let middle = median(values.to_vec());
    let moved = slope * (count - 1.0);
    let (from, to) = (middle - moved / 2.0, middle + moved / 2.0);
    match score.abs() > SIGNIFICANT && moved.abs() > (middle.abs() * LEAST_SHARE).max(least) {
        false => Trend::None,
        true if moved > 0.0 => Trend::Up(from, to),
        true => Trend::Down(from, to),
    }
}

/// What equal values take from the variance.
fn ties(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let runs = sorted.chunk_by(|one, other| one == other);
    let of_run = runs.map(|run| run.len() as f64);
    of_run.map(|tied| tied * (tied - 1.0) * (2.0 * tied + 5.0)).sum()
}

/// Minus one, zero or one.
fn sign(number: f64) -> f64 {
    if number == 0.0 { 0.0 } else { number.signum() }
}

/// Zero of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.len() / 2, values.len() % 2) {
        (0, 0) => 0.0,
        (middle, 0) => f64::midpoint(values[middle - 1], values[middle]),
        (middle, _) => values[middle],
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn what_rises_or_falls_is_told_from_what_does_not() {
        let line = |slope: f64| -> Vec<f64> {
            (0..30).map(|second| 100.0 + slope * f64::from(second)).collect()
        };
        let Trend::Up(from, to) = trend(&line(10.0), 1.0) else { panic!("it rises") };
        assert!((from - 100.0).abs() < 1e-9 && (to - 390.0).abs() < 1e-9, "{from} {to}");
        assert!(matches!(trend(&line(-3.0), 1.0), Trend::Down(..)));
        assert_eq!(trend(&line(0.0), 1.0), Trend::None);
        assert_eq!(trend(&line(0.5), 1.0), Trend::None, "by less than a quarter");
        assert_eq!(trend(&line(10.0), 500.0), Trend::None, "by less than matters");
        assert_eq!(trend(&line(10.0)[..7], 1.0), Trend::None, "too short");
        assert_eq!(trend(&[], 1.0), Trend::None);
    }

    #[test]
    fn one_wild_second_is_no_trend() {
        let mut values = vec![10.0; 30];
        values[29] = 1e6;
        assert_eq!(trend(&values, 1.0), Trend::None);
    }

    #[test]
    fn chance_hardly_ever_makes_one() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let found = (0..1000).filter(|_| {
            let noise: Vec<f64> = (0..30).map(|_| 10.0 + 10.0 * random.random::<f64>()).collect();
            trend(&noise, 0.0) != Trend::None
        });
        let found = found.count();
        assert!(found <= 20, "{found} of 1000");
    }
}
