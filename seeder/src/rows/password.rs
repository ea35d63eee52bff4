//! `bcrypt('password', cost)` and its kind: hashed once a distinct password and scheme.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind};
use sha2::{Digest as _, Sha256};

use crate::password::{Digest, Form, SaltSource, Scheme, SchemeError, Variant};
use generate::lock;

/// Functions that make hashes of passwords, by their names in plans.
pub(super) const FUNCTIONS: [&str; 4] = ["argon2", "bcrypt", "pbkdf2", "scrypt"];

/// Salts come from seed, plan, password and scheme, so that the same plan gives
/// the same hashes. What these protect are test passwords.
///
/// Held are all distinct passwords with their hashes, under 300 bytes each: what bounds them is
/// the time that hashing takes.
pub(super) struct Passwords {
    seed: u64,
    plan: String,
    hashes: Mutex<BTreeMap<(Scheme, String), String>>,
    /// Asked for while nothing was hashed: see [`Passwords::gather`].
    wanted: Mutex<BTreeSet<(Scheme, String)>>,
    gathering: AtomicBool,
}

/// Without the passwords.
impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl Passwords {
    pub(super) fn new(seed: u64, plan: &str) -> Self {
        Self {
            seed,
            plan: plan.to_owned(),
            hashes: Mutex::default(),
            wanted: Mutex::default(),
            gathering: AtomicBool::new(false),
        }
    }

    /// The functions of this module, for expressions.
    pub(super) fn install(self: &std::sync::Arc<Self>, environment: &mut Environment<'_>) {
        let this = self.clone();
        environment.add_function("bcrypt", move |password: &str, cost: u32, options: Kwargs| {
            let form = form(&options, Form::Phc)?;
            options.assert_all_used()?;
            this.hash(password, Scheme::bcrypt(cost, form))
        });
        let this = self.clone();
        environment.add_function("argon2", move |password: &str, options: Kwargs| {
            let form = form(&options, Form::Phc)?;
            let variant = options.get::<Option<&str>>("variant")?.map(Variant::named);
            let variant = variant.transpose().map_err(invalid)?.unwrap_or(Variant::Id);
            // Those of the libraries of Python and Node.
            let (m, t) = (number(&options, "m", 65536)?, number(&options, "t", 3)?);
            let p = number(&options, "p", 4)?;
            options.assert_all_used()?;
            this.hash(password, Scheme::argon2(variant, m, t, p, form))
        });
        let this = self.clone();
        environment.add_function("scrypt", move |password: &str, options: Kwargs| {
            let form = form(&options, Form::Phc)?;
            // What each writes by default.
            let (n, p) = match form {
                Form::Phc => (1 << 17, 1),
                Form::Django => (1 << 14, 5),
                Form::Werkzeug => (1 << 15, 1),
            };
            let n = options.get::<Option<u64>>("n")?.unwrap_or(n);
            let (r, p) = (number(&options, "r", 8)?, number(&options, "p", p)?);
            options.assert_all_used()?;
            this.hash(password, Scheme::scrypt(n, r, p, form))
        });
        let this = self.clone();
        environment.add_function(
            "pbkdf2",
            move |password: &str, iterations: Option<u32>, options: Kwargs| {
                let form = form(&options, Form::Django)?;
                let digest = options.get::<Option<&str>>("digest")?.map(Digest::named);
                let digest = digest.transpose().map_err(invalid)?.unwrap_or(Digest::Sha256);
                options.assert_all_used()?;
                this.hash(password, Scheme::pbkdf2(digest, iterations.unwrap_or(1_000_000), form))
            },
        );
    }

    fn hash(&self, password: &str, scheme: Result<Scheme, SchemeError>) -> Result<String, Error> {
        let key = (scheme.map_err(invalid)?, password.to_owned());
        if self.gathering.load(Ordering::Relaxed) {
            if !lock(&self.hashes).contains_key(&key) {
                lock(&self.wanted).insert(key);
            }
            return Ok(String::new());
        }
        // Held while hashing: another caller with the same password waits for it.
        let mut hashes = lock(&self.hashes);
        if let Some(hash) = hashes.get(&key) {
            return Ok(hash.clone());
        }
        let hash = self.compute(&key).map_err(invalid)?;
        hashes.insert(key, hash.clone());
        Ok(hash)
    }

    /// What is asked for meanwhile is noted and not hashed.
    pub(super) fn gather<T>(&self, asking: impl FnOnce() -> T) -> (T, BTreeSet<(Scheme, String)>) {
        self.gathering.store(true, Ordering::Relaxed);
        let asked = asking();
        self.gathering.store(false, Ordering::Relaxed);
        (asked, std::mem::take(&mut lock(&self.wanted)))
    }

    /// Hashes it now, for whoever asks later.
    pub(super) fn prepare(&self, key: (Scheme, String)) -> Result<(), SchemeError> {
        let hash = self.compute(&key)?;
        lock(&self.hashes).insert(key, hash);
        Ok(())
    }

    /// How many hashes there are.
    #[cfg(test)]
    pub(super) fn made(&self) -> usize {
        lock(&self.hashes).len()
    }

    fn compute(&self, (scheme, password): &(Scheme, String)) -> Result<String, SchemeError> {
        scheme.hash(password, &self.salt(password, *scheme))
    }

    /// Costs of bcrypt used so far, ascending.
    pub(super) fn costs(&self) -> Vec<u32> {
        let costs: BTreeSet<u32> = lock(&self.hashes)
            .keys()
            .filter_map(|(scheme, _)| match scheme {
                Scheme::Bcrypt { cost, .. } => Some(*cost),
                _ => None,
            })
            .collect();
        costs.into_iter().collect()
    }

    fn salt(&self, password: &str, scheme: Scheme) -> SaltSource {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        match scheme {
            // As it always was: the rows of a plan are the same in every version.
            Scheme::Bcrypt { cost, form: Form::Phc } => hash.update(cost.to_le_bytes()),
            other => {
                let name = other.to_string();
                hash.update((name.len() as u64).to_le_bytes());
                hash.update(name.as_bytes());
            }
        }
        for part in [&self.plan, password] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().into()
    }
}

