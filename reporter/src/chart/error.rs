//! What plotters refuses.

use std::fmt::Display;

#[derive(Debug, thiserror::Error)]
#[error("cannot draw: {0}")]
pub struct DrawError(String);

impl DrawError {
    pub(super) fn of(error: impl Display) -> Self {
        Self(error.to_string())
    }
}
