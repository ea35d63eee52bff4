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
//! | `bcrypt('password', cost)` | its hash, made once; `form='django'` as Django writes it |
//! | `argon2('password', m=65536, t=3, p=4)` | argon2id; memory in KiB, passes, lanes; `variant='i'`, `form='django'` |
//! | `scrypt('password', n=131072, r=8, p=1)` | `form='django'` (n=16384, p=5 by default) or `'werkzeug'` (n=32768) |
//! | `pbkdf2('password', 1000000)` | as Django writes it; `form='werkzeug'`, `digest='sha1'` |

mod accounts;
mod ahead;
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
pub(crate) use ahead::Estimate;
pub use engine::Engine;
pub(crate) use fill::literal;
pub(crate) use keys::{generated_key, key_columns};
pub use table::{GroupRows, TableRows};
