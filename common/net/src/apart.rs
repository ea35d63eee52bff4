//! Work whose end nobody can promise.

use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// What comes of the work within `most`; none if nothing does, or there is no thread for it.
///
/// It has a thread of its own, which is left to itself after that: what never has to wait, as a
/// client of a server that talks without end, would else keep this one from its timers and signals.
pub async fn within<T: Send + 'static>(
    most: Duration,
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let (done, result) = oneshot::channel();
    let runtime = Handle::current();
    // Nobody waits any more where nothing can be sent.
    let thread = thread::Builder::new();
    thread.spawn(move || drop(done.send(runtime.block_on(work)))).ok()?;
    timeout(most, result).await.ok()?.ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_never_pauses_is_left_to_itself() {
        let is_over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_over);
        let busy = async move {
            while !seen.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        };
        assert_eq!(within(Duration::from_millis(50), busy).await, None);
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(within(Duration::from_secs(60), async { 7 }).await, Some(7));
    }
}
