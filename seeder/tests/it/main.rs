//! Everything here runs against real Postgres servers.

mod accounts;
mod apply;
mod cluster;
mod drafts;
mod help;
mod hostile;
mod life;
mod logins;
mod schemas;
mod support;
