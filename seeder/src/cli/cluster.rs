//! `seeder cluster …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::print;
use crate::Error;
use cluster::{Cluster, ClusterError, DEFAULT_DIR, Status};
use common::exit::Exit;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  seeder cluster up
  psql \"$(seeder cluster url --socket)\"
  seeder cluster down")]
pub(super) enum Command {
    /// Make the cluster if there is none, start it, and print the URL of its database
    Up(Dir),
    /// Stop it; its data stay
    Down(Dir),
    /// Say whether it runs; exit code 4 when it does not
    Status(Dir),
    /// Print the URL of its database; exit code 4 when it does not run
    Url {
        #[command(flatten)]
        dir: Dir,
        /// The one of its socket, which has no password in it and is its user's and root's alone
        #[arg(long)]
        socket: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Dir {
    /// Folder of the cluster
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIR)]
    dir: PathBuf,
}

impl Command {
    pub(super) fn run(self) -> Result<Exit, Error> {
        match self {
            Self::Up(Dir { dir }) => {
                let cluster = Cluster::up(&dir)?;
                common::say!("Postgres runs in {} (process {})", dir.display(), cluster.pid());
                print(&cluster.url())?;
            }
            Self::Down(Dir { dir }) => {
                let ran = Cluster::down(&dir)?;
                common::say!(
                    "{}",
                    if ran { "stopped; the data stay" } else { "it was not running" }
                );
            }
            Self::Status(Dir { dir }) => match Cluster::status(&dir)? {
                Status::Absent => return Err(ClusterError::Absent { dir }.into()),
                Status::Stopped => return Err(ClusterError::Stopped { dir }.into()),
                Status::Running { pid, port, socket } => print(&format!(
                    "running: process {pid}, 127.0.0.1:{port}, socket in {}",
                    socket.display()
                ))?,
            },
            Self::Url { dir: Dir { dir }, socket } => {
                let cluster = Cluster::running(&dir)?;
                print(&if socket { cluster.socket_url() } else { cluster.url() })?;
            }
        }
        Ok(Exit::Good)
    }
}
