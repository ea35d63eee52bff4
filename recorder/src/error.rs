//! What can go wrong, and the exit code of each.

use std::io;
use std::path::PathBuf;

use common::exit::Exit;
use common::output::OutputError;
use common::target::OptionError;
use manifest::ManifestError;
use rewrites::RewritesError;

use crate::correlate::RulesError;
use crate::edit::diff::DiffError;
use crate::import::ImportError;
use crate::mock::MockError;
use crate::persona::{PersonasError, RecordError};
use crate::proxy::ProxyError;
use trace::journal::JournalError;
use trace::reader::ReadError;
use trace::writer::WriteError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error(transparent)]
    Option(#[from] OptionError),
    #[error("cannot write {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Personas(#[from] PersonasError),
    #[error(transparent)]
    Rewrites(#[from] RewritesError),
    #[error(transparent)]
    Rules(#[from] RulesError),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error(transparent)]
    Mock(#[from] MockError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{} has {problems} faults that keep it from being replayed", path.display())]
    Faulty { path: PathBuf, problems: u64 },
    #[error("cannot read {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("values that look like secrets: {count}")]
    LooksSecret { count: u64 },
    #[error(
        "the traces begin {days:.1} days apart: say with --align whether to keep that (wall-clock) \
         or to begin them all at once (start)"
    )]
    Apart { days: f64 },
    #[error(transparent)]
    Diff(#[from] DiffError),
    #[error("cannot write to stdout")]
    Stdout(#[source] io::Error),
}

impl Error {
    /// The exit code that tells a script what kind of failure it was.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Exit::Usage
            }
            Self::File { .. }
            | Self::Stdout(_)
            | Self::Unreadable { .. }
            | Self::LooksSecret { .. } => Exit::Internal,
            Self::Output(error) => error.exit(),
            Self::Option(_)
            | Self::Personas(_)
            | Self::Rewrites(_)
            | Self::Rules(_)
            | Self::Manifest(_)
            | Self::Faulty { .. }
            | Self::Apart { .. } => Exit::Usage,
            Self::Record(error) => record(error),
            Self::Proxy(error) => proxy(error),
            Self::Mock(error) => mock(error),
            Self::Import(error) => import(error),
            Self::Journal(error) => journal(error),
            Self::Read(error) | Self::Diff(DiffError::Read(error)) => read(error),
            Self::Diff(DiffError::TooLarge { .. }) => Exit::Usage,
        }
    }
}

fn record(error: &RecordError) -> Exit {
    match error {
        RecordError::NoAccounts { .. }
        | RecordError::NoPersona { .. }
        | RecordError::NoLogin { .. }
        | RecordError::NoField { .. }
        | RecordError::Answers { .. }
        | RecordError::Request { .. } => Exit::Usage,
        RecordError::Refused(error) => error.exit(),
        RecordError::Unreachable { .. }
        | RecordError::Login { .. }
        | RecordError::Failures { .. } => Exit::Environment,
        RecordError::Journal(error) => journal(error),
        RecordError::Write(error) => write(error),
        RecordError::Client(_) | RecordError::Task(_) => Exit::Internal,
    }
}

fn proxy(error: &ProxyError) -> Exit {
    match error {
        ProxyError::Tls(_) | ProxyError::ServerName { .. } | ProxyError::Descriptors { .. } => {
            Exit::Usage
        }
        ProxyError::Refused(error) => error.exit(),
        ProxyError::Unreachable { .. } | ProxyError::Listen { .. } => Exit::Environment,
        ProxyError::Journal(error) => journal(error),
        ProxyError::Runtime(_)
        | ProxyError::Lost { .. }
        | ProxyError::Finish { .. }
        | ProxyError::Task(_) => Exit::Internal,
    }
}

fn mock(error: &MockError) -> Exit {
    match error {
        MockError::Read(error) => read(error),
        MockError::NoAnswer { .. } | MockError::Failures { .. } => Exit::Usage,
        MockError::Proxy(error) => proxy(error),
    }
}

fn import(error: &ImportError) -> Exit {
    match error {
        ImportError::Io { source, .. } if source.kind() != io::ErrorKind::NotFound => {
            Exit::Internal
        }
        ImportError::Cut { .. } => Exit::Incomplete,
        ImportError::Login(error) => record(error),
        ImportError::Journal(error) => journal(error),
        ImportError::Write(WriteError::TooLong { .. } | WriteError::Order { .. }) => Exit::Usage,
        ImportError::Write(error) => write(error),
        ImportError::Io { .. }
        | ImportError::Empty { .. }
        | ImportError::Content { .. }
        | ImportError::Nothing { .. }
        | ImportError::Option { .. } => Exit::Usage,
    }
}

fn journal(error: &JournalError) -> Exit {
    match error {
        JournalError::Exists { .. } | JournalError::Name { .. } => Exit::Usage,
        JournalError::Empty { .. } => Exit::Incomplete,
        JournalError::Read(error) => read(error),
        JournalError::Write(error) => write(error),
    }
}

fn write(error: &WriteError) -> Exit {
    match error {
        WriteError::Output(error) => error.exit(),
        WriteError::Io { .. } | WriteError::Order { .. } | WriteError::TooLong { .. } => {
            Exit::Internal
        }
    }
}

fn read(error: &ReadError) -> Exit {
    match error {
        ReadError::Io { source, .. } if source.kind() != io::ErrorKind::NotFound => Exit::Internal,
        ReadError::Incomplete { .. } => Exit::Incomplete,
        ReadError::Io { .. }
        | ReadError::Damaged { .. }
        | ReadError::Format { .. }
        | ReadError::TooNew { .. }
        | ReadError::TooOld { .. }
        | ReadError::NeedsMinor { .. } => Exit::Usage,
    }
}
