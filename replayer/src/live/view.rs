//! The page's other side: what the thread that runs has of it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common_net::runtime;
use common_net::signals::Interrupt;
use figures::judged::Judged;
use run_log::format::Run;
use scenario::Expectation;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};

use super::guard::{Guard, LiveAddress};
use super::marks::Marks;
use super::server::{Server, serve};
use super::told::{Begun, Ended, Second, Told};
use crate::engine::{Tick, give_way};
use crate::measure::Collector;

/// Seconds that the thread that serves may be behind. It is told no more until it has caught up: the
/// run does not wait.
const BEHIND: usize = 256;

#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    #[error("--live: cannot listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("--live: cannot start")]
    Start(#[source] io::Error),
}

/// A page that is served as long as this is there.
pub struct View {
    told: Option<mpsc::Sender<Told>>,
    marks: Marks,
    asked: watch::Receiver<Interrupt>,
    /// What the run is told, by signals and by viewers.
    interrupts: Mutex<watch::Receiver<Interrupt>>,
    thread: Option<JoinHandle<()>>,
}

impl View {
    /// Serves from now on, and says where.
    ///
    /// # Errors
    /// When that address cannot be had, or no thread.
    pub fn open(LiveAddress(address): LiveAddress) -> Result<Self, LiveError> {
        let listen = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) =
            listen().map_err(|source| LiveError::Listen { address, source })?;
        let guard = Guard::of(address).map_err(|error| LiveError::Start(error.into()))?;
        common::say!("replayer: live view: {}", guard.url(address));
        let runtime = runtime::build(Builder::new_current_thread()).map_err(LiveError::Start)?;
        let (told, to_tell) = mpsc::channel(BEHIND);
        let (asks, asked) = watch::channel(Interrupt::None);
        let marks = Marks::default();
        let server = Server { listener, guard, marks: marks.clone(), asked: asks };
        let thread = std::thread::Builder::new().name("live".to_owned()).spawn(move || {
            give_way();
            // A view that cannot be shown is no reason to stop the run.
            drop(runtime.block_on(serve(server, to_tell)));
            // Who does not read is not waited for.
            runtime.shutdown_background();
        });
        let thread = Some(thread.map_err(LiveError::Start)?);
        let interrupts = Mutex::new(asked.clone());
        Ok(Self { told: Some(told), marks, asked, interrupts, thread })
    }

    fn tell(&self, told: Told) {
        if let Some(queue) = &self.told {
            // Where it is full, or the server has failed, the run goes on.
            drop(queue.try_send(told));
        }
    }

    /// What signals ask for, and what viewers do; needs a runtime.
    pub fn interrupts(&self, signals: watch::Receiver<Interrupt>) -> watch::Receiver<Interrupt> {
        let both = either(signals, self.asked.clone());
        self.told_to_run().clone_from(&both);
        both
    }

    fn told_to_run(&self) -> MutexGuard<'_, watch::Receiver<Interrupt>> {
        self.interrupts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run begins, of which this much is known, second 0 being then; `dir` is its run directory,
    /// where it is written while the run goes on.
    pub fn begin(
        &self,
        run: &Run,
        dir: Option<&Path>,
        due: Vec<u64>,
        expectations: &[Expectation],
        start: Instant,
    ) -> Watched<'_> {
        self.marks.begin(start);
        self.tell(Told::Begun(Box::new(Begun {
            run: run.clone(),
            due,
            dir: dir.map(Path::to_owned),
        })));
        Watched { view: self, run: run.clone(), expectations: expectations.to_vec() }
    }

    /// Serves so much longer, or until somebody ends it by a signal or from the page.
    ///
    /// # Errors
    /// When there is no runtime, or signals cannot be watched.
    pub fn linger(
        self,
        time: Duration,
        watch: impl FnOnce() -> io::Result<watch::Receiver<Interrupt>>,
    ) -> io::Result<()> {
        let time_text = humantime::format_duration(time);
        common::say!("replayer: the live view stays for {time_text}; Ctrl-C ends it");
        runtime::build(Builder::new_current_thread())?.block_on(async {
            let mut asked = self.asked.clone();
            asked.mark_unchanged();
            let mut interrupts = either(watch()?, asked);
            tokio::select! {
                () = tokio::time::sleep(time) => {}
                Ok(()) = interrupts.changed() => {}
            }
            Ok(())
        })
    }
}

impl Drop for View {
    /// Whoever reads sees the end of it.
    fn drop(&mut self) {
        self.told = None;
        if let Some(thread) = self.thread.take() {
            // If it panicked, that was said.
            let _ = thread.join();
        }
    }
}

/// A run that is shown.
pub struct Watched<'a> {
    view: &'a View,
    run: Run,
    expectations: Vec<Expectation>,
}

impl Watched<'_> {
    pub fn second(&mut self, tick: &Tick<'_>) {
        // A run that compares answers is judged otherwise.
        self.run.fidelity = tick.collector.fidelity();
        let is_stopping = *self.view.told_to_run().borrow() != Interrupt::None;
        let second = Second::of(tick, &self.run, &self.expectations, is_stopping);
        self.view.tell(Told::Second(Box::new(second)));
    }

    /// Puts what viewers noted into its `run.json`; from now on they note nothing.
    pub fn note_marks(&self, run: &mut Run) {
        run.note(self.view.marks.end());
    }

    /// It is over, and this is what it came to; all of it is in `dir`.
    pub fn end(self, run: &Run, dir: &Path, judged: &Judged, collector: &Collector) {
        self.view.tell(Told::Ended(Box::new(Ended::of(run, dir, judged, collector))));
    }
}

/// The graver of what both ask for.
fn either(
    mut one: watch::Receiver<Interrupt>,
    mut other: watch::Receiver<Interrupt>,
) -> watch::Receiver<Interrupt> {
    let (both, receiver) = watch::channel(Interrupt::None);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                Ok(()) = one.changed() => {}
                Ok(()) = other.changed() => {}
                else => break,
            }
            let (first, second) = (*one.borrow_and_update(), *other.borrow_and_update());
            both.send_replace(match (first, second) {
                (Interrupt::Abort { .. }, _) | (_, Interrupt::None) => first,
                (_, Interrupt::Abort { .. }) | (Interrupt::None, _) => second,
                (first, _) => first,
            });
        }
        // What was asked for stays.
        both.closed().await;
    });
    receiver
}
