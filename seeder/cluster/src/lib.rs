//! A private Postgres server for one checkout or one test.
//!
//! It listens on loopback and on a socket of its own, and trusts whoever
//! reaches them: the data are synthetic and the server is no one else's.
//! Durable settings are on, since what is measured should do the work that a
//! production database does.
//!
//! Postgres refuses to run as root. When root, all of its programs run as the
//! owner of the data, which is `postgres` if there is such a user, else
//! `nobody`; where that user cannot reach the folder, the data lie under
//! `/var/tmp` and the folder holds a link to them.

mod binaries;
mod cluster;
mod command;
mod error;
mod home;
mod port;
mod server;
pub mod testing;
mod user;

pub use cluster::{Cluster, DATABASE, DEFAULT_DIR, Status};
pub use error::ClusterError;
