//! What the formats of whole exchanges have in common.

use super::error::ImportError;
use super::input::Input;
use super::remarks::Remarks;
use crate::exchange::Exchange;

/// No request takes longer than a day, in microseconds.
pub(super) const LONGEST_US: u64 = 86_400_000_000;

/// Takes exchanges as they are read; their times are microseconds since 1970.
pub type Take<'a> = &'a mut dyn FnMut(Exchange) -> Result<(), ImportError>;

/// A format whose exchanges are whole.
pub trait Format {
    const KIND: trace::format::SourceKind;

    /// Whether ends may be said late, as by a client that waits for a processor.
    const HAS_LATE_ENDS: bool = false;

    /// How often a recording is read for an import.
    fn readings(&self) -> u64 {
        2
    }

    /// Reads all of a recording.
    ///
    /// # Errors
    /// When it is not of this format or damaged, or when `take` fails.
    fn read(&self, input: &mut Input, take: Take<'_>) -> Result<Remarks, ImportError>;
}
