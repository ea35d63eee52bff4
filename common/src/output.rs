//! Files that a tool writes, and what it may replace by them.
//!
//! An [`Output`] is a temporary file beside its place, with a random name that was not there
//! before (`O_EXCL`, so no symbolic link is followed) and mode 0600, until it is whole. Only a
//! regular file is replaced: never a device, a FIFO, a folder or a symbolic link, whatever
//! `--force` says. A killed process leaves its temporary file behind, and the next that writes to
//! the same place removes it.

use std::fs::{File, FileType};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::exit::Exit;

#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    #[error("{} is there already; --force replaces it", path.display())]
    Exists { path: PathBuf },
    #[error("{} is {what}, which is not replaced; name another file", path.display())]
    NotAFile { path: PathBuf, what: &'static str },
    #[error("cannot write {}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl OutputError {
    /// Usage where another name or `--force` is needed, refused where nothing replaces it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Exists { .. } => Exit::Usage,
            Self::NotAFile { .. } => Exit::Refused,
            Self::Io { .. } => Exit::Internal,
        }
    }
}

/// Whether a file may be made at `path`, or replaced there where `force` is given.
///
/// # Errors
/// When something is there that stays.
pub fn check(path: &Path, force: bool) -> Result<(), OutputError> {
    // Of the link itself: what it leads to is another's.
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        // Nothing is there, or what there is will be told when the file is made.
        Err(_) => return Ok(()),
    };
    match other_than_file(found) {
        Some(what) => Err(OutputError::NotAFile { path: path.to_owned(), what }),
        None if force => Ok(()),
        None => Err(OutputError::Exists { path: path.to_owned() }),
    }
}

/// What it is, in words, where it is no regular file.
pub(crate) fn other_than_file(found: FileType) -> Option<&'static str> {
    Some(match found {
        kind if kind.is_file() => return None,
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    })
}

/// A file that appears at its place when it is whole, and not at all when it is dropped before.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    /// Locked while its process lives.
    temporary: NamedTempFile,
}

/// Between the making of a temporary file and its locking it looks left behind.
const YOUNG: Duration = Duration::from_secs(10);
const SUFFIX: &str = ".tmp";

impl Output {
    /// Begins a file that will replace a regular file at `path`, if there is one.
    ///
    /// # Errors
    /// When something else is there, or the folder cannot be written to.
    pub fn create(path: &Path) -> Result<Self, OutputError> {
        check(path, true)?;
        let failed = |source| OutputError::Io { path: path.to_owned(), source };
        let name = path.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        // The temporary file's name in the error would tell nobody anything.
        std::fs::metadata(folder(path)).map_err(failed)?;
        let prefix = format!(".{}.", name.to_string_lossy());
        remove_left_behind(folder(path), &prefix);
        let temporary = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(SUFFIX)
            .tempfile_in(folder(path))
            .map_err(failed)?;
        // Where a file system has no locks, nothing of it is removed either.
        let _ = temporary.as_file().try_lock();
        Ok(Self { path: path.to_owned(), temporary })
    }

    /// Another handle of the same file.
    ///
    /// # Errors
    /// When the system refuses it.
    pub fn reopen(&self) -> Result<File, OutputError> {
        self.temporary.reopen().map_err(|source| self.failed(source))
    }

    /// Gives it its name, when it is safe on the disk.
    ///
    /// # Errors
    /// When the disk refuses it, or what is there now must stay.
    pub fn publish(self) -> Result<(), OutputError> {
        let path = self.path.clone();
        self.publish_at(&path)
    }

    /// As [`Output::publish`], under another name in the same folder.
    ///
    /// # Errors
    /// As [`Output::publish`].
    pub fn publish_at(self, path: &Path) -> Result<(), OutputError> {
        check(path, true)?;
        self.temporary.as_file().sync_all().map_err(|source| self.failed(source))?;
        let failed = |source| OutputError::Io { path: path.to_owned(), source };
        self.temporary.persist(path).map_err(|error| failed(error.error))?;
        File::open(folder(path)).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    fn failed(&self, source: io::Error) -> OutputError {
        OutputError::Io { path: self.path.clone(), source }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.flush()
    }
}

/// The folder that `path` is in.
pub fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Removes our temporary files whose processes are gone. What cannot be looked at stays.
fn remove_left_behind(folder: &Path, prefix: &str) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(prefix) && name.ends_with(SUFFIX) && is_left_behind(&entry.path()) {
            // Left over at worst, as before.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn is_left_behind(path: &Path) -> bool {
    let Ok(named) = std::fs::symlink_metadata(path) else { return false };
    let old = named.modified().ok().and_then(|at| at.elapsed().ok()).is_some_and(|age| age > YOUNG);
    // A FIFO would keep the opening waiting, and a link leads to another's file.
    if !named.is_file() || !old {
        return false;
    }
    File::open(path).is_ok_and(|file| {
        let is_same = file.metadata().is_ok_and(|found| found.ino() == named.ino());
        is_same && file.try_lock().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::time::SystemTime;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn it_appears_whole_or_not_at_all_and_replaces_only_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut output = Output::create(&path).unwrap();
        output.write_all(b"new").unwrap();
        assert!(!path.exists());
        drop(output);
        assert_eq!(names(folder.path()), [""; 0]);
        for _ in 0..2 {
            let mut output = Output::create(&path).unwrap();
            output.write_all(b"new").unwrap();
            output.publish().unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(check(&path, false), Err(OutputError::Exists { .. })));
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        for (path, what) in [
            (&*link, "a symbolic link"),
            (folder.path(), "a folder"),
            (Path::new("/dev/null"), "a device"),
        ] {
            let refused = Output::create(path).unwrap_err().to_string();
            assert!(refused.contains(what), "{refused}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn what_was_put_in_the_way_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let output = Output::create(&path).unwrap();
        symlink("/nowhere", &path).unwrap();
        assert!(matches!(output.publish(), Err(OutputError::NotAFile { .. })));
        assert_eq!(std::fs::read_link(&path).unwrap(), Path::new("/nowhere"));
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_a_living_one_has_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let living = Output::create(&path).unwrap();
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        living.temporary.as_file().set_modified(hour_ago).unwrap();
        for name in [".out.old.tmp", ".out.old.txt", "out.old.tmp", ".other.old.tmp"] {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(hour_ago).unwrap();
        }
        File::create(folder.path().join(".out.young.tmp")).unwrap();
        drop(Output::create(&path).unwrap());
        let left = names(folder.path());
        assert!(!left.contains(&".out.old.tmp".to_owned()), "{left:?}");
        assert_eq!(left.len(), 5, "{left:?}");
        living.publish().unwrap();
    }
}
