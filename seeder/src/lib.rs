//! Fills a Postgres database with synthetic people and things.
//!
//! A plan says which tables get which rows; the live schema says what the
//! columns are; the generators give each value as a function of (seed, plan,
//! table, row, column) and nothing else. What was inserted, and which accounts
//! may log in, is written to a manifest that the later tools read.
//!
//! Without the feature `tool` only what the other tools share is built: the
//! manifest, the exit codes and the rule on where load may go; with `generate`
//! also the value generators, with `cluster` also the private Postgres server.

#[cfg(feature = "tool")]
pub mod apply;
#[cfg(feature = "tool")]
pub mod clean;
#[cfg(feature = "tool")]
pub mod cli;
#[cfg(feature = "cluster")]
pub mod cluster;
#[cfg(feature = "tool")]
mod copy;
#[cfg(feature = "tool")]
pub mod database;
#[cfg(feature = "tool")]
mod digest;
#[cfg(feature = "tool")]
pub mod draft;
#[cfg(feature = "tool")]
mod error;
pub mod exit;
#[cfg(feature = "generate")]
pub mod generate;
pub mod manifest;
#[cfg(feature = "generate")]
mod nearest;
#[cfg(feature = "tool")]
pub mod plan;
#[cfg(feature = "tool")]
pub mod rows;
pub mod safety;
#[cfg(feature = "tool")]
pub mod schema;
#[cfg(feature = "tool")]
pub mod verify;

#[cfg(feature = "tool")]
pub use error::Error;
