//! Why there is no cluster.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error(
        "no initdb, pg_ctl, postgres and psql in PATH, pg_config --bindir, /usr/lib/postgresql/*/bin or Homebrew's folders; install the Postgres server (Debian: apt-get install postgresql; macOS: brew install postgresql)"
    )]
    NoBinaries,
    #[error("root cannot run Postgres, and there is no user postgres or nobody to run it as")]
    NoUser,
    #[error("{} belongs to another user (id {owner}); run as that user or as root", data.display())]
    ForeignData { data: PathBuf, owner: u32 },
    #[error("{what} {}", path.display())]
    File { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Output(#[from] common::output::OutputError),
    #[error("cannot run {}", program.display())]
    Run { program: PathBuf, source: std::io::Error },
    #[error("{program} failed: {message}")]
    Failed { program: &'static str, message: String },
    #[error("the server does not start: {message} (see {})", log.display())]
    NoStart { message: String, log: PathBuf },
    #[error("no cluster in {}; make one with: seeder cluster up --dir {}", dir.display(), dir.display())]
    Absent { dir: PathBuf },
    #[error("the cluster in {} is not running; start it with: seeder cluster up --dir {}", dir.display(), dir.display())]
    Stopped { dir: PathBuf },
}
