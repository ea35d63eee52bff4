//! The manifest: who exists and what was inserted. One that `seeder accounts import` made has
//! accounts alone.

mod accounts;
pub mod format;
mod reader;
mod writer;

pub use accounts::each_account;
pub use format::{Account, Header, Manifest};
pub use reader::{MAX_BYTES, ManifestError};
pub use writer::{ManifestWriter, Pending, SealedManifest};
