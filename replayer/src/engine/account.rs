//! An account of the manifest, shared by all users who have it.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};

use manifest::format::Account;

/// An account, and whether the target refused it: some lock after a few refusals, so
/// that its login is not repeated for any user, on any thread.
#[derive(Debug)]
pub struct SharedAccount {
    account: Account,
    is_refused: AtomicBool,
}

impl SharedAccount {
    pub fn new(account: Account) -> Self {
        Self { account, is_refused: AtomicBool::new(false) }
    }

    pub(super) fn is_refused(&self) -> bool {
        // Relaxed: no other memory is ordered by it.
        self.is_refused.load(Ordering::Relaxed)
    }

    pub(super) fn refuse(&self) {
        self.is_refused.store(true, Ordering::Relaxed);
    }
}

impl Deref for SharedAccount {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.account
    }
}
