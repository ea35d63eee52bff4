//! Work whose end and whose memory nobody can promise.

use std::thread;
use std::time::Duration;

use common::memory::resident_bytes;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// By so much the process may grow while the work lasts, in bytes.
const MOST: u64 = 96 << 20;

/// How often that is looked at: what comes through loopback comes at some 2 MiB a millisecond.
const LOOK: Duration = Duration::from_millis(5);

/// Why the work was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Left {
    /// It has not ended in time, or there is no thread for it.
    #[error("there was no answer within {} s", .0.as_secs())]
    Late(Duration),
    #[error("the answer took over {} MiB of memory", MOST >> 20)]
    Large,
}

/// What comes of the work, if it ends within `most`, and the process has not grown by more than
/// 96 MiB by then: a client takes as much as its server says that it will send.
///
/// It has a thread of its own: what never has to wait, as a client of a server that talks without
/// end, would else keep this one from its timers and signals. When it is left, it ends where it
/// next gives way; what never does is left to itself.
///
/// # Errors
/// When it was left, and why.
pub async fn within<T: Send + 'static>(
    most: Duration,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Left> {
    let (mut done, result) = oneshot::channel();
    let runtime = Handle::current();
    let apart = async move {
        tokio::select! {
            value = work => drop(done.send(value)),
            () = done.closed() => {}
        }
    };
    let thread = thread::Builder::new();
    thread.spawn(move || runtime.block_on(apart)).map_err(|_| Left::Late(most))?;
    tokio::select! {
        result = timeout(most, result) => result.ok().and_then(Result::ok).ok_or(Left::Late(most)),
        () = grown() => Err(Left::Large),
    }
}

/// Ends when the process has grown by [`MOST`].
async fn grown() {
    let before = resident_bytes();
    while resident_bytes() < before + MOST {
        sleep(LOOK).await;
    }
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
        let most = Duration::from_millis(50);
        assert_eq!(within(most, busy).await, Err(Left::Late(most)));
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(within(Duration::from_secs(60), async { 7 }).await, Ok(7));
    }

    #[tokio::test]
    async fn what_takes_much_memory_is_left_and_ends() {
        let (held, is_let_go) = oneshot::channel::<()>();
        let greedy = async move {
            let _held = held;
            let mut all = Vec::new();
            loop {
                all.push(vec![1_u8; 1 << 20]);
                tokio::task::yield_now().await;
            }
        };
        assert_eq!(within(Duration::from_secs(60), greedy).await, Err::<(), _>(Left::Large));
        assert!(is_let_go.await.is_err(), "nothing was sent: it was dropped");
    }
}
