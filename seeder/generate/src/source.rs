//! Where the random numbers of an evaluation come from.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand_chacha::ChaCha8Rng;

/// The random numbers of the evaluation that is under way.
pub type Source = Arc<Mutex<ChaCha8Rng>>;

/// A panic while drawing leaves nothing half done that matters: every
/// evaluation sets the source anew.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
