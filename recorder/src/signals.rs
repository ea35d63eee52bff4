//! SIGINT and SIGTERM: the recording ends early and is written.

use std::sync::{Arc, OnceLock};

use seeder::exit::Exit;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[derive(Default)]
pub(crate) struct Signals {
    received: Arc<OnceLock<Exit>>,
}

impl Signals {
    /// From now on a signal cancels the token instead of ending the process.
    pub(crate) fn listen(&self) -> CancellationToken {
        let shutdown = CancellationToken::new();
        // Where signals cannot be listened to they end the process, as they do by default.
        if let (Ok(interrupt), Ok(terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        {
            tokio::spawn(wait(interrupt, terminate, self.received.clone(), shutdown.clone()));
        }
        shutdown
    }

    /// The exit code of the signal that came, good if none did.
    pub(crate) fn exit(&self) -> Exit {
        self.received.get().copied().unwrap_or(Exit::Good)
    }
}

async fn wait(
    mut interrupt: Signal,
    mut terminate: Signal,
    received: Arc<OnceLock<Exit>>,
    shutdown: CancellationToken,
) {
    let exit = tokio::select! {
        _ = interrupt.recv() => Exit::Interrupted,
        _ = terminate.recv() => Exit::Terminated,
    };
    received.get_or_init(|| exit);
    shutdown.cancel();
}
