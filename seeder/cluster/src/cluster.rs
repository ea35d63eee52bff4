//! A cluster: made, started, found, stopped.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::binaries::Binaries;
use crate::command::psql;
use crate::error::ClusterError;
use crate::home::{self, Home};
use crate::password;
use crate::server::{self, Postmaster, SUPERUSER, Settings};
use crate::user::RunAs;

/// The database that [`Cluster::up`] makes.
pub const DATABASE: &str = "vigilia";
/// Where the command line tool keeps its cluster, from the current folder.
pub const DEFAULT_DIR: &str = ".local/postgres";

/// The state of the cluster in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    Absent,
    Stopped,
    Running { pid: u32, port: u16, socket: PathBuf },
}

/// A running private cluster. Dropping it leaves it running.
#[derive(Debug)]
pub struct Cluster {
    home: Home,
    binaries: Binaries,
    user: RunAs,
    postmaster: Postmaster,
    /// None in a cluster of an earlier version that was not brought up since.
    password: Option<String>,
}

impl Cluster {
    /// Makes the cluster if there is none, starts it if it is not running, and
    /// makes its database if that is missing. Calls at the same time wait for
    /// each other.
    ///
    /// # Errors
    /// When binaries or rights are missing, or the server does not start.
    pub fn up(dir: &Path) -> Result<Self, ClusterError> {
        Self::up_with(dir, Settings::Durable)
    }

    pub(crate) fn up_with(dir: &Path, settings: Settings) -> Result<Self, ClusterError> {
        let binaries = Binaries::find()?;
        let dir = home::create(dir)?;
        let _lock = lock(&dir)?;
        let (home, user) = Home::prepare(&dir)?;
        if !home.data().join("PG_VERSION").exists() {
            server::init(&home, &binaries, user, settings)?;
        }
        let postmaster = match Postmaster::find(&home.data()) {
            Some(_) => server::wait_until_ready(&home, &binaries)?,
            None => server::start(&home, &binaries, user, settings)?,
        };
        let password = password::known(&home.password_file());
        let mut cluster = Self { home, binaries, user, postmaster, password };
        if cluster.password.is_none() {
            cluster.password = Some(cluster.set_password()?);
        }
        cluster.create_database()?;
        Ok(cluster)
    }

    /// The cluster that runs in `dir`.
    ///
    /// # Errors
    /// When there is none or it is not running.
    pub fn running(dir: &Path) -> Result<Self, ClusterError> {
        let home = Home::existing(dir)?.ok_or_else(|| ClusterError::Absent { dir: dir.into() })?;
        let postmaster = Postmaster::find(&home.data())
            .ok_or_else(|| ClusterError::Stopped { dir: dir.into() })?;
        let user = RunAs::owner_of(&home.data())?;
        let password = password::known(&home.password_file());
        Ok(Self { home, binaries: Binaries::find()?, user, postmaster, password })
    }

    /// Whether there is a cluster in `dir`, and whether it runs.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn status(dir: &Path) -> Result<Status, ClusterError> {
        let Some(home) = Home::existing(dir)? else { return Ok(Status::Absent) };
        Ok(Postmaster::find(&home.data()).map_or(Status::Stopped, |postmaster| Status::Running {
            pid: postmaster.pid,
            port: postmaster.port,
            socket: postmaster.socket,
        }))
    }

    /// Stops the cluster in `dir`, if it runs; its data stay. Says whether it ran.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn down(dir: &Path) -> Result<bool, ClusterError> {
        let Some(home) = Home::existing(dir)? else { return Ok(false) };
        let _lock = lock(dir)?;
        let Some(postmaster) = Postmaster::find(&home.data()) else { return Ok(false) };
        let user = RunAs::owner_of(&home.data())?;
        server::stop(&home, &Binaries::find()?, user, &postmaster)?;
        Ok(true)
    }

    /// `postgres://…` of the database that `up` made, with the password.
    pub fn url(&self) -> String {
        self.url_of(DATABASE)
    }

    /// As [`Cluster::url`], by the socket, which needs no password.
    pub fn socket_url(&self) -> String {
        self.postmaster.socket_url(DATABASE)
    }

    /// `postgres://…` of another database of the cluster.
    pub fn url_of(&self, database: &str) -> String {
        let password = self.password.as_deref().map_or(String::new(), |word| format!(":{word}"));
        format!("postgres://{SUPERUSER}{password}@127.0.0.1:{}/{database}", self.postmaster.port)
    }

    /// Process id of the postmaster.
    pub fn pid(&self) -> u32 {
        self.postmaster.pid
    }

    /// Makes a password, and has the server ask for it from now on.
    fn set_password(&self) -> Result<String, ClusterError> {
        let password = password::new()?;
        server::write_access(&self.home.data(), self.user)?;
        // pg_stat_statements and the log would keep it.
        let statements = format!(
            "SET pg_stat_statements.track = 'none'; SET log_statement = 'none';
             ALTER ROLE {SUPERUSER} PASSWORD '{password}'; SELECT pg_reload_conf()"
        );
        self.sql("postgres", &statements)?;
        // Last: without this file it is done again.
        password::keep(&self.home.password_file(), &password, self.user)?;
        Ok(password)
    }

    fn create_database(&self) -> Result<(), ClusterError> {
        let known = format!("SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'");
        if self.sql("postgres", &known)?.is_empty() {
            self.sql("postgres", &format!("CREATE DATABASE {DATABASE}"))?;
        }
        self.sql(DATABASE, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")?;
        Ok(())
    }

    fn sql(&self, database: &str, statement: &str) -> Result<String, ClusterError> {
        psql(&self.binaries, &self.postmaster.socket_url(database), statement)
    }

    /// Stops it and deletes its data.
    pub(crate) fn remove(&self) -> Result<(), ClusterError> {
        if let Some(postmaster) = Postmaster::find(&self.home.data()) {
            server::kill(&self.home, &self.binaries, self.user, &postmaster)?;
        }
        self.home.delete()
    }
}

/// Held until dropped; the kernel lets go of it when the process dies.
fn lock(dir: &Path) -> Result<File, ClusterError> {
    let path = dir.join("lock");
    let failed = |what| move |source| ClusterError::File { what, path: dir.join("lock"), source };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(failed("cannot open"))?;
    file.lock().map_err(failed("cannot lock"))?;
    Ok(file)
}
