//! What all commands have in common: a plan, a database, a manifest.

use std::path::{Path, PathBuf};

use clap::Args;
use common::secret::Secret;

use crate::Error;
use crate::database::Database;
use cluster::{Cluster, DEFAULT_DIR};

/// The database that is meant.
#[derive(Debug, Args)]
pub(super) struct DatabaseArgs {
    /// Which database; the private cluster in .local/postgres where this is not set
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<Secret>,
    /// A host other than this machine that may be used; may be repeated
    #[arg(long, value_name = "HOST")]
    pub(super) allow_host: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Place {
    /// What belongs into the database
    #[arg(long, value_name = "FILE")]
    pub(super) plan: PathBuf,
    /// Who exists and what was inserted; holds the accounts' passwords
    #[arg(long, value_name = "FILE", default_value = ".local/manifest.json")]
    pub(super) manifest: PathBuf,
    #[command(flatten)]
    pub(super) database: DatabaseArgs,
}

impl DatabaseArgs {
    pub(super) fn pin(&self) -> Result<Database, Error> {
        let given = self.database_url.as_ref().map(Secret::expose).filter(|url| !url.is_empty());
        let url = match given {
            Some(url) => url.to_owned(),
            None => Cluster::running(Path::new(DEFAULT_DIR))?.url(),
        };
        Ok(Database::pin(&url, &self.allow_host)?)
    }
}
