//! What the path of a trace says.

use std::path::Path;

/// Whether a file of this name is what is written while recording.
pub(super) fn is_journal(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "part")
}

/// Whether a trace of this name is compressed.
pub(super) fn is_zstd(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "zst")
}
