//! When each request of a client's connection began. hyper calls the service once a head is
//! complete; how requests are framed is its business alone, so what is seen here is only that
//! bytes came, and whether hyper was inside of a request when they did.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The requests of one connection, between the reading and the service.
#[derive(Clone)]
pub(super) struct Beginnings(Arc<Mutex<State>>);

struct State {
    /// When something was read last.
    last: Instant,
    /// When the first byte came of a request whose head is not complete.
    began: Option<Instant>,
    /// Whether hyper has a head whose body is not over.
    inside: bool,
    /// Not HTTP/1.1, or no longer.
    off: bool,
}

/// A request whose body is still being read; dropped when nothing more of it is.
pub(super) struct Inside(Beginnings);

impl Beginnings {
    pub(super) fn new(now: Instant) -> Self {
        let state = State { last: now, began: None, inside: false, off: false };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Takes note of what was read.
    pub(super) fn read(&self, bytes: &[u8], now: Instant) {
        let mut state = self.lock();
        if bytes.is_empty() || state.off {
            return;
        }
        state.last = now;
        if state.inside || state.began.is_some() {
            return;
        }
        if bytes.starts_with(b"PRI ") {
            // HTTP/2's preface.
            state.off = true;
        } else if bytes.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
            state.began = Some(now);
        }
    }

    /// hyper has a complete head: when it began, and what is to be held as long as its body is
    /// read. One that came with the end of the request before it began when that was read.
    pub(super) fn take(&self) -> (Instant, Inside) {
        let mut state = self.lock();
        state.inside = true;
        (state.began.take().unwrap_or(state.last), Inside(self.clone()))
    }

    /// When the head that is still incomplete began.
    pub(super) fn partial_since(&self) -> Option<Instant> {
        self.lock().began
    }

    /// What follows is not HTTP/1.1.
    pub(super) fn off(&self) {
        let mut state = self.lock();
        (state.off, state.began) = (true, None);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.lock().inside = false;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_request_begins_with_its_first_byte() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let beginnings = Beginnings::new(start);
        beginnings.read(b"\r\n", at(1));
        assert_eq!(beginnings.partial_since(), None);
        beginnings.read(b"P", at(2));
        assert_eq!(beginnings.partial_since(), Some(at(2)));
        beginnings.read(b"OST / HTTP/1.1\r\nContent-Length: 2\r\n\r\na", at(3));
        let (began, inside) = beginnings.take();
        assert_eq!((began, beginnings.partial_since()), (at(2), None));
        beginnings.read(b"b", at(4));
        assert_eq!(beginnings.partial_since(), None, "that was the body");
        drop(inside);
        beginnings.read(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", at(5));
        let (began, inside) = beginnings.take();
        assert_eq!(began, at(5));
        drop(inside);
        let (began, _inside) = beginnings.take();
        assert_eq!(began, at(5), "it came with the one before it");
    }

    #[test]
    fn what_is_not_http_1_has_no_beginnings() {
        let now = Instant::now();
        let beginnings = Beginnings::new(now);
        beginnings.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", now);
        assert_eq!(beginnings.partial_since(), None);
        let beginnings = Beginnings::new(now);
        beginnings.read(b"P", now);
        beginnings.off();
        beginnings.read(b"RI * HTTP/2.0\r\n\r\n", now);
        assert_eq!(beginnings.partial_since(), None);
    }
}
