//! The page of `--live`, as long as a command needs it.

use common::exit::Exit;

use super::run_args::Conduct;
use super::signals::WatchSignals;
use crate::error::Error;
use crate::live::View;

/// Does some work while a page shows it, if one is asked for, and serves it for as long as
/// `--live-linger` says. What the work is given ends it: signals, and who looks at the page.
pub(super) fn shown(
    conduct: &Conduct,
    watch: WatchSignals,
    work: impl FnOnce(Option<&View>) -> Result<Exit, Error>,
) -> Result<Exit, Error> {
    let view = conduct.live.map(View::open).transpose()?;
    let exit = work(view.as_ref())?;
    if let Some((view, time)) = view.zip(conduct.live_linger) {
        view.linger(time, watch).map_err(Error::Runtime)?;
    }
    Ok(exit)
}
