//! A page of metrics, got over one connection again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http1::{Connection, Destination, Limits, Method, Sink};
use tokio::time::Instant;

/// So much of a page is read; what is beyond is passed over.
const MOST_BYTES: usize = 1 << 20;

/// A connection that takes longer is none. Whoever asks waits no longer for the whole.
const CONNECT: Duration = Duration::from_millis(500);

/// What asks for a page.
pub(crate) fn request(destination: &Destination, path: &str) -> Vec<u8> {
    let authority = destination.authority();
    format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nAccept: text/plain\r\n\r\n").into_bytes()
}

/// The beginning of an answer's body.
#[derive(Default)]
struct Body(Vec<u8>);

impl Sink for Body {
    fn head(&mut self, _: u16, _: &[httparse::Header<'_>]) {
        self.0.clear();
    }

    fn body(&mut self, bytes: &[u8]) {
        let room = MOST_BYTES.saturating_sub(self.0.len());
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl Body {
    /// Of a page that is cut off its whole lines: half a number is another number.
    fn text(&self) -> String {
        let end = match self.0.len() {
            MOST_BYTES.. => self.0.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1),
            whole => whole,
        };
        String::from_utf8_lossy(&self.0[..end]).into_owned()
    }
}

/// A page and the connection to it.
pub(super) struct Page {
    destination: Arc<Destination>,
    connection: Option<Connection>,
    request: Vec<u8>,
    /// How often it was asked for.
    asked: Arc<AtomicU64>,
}

impl Page {
    pub(super) fn new(destination: Arc<Destination>, path: &str, asked: Arc<AtomicU64>) -> Self {
        let request = request(&destination, path);
        Self { destination, connection: None, request, asked }
    }

    /// Its text; none where there is no connection or no answer, or that is not 200.
    pub(super) async fn get(&mut self) -> Option<String> {
        // It comes back only when an answer was read to its end.
        let kept = self.connection.take().and_then(|mut c| (!c.is_stale()).then_some(c));
        let mut connection = match kept {
            Some(connection) => connection,
            None => {
                let by = Instant::now() + CONNECT;
                Connection::open(&self.destination, by).await.ok()?.connection
            }
        };
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut body = Body::default();
        let limits = Limits::default();
        let exchange =
            connection.exchange(&self.request, Method::Other, &mut body, &limits).await.ok()?;
        if exchange.reusable {
            self.connection = Some(connection);
        }
        (exchange.status == 200).then(|| body.text())
    }

    /// How often it was asked for so far.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_cut_off_ends_with_a_whole_line() {
        let mut body = Body::default();
        body.body(b"a 12\nb 3");
        assert_eq!(body.text(), "a 12\nb 3");
        body.body(&vec![b'4'; 2 << 20]);
        assert_eq!(body.text(), "a 12\n");
    }
}
