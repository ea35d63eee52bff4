//! Whether a target is as calm as it was before anything was sent.
//!
//! What can be seen from outside: how long it takes to connect and to get an answer, whichever,
//! to one request; and where the target is on this machine, how busy that is.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use http1::{Connection, Destination, Discard, Limits, Method};
use tokio::time::{Instant, sleep, timeout_at};

use crate::observe::{METRICS, Ticks, request};

/// What was seen of a target in one look at it.
#[derive(Clone, Copy, Debug)]
struct Look {
    answered: Duration,
    /// Of the machine's processors, from 0 to 1; none where the target is elsewhere.
    busy: Option<f64>,
}

/// Looks at a target.
pub struct Calm {
    destination: Arc<Destination>,
    request: Option<Vec<u8>>,
    is_local: bool,
    /// As it was before anything was sent; none where it did not answer even then.
    before: Option<Look>,
}

/// Between two looks, and how many in a row have to be calm.
const PAUSE: Duration = Duration::from_millis(300);
const IN_A_ROW: u32 = 3;

/// An answer is waited for no longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// So much slower and busier than before it may be.
const SLOWER: u32 = 3;
const LEAST_SLOWER: Duration = Duration::from_millis(50);
const BUSIER: f64 = 0.25;

impl Calm {
    /// Looks at a target before anything is sent to it. Where it must not be asked for
    /// `GET /metrics`, it is only connected to.
    pub async fn of(destination: Arc<Destination>, is_local: bool, asks: bool) -> Self {
        let request = asks.then(|| request(&destination, METRICS));
        let mut calm = Self { destination, request, is_local, before: None };
        let mut looks = Vec::new();
        for _ in 0..IN_A_ROW {
            looks.extend(calm.look().await);
        }
        // The slowest of them, so that no luck is asked for later.
        calm.before = looks.into_iter().reduce(|one, other| Look {
            answered: one.answered.max(other.answered),
            busy: one.busy.zip(other.busy).map(|(one, other)| one.max(other)),
        });
        calm
    }

    /// Waits until the target is as calm as before, at most `bound`; how long that took.
    ///
    /// # Errors
    /// When it did not become so: what is not as before.
    pub async fn again(&self, bound: Duration) -> Result<Duration, String> {
        let begun = Instant::now();
        let mut calm = 0;
        loop {
            match self.differs(self.look().await) {
                None => calm += 1,
                Some(why) if begun.elapsed() >= bound => return Err(why),
                Some(_) => calm = 0,
            }
            if calm == IN_A_ROW {
                return Ok(begun.elapsed());
            }
        }
    }

    /// What is not as it was before.
    fn differs(&self, now: Option<Look>) -> Option<String> {
        let Some(now) = now else { return Some("the target does not answer".to_owned()) };
        let before = self.before?;
        let bound = (before.answered * SLOWER).max(before.answered + LEAST_SLOWER);
        if now.answered > bound {
            let (now, before) = (now.answered.as_millis(), before.answered.as_millis());
            return Some(format!("an answer takes {now} ms, and {before} ms before"));
        }
        let (now, before) = now.busy.zip(before.busy)?;
        let percent = |share: f64| share * 100.0;
        (now > before + BUSIER).then(|| {
            format!(
                "this machine's processors are busy to {:.0} %, and to {:.0} % before",
                percent(now),
                percent(before)
            )
        })
    }

    /// Takes as long as [`PAUSE`] and the answer; none where there is no answer.
    async fn look(&self) -> Option<Look> {
        let before = spent().filter(|_| self.is_local);
        sleep(PAUSE).await;
        let busy = before.zip(spent()).and_then(|(before, now)| now.busy_since(before));
        let begun = Instant::now();
        let by = begun + PATIENCE;
        let answer = async {
            let mut connection = Connection::open(&self.destination, by).await.ok()?.connection;
            if let Some(request) = &self.request {
                let limits = Limits::default();
                connection.exchange(request, Method::Other, &mut Discard, &limits).await.ok()?;
            }
            Some(())
        };
        timeout_at(by, answer).await.ok()??;
        Some(Look { answered: begun.elapsed(), busy })
    }
}

/// Processor time of the machine so far.
fn spent() -> Option<Ticks> {
    Ticks::of_all(&fs::read_to_string("/proc/stat").ok()?)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers, after so long, as many connections as come.
    async fn target(after_ms: Arc<AtomicU32>) -> Arc<Destination> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let after = after_ms.load(Ordering::Relaxed);
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    let _ = stream.read(&mut request).await;
                    sleep(Duration::from_millis(after.into())).await;
                    let _ = stream
                        .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                        .await;
                });
            }
        });
        Arc::new(Destination::http("127.0.0.1", port, &[]).unwrap())
    }

    #[tokio::test]
    async fn a_target_is_waited_for_until_it_answers_as_before() {
        let after_ms = Arc::new(AtomicU32::new(0));
        let calm = Calm::of(target(Arc::clone(&after_ms)).await, false, true).await;
        calm.again(Duration::from_secs(600)).await.unwrap();
        after_ms.store(1000, Ordering::Relaxed);
        let why = calm.again(Duration::ZERO).await.unwrap_err();
        assert!(why.starts_with("an answer takes 1"), "{why}");
        let later = async {
            sleep(Duration::from_millis(1500)).await;
            after_ms.store(0, Ordering::Relaxed);
        };
        let (waited, ()) = tokio::join!(calm.again(Duration::from_secs(600)), later);
        assert!(waited.unwrap() >= Duration::from_millis(1500));
    }

    #[tokio::test]
    async fn a_target_that_is_gone_is_not_calm() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let gone = Arc::new(Destination::http("127.0.0.1", port, &[]).unwrap());
        let calm = Calm::of(gone, true, true).await;
        let why = calm.again(Duration::ZERO).await.unwrap_err();
        assert_eq!(why, "the target does not answer");
    }
}
