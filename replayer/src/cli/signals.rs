//! What ends the work of a command before its time.

use common_net::signals::Interrupt;
use tokio::sync::watch;

use crate::live::View;

/// Begins to turn signals into interrupts; needs a runtime.
pub type WatchSignals = fn() -> std::io::Result<watch::Receiver<Interrupt>>;

/// What signals ask for, and viewers, if there is a page; needs a runtime.
pub(super) fn interrupts(
    view: Option<&View>,
    watch: WatchSignals,
) -> std::io::Result<watch::Receiver<Interrupt>> {
    let signals = watch()?;
    Ok(match view {
        Some(view) => view.interrupts(signals),
        None => signals,
    })
}
