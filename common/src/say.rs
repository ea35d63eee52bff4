//! What the tools tell on stderr.
//!
//! Nobody may be there to read it: the disk behind it is full, the pipe is dead, it is closed.
//! That changes nothing of what a tool does, so these ignore it where `eprintln!` panics.

use std::fmt;
use std::io::Write as _;

/// Writes a line to stderr, as `eprintln!` does, and goes on where it cannot be written.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => {
        $crate::say::line(::std::format_args!($($text)*))
    };
}

/// What [`say!`](crate::say!) does. The line is handed over in one piece, so that the lines of
/// several processes do not mix.
pub fn line(text: fmt::Arguments<'_>) {
    let _ = std::io::stderr().lock().write_all(format!("{text}\n").as_bytes());
}
