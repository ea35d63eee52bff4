//! Values that are known only at run time: taken from live answers, the
//! account, the clock or a seed, and written into requests.

mod encode;
mod extract;
mod fresh;
mod values;

pub use encode::encode;
pub use extract::{Extracted, extract_form, extract_json};
pub use fresh::{write_clock, write_fresh};
pub use values::Values;
