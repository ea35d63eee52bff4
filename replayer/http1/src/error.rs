//! How sending can fail.

use std::io;
use std::net::SocketAddr;

use rustix::io::Errno;

use super::framing::FramingError;

/// Why there is no whole answer. One variant an outcome; the engine never
/// looks at a text.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("cannot connect to {address}")]
    ConnectFailed { address: SocketAddr, source: io::Error },
    /// The deadline passed before TCP, or the TLS handshake on it, was done.
    #[error("no connection to {address} in time")]
    ConnectTimedOut { address: SocketAddr },
    #[error("TLS handshake with {address} failed")]
    TlsFailed { address: SocketAddr, source: io::Error },
    /// A used connection cannot carry another exchange: it ended, or brought what nobody
    /// asked for, while it was idle. Nothing was sent, so any request may be, on a fresh one.
    #[error("the reused connection was stale")]
    Stale,
    /// A used connection ended before any byte of this answer: most likely it
    /// was closed as idle while the request was on its way. An idempotent
    /// request may be sent again, once, on a fresh connection.
    #[error("the reused connection ended before an answer")]
    StaleReset { source: io::Error },
    /// Ended within the exchange; an orderly close too early counts as well
    /// (its source is of kind `UnexpectedEof`).
    #[error("the connection ended within the exchange")]
    Reset {
        /// At least one byte of the request was handed to the kernel.
        sent: bool,
        /// At least one byte of an answer was read.
        received: bool,
        source: io::Error,
    },
    /// An answer that is not HTTP/1.1, or over a limit. It counts as a reset.
    #[error("the answer breaks HTTP/1.1")]
    Protocol { source: FramingError },
    /// This machine's fault and not the target's.
    #[error("out of {resource} on this machine")]
    LocalLimit { resource: LocalResource, source: io::Error },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalResource {
    Descriptors,
    Ports,
    Memory,
}

impl std::fmt::Display for LocalResource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Descriptors => "file descriptors",
            Self::Ports => "local ports",
            Self::Memory => "socket memory",
        })
    }
}

impl LocalResource {
    /// The resource that ran out, if that is what the error says.
    fn exhausted(error: &io::Error) -> Option<Self> {
        match Errno::from_io_error(error)? {
            Errno::MFILE | Errno::NFILE => Some(Self::Descriptors),
            // From connect and from bind to port 0: each source has so many ports.
            Errno::ADDRNOTAVAIL | Errno::ADDRINUSE => Some(Self::Ports),
            Errno::NOBUFS | Errno::NOMEM => Some(Self::Memory),
            _ => None,
        }
    }
}

impl SendError {
    /// Any error until TCP is connected.
    pub(super) fn connecting(address: SocketAddr, source: io::Error) -> Self {
        match LocalResource::exhausted(&source) {
            Some(resource) => Self::LocalLimit { resource, source },
            // The kernel's own limit, where it is shorter than the deadline.
            None if Errno::from_io_error(&source) == Some(Errno::TIMEDOUT) => {
                Self::ConnectTimedOut { address }
            }
            None => Self::ConnectFailed { address, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connecting(errno: Errno) -> SendError {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        SendError::connecting(address, io::Error::from_raw_os_error(errno.raw_os_error()))
    }

    #[test]
    fn what_this_machine_ran_out_of_is_not_blamed_on_the_target() {
        for (errno, expected) in [
            (Errno::MFILE, LocalResource::Descriptors),
            (Errno::NFILE, LocalResource::Descriptors),
            (Errno::ADDRNOTAVAIL, LocalResource::Ports),
            (Errno::ADDRINUSE, LocalResource::Ports),
            (Errno::NOBUFS, LocalResource::Memory),
            (Errno::NOMEM, LocalResource::Memory),
        ] {
            let error = connecting(errno);
            assert!(
                matches!(error, SendError::LocalLimit { resource, .. } if resource == expected),
                "{errno:?} gave {error:?}"
            );
        }
        for errno in [Errno::CONNREFUSED, Errno::NETUNREACH, Errno::HOSTUNREACH, Errno::CONNRESET] {
            assert!(matches!(connecting(errno), SendError::ConnectFailed { .. }), "{errno:?}");
        }
        assert!(matches!(connecting(Errno::TIMEDOUT), SendError::ConnectTimedOut { .. }));
    }
}
