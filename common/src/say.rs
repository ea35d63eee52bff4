//! What the tools tell on stderr and stdout.
//!
//! Nobody may be there to read it: the disk behind it is full, the pipe is dead, it is closed.
//! What is told on stderr changes nothing of what a tool does, so it is ignored there where
//! `eprintln!` panics. Data on stdout are what was asked for: that they cannot be written is
//! an error, and no panic. Both are shown as [`crate::shown`] has it.

use std::fmt;
use std::io::{self, Write as _};

use crate::shown;

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
    let text = format!("{text}\n");
    let _ = io::stderr().lock().write_all(shown::lines(&text).as_bytes());
}

/// Writes text for people to stdout.
///
/// # Errors
/// When it cannot be written.
pub fn print(text: &str) -> io::Result<()> {
    to_stdout(&shown::lines(text))
}

/// Writes a JSON document to stdout.
///
/// # Errors
/// When it cannot be written.
pub fn print_json(text: &str) -> io::Result<()> {
    to_stdout(&shown::json(text))
}

fn to_stdout(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
}
