//! Where throughput stops growing with the users, by the universal scalability law: Gunther,
//! *Guerrilla Capacity Planning*, 2007, chapter 4.
//!
//! X(N) = N / (a + b (N − 1) + c N (N − 1)): waiting for one another costs b, agreeing with one
//! another c, which alone lets throughput fall again. It is linear in N / X, so that least squares
//! find it, each level weighed so that it is the relative error that is small.

/// Of fewer levels three parameters say nothing; the number is the book's.
const LEAST_LEVELS: usize = 6;

/// A law that is further off the levels than this, as a share, is not theirs.
const MOST_ERROR: f64 = 0.05;

/// The most that the measured levels make of the users.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knee {
    /// Those with which throughput is highest.
    pub users: f64,
    /// The least and the most that it would be without one of the levels.
    pub range: (f64, f64),
    /// What the law makes of them, in answers a second.
    pub throughput: f64,
    /// How far the law is off the levels: root mean square of its relative errors.
    pub error: f64,
}

/// The law's parameters: a, b, c.
#[derive(Clone, Copy, Debug)]
struct Law([f64; 3]);

impl Knee {
    /// Of levels with their users and answers a second. None where they do not tell: fewer than
    /// six, further off the law than 5 %, throughput that still grows at the last of them, or a
    /// knee that is there by one of the levels alone.
    pub fn of(levels: &[(f64, f64)]) -> Option<Self> {
        let levels: Vec<(f64, f64)> = levels.iter().copied().filter(|of| of.1 > 0.0).collect();
        if levels.len() < LEAST_LEVELS {
            return None;
        }
        let law = Law::fitted(&levels)?;
        let users = law.knee()?;
        let (least, most) = levels
            .iter()
            .fold((f64::MAX, 0.0_f64), |(least, most), of| (least.min(of.0), most.max(of.0)));
        let squares: f64 =
            levels.iter().map(|of| (law.throughput(of.0) / of.1 - 1.0).powi(2)).sum();
        let error = (squares / levels.len() as f64).sqrt();
        if !(least..=most).contains(&users) || error > MOST_ERROR {
            return None;
        }
        let mut range = (users, users);
        for left_out in 0..levels.len() {
            let others = levels.iter().enumerate().filter(|(n, _)| *n != left_out);
            let others: Vec<(f64, f64)> = others.map(|(_, of)| *of).collect();
            let users = Law::fitted(&others)?.knee()?;
            range = (range.0.min(users), range.1.max(users));
        }
        Some(Self { users, range, throughput: law.throughput(users), error })
    }
}

impl Law {
    /// Without waiting where it would be less than none.
    fn fitted(levels: &[(f64, f64)]) -> Option<Self> {
        let column = |of: fn(f64) -> f64| -> Vec<f64> {
            levels.iter().map(|(users, per_s)| of(*users) * per_s / users).collect()
        };
        let columns = [column(|_| 1.0), column(|n| n - 1.0), column(|n| n * (n - 1.0))];
        let ones = vec![1.0; levels.len()];
        let [a, b, c] = least_squares(columns.clone(), ones.clone())?;
        if b >= 0.0 {
            return Some(Self([a, b, c]));
        }
        let [one, _, two] = columns;
        let [a, c] = least_squares([one, two], ones)?;
        Some(Self([a, 0.0, c]))
    }

    fn throughput(self, users: f64) -> f64 {
        let Self([a, b, c]) = self;
        users / (a + b * (users - 1.0) + c * users * (users - 1.0))
    }

    /// Where its slope is nothing; none where it only ever grows.
    fn knee(self) -> Option<f64> {
        let Self([a, b, c]) = self;
        let users = ((a - b) / c).sqrt();
        (c > 0.0 && users.is_finite()).then_some(users)
    }
}

/// The weights of columns whose sum is nearest to `wanted`, by modified Gram and Schmidt; none where
/// the columns do not differ.
fn least_squares<const N: usize>(
    mut columns: [Vec<f64>; N],
    mut wanted: Vec<f64>,
) -> Option<[f64; N]> {
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let mut triangle = [[0.0; N]; N];
    let mut right = [0.0; N];
    for at in 0..N {
        let before = dot(&columns[at], &columns[at]).sqrt();
        let (done, rest) = columns.split_at_mut(at);
        for (row, axis) in done.iter().enumerate() {
            triangle[row][at] = dot(axis, &rest[0]);
            let part = triangle[row][at];
            rest[0].iter_mut().zip(axis).for_each(|(value, axis)| *value -= part * axis);
        }
        let length = dot(&rest[0], &rest[0]).sqrt();
        if length.is_nan() || length <= before * 1e-9 {
            return None;
        }
        rest[0].iter_mut().for_each(|value| *value /= length);
        triangle[at][at] = length;
        right[at] = dot(&rest[0], &wanted);
        let part = right[at];
        wanted.iter_mut().zip(&rest[0]).for_each(|(value, axis)| *value -= part * axis);
    }
    for at in (0..N).rev() {
        for later in at + 1..N {
            right[at] -= triangle[at][later] * right[later];
        }
        right[at] /= triangle[at][at];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn levels(law: Law, last: u32, noise: impl Fn(u32) -> f64) -> Vec<(f64, f64)> {
        let users = (1..=last).map(|level| (level, f64::from(level) * 100.0));
        users.map(|(level, users)| (users, law.throughput(users) * noise(level))).collect()
    }

    #[test]
    fn six_levels_around_it_tell_it_and_fewer_or_others_do_not() {
        // Highest at the root of (1 − 0.001) / 4e-6: 500 users.
        let law = Law([1.0, 0.001, 3.996e-6]);
        let knee = Knee::of(&levels(law, 8, |_| 1.0)).unwrap();
        assert!((knee.users - 500.0).abs() < 1e-6 && knee.error < 1e-9, "{knee:?}");
        assert!((knee.range.1 - knee.range.0) < 1e-6, "{knee:?}");
        assert!((knee.throughput - law.throughput(500.0)).abs() < 1e-6);
        assert_eq!(Knee::of(&levels(law, 5, |_| 1.0)), None, "too few");
        let later = Law([1.0, 0.001, 1e-6]);
        assert_eq!(Knee::of(&levels(later, 8, |_| 1.0)), None, "it still grows at the last");
        assert_eq!(Knee::of(&levels(Law([1.0, 0.0, 0.0]), 8, |_| 1.0)), None, "linear");
        let wild = |level| if level % 2 == 0 { 0.8 } else { 1.2 };
        assert_eq!(Knee::of(&levels(law, 8, wild)), None, "no such law");
        assert_eq!(Knee::of(&[(100.0, 0.0); 9]), None);
        assert_eq!(Knee::of(&[(100.0, 5.0); 9]), None, "one level");
    }

    proptest! {
        #[test]
        fn what_is_off_by_one_percent_is_told_near_it_and_its_range_has_the_figure(
            contention in 0.0..0.002_f64,
            at in 300.0..700.0_f64,
            off in prop::collection::vec(0.99..1.01_f64, 10),
        ) {
            let law = Law([1.0, contention, (1.0 - contention) / at.powi(2)]);
            let noise = |level: u32| off[usize::try_from(level - 1).unwrap()];
            let knee = Knee::of(&levels(law, 10, noise));
            let knee = knee.expect("ten levels around it");
            prop_assert!((knee.users / at - 1.0).abs() < 0.15, "{:?} at {}", knee, at);
            prop_assert!(knee.range.0 <= knee.users && knee.users <= knee.range.1);
            prop_assert!(knee.error < 0.02);
        }
    }
}
