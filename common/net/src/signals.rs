//! SIGINT and SIGTERM, as requests rather than the end of the process.
//!
//! For `main.rs` alone: libraries take the token or the receiver.

use std::io;

use common::exit::Exit;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What signals have asked for so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    None,
    /// Start nothing new, and give what is under way its grace period.
    Stop {
        signal: i32,
    },
    /// Cut off what is under way.
    Abort {
        signal: i32,
    },
}

impl Interrupt {
    /// The exit code of the signal that came first, good if none did.
    pub fn exit(self) -> Exit {
        match self {
            Self::None => Exit::Good,
            Self::Stop { signal } | Self::Abort { signal } => exit_of(signal),
        }
    }
}

/// The exit code of a process that a signal ended.
pub fn exit_of(signal: i32) -> Exit {
    if signal == SignalKind::terminate().as_raw_value() {
        Exit::Terminated
    } else {
        Exit::Interrupted
    }
}

/// Watches from now on: the first signal asks to stop, the second to cut off, and no
/// further one ends the process before all is written.
///
/// # Errors
/// When the system does not let them be watched.
pub fn watch() -> io::Result<watch::Receiver<Interrupt>> {
    let (interrupt, interrupts) = watch::channel(Interrupt::None);
    let mut int = signal(SignalKind::interrupt())?;
    let mut term = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        let signal = next(&mut int, &mut term).await;
        interrupt.send_replace(Interrupt::Stop { signal });
        next(&mut int, &mut term).await;
        interrupt.send_replace(Interrupt::Abort { signal });
        loop {
            next(&mut int, &mut term).await;
        }
    });
    Ok(interrupts)
}

async fn next(int: &mut Signal, term: &mut Signal) -> i32 {
    tokio::select! {
        _ = int.recv() => SignalKind::interrupt().as_raw_value(),
        _ = term.recv() => SignalKind::terminate().as_raw_value(),
    }
}

/// What the first and the second signal cancel.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Start nothing new.
    pub stop: CancellationToken,
    /// Wait for nothing any more.
    pub abort: CancellationToken,
}

/// Signals of a tool that ends its work early at the first one.
#[derive(Debug, Default)]
pub struct Signals {
    interrupts: std::cell::OnceCell<watch::Receiver<Interrupt>>,
}

impl Signals {
    /// From now on a signal cancels the token instead of ending the process.
    pub fn listen(&self) -> CancellationToken {
        self.listen_twice().stop
    }

    /// As [`Signals::listen`], for work that has a grace period, which a second signal ends.
    pub fn listen_twice(&self) -> Shutdown {
        let shutdown = Shutdown::default();
        // Where signals cannot be watched they end the process, as they do by default.
        if let Ok(mut interrupts) = watch() {
            // Asked for once a process.
            let _ = self.interrupts.set(interrupts.clone());
            let Shutdown { stop, abort } = shutdown.clone();
            tokio::spawn(async move {
                while interrupts.changed().await.is_ok() {
                    stop.cancel();
                    if matches!(*interrupts.borrow(), Interrupt::Abort { .. }) {
                        abort.cancel();
                    }
                }
            });
        }
        shutdown
    }

    /// The exit code of the signal that came, good if none did.
    pub fn exit(&self) -> Exit {
        self.interrupts.get().map_or(Exit::Good, |interrupts| interrupts.borrow().exit())
    }
}
