//! `bcrypt('password', cost)`: hashed once a distinct password and cost.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;

use minijinja::{Error, ErrorKind};
use sha2::{Digest, Sha256};

use generate::lock;

/// Salts come from seed, plan, password and cost, so that the same plan gives
/// the same hashes. What these protect are test passwords.
pub(super) struct Passwords {
    seed: u64,
    plan: String,
    hashes: Mutex<BTreeMap<(String, u32), String>>,
}

/// Without the passwords.
impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl Passwords {
    pub(super) fn new(seed: u64, plan: &str) -> Self {
        Self { seed, plan: plan.to_owned(), hashes: Mutex::default() }
    }

    pub(super) fn hash(&self, password: &str, cost: u32) -> Result<String, Error> {
        // Held while hashing: another caller with the same password waits for it.
        let mut hashes = lock(&self.hashes);
        if let Some(hash) = hashes.get(&(password.to_owned(), cost)) {
            return Ok(hash.clone());
        }
        let hash = bcrypt::hash_with_salt(password, cost, self.salt(password, cost))
            .map_err(|_| {
                let message = format!("bcrypt(…, {cost}): the cost is from 4 to 31");
                Error::new(ErrorKind::InvalidOperation, message)
            })?
            .format_for_version(bcrypt::Version::TwoB);
        hashes.insert((password.to_owned(), cost), hash.clone());
        Ok(hash)
    }

    /// Costs used so far, ascending.
    pub(super) fn costs(&self) -> Vec<u32> {
        let costs: BTreeSet<u32> = lock(&self.hashes).keys().map(|(_, cost)| *cost).collect();
        costs.into_iter().collect()
    }

    fn salt(&self, password: &str, cost: u32) -> [u8; 16] {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(cost.to_le_bytes());
        for part in [&self.plan, password] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let mut salt = [0; 16];
        salt.copy_from_slice(&hash.finalize()[..16]);
        salt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_password_s_and_the_same_every_time() {
        let one = Passwords::new(1, "plan").hash("TestPass123456!", 4).unwrap();
        assert!(bcrypt::verify("TestPass123456!", &one).unwrap());
        assert!(!bcrypt::verify("TestPass123456", &one).unwrap());
        assert_eq!(one, Passwords::new(1, "plan").hash("TestPass123456!", 4).unwrap());
        assert_ne!(one, Passwords::new(2, "plan").hash("TestPass123456!", 4).unwrap());
    }

    #[test]
    fn costs_are_remembered_and_impossible_ones_refused() {
        let passwords = Passwords::new(1, "plan");
        passwords.hash("a", 5).unwrap();
        passwords.hash("b", 4).unwrap();
        assert!(passwords.hash("b", 3).unwrap_err().to_string().contains("from 4 to 31"));
        assert_eq!(passwords.costs(), [4, 5]);
    }
}
