//! One run on many machines, over NATS with JetStream.
//!
//! A lead writes a plan and workers claim its shards (`record` in the key-value bucket, under
//! `names`). Files go by their digests (`files`), clocks are compared (`clock`), all begin at one
//! time (`timetable`), each second goes to the lead in `pieces`, and at the end each run directory
//! (`results`). `remote` is the lead's side of it, which [`crate::lead::Lead`] leads as it leads the processes of
//! one machine; `work` is the worker's, a bridge between NATS and one such process. What a worker
//! measured is in its run directory: NATS carries it, and holds nothing that is not there.

mod clock;
mod error;
mod files;
mod names;
mod nats;
mod options;
mod pieces;
mod record;
mod remote;
mod results;
mod status;
mod timetable;
mod work;

pub use error::FleetError;
pub use names::is_run;
pub use nats::{Access, Nats};
#[cfg(test)]
pub(crate) use options::is_known;
pub use record::{File, FileKind, PlanState, ShardPlan};
pub use remote::{NewPlan, Remote};
pub use status::{RunStatus, ShardStatus, runs};
pub use work::{Conditions, work};

use std::path::Path;

/// Leads and workers of another version would not plan the same.
const TOOL: &str = concat!("replayer ", env!("CARGO_PKG_VERSION"));

/// Those options of a run that its plan has.
pub fn planned_options(options: impl IntoIterator<Item = String>) -> Vec<String> {
    options::planned(options)
}

/// A file of a plan, which is sent where it may be and is not there yet.
///
/// # Errors
/// When it cannot be read or sent.
pub async fn offer(nats: &Nats, path: &Path, is_sent: bool) -> Result<File, FleetError> {
    let digest = files::digest_of(path).await?;
    if is_sent {
        files::send(nats, path, &names::file(&digest)).await?;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(File { name, digest, is_sent })
}
