//! The preflight of a run: how much of it is asked for, and what is shown.

use common::secret::Secret;

use super::asked::Asked;
use super::input::{Choices, Ready};
use super::run_args::ProbeArg;
use crate::config::Room;
use crate::error::Error;
use crate::preflight::{Extent, Observed, Subject, preflight};

impl Ready {
    /// What a preflight is of.
    pub(super) fn subject<'a>(
        &'a self,
        extent: Extent,
        room: Option<&'a Room>,
        observed: Option<Observed<'a>>,
    ) -> Subject<'a> {
        let Self { plan, settings, http, seeded, .. } = self;
        Subject { plan, settings, http, extent, room, seeded: seeded.as_ref(), observed }
    }
}

/// A database that may be asked.
pub(super) fn observed<'a>(url: Option<&'a Secret>, allowed: &'a [String]) -> Option<Observed<'a>> {
    url.map(|url| Observed { url: url.expose(), allowed })
}

/// Looks at the target before a run, and shows what was found; how many requests that took. Whoever
/// compares answers has data as they were when it was recorded, and nothing is sent.
///
/// # Errors
/// When the target does not answer, refuses a login, or the database cannot be asked.
pub(super) async fn preflighted(
    asked: &Asked<'_>,
    choices: &Choices,
    ready: &Ready,
    room: &Room,
) -> Result<u64, Error> {
    let Asked { input, conduct, verify, .. } = asked;
    if conduct.no_preflight || *verify {
        return Ok(0);
    }
    let extent = match conduct.probe {
        ProbeArg::Safe => Extent::Safe,
        ProbeArg::Full => Extent::Full,
    };
    let database = observed(choices.database.as_ref(), &input.allow_host);
    let found = preflight(ready.subject(extent, Some(room), database)).await;
    let text = found.text(conduct.quiet);
    if !text.is_empty() {
        common::say!("preflight of {}\n{}", ready.target, text.trim_end());
    }
    found.stopped_by.map_or(Ok(found.sent), |error| Err(error.into()))
}
