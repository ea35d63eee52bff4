//! Databases for tests.
//!
//! `TEST_DATABASE_URL` names a server to use (a superuser's URL); without it
//! every test process starts a private cluster that goes when it is dropped.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::binaries::Binaries;
use super::cluster::Cluster;
use super::command::psql;
use super::error::ClusterError;
use super::server::Settings;

/// A private cluster in a temporary folder, with settings that trade
/// durability for speed; stopped and deleted when dropped.
#[derive(Debug)]
pub struct TemporaryCluster(Cluster);

impl TemporaryCluster {
    /// # Errors
    /// As [`Cluster::up`].
    pub fn start() -> Result<Self, ClusterError> {
        let folder = super::home::temporary()?;
        Cluster::up_with(&folder, Settings::Forgetful).map(Self)
    }
}

impl std::ops::Deref for TemporaryCluster {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.0
    }
}

impl Drop for TemporaryCluster {
    fn drop(&mut self) {
        if let Err(error) = self.0.remove() {
            common::say!("{}", common::exit::one_line("temporary cluster", &error));
        }
    }
}

/// A server that tests may make databases on.
#[derive(Debug)]
pub enum TestServer {
    Given(String),
    Private(TemporaryCluster),
}

impl TestServer {
    /// The server that `TEST_DATABASE_URL` names, else a private one.
    ///
    /// # Errors
    /// As [`Cluster::up`].
    pub fn start() -> Result<Self, ClusterError> {
        match std::env::var("TEST_DATABASE_URL") {
            Ok(url) => Ok(Self::Given(url)),
            Err(_) => Ok(Self::Private(TemporaryCluster::start()?)),
        }
    }

    /// A new empty database, which goes when dropped.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub fn database(&self) -> Result<TestDatabase<'_>, ClusterError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{next}", std::process::id());
        self.sql(&format!("CREATE DATABASE {name}"))?;
        let url = self.url_of(&name);
        Ok(TestDatabase { server: self, name, url })
    }

    fn url_of(&self, database: &str) -> String {
        match self {
            Self::Private(cluster) => cluster.url_of(database),
            Self::Given(url) => with_database(url, database),
        }
    }

    fn sql(&self, statement: &str) -> Result<String, ClusterError> {
        psql(&Binaries::find()?, &self.url_of("postgres"), statement)
    }
}

/// `url` with the path replaced: `postgres://user@host:port/…?options`.
fn with_database(url: &str, database: &str) -> String {
    let (address, options) = url.split_once('?').map_or((url, None), |(a, o)| (a, Some(o)));
    let authority = address.find("://").map_or(0, |at| at + 3);
    let end = address[authority..].find('/').map_or(address.len(), |at| authority + at);
    let options = options.map_or_else(String::new, |options| format!("?{options}"));
    format!("{}/{database}{options}", &address[..end])
}

/// A database of its own for one test.
#[derive(Debug)]
pub struct TestDatabase<'a> {
    server: &'a TestServer,
    name: String,
    url: String,
}

impl TestDatabase<'_> {
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs all statements of a file with psql, as `\i` would.
    ///
    /// # Errors
    /// When a statement fails.
    pub fn run_file(&self, path: &Path) -> Result<(), ClusterError> {
        let text = std::fs::read_to_string(path).map_err(super::home::file("cannot read", path))?;
        psql(&Binaries::find()?, &self.url, &text).map(drop)
    }
}

impl Drop for TestDatabase<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.server.sql(&format!("DROP DATABASE {} WITH (FORCE)", self.name)) {
            common::say!("{}", common::exit::one_line("test database", &error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn the_database_in_a_url_is_replaced() {
        for (url, expected) in [
            ("postgres://u@h:1", "postgres://u@h:1/t"),
            ("postgres://u@h:1/x", "postgres://u@h:1/t"),
            ("postgres://u:p@h/x?sslmode=disable", "postgres://u:p@h/t?sslmode=disable"),
        ] {
            assert_eq!(with_database(url, "t"), expected);
        }
    }
}
