//! Sharing a number of users among weights, and in which order they start.

/// Shares `total` by `weights` by the largest-remainder method (Hamilton's):
/// the shares add up to `total`, and each is its exact share rounded up or down.
/// Equal remainders are served in order.
pub fn largest_remainder(total: u64, weights: &[f64]) -> Vec<u64> {
    let sum: f64 = weights.iter().sum();
    if sum <= 0.0 {
        return vec![0; weights.len()];
    }
    let exact: Vec<f64> = weights.iter().map(|weight| total as f64 * weight / sum).collect();
    let mut shares: Vec<u64> = exact.iter().map(|share| share.floor() as u64).collect();
    // Rounded, so that the last bits of a float do not distinguish equal remainders.
    let remainder = |index: usize| (exact[index].fract() * 1e9).round();
    let mut order: Vec<usize> = (0..weights.len()).filter(|&i| weights[i] > 0.0).collect();
    order.sort_by(|&a, &b| remainder(b).total_cmp(&remainder(a)).then(a.cmp(&b)));
    let missing = total.saturating_sub(shares.iter().sum());
    for &index in order.iter().cycle().take(usize::try_from(missing).unwrap_or(usize::MAX)) {
        shares[index] += 1;
    }
    shares
}

/// (weight, ordinal) of each, mixed evenly: every prefix has about the shares of the whole,
/// so that a ramp has the mix of its plateau.
pub fn interleaved(shares: &[u64]) -> Vec<(usize, u64)> {
    let mut users: Vec<(f64, usize, u64)> = Vec::new();
    for (weight, &share) in shares.iter().enumerate() {
        for ordinal in 0..share {
            users.push(((ordinal as f64 + 0.5) / share as f64, weight, ordinal));
        }
    }
    users.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    users.into_iter().map(|(_, weight, ordinal)| (weight, ordinal)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_largest_remainders_get_what_is_left() {
        assert_eq!(largest_remainder(10, &[30.0, 50.0, 20.0]), [3, 5, 2]);
        assert_eq!(largest_remainder(7, &[30.0, 50.0, 20.0]), [2, 4, 1]);
        assert_eq!(largest_remainder(1, &[1.0, 1.0]), [1, 0]);
        assert_eq!(largest_remainder(5, &[0.0, 1.0]), [0, 5]);
        assert_eq!(largest_remainder(3, &[30.0, 50.0, 20.0]), [1, 1, 1]);
        assert_eq!(largest_remainder(1, &[30.0, 50.0, 20.0]), [0, 1, 0]);
    }

    #[test]
    fn every_prefix_has_the_mix_of_the_whole() {
        assert_eq!(interleaved(&[1, 2, 1]), [(1, 0), (0, 0), (2, 0), (1, 1)]);
    }

    proptest! {
        #[test]
        fn shares_sum_up_and_are_off_by_less_than_one(
            total in 0_u64..100_000,
            weights in prop::collection::vec(0.001_f64..1000.0, 1..12),
        ) {
            let shares = largest_remainder(total, &weights);
            let sum: f64 = weights.iter().sum();
            prop_assert_eq!(shares.iter().sum::<u64>(), total);
            for (share, weight) in shares.iter().zip(&weights) {
                let exact = total as f64 * weight / sum;
                prop_assert!((*share as f64 - exact).abs() < 1.0 + 1e-6);
            }
            prop_assert_eq!(interleaved(&shares).len() as u64, total);
        }
    }
}
