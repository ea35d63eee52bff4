//! What can be known before any load: one look at the target and at what there is for the run.
//!
//! A load test that cannot log in measures refusals, and one behind a rate limiter the limiter. So
//! that nobody finds out afterwards, each persona's first session runs without think times, one
//! request after another, and what was found is a table of a row each. Unless more is asked for,
//! only that of a session runs which changes nothing: see [`choose`].

mod answers;
mod choose;
mod clock;
mod database;
mod error;
mod heard;
mod limiter;
mod room;
mod sessions;
mod table;

pub use answers::answer;
pub use choose::Extent;
pub use database::{Observed, Seeded};
pub use error::PreflightError;
pub use table::{Check, Row, State};

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::LocalSet;

use self::answers::{Kind, Login};
use self::sessions::{Tried, try_each};
use crate::config::Room;
use crate::engine::{Http, Settings};
use crate::prepare::Prepared;
use run_log::format::ErrorSample;

/// What a preflight is of.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub plan: &'a Arc<Prepared>,
    pub settings: &'a Settings,
    pub http: &'a Http,
    pub extent: Extent,
    /// None where no load is planned.
    pub room: Option<&'a Room>,
    /// None without a manifest.
    pub seeded: Option<&'a Seeded>,
    /// None where the database is not to be asked.
    pub observed: Option<Observed<'a>>,
}

/// What was found.
#[derive(Debug)]
pub struct Preflight {
    pub rows: Vec<Row>,
    /// Requests that went out.
    pub sent: u64,
    /// Those that failed, and had not when they were recorded.
    pub failed: u64,
    pub failures: Vec<ErrorSample>,
    /// Requests that were left out, by endpoint.
    pub not_tried: BTreeMap<String, u64>,
    /// Whether a limiter let less through than was tried.
    pub is_limited: bool,
    /// What ended it, and keeps a run from beginning: the rows are those that were known by then.
    pub stopped_by: Option<PreflightError>,
}

impl Preflight {
    /// The table, or of its rows those that are warnings and failures, and are not what the error
    /// says; nothing where that leaves none.
    pub fn text(&self, only_bad: bool) -> String {
        let is_error = |row: &Row| {
            self.stopped_by.is_some() && matches!(row.check, Check::Target | Check::Login)
        };
        let is_shown = |row: &&Row| !only_bad || row.state.is_bad() && !is_error(row);
        table::table(self.rows.iter().filter(is_shown))
    }
}

/// Looks at everything once.
pub async fn preflight(of: Subject<'_>) -> Preflight {
    let Subject { plan, settings, http, extent, room, seeded, observed } = of;
    let mut tried = Tried::default();
    let trying = try_each(plan, settings, http, extent, &mut tried);
    let mut stopped_by = LocalSet::new().run_until(trying).await.err();
    let mut rows = rows(&tried, stopped_by.as_ref());
    rows.extend(room::rows(room, settings.load.pacing));
    if stopped_by.is_none() {
        match database::row(seeded, observed).await {
            Ok(row) => rows.push(row),
            Err(error) => stopped_by = Some(error.into()),
        }
    }
    let Tried { sent, failed, failures, not_tried, limits, .. } = tried;
    Preflight {
        rows,
        sent,
        failed,
        failures: failures.into_iter().map(|(_, failure)| failure).collect(),
        not_tried,
        is_limited: limits.are_seen(),
        stopped_by,
    }
}

/// What was found by what was sent.
fn rows(tried: &Tried, stopped_by: Option<&PreflightError>) -> Vec<Row> {
    let heard = tried.heard.borrow();
    let target = match (stopped_by, heard.first_answer) {
        (Some(PreflightError::NoAnswer { outcome, .. }), _) => {
            Some((State::Failed, format!("no answer: {outcome}")))
        }
        (_, Some(after)) => {
            let ms = after.as_secs_f64() * 1e3;
            Some((State::Good, format!("answers; the first answer came after {ms:.1} ms")))
        }
        (Some(_), None) => None,
        (None, None) => {
            let says = "takes connections; there is nothing that it may be asked";
            Some((State::Good, says.to_owned()))
        }
    };
    let target = target.map(|(state, says)| Row::new(Check::Target, state, says));
    let failures = |kind: Kind| -> Vec<&ErrorSample> {
        let of_kind = tried.failures.iter().filter(|(of, _)| *of == kind);
        of_kind.map(|(_, failure)| failure).collect()
    };
    let none =
        |check, says: &str| stopped_by.is_none().then(|| Row::new(check, State::NotTried, says));
    let reads = tried.reads.row(Check::Reads, &failures(Kind::Read));
    let reads = reads.or_else(|| none(Check::Reads, "there is none that needs nothing of a write"));
    let writes = tried.writes.row(Check::Writes, &failures(Kind::Write));
    let left_out = (!tried.not_tried.is_empty())
        .then(|| Row::new(Check::Writes, State::NotTried, answers::not_tried(&tried.not_tried)));
    let logins = tried.logins.iter().map(Login::row);
    let rows = [target, heard.clocks.row()].into_iter().flatten().chain(logins);
    let limits = tried.limits.row(tried.sent);
    rows.chain([reads, writes, left_out, limits].into_iter().flatten()).collect()
}
