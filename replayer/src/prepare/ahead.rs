//! Reads a trace on a thread of its own, while what was read is made into sessions.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use recorder::trace::format::{End, Request};
use recorder::trace::reader::{ReadError, TraceReader};

/// Requests that are handed over together, and how often that may be done ahead.
const BATCH: usize = 256;
const BATCHES: usize = 8;

pub(super) struct ReadAhead {
    batches: Receiver<Vec<Request>>,
    current: std::vec::IntoIter<Request>,
    reader: JoinHandle<Result<End, ReadError>>,
}

impl ReadAhead {
    pub(super) fn start(mut reader: TraceReader) -> Self {
        let (sender, batches) = sync_channel(BATCHES);
        let read = move || {
            let mut batch = Vec::with_capacity(BATCH);
            while let Some(request) = reader.next_request()? {
                batch.push(request);
                if batch.len() == BATCH {
                    let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
                    if sender.send(full).is_err() {
                        break;
                    }
                }
            }
            // Nobody listens any more only where an error has ended it all.
            let _ = sender.send(batch);
            reader.finish()
        };
        Self { batches, current: Vec::new().into_iter(), reader: std::thread::spawn(read) }
    }

    /// The next request; none at the end, or where reading failed.
    pub(super) fn next(&mut self) -> Option<Request> {
        loop {
            if let Some(request) = self.current.next() {
                return Some(request);
            }
            self.current = self.batches.recv().ok()?.into_iter();
        }
    }

    /// Why there is no further request.
    ///
    /// # Errors
    /// When the trace could not be read to its end.
    pub(super) fn finish(self) -> Result<End, ReadError> {
        drop(self.batches);
        self.reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}
