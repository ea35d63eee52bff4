//! Everything here runs against real Postgres servers.

mod accounts;
mod apply;
mod cluster;
mod drafts;
mod help;
mod hostile;
mod life;
mod load_rules;
mod logins;
mod marked;
mod natural_keys;
mod others;
mod random_schemas;
mod schemas;
mod support;
