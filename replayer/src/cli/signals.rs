//! SIGINT and SIGTERM, as the engine's interrupts.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::engine::Interrupt;

/// Watches for signals from now on: the first stops intake, the second cuts off.
///
/// # Errors
/// When the system does not let them be watched.
pub(super) fn watch_signals() -> std::io::Result<watch::Receiver<Interrupt>> {
    let (interrupt, interrupts) = watch::channel(Interrupt::None);
    let mut int = signal(SignalKind::interrupt())?;
    let mut term = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        let first = next(&mut int, &mut term).await;
        eprintln!(
            "\nreplayer: stopping; requests under way may still end, a second signal cuts them off"
        );
        interrupt.send_replace(Interrupt::Stop { signal: first });
        next(&mut int, &mut term).await;
        interrupt.send_replace(Interrupt::Abort { signal: first });
        // Kept, so that a third signal does not end the process before all is written.
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
