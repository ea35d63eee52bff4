//! Where a cluster's files are.

use std::fs::DirBuilder;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use common::output::Output;

use super::error::ClusterError;
use super::user::RunAs;

/// Name of the link from the folder to the data, where these lie elsewhere.
const LINK: &str = "home";

/// The longest path that a socket address holds everywhere (macOS 104 bytes,
/// Linux 108, the closing zero included).
const LONGEST_SOCKET_PATH: usize = 103;
const SOCKET_NAME: &str = ".s.PGSQL.65535.lock";

/// Short folders for sockets, and for data whose user cannot reach the folder.
const PREFIX: &str = "seeder-pg-";

#[derive(Debug)]
pub(super) struct Home {
    /// What the user named.
    dir: PathBuf,
    /// Where the files are; the same unless the data's user cannot reach it.
    base: PathBuf,
}

impl Home {
    /// The home in `dir`, made if there is none, and who owns it.
    pub(super) fn prepare(dir: &Path) -> Result<(Self, RunAs), ClusterError> {
        if let Some(home) = Self::existing(dir)? {
            let user = RunAs::owner_of(&home.data())?;
            return Ok((home, user));
        }
        let user = RunAs::for_new_cluster()?;
        if user.reaches(dir) {
            return Ok((Self { dir: dir.into(), base: dir.into() }, user));
        }
        Ok((Self { dir: dir.into(), base: linked_base(dir, user)? }, user))
    }

    /// The home in `dir`, if a cluster has been made there.
    pub(super) fn existing(dir: &Path) -> Result<Option<Self>, ClusterError> {
        let base = match std::fs::read_link(dir.join(LINK)) {
            Ok(base) => base,
            Err(_) => dir.canonicalize().unwrap_or_else(|_| dir.into()),
        };
        let home = Self { dir: dir.into(), base };
        let there = home.data().try_exists().map_err(file("cannot read", &home.data()))?;
        Ok(there.then_some(home))
    }

    pub(super) fn data(&self) -> PathBuf {
        self.base.join("data")
    }

    /// Where initdb works, so that a half-made cluster is never taken for one.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.base.join("data.unfinished")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.base.join("server.log")
    }

    pub(super) fn port_file(&self) -> PathBuf {
        self.base.join("port")
    }

    /// Holds the superuser's password.
    pub(super) fn password_file(&self) -> PathBuf {
        self.base.join("password")
    }

    /// A folder for the socket that only the server's user can enter.
    pub(super) fn make_socket_folder(&self, user: RunAs) -> Result<PathBuf, ClusterError> {
        let folder = self.base.join("socket");
        let length = folder.join(SOCKET_NAME).as_os_str().len();
        // The setting is a list: these would have to be quoted in it.
        let plain = !folder.to_string_lossy().contains([',', '"', '\'', '\\']);
        if length > LONGEST_SOCKET_PATH || !plain {
            return private_folder(Path::new("/tmp"), user);
        }
        if !folder.exists() {
            DirBuilder::new().mode(0o700).create(&folder).map_err(file("cannot make", &folder))?;
            user.give(&folder)?;
        }
        // Whoever can enter it is let in without a password.
        std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .map_err(file("cannot close", &folder))?;
        Ok(folder)
    }

    /// Deletes a socket folder that was made under `/tmp`.
    pub(super) fn delete_socket_folder(&self, folder: &Path) {
        let ours = folder.parent() == Some(Path::new("/tmp"))
            && folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        if ours {
            // Left over at worst: an empty folder in /tmp.
            let _ = std::fs::remove_dir_all(folder);
        }
    }

    pub(super) fn delete(&self) -> Result<(), ClusterError> {
        std::fs::remove_dir_all(&self.base).map_err(file("cannot delete", &self.base))?;
        if self.dir != self.base && self.dir.exists() {
            std::fs::remove_dir_all(&self.dir).map_err(file("cannot delete", &self.dir))?;
        }
        Ok(())
    }
}

/// The folder that the link in `dir` leads to, both made if they are missing.
fn linked_base(dir: &Path, user: RunAs) -> Result<PathBuf, ClusterError> {
    let link = dir.join(LINK);
    if let Ok(base) = std::fs::read_link(&link) {
        if base.is_dir() {
            return Ok(base);
        }
        // What it led to is gone, and nothing is left to lose.
        std::fs::remove_file(&link).map_err(file("cannot delete", &link))?;
    }
    let base = private_folder(Path::new("/var/tmp"), user)?;
    symlink(&base, &link).map_err(file("cannot make the link", &link))?;
    Ok(base)
}

/// Writes a file for the server's user. The folder may be that user's, so as root nothing there
/// is followed or written into.
pub(super) fn put(path: &Path, text: &str, user: RunAs) -> Result<(), ClusterError> {
    let mut output = Output::create(path)?;
    output.write_all(text.as_bytes()).map_err(file("cannot write", path))?;
    output.publish()?;
    user.give(path)
}

/// The absolute path of `dir`, made if it is missing.
pub(super) fn create(dir: &Path) -> Result<PathBuf, ClusterError> {
    std::fs::create_dir_all(dir).map_err(file("cannot make", dir))?;
    dir.canonicalize().map_err(file("cannot read", dir))
}

fn private_folder(parent: &Path, user: RunAs) -> Result<PathBuf, ClusterError> {
    let folder = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempdir_in(parent)
        .map_err(file("cannot make a folder in", parent))?
        .keep();
    user.give(&folder)?;
    Ok(folder)
}

pub(super) fn file<'a>(
    what: &'static str,
    path: &'a Path,
) -> impl FnOnce(std::io::Error) -> ClusterError + use<'a> {
    move |source| ClusterError::File { what, path: path.into(), source }
}

/// A new folder for a cluster that will be deleted.
pub(super) fn temporary() -> Result<PathBuf, ClusterError> {
    let parent = std::env::temp_dir();
    let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&parent);
    let folder = folder.map_err(file("cannot make a folder in", &parent))?.keep();
    // The server's user reaches its data through this folder; the data are that user's alone.
    std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o711))
        .map_err(file("cannot open up", &folder))?;
    Ok(folder)
}
