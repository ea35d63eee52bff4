//! The lines of a journal that are neither header nor request.

use serde::{Deserialize, Serialize};

use super::format::Capture;
use super::shape::Shape;

/// A capture that is written after its request.
#[derive(Debug, Serialize, Deserialize)]
pub struct LateCapture {
    /// The request whose answer it is taken from.
    pub of: String,
    /// When that was sent.
    pub at: u64,
    #[serde(flatten)]
    pub capture: Capture,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Note {
    Shape(Shape),
    Capture(LateCapture),
    /// Exchanges that were seen and not kept, so far.
    Dropped(u64),
}

impl Note {
    /// Whether a line is one of these; a request begins with its id.
    pub(super) fn begins(line: &[u8]) -> bool {
        let starts: [&[u8]; 3] = [b"{\"shape\":", b"{\"capture\":", b"{\"dropped\":"];
        starts.iter().any(|start| line.starts_with(start))
    }
}
