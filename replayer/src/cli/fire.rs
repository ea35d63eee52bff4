//! A run in as many processes as it takes.

use std::path::Path;

use common_net::signals::Interrupt;
use tokio::sync::watch;

use super::audited;
use super::lead;
use super::one_run::{Fired, ReadyRun};
use crate::error::Error;
use crate::live::View;

/// Runs it into the run directory `out`, and shows it where there is a view.
///
/// # Errors
/// As [`ReadyRun::fire`], when an audit is asked for that cannot be done, and when a process cannot
/// be started or all of them are lost.
pub(super) fn fire(
    ready: ReadyRun<'_>,
    out: &Path,
    force: bool,
    view: Option<&View>,
    watch: impl FnOnce() -> std::io::Result<watch::Receiver<Interrupt>>,
) -> Result<Fired, Error> {
    audited::check(ready.asked, &ready.choices, &ready.ready.plan.endpoints)?;
    match ready.planned.shards.len() {
        1 => ready.fire(out, force, view, watch),
        _ => lead::fire(ready, out, force, view, watch),
    }
}
