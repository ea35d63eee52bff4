//! Everything here runs against real Postgres servers.

mod apply;
mod cluster;
mod help;
mod hostile;
mod life;
mod load_rules;
mod others;
mod random_schemas;
mod schemas;
mod support;
