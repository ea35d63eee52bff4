//! Why nothing, or not all, was recorded.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use common::address::SafetyError;
use tokio::task::JoinError;

use common_net::trust::TrustError;
use trace::journal::JournalError;
use trace::writer::WriteError;

#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    #[error(transparent)]
    Refused(#[from] SafetyError),
    #[error("{host} is no name that a certificate could be for")]
    ServerName { host: String },
    #[error(transparent)]
    Tls(#[from] TrustError),
    #[error(
        "{connections} client connections and {upstream} to the upstream need {needed} descriptors, this process may have {limit}; raise `ulimit -n`, or lower --max-connections or --max-upstream"
    )]
    Descriptors { connections: usize, upstream: usize, needed: u64, limit: u64 },
    #[error("cannot reach {upstream}")]
    Unreachable { upstream: String, source: ConnectError },
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot start the proxy")]
    Runtime(#[source] io::Error),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(
        "{dropped} exchanges were lost; make a trace of the others with: recorder finish {}", journal.display()
    )]
    Lost { dropped: u64, journal: PathBuf, source: WriteError },
    #[error("no trace was made; try again with: recorder finish {}", journal.display())]
    Finish { journal: PathBuf, source: JournalError },
    #[error("a task of the proxy failed")]
    Task(#[from] JoinError),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    #[error(transparent)]
    Tcp(io::Error),
    #[error("TLS failed: {0}")]
    Tls(io::Error),
    #[error(transparent)]
    Http(hyper::Error),
}
