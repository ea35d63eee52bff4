//! `verify`: whether what the manifest says is so.

mod accounts;
mod error;
mod login;
mod report;
mod run;

pub use error::VerifyError;
pub use login::{LoginError, Target};
pub use report::{Counted, LoggedIn, Referred, Report};
pub use run::{Config, verify};
