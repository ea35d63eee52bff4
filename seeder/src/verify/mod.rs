//! `verify`: whether the database matches the manifest.

mod accounts;
mod error;
mod login;
mod report;
mod run;

pub use error::VerifyError;
pub use login::{LoginError, Target};
pub use report::{LoginCheck, ReferenceCount, Report, TableCount};
pub use run::{Config, verify};
