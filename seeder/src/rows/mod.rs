//! Rows: the plan's expressions, compiled against the live schema.
//!
//! Row `n` of a group is a function of seed, plan, table, group and `n`: it can
//! be made alone, in any order, in any batch. Every column draws from a stream
//! of its own, so that a column more or less changes no other.
//!
//! Besides the functions of `generate` an expression has:
//!
//! | | |
//! | --- | --- |
//! | `n`, `group` | the row's number in its group, from 1, and the group's name |
//! | a constant, a column | its value; the order of the columns does not matter |
//! | `ref('table')`, `ref('table.group')` | the id of any of these rows |
//! | `ref('table', n)` | the id of the n-th, in turn |
//! | `ref('table', skew=3)` | of earlier rows more often than of later ones, from 1 to 8 |
//! | `ref('table', column='sku')` | another column; with several of these, of one row |
//! | `bcrypt('password', cost)` | its hash, made once |

mod accounts;
mod compile;
mod context;
mod engine;
mod expressions;
mod fill;
mod keys;
mod password;
mod reference;
mod table;
#[cfg(test)]
mod tests;
mod value;

pub use accounts::AccountRows;
pub use engine::Engine;
pub(crate) use fill::literal;
pub use table::{GroupRows, TableRows};
