//! Makes traces of other tools' recordings.
//!
//! Each format is read twice: first to see that it is one, when it begins and what is in it, then
//! to import it. [`har`] and [`gor`] give whole exchanges, which go through the correlator as
//! those of the proxy do; an access log ([`access_log`]) has neither bodies nor tokens, so its
//! lines become requests directly. What a recording cannot know is counted ([`Remarks`]).

pub mod access_log;
mod error;
mod exchanges;
mod format;
pub mod gor;
pub mod har;
mod http;
mod input;
mod json_text;
mod remarks;
mod reorder;

pub use error::ImportError;
pub use exchanges::{Config, import};
pub use format::{Format, Take};
pub use input::Input;
pub use remarks::Remarks;
