//! Fills a Postgres database with synthetic people and things.
//!
//! A plan says which tables get which rows; the live schema says what the
//! columns are; the generators give each value as a function of (seed, plan,
//! table, row, column) and nothing else. What was inserted, and which accounts
//! may log in, is written to a manifest that the later tools read.

pub mod accounts;
pub mod apply;
pub mod clean;
pub mod cli;
mod copy;
pub mod database;
pub mod draft;
mod error;
pub mod password;
pub mod plan;
pub mod rows;
pub mod schema;
pub mod verify;

pub use error::Error;
