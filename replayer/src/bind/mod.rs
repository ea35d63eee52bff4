//! Values that are known only at run time: taken out of live answers, and kept for the
//! requests that need them.

mod extract;
mod slots;

pub use extract::{Extracted, extract_json, extract_text};
pub use slots::Slots;
