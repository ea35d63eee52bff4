//! What can go wrong, and the exit code of each.

use std::path::PathBuf;

use common::exit::Exit;
use manifest::ManifestError;
use rewrites::RewritesError;

use crate::audit::AuditError;
use crate::config::ConfigError;
use crate::engine::EngineError;
use crate::lead::LeadError;
use crate::live::LiveError;
use crate::merge::MergeError;
use crate::observe::{Misnamed, ObserveError};
use crate::preflight::PreflightError;
use crate::prepare::PrepareError;
use crate::schedule::ScheduleError;
use crate::suite::before::BeforeError;
use crate::suite::journal::JournalError;
use common_net::trust::TrustError;
use http1::DestinationError;
use run_log::reader::ReadError;
use run_log::writer::WriteError;
use scenario::ScenarioError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error(transparent)]
    Rewrites(#[from] RewritesError),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Trace(#[from] PrepareError),
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    #[error(transparent)]
    Destination(#[from] DestinationError),
    #[error(transparent)]
    Tls(#[from] TrustError),
    #[error(transparent)]
    Observe(#[from] ObserveError),
    #[error(transparent)]
    Misnamed(#[from] Misnamed),
    #[error(transparent)]
    Audit(AuditError),
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Merge(#[from] MergeError),
    #[error(transparent)]
    Lead(#[from] LeadError),
    #[cfg(feature = "fleet")]
    #[error(transparent)]
    Fleet(#[from] crate::fleet::FleetError),
    #[error(transparent)]
    Live(#[from] LiveError),
    #[error(transparent)]
    Before(#[from] BeforeError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("cannot start the runtime")]
    Runtime(#[source] std::io::Error),
    #[error("cannot write to {}", path.display())]
    Output { path: PathBuf, source: std::io::Error },
}

impl Error {
    /// What was asked for cannot be shown.
    pub(crate) fn stdout(source: std::io::Error) -> Self {
        Self::Output { path: PathBuf::from("stdout"), source }
    }

    /// The exit code that tells a script what kind of failure it was.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(error) => error.exit(),
            Self::Scenario(_) | Self::Rewrites(_) | Self::Schedule(_) => Exit::Usage,
            Self::Manifest(error) => match error {
                ManifestError::Read { source, .. } if !is_absent(source) => Exit::Internal,
                _ => Exit::Usage,
            },
            Self::Trace(error) => error.exit(),
            Self::Destination(error) => destination(error),
            Self::Observe(error) => error.exit(),
            Self::Misnamed(error) => error.exit(),
            Self::Preflight(PreflightError::Database(error))
            | Self::Audit(AuditError::Database(error)) => error.exit(),
            Self::Write(error) | Self::Merge(MergeError::Write(error)) => match error {
                WriteError::NotEmpty { .. } | WriteError::NotARun { .. } => Exit::Usage,
                WriteError::Io { .. } => Exit::Internal,
            },
            Self::Merge(MergeError::Read(ReadError::Io { .. })) => Exit::Internal,
            Self::Merge(MergeError::Incomplete { .. }) => Exit::Incomplete,
            Self::Merge(_) => Exit::Usage,
            #[cfg(feature = "fleet")]
            Self::Fleet(error) => error.exit(),
            Self::Lead(LeadError::NotReady { .. } | LeadError::NotArmed(_)) => Exit::Environment,
            Self::Before(BeforeError::Log { .. }) => Exit::Internal,
            Self::Before(_) => Exit::Environment,
            Self::Journal(error) => match error {
                JournalError::Read { .. } => Exit::Internal,
                JournalError::Write(error) => error.exit(),
                JournalError::Damaged { .. }
                | JournalError::Ended { .. }
                | JournalError::Other { .. } => Exit::Usage,
            },
            Self::Read(_)
            | Self::Engine(_)
            | Self::Lead(_)
            | Self::Live(LiveError::Start(_))
            | Self::Preflight(PreflightError::Engine(_))
            | Self::Runtime(_)
            | Self::Output { .. } => Exit::Internal,
            Self::Live(LiveError::Listen { .. })
            | Self::Tls(_)
            | Self::Preflight(_)
            | Self::Audit(_) => Exit::Environment,
        }
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

impl PrepareError {
    fn exit(&self) -> Exit {
        use trace::reader::ReadError;
        match self {
            Self::Read(ReadError::Incomplete { .. }) => Exit::Incomplete,
            Self::Read(ReadError::Io { source, .. }) if !is_absent(source) => Exit::Internal,
            Self::Read(_)
            | Self::Request { .. }
            | Self::Empty { .. }
            | Self::PartlyRewritten { .. }
            | Self::TooBig { .. }
            | Self::TooWide { .. } => Exit::Usage,
            Self::Changed { .. } => Exit::Internal,
        }
    }
}

fn destination(error: &DestinationError) -> Exit {
    match error {
        DestinationError::Safety(error) => error.exit(),
        DestinationError::Name { .. } => Exit::Usage,
    }
}
