//! Which users of a plan are a shard's own.

use super::chain::Chain;
use super::users::{PlannedUser, Schedule};
use crate::prepare::Prepared;
use common::digest::stable_hash;
use run_log::format::Shard;

impl Schedule {
    /// The part of the plan that is this shard's: what each user does, when it starts and
    /// which account it takes stay as they are in the whole.
    #[must_use]
    pub fn of_shard(self, plan: &Prepared, shard: Shard) -> Self {
        let users: Vec<PlannedUser> =
            self.users.into_iter().filter(|user| owns(plan, shard, user)).collect();
        let mut shares = vec![0; self.shares.len()];
        for user in &users {
            shares[user.persona] += 1;
        }
        Self { users, shares, ..self }
    }
}

/// Whether a user is this shard's: by a hash of its first session and of its number, which
/// is the same on every machine, so that shards need to know nothing of each other.
fn owns(plan: &Prepared, shard: Shard, user: &PlannedUser) -> bool {
    let session = match user.chain {
        Chain::Once { session } => Some(session),
        Chain::Cycle { first } => plan.personas[user.persona].sessions.get(first).copied(),
    };
    let mut key =
        session.map_or_else(Vec::new, |session| plan.sessions[session].name.clone().into());
    key.push(0);
    key.extend_from_slice(&user.ordinal.to_le_bytes());
    // The upper half: a product's lower bits depend on the lower bits of its factors alone.
    (stable_hash(&key) >> 32) % u64::from(shard.of) == u64::from(shard.index - 1)
}
