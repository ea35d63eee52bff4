//! The manifest: who exists and what was inserted.

mod accounts;
pub mod format;
mod reader;
#[cfg(feature = "tool")]
mod writer;

pub use accounts::each_account;
pub use format::{Account, Header, Manifest};
pub use reader::{MAX_BYTES, ManifestError};
#[cfg(feature = "tool")]
pub use writer::{ManifestWriter, SealedManifest};
