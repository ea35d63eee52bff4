//! The thread that owns the journal and the correlator: it takes exchanges as they finish.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;

use super::error::ProxyError;
use super::forward::Counts;
use super::open::Recording;
use super::sink::Queued;
use crate::correlate::{Correlated, Correlator};
use crate::exchange::Exchange;
use trace::finish::Finished;
use trace::format::{RecordedResult, Request};
use trace::journal::{FLUSH_AFTER, Journal, LateCapture};
use trace::shape::Shape;
use trace::writer::WriteError;

/// How often the queue is polled. Being woken for each exchange would cost the proxy more than
/// passing it on. Together with [`FLUSH_AFTER`] it bounds what a killed recording loses.
const LOOK: Duration = Duration::from_millis(20);

/// How many exchanges are taken before anything else is attended to.
const AT_ONCE: usize = 1024;

/// Gets progress while recording; called from the thread that writes the journal.
pub trait Observer: Send + 'static {
    /// About once a second.
    fn second(&mut self, elapsed: Duration, totals: &Totals);
    /// The journal cannot be written any more; exchanges are dropped from now on.
    fn lost(&mut self, error: &WriteError);
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Client connections that are open.
    pub open: u64,
    /// Client connections so far.
    pub connections: u64,
    /// Exchanges recorded.
    pub requests: u64,
    /// Of those, a status of 400 or above, or no answer.
    pub failures: u64,
    /// Values that were bound, and that others of the session would have fitted as well.
    pub ambiguous: u64,
    /// Exchanges that were seen and not recorded.
    pub dropped: u64,
    /// Connections that switched to another protocol, such as WebSockets.
    pub upgrades: u64,
    /// Malformed requests, which were not passed on.
    pub refused: u64,
}

pub(super) struct Collector {
    pub(super) journal: Journal,
    pub(super) path: PathBuf,
    pub(super) correlator: Correlator,
    pub(super) recording: Arc<Recording>,
    pub(super) counts: Arc<Counts>,
    pub(super) observer: Box<dyn Observer>,
    /// The first error of the journal: nothing is written to it any more, because what stands
    /// there may end within a line.
    pub(super) failed: Option<WriteError>,
    /// Exchanges that reached this thread and not the journal.
    pub(super) unwritten: u64,
    pub(super) totals: Totals,
}

impl Collector {
    /// Takes exchanges until the last sender but its own is gone, which is when `done` says so,
    /// and makes the trace.
    pub(super) fn run(
        mut self,
        mut exchanges: Receiver<Queued>,
        done: &AtomicBool,
    ) -> Result<(Finished, Totals), ProxyError> {
        const { assert!(LOOK.as_millis() + FLUSH_AFTER.as_millis() < 200) };
        let mut reported = Instant::now();
        loop {
            // Read before the queue: what was sent before it was set is in the queue.
            let last = done.load(Ordering::Acquire);
            let drained = self.drain(&mut exchanges);
            let flushed = self.flush();
            self.note(flushed);
            if reported.elapsed() >= Duration::from_secs(1) {
                reported = Instant::now();
                let totals = self.totals();
                self.observer.second(self.recording.started.elapsed(), &totals);
            }
            if drained && last {
                if self.failed.is_none() {
                    let flushed = self.journal.flush();
                    self.note(flushed);
                }
                break;
            }
            if drained {
                std::thread::sleep(LOOK);
            }
        }
        self.finish()
    }

    /// Whether there is none left.
    fn drain(&mut self, exchanges: &mut Receiver<Queued>) -> bool {
        for _ in 0..AT_ONCE {
            match exchanges.try_recv() {
                Ok(queued) => self.take(queued.exchange),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return true,
            }
        }
        false
    }

    fn take(&mut self, exchange: Exchange) {
        // Even where it is not written: later exchanges may need values from it.
        let Correlated { request, shape, captures } = self.correlator.take(exchange);
        let failure = match &request.result {
            RecordedResult::Answer(answer) => answer.status >= 400,
            RecordedResult::Error(_) => true,
        };
        if self.failed.is_some() {
            self.unwritten += 1;
            return;
        }
        let ambiguous = request.bind.iter().filter(|binding| binding.ambiguous).count() as u64;
        let before = self.totals.requests;
        let written = self.write(request, shape, captures);
        if self.totals.requests > before {
            self.totals.failures += u64::from(failure);
            self.totals.ambiguous += ambiguous;
        } else {
            self.unwritten += 1;
        }
        self.note(written);
    }

    /// Counts the request if the journal has it, even if only in memory.
    fn write(
        &mut self,
        mut request: Request,
        shape: Option<Shape>,
        captures: Vec<LateCapture>,
    ) -> Result<(), WriteError> {
        for capture in captures {
            self.journal.capture(capture)?;
        }
        if let (Some(shape), RecordedResult::Answer(answer)) = (shape, &mut request.result) {
            answer.shape = Some(self.journal.shape(shape)?);
        }
        let appended = self.journal.append(&request);
        self.totals.requests += u64::from(!matches!(appended, Err(WriteError::TooLong { .. })));
        appended
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        let dropped = self.dropped();
        if dropped != self.totals.dropped {
            self.totals.dropped = dropped;
            // Where the disk is full, as well: the place for the number is there.
            self.journal.dropped(dropped)?;
        }
        if self.failed.is_some() {
            return Ok(());
        }
        match self.journal.flush_due() {
            Some(due) if due <= Instant::now() + LOOK => self.journal.flush(),
            _ => Ok(()),
        }
    }

    /// A line that is too long affects only that line, any other error the whole journal.
    fn note(&mut self, result: Result<(), WriteError>) {
        match result {
            Ok(()) | Err(WriteError::TooLong { .. }) => {}
            Err(_) if self.failed.is_some() => {}
            Err(error) => {
                self.observer.lost(&error);
                let lost = self.journal.waiting();
                self.unwritten += lost;
                self.totals.requests -= lost;
                self.failed = Some(error);
            }
        }
    }

    fn dropped(&self) -> u64 {
        self.recording.sink.dropped() + self.unwritten
    }

    fn totals(&self) -> Totals {
        // Relaxed: they are only displayed.
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = &self.counts;
        Totals {
            open: read(&counts.open),
            connections: read(&counts.connections),
            upgrades: read(&counts.upgrades),
            refused: read(&counts.refused),
            dropped: self.dropped(),
            ..self.totals
        }
    }

    fn finish(self) -> Result<(Finished, Totals), ProxyError> {
        let totals = self.totals();
        let Self { mut journal, path, failed, .. } = self;
        if let Some(source) = failed {
            // Told in the error as well; the trace that `finish` makes should say it, too.
            let _ = journal.dropped(totals.dropped);
            return Err(ProxyError::Lost { dropped: totals.dropped, journal: path, source });
        }
        let finished =
            journal.finish().map_err(|source| ProxyError::Finish { journal: path, source })?;
        Ok((finished, totals))
    }
}
