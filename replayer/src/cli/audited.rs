//! The audit of a run: whether it can be done, and, after the run, doing it.

use std::path::Path;

use common::exit::one_line;
use common::secret::Secret;
use common_net::runtime;
use common_net::signals::Interrupt;
use figures::Plateau;
use redact::is_secret_name;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::time::sleep;

use super::asked::Asked;
use super::input::Choices;
use crate::audit::{self, AuditError};
use crate::config::ConfigError;
use crate::error::Error;
use crate::observe::{DatabaseError, Place};
use run_log::audit::AuditCounts;
use run_log::format::{EndedBy, Run};
use run_log::reader::RunReader;
use run_log::writer::Findings;
use scenario::{Audit, MarkPlace};

/// So it is said of one that nobody has begun with.
const NOT_YET: &str = "the run did not come to its end";

/// Makes sure that no mark is a secret by its name: marks are written into the run directory.
///
/// # Errors
/// With the key of the scenario's file.
pub(super) fn check_mark(asked: &Asked<'_>, choices: &Choices) -> Result<(), ConfigError> {
    let Some(Audit { mark: MarkPlace::Answer(pointer), .. }) = choices.audit() else {
        return Ok(());
    };
    let tokens = trace::pointer::tokens(pointer).unwrap_or_default();
    match tokens.into_iter().find(|token| is_secret_name(token)) {
        Some(secret) => Err(ConfigError::Audit {
            place: place_of(asked, " mark"),
            message: format!(
                "what stands under {secret:?} is secret, and marks are written into the run directory"
            ),
        }),
        None => Ok(()),
    }
}

/// Why no audit is done of this run, where that is known before it.
pub(super) fn hindered(
    asked: &Asked<'_>,
    choices: &Choices,
    audit: &Audit,
    endpoints: &[String],
) -> Option<&'static str> {
    if asked.led || asked.shard.is_some() {
        Some("a part of the plan is not audited")
    } else if !endpoints.contains(&audit.endpoint) {
        Some("its endpoint is left out of this run")
    } else if asked.conduct.no_observe {
        Some("the database is not to be asked (--no-observe)")
    } else if choices.database.is_none() {
        Some("no database is given (--database-url)")
    } else {
        None
    }
}

/// As `run.json` has it before the run.
pub(super) fn before_the_run(
    asked: &Asked<'_>,
    choices: &Choices,
    endpoints: &[String],
) -> Option<run_log::audit::Audit> {
    let audit = choices.audit()?;
    Some(audit::record(audit, hindered(asked, choices, audit, endpoints).unwrap_or(NOT_YET)))
}

/// Makes sure that the audit can be done, if it is to be.
///
/// # Errors
/// With the key of the scenario's file when the database has no such table or column or may not be
/// asked, and when it cannot be reached.
pub(super) fn check(
    asked: &Asked<'_>,
    choices: &Choices,
    endpoints: &[String],
) -> Result<(), Error> {
    let Some(audit) = choices.audit() else { return Ok(()) };
    if hindered(asked, choices, audit, endpoints).is_some() {
        return Ok(());
    }
    let runtime = runtime::build(Builder::new_current_thread()).map_err(Error::Runtime)?;
    let checked = runtime.block_on(async { audit::check(database(asked, choices)?, audit).await });
    checked.map_err(|error| match error.key() {
        Some(key) => {
            let message = in_words(&error);
            ConfigError::Audit { place: place_of(asked, key), message }.into()
        }
        None => Error::Audit(error),
    })
}

/// Does the audit of the run in `out`, which was measured and is not finished yet, if it can be
/// done. What keeps it from being done after the run is told in `run.json`, and is no error: what
/// was measured stays.
pub(super) async fn after_the_run(
    asked: &Asked<'_>,
    choices: &Choices,
    out: &Path,
    run: &mut Run,
    plateau: &mut Plateau,
    mut interrupts: watch::Receiver<Interrupt>,
) {
    let Some(audit) = choices.audit() else { return };
    if let Some(why) = hindered(asked, choices, audit, &run.endpoints) {
        run.audit = Some(audit::record(audit, why));
        return;
    }
    let found = if let Some(EndedBy::Signal(_)) = run.ended_by {
        Err("the run was interrupted".to_owned())
    } else {
        if !asked.conduct.quiet {
            let settle = humantime::format_duration(audit.settle);
            common::say!("replayer: the audit counts in {settle}, when queues have drained");
        }
        tokio::select! {
            biased;
            Ok(()) = interrupts.changed() => Err("it was interrupted".to_owned()),
            found = counted(asked, choices, audit, out) => found.map_err(|error| in_words(&error)),
        }
    };
    match found {
        Ok(counts) => {
            plateau.audit = Some(counts);
            run.audit = Some(audit::record(audit, "").counted(counts));
        }
        Err(why) => {
            common::say!("replayer: the audit was not done: {why}");
            run.audit = Some(audit::record(audit, &why));
        }
    }
}

async fn counted(
    asked: &Asked<'_>,
    choices: &Choices,
    audit: &Audit,
    out: &Path,
) -> Result<AuditCounts, AuditError> {
    sleep(audit.settle).await;
    let marks = RunReader::open(out)?.marks()?;
    audit::count(database(asked, choices)?, audit, marks, Findings::create(out)?).await
}

fn database(asked: &Asked<'_>, choices: &Choices) -> Result<Place, DatabaseError> {
    let url = &choices.database;
    Place::of(url.as_ref().map_or("", Secret::expose), &asked.input.allow_host)
}

fn place_of(asked: &Asked<'_>, key: &str) -> String {
    let path = asked.load.scenario.as_deref().unwrap_or(Path::new(""));
    format!("scenario {}: [audit]{key}", path.display())
}

/// An error with its causes.
fn in_words(error: &AuditError) -> String {
    let line = one_line("", error);
    line.strip_prefix(": ").unwrap_or(&line).to_owned()
}
