//! Everything here runs against real Postgres servers.

mod apply;
mod cluster;
mod help;
mod life;
mod schemas;
mod support;
