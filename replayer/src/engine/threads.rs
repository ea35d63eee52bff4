//! The threads of a run: workers, and the reader of a trace that is read as it is needed.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime;
use tokio::sync::{mpsc, watch};

use super::settings::Settings;
use super::transport::Http;
use super::worker::{Feed, Stop, Worker};
use crate::measure::{Batch, Sample};
use crate::pacer::Pacer;
use crate::prepare::{PrepareError, Prepared, TraceStream};
use crate::schedule::{Chain, Ends, PlannedUser, Schedule};
use crate::time::Clock;

/// Sessions that a worker may be ahead by.
const READ_AHEAD: usize = 16;

pub(super) type Feeder = JoinHandle<Result<(), PrepareError>>;

/// Starts a thread that reads the trace ahead of the users, as far as the workers take it.
pub(super) fn feed(
    stream: TraceStream,
    schedule: &Schedule,
    threads: usize,
) -> io::Result<(Feeder, Vec<Feed>)> {
    let once = |user: &PlannedUser| match user.chain {
        Chain::Once { session } => Some(session),
        Chain::Cycle { .. } => None,
    };
    let order: Vec<usize> = schedule.users.iter().filter_map(once).collect();
    let (senders, feeds): (Vec<_>, Vec<_>) =
        (0..threads).map(|_| mpsc::channel(READ_AHEAD)).unzip();
    // Users go to the workers in turn, and so does what they need.
    let mut turn = 0;
    let give = move |requests| {
        let sender: &mpsc::Sender<_> = &senders[turn % threads];
        turn += 1;
        sender.blocking_send(requests).is_ok()
    };
    let feeder = std::thread::Builder::new()
        .name("trace".to_owned())
        .spawn(move || stream.feed(&order, give))?;
    Ok((feeder, feeds))
}

/// What a worker thread is given.
pub(super) struct WorkerThread {
    pub index: usize,
    pub plan: Arc<Prepared>,
    pub settings: Arc<Settings>,
    pub http: Http,
    pub clock: Clock,
    pub ends: Ends,
    pub users: Vec<PlannedUser>,
    pub feed: Option<Feed>,
    pub stop: watch::Receiver<Stop>,
    pub batches: mpsc::Sender<Batch>,
    pub spare: std::sync::mpsc::Receiver<Vec<Sample>>,
}

impl WorkerThread {
    pub(super) fn spawn(self) -> io::Result<JoinHandle<io::Result<()>>> {
        let (index, batches) = (self.index, self.batches.clone());
        std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            catch_unwind(AssertUnwindSafe(|| self.run())).unwrap_or_else(|panic| {
                // The coordinator waits for the last batch of each, and joins after it.
                let last =
                    Batch { worker: index, panicked: true, is_last: true, ..Batch::default() };
                drop(batches.blocking_send(last));
                resume_unwind(panic)
            })
        })
    }

    fn run(self) -> io::Result<()> {
        // Tasks stay on this thread: what a user knows is its own.
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(runtime::LocalOptions::default())?;
        runtime.block_on(async {
            let pacer = Pacer::new(self.clock)?;
            let worker: Rc<Worker<Http>> = Worker::new(
                self.index,
                self.plan,
                self.settings,
                self.clock,
                pacer,
                self.http,
                self.ends,
            );
            worker.run(self.users, self.feed, self.stop, self.batches, self.spare).await;
            Ok(())
        })
    }
}
