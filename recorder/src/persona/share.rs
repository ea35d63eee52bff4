//! Users among personas.

/// How many of `users` each weight gets: the largest remainders get what is
/// left after rounding down, the earlier ones first.
pub(super) fn largest_remainder(users: u32, weights: &[u32]) -> Vec<u32> {
    let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    let exact = |weight: &u32| u64::from(users) * u64::from(*weight);
    // At most `users`, so it fits.
    let mut shares: Vec<u32> = weights.iter().map(|w| (exact(w) / total) as u32).collect();
    let left = users - shares.iter().sum::<u32>();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(exact(&weights[index]) % total));
    for &index in order.iter().take(left as usize) {
        shares[index] += 1;
    }
    shares
}

/// The personas of the users in the order in which they start: mixed evenly,
/// so that the ramp has the same mix as the plateau.
pub(super) fn start_order(shares: &[u32]) -> Vec<usize> {
    let mut users: Vec<(f64, usize)> = Vec::new();
    for (persona, &share) in shares.iter().enumerate() {
        users.extend((0..share).map(|n| ((f64::from(n) + 0.5) / f64::from(share), persona)));
    }
    users.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    users.into_iter().map(|(_, persona)| persona).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_are_those_of_the_weights() {
        assert_eq!(largest_remainder(100, &[30, 50, 20]), [30, 50, 20]);
        assert_eq!(largest_remainder(3, &[30, 50, 20]), [1, 1, 1]);
        assert_eq!(largest_remainder(1, &[30, 50, 20]), [0, 1, 0]);
        assert_eq!(start_order(&[1, 2, 1]), [1, 0, 2, 1]);
    }

    proptest! {
        #[test]
        fn every_user_has_a_persona_and_no_share_is_off_by_one(
            users in 0..5000u32, weights in proptest::collection::vec(1..1000u32, 1..8),
        ) {
            let shares = largest_remainder(users, &weights);
            let total: u32 = weights.iter().sum();
            prop_assert_eq!(shares.iter().sum::<u32>(), users);
            for (share, weight) in shares.iter().zip(&weights) {
                let exact = f64::from(users) * f64::from(*weight) / f64::from(total);
                prop_assert!((f64::from(*share) - exact).abs() < 1.0);
            }
            prop_assert_eq!(start_order(&shares).len() as u32, users);
        }
    }
}
