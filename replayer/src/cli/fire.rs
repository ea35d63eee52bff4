//! A run in as many processes as it takes.

use std::path::Path;

use common_net::signals::Interrupt;
use tokio::sync::watch;

use super::lead;
use super::one_run::{Fired, ReadyRun};
use crate::error::Error;

/// Runs it into the run directory `out`.
///
/// # Errors
/// As [`ReadyRun::fire`], and when a process cannot be started or all of them are lost.
pub(super) fn fire(
    ready: ReadyRun<'_>,
    out: &Path,
    force: bool,
    watch: impl FnOnce() -> std::io::Result<watch::Receiver<Interrupt>>,
) -> Result<Fired, Error> {
    match ready.planned.shards.len() {
        1 => ready.fire(out, force, watch),
        _ => lead::fire(ready, out, force, watch),
    }
}