fn form(options: &Kwargs, default: Form) -> Result<Form, Error> {
    let named = options.get::<Option<&str>>("form")?.map(Form::named);
    Ok(named.transpose().map_err(invalid)?.unwrap_or(default))
}

fn number(options: &Kwargs, name: &str, default: u32) -> Result<u32, Error> {
    Ok(options.get::<Option<u32>>(name)?.unwrap_or(default))
}

// `map_err` gives the error away.
#[expect(clippy::needless_pass_by_value)]
fn invalid(problem: SchemeError) -> Error {
    Error::new(ErrorKind::InvalidOperation, problem.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bcrypt(passwords: &Passwords, password: &str, cost: u32) -> Result<String, Error> {
        passwords.hash(password, Scheme::bcrypt(cost, Form::Phc))
    }

    #[test]
    fn the_hash_is_the_password_s_and_the_same_every_time() {
        let hash = |seed| bcrypt(&Passwords::new(seed, "plan"), "TestPass123456!", 4).unwrap();
        let one = hash(1);
        assert!(bcrypt::verify("TestPass123456!", &one).unwrap());
        assert!(!bcrypt::verify("TestPass123456", &one).unwrap());
        assert_eq!(one, hash(1));
        assert_ne!(one, hash(2));
    }

    #[test]
    fn costs_are_remembered_and_impossible_ones_refused() {
        let passwords = Passwords::new(1, "plan");
        bcrypt(&passwords, "a", 5).unwrap();
        bcrypt(&passwords, "b", 4).unwrap();
        assert!(bcrypt(&passwords, "b", 3).unwrap_err().to_string().contains("from 4 to 31"));
        assert_eq!(passwords.costs(), [4, 5]);
    }

    #[test]
    fn what_was_gathered_and_prepared_is_what_would_have_been_hashed() {
        let (one, other) = (Passwords::new(1, "plan"), Passwords::new(1, "plan"));
        let (_, wanted) = one.gather(|| bcrypt(&one, "a", 4).unwrap());
        assert_eq!(wanted.len(), 1);
        assert!(one.costs().is_empty(), "nothing is hashed yet");
        wanted.into_iter().for_each(|key| one.prepare(key).unwrap());
        assert_eq!(one.costs(), [4]);
        assert_eq!(bcrypt(&one, "a", 4).unwrap(), bcrypt(&other, "a", 4).unwrap());
    }
}
