//! The connection: where it may go, and errors that show no password.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError};
use sqlx::{ConnectOptions, Connection};

use common::address::{self, SafetyError};
use common_net::apart::{Left, within};
use manifest::format::DatabaseId;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("the database URL is not postgres://user:password@host:port/database")]
    Url,
    #[error(transparent)]
    Refused(#[from] SafetyError),
    #[error("cannot connect to the database at {place}")]
    Connect { place: String, source: SqlError },
    #[error("cannot connect to the database at {place}")]
    Left { place: String, source: Left },
    #[error("the database failed while {doing}")]
    Failed { doing: String, source: SqlError },
}

/// What went wrong, told once: the driver's own error repeats its cause.
#[derive(Debug)]
pub struct SqlError(Box<sqlx::Error>);

impl SqlError {
    /// What the server said, in full, where it was the server.
    pub(crate) fn server(&self) -> Option<&PgDatabaseError> {
        self.0.as_database_error()?.try_downcast_ref()
    }
}

impl From<sqlx::Error> for SqlError {
    fn from(error: sqlx::Error) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.server(), &*self.0) {
            (Some(said), _) => f.write_str(said.message()),
            (None, sqlx::Error::Io(error)) => error.fmt(f),
            (None, error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SqlError {}

impl DatabaseError {
    pub(crate) fn while_doing(doing: impl Into<String>) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Failed { doing: doing.into(), source: source.into() }
    }
}

/// A database that load may be put on.
pub struct Database {
    options: PgConnectOptions,
    place: String,
    /// Reached through loopback or a socket: what is deleted there is one's own.
    pub local: bool,
}

/// Without the options, which have the password in them.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Database {
    /// Checks where the URL leads, before anything is sent there.
    ///
    /// # Errors
    /// When it is no URL of a database, or leads to a host that was not allowed.
    pub fn pin(url: &str, allowed: &[String]) -> Result<Self, DatabaseError> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(DatabaseError::Url);
        }
        // The parser's own words may quote the URL, and with it the password.
        let options = PgConnectOptions::from_str(url).map_err(|_| DatabaseError::Url)?;
        let database = options.get_database().unwrap_or(options.get_username()).to_owned();
        if options.get_socket().is_some() || Path::new(options.get_host()).is_absolute() {
            let socket = options.get_socket().map_or(Path::new(options.get_host()), |path| path);
            let place = format!("{}, database {database}", socket.display());
            return Ok(Self { options, place, local: true });
        }
        let (host, port) = (options.get_host().to_owned(), options.get_port());
        let place = format!("{host}:{port}, database {database}");
        let addresses = address::pin(&host, port, allowed)?;
        let local = addresses.iter().all(|address| address.ip().is_loopback());
        // The address, not the name: what was checked is what is used.
        let options = match addresses.first() {
            Some(address) => options.host(&address.ip().to_string()),
            None => options,
        };
        Ok(Self { options, place, local })
    }

    /// # Errors
    /// When the server is not there or refuses.
    pub async fn connect(&self) -> Result<PgConnection, DatabaseError> {
        let options = self.options.clone().application_name("seeder").disable_statement_logging();
        let connecting = async move {
            let mut connection = PgConnection::connect_with(&options).await?;
            // One that lets somebody in may still answer nothing.
            connection.ping().await?;
            Ok::<_, sqlx::Error>(connection)
        };
        let place = || self.place.clone();
        within(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|source| DatabaseError::Left { place: place(), source })?
            .map_err(|source| DatabaseError::Connect { place: place(), source: source.into() })
    }

    /// Where it is, without credentials.
    pub fn place(&self) -> &str {
        &self.place
    }
}

/// Which database this is, in words that hold for its life.
///
/// # Errors
/// When the server fails.
pub(crate) async fn identify(connection: &mut PgConnection) -> Result<DatabaseId, DatabaseError> {
    let (system_identifier, name, server_version) = sqlx::query_as(
        "SELECT system_identifier::text, current_database()::text, current_setting('server_version')
         FROM pg_control_system()",
    )
    .fetch_one(connection)
    .await
    .map_err(DatabaseError::while_doing("naming itself"))?;
    Ok(DatabaseId { system_identifier, name, server_version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_sockets_are_free_and_anything_else_must_be_allowed() {
        for url in [
            "postgres://u@127.0.0.1:5/x",
            "postgres://u@localhost/x",
            "postgres://u@[::1]:5/x",
            "postgres:///x?host=/run/postgresql",
        ] {
            assert!(Database::pin(url, &[]).is_ok_and(|database| database.local), "{url}");
        }
        let url = "postgres://u:secret@203.0.113.7/x";
        let refused = Database::pin(url, &[]).unwrap_err();
        assert!(matches!(refused, DatabaseError::Refused(_)));
        assert!(!refused.to_string().contains("secret"));
        let allowed = Database::pin(url, &["203.0.113.7".to_owned()]).unwrap();
        assert!(!allowed.local && !allowed.place().contains("secret"));
        assert!(!format!("{allowed:?}").contains("secret"), "{allowed:?}");
    }

    #[test]
    fn what_is_no_url_is_told_without_repeating_it() {
        for url in ["", "secret", "postgres://u:secret@h:port/x", "mysql://u:secret@h/x"] {
            let error = Database::pin(url, &[]).unwrap_err().to_string();
            assert!(error.contains("postgres://user:password@") && !error.contains("secret"));
        }
    }
}
