//! Files that a tool is given to read.
//!
//! What is no regular file is refused: a FIFO is waited for as long as nobody writes to it, and a
//! device may have no end. What comes from a pipe is given as `/dev/stdin` or as a shell has it
//! (`<(…)`, which is below `/dev/fd`): that is open already, and meant so.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::output::other_than_file;

/// What is written by hand and read whole: plans, personas, scenarios, rules, templates.
pub const MAX_TEXT_BYTES: u64 = 16 << 20;

/// An expression or a tag in them: parsers go as deep as it has operators.
pub const MAX_EXPRESSION_BYTES: usize = 4 << 10;

/// What evaluating an expression, or filling a template, may take: a step for each thing that is
/// done, and one for 64 bytes that are made, so that no more than 64 MiB are. A report of four
/// scenarios takes some ten thousand.
pub const MOST_STEPS: u64 = 1_000_000;

/// Opens a file to read it, without waiting.
///
/// # Errors
/// When it is not there or not to be read, or is a FIFO, a device, a folder or a socket.
pub fn open(path: &Path) -> io::Result<File> {
    let is_meant = path.starts_with("/dev") || path.starts_with("/proc");
    match other_than_file(std::fs::metadata(path)?.file_type()).filter(|_| !is_meant) {
        Some(what) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("it is {what}; give a file, or /dev/stdin for what comes from a pipe"),
        )),
        None => File::open(path),
    }
}

/// All of a file of at most [`MAX_TEXT_BYTES`].
///
/// # Errors
/// When it cannot be read, is longer, or is not UTF-8.
pub fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open(path)?.take(MAX_TEXT_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_TEXT_BYTES {
        let message = format!("it is over {} MiB, which is too much", MAX_TEXT_BYTES >> 20);
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_refused_and_a_text_has_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let zero = folder.path().join("zero");
        std::os::unix::fs::symlink("/dev/zero", &zero).unwrap();
        for (path, what) in [
            (&*path, "a FIFO"),
            (&*link, "a FIFO"),
            (&*zero, "a device"),
            (folder.path(), "a folder"),
        ] {
            let refused = open(path).unwrap_err().to_string();
            assert!(refused.starts_with(&format!("it is {what};")), "{refused}");
        }
        assert_eq!(text(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
        let long = folder.path().join("long");
        for (length, is_good) in [(MAX_TEXT_BYTES, true), (MAX_TEXT_BYTES + 1, false)] {
            std::fs::write(&long, vec![b' '; length as usize]).unwrap();
            assert_eq!(text(&long).is_ok(), is_good, "{length}");
        }
        // Its end never comes.
        assert!(text(Path::new("/dev/zero")).is_err());
    }
}
