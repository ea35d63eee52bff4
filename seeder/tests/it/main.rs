//! Everything here runs against real Postgres servers.

mod apply;
mod cluster;
mod life;
mod schemas;
mod support;
