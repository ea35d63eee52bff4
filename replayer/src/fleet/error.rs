//! What can go wrong in a fleet.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use common::address::SafetyError;
use common::exit::Exit;

#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    #[error("--nats: expected an address such as nats://127.0.0.1:4222")]
    Address,
    #[error(transparent)]
    Refused(#[from] SafetyError),
    #[error("NATS at {place} cannot be reached: {message}")]
    Unreachable { place: String, message: String },
    #[error("cannot {what}: NATS says: {message}")]
    Nats { what: &'static str, message: String },
    #[error("--run: {0:?} cannot be a run's name; expected letters, digits, - and _, at most 64")]
    Name(String),
    #[error("there is a run {0} already; `replayer fleet resume {0}` collects it")]
    Exists(String),
    #[error("there is no run {0}; `replayer fleet status` lists them")]
    Unknown(String),
    #[error(
        "--send-manifest: its passwords are never sent without TLS; give a tls:// address, or each \
         worker the file with --manifest"
    )]
    Plain,
    #[error("{} cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} cannot be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{what} of run {run} has another digest than the plan says: {found}, not {expected}")]
    Digest { what: String, run: String, found: String, expected: String },
    #[error(
        "the run has a manifest, which is not sent; give this worker the file with --manifest \
         (digest {digest}{})", other.as_ref().map_or_else(String::new, |other| format!(", not {other}"))
    )]
    NoManifest { digest: String, other: Option<String> },
    #[error("the plan is of {theirs}, and this is {ours}: they would not plan the same")]
    Version { theirs: String, ours: String },
    #[error("the plan has the option {0}, which a worker does not take from others")]
    Option(String),
    #[error("the claim of shard {0} was taken away")]
    ClaimLost(u32),
    #[error("shard {shard} could not be uploaded within {}; it is in {}", humantime::format_duration(*within), dir.display())]
    Upload { shard: u32, within: Duration, dir: PathBuf },
    #[error(
        "nothing could be collected: no worker has sent its run directory; each has it, and \
         `replayer merge` adds them up"
    )]
    Nothing,
}

impl FleetError {
    /// Makes one of what NATS says, for whatever was asked of it.
    pub(super) fn nats<E: fmt::Display>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Nats { what, message: error.to_string() }
    }

    pub fn exit(&self) -> Exit {
        match self {
            Self::Refused(error) => error.exit(),
            Self::Plain => Exit::Refused,
            Self::Address | Self::Name(_) | Self::Exists(_) | Self::Unknown(_) => Exit::Usage,
            Self::Unreachable { .. }
            | Self::Nats { .. }
            | Self::NoManifest { .. }
            | Self::Digest { .. }
            | Self::Version { .. }
            | Self::ClaimLost(_) => Exit::Environment,
            Self::Option(_) => Exit::Refused,
            Self::Upload { .. } | Self::Nothing => Exit::Incomplete,
            Self::Read { .. } | Self::Write { .. } => Exit::Internal,
        }
    }
}
