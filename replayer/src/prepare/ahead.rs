//! Reads a trace on a thread of its own, while what was read is made into sessions.

use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::JoinHandle;

use trace::format::{End, Request};
use trace::reader::{ReadError, TraceReader};

/// Requests that are handed over together, and how many batches may be read ahead.
const BATCH: usize = 256;
const BATCHES: usize = 8;

pub(super) struct ReadAhead {
    batches: Receiver<Vec<Request>>,
    /// Takes a used batch back: memory is cheapest to free where it was taken. No more are on
    /// their way back than were read ahead.
    used: Sender<Vec<Request>>,
    current: Vec<Request>,
    next: usize,
    reader: JoinHandle<Result<End, ReadError>>,
}

impl ReadAhead {
    pub(super) fn start(mut reader: TraceReader) -> Self {
        let (sender, batches) = sync_channel(BATCHES);
        let (used, used_again) = channel::<Vec<Request>>();
        let read = move || {
            let mut batch = Vec::with_capacity(BATCH);
            while let Some(request) = reader.next_request()? {
                batch.push(request);
                if batch.len() == BATCH {
                    let mut empty = used_again.try_recv().unwrap_or_default();
                    empty.clear();
                    if sender.send(std::mem::replace(&mut batch, empty)).is_err() {
                        break;
                    }
                }
            }
            // This fails only where an error has ended everything.
            let _ = sender.send(batch);
            reader.finish()
        };
        let reader = std::thread::spawn(read);
        Self { batches, used, current: Vec::new(), next: 0, reader }
    }

    /// The next request; none at the end, or where reading failed.
    pub(super) fn next(&mut self) -> Option<&mut Request> {
        while self.next == self.current.len() {
            let batch = self.batches.recv().ok()?;
            // A reader that has ended takes no memory back.
            let _ = self.used.send(std::mem::replace(&mut self.current, batch));
            self.next = 0;
        }
        self.next += 1;
        self.current.get_mut(self.next - 1)
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
