//! Everything here runs against real Postgres servers.

mod apply;
mod cluster;
mod help;
mod hostile;
mod life;
mod schemas;
mod support;
