//! Where a database is, and who may be connected to there.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use common::address::{self, SafetyError};
use common::exit::Exit;
use common::sql::quoted;
use common_net::apart::{Left, within};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};

#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    // The URL is not shown: it may hold a password.
    #[error("--database-url is not a URL such as postgres://user@127.0.0.1:5432/name")]
    Url,
    #[error(transparent)]
    Safety(#[from] SafetyError),
    #[error("cannot observe the database at {host}:{port}")]
    Connect { host: String, port: u16, source: sqlx::Error },
    #[error("cannot observe the database at {host}:{port}")]
    Left { host: String, port: u16, source: Left },
}

impl DatabaseError {
    pub fn exit(&self) -> Exit {
        match self {
            Self::Url => Exit::Usage,
            Self::Safety(error) => error.exit(),
            Self::Connect { .. } | Self::Left { .. } => Exit::Environment,
        }
    }
}

/// So long a database may take to let somebody in and to say what it is asked first.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What its sessions are called there, so that what they cost can be told.
const APPLICATION: &str = "replayer";

/// Where a database is.
#[derive(Clone)]
pub struct Place {
    options: PgConnectOptions,
    /// As they were typed, for messages.
    host: String,
    port: u16,
}

impl Place {
    /// Of the database at `url`, on this machine or a host that is allowed.
    ///
    /// # Errors
    /// When it is not a URL, or its host may not be used.
    pub fn of(url: &str, allowed: &[String]) -> Result<Self, DatabaseError> {
        Self::pinned(url, |host, port| address::pin(host, port, allowed))
    }

    /// Connects, and does `work` there; a server that talks without end is left.
    ///
    /// # Errors
    /// When it cannot be connected to, or `work` fails.
    pub async fn visit<T, F>(
        self,
        work: impl FnOnce(PgConnection) -> F + Send + 'static,
    ) -> Result<T, DatabaseError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, sqlx::Error>> + Send + 'static,
    {
        let Self { options, host, port } = self;
        let visiting = async move { work(PgConnection::connect_with(&options).await?).await };
        match within(CONNECT_TIMEOUT, visiting).await {
            Ok(visited) => visited.map_err(|source| DatabaseError::Connect { host, port, source }),
            Err(source) => Err(DatabaseError::Left { host, port, source }),
        }
    }

    /// Asks `pin` for the addresses of the host, unless it is a socket. What is connected to is
    /// one of them, not the name: a second answer of the name server is never asked for.
    fn pinned(
        url: &str,
        pin: impl FnOnce(&str, u16) -> Result<Vec<SocketAddr>, SafetyError>,
    ) -> Result<Self, DatabaseError> {
        let options = PgConnectOptions::from_str(url).map_err(|_| DatabaseError::Url)?;
        let options = options.application_name(APPLICATION);
        let (host, port) = (options.get_host().to_owned(), options.get_port());
        let options = if options.get_socket().is_some() || host.starts_with('/') {
            options
        } else {
            match pin(&host, port)?.first() {
                Some(address) => options.host(&address.ip().to_string()),
                None => return Err(SafetyError::NoAddress { host }.into()),
            }
        };
        Ok(Self { options, host, port })
    }
}

/// A table's name for SQL, its schema before it where it is said.
pub fn quoted_table(name: &str) -> String {
    name.split('.').map(quoted).collect::<Vec<_>>().join(".")
}

/// Host, port and name of the database, and nothing else of its URL.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { options, host, port } = self;
        write!(f, "{host}:{port}/{}", options.get_database().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Nothing is sent anywhere: what would be connected to is looked at.
    #[test]
    fn the_first_answer_of_the_name_server_is_what_is_connected_to() {
        let asked = Cell::new(0);
        // Each time another address, as a name server may that wants the load elsewhere.
        let resolver = |_: &str, port| {
            let answers = ["127.0.0.1", "203.0.113.7"];
            let answer = answers[asked.replace(asked.get() + 1)];
            Ok(vec![SocketAddr::new(answer.parse().unwrap(), port)])
        };
        let place = Place::pinned("postgres://u:secret@db.example:5433/d", |host, port| {
            address::pin_by(host, port, &[], resolver)
        });
        let place = place.unwrap();
        assert_eq!(place.to_string(), "db.example:5433/d");
        let Place { options, host, port } = place;
        assert_eq!((options.get_host(), options.get_port()), ("127.0.0.1", 5433));
        assert_eq!((host.as_str(), port, asked.get()), ("db.example", 5433, 1));
        let refused = Place::pinned("postgres://u:secret@db.example/d", |host, port| {
            address::pin_by(host, port, &[], resolver)
        });
        let refused = refused.err().unwrap().to_string();
        assert!(refused.contains("203.0.113.7") && !refused.contains("secret"), "{refused}");
        let socket = Place::pinned("postgres:///d?host=/run/pg", |_, _| panic!("a socket"));
        assert!(socket.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_says_nothing_is_not_waited_for() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("postgres://u@{}/d", listener.local_addr().unwrap());
        let visiting = Place::of(&url, &[]).unwrap().visit(|_| async { Ok(()) });
        let error = visiting.await.unwrap_err();
        assert!(matches!(error, DatabaseError::Left { source: Left::Late(_), .. }), "{error}");
    }
}
