//! A private Postgres server for one checkout or one test.
//!
//! It listens on loopback, where it asks for a password that was made for it
//! alone, and on a socket in a folder that only its user and root can enter:
//! whoever is the superuser of a database can run programs as the server's user.
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
mod password;
mod port;
mod server;
pub mod testing;
mod user;

pub use cluster::{Cluster, DATABASE, DEFAULT_DIR, Status};
pub use error::ClusterError;
