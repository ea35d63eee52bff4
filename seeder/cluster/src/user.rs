//! The user that the server's programs run as.

use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::error::ClusterError;

/// As ourselves, or, when root, as an unprivileged user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunAs {
    Ourselves,
    Other { uid: u32, gid: u32 },
}

impl RunAs {
    /// The owner of a new cluster.
    pub(super) fn for_new_cluster() -> Result<Self, ClusterError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Ourselves);
        }
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| Some(Self::Other { uid: id("-u", name)?, gid: id("-g", name)? }))
            .ok_or(ClusterError::NoUser)
    }

    /// The owner of an existing cluster.
    pub(super) fn owner_of(data: &Path) -> Result<Self, ClusterError> {
        let metadata = std::fs::metadata(data).map_err(|source| ClusterError::File {
            what: "cannot read",
            path: data.into(),
            source,
        })?;
        let (uid, gid) = (metadata.uid(), metadata.gid());
        let ourselves = rustix::process::geteuid();
        if ourselves.is_root() {
            return Ok(Self::Other { uid, gid });
        }
        if ourselves.as_raw() == uid {
            return Ok(Self::Ourselves);
        }
        Err(ClusterError::ForeignData { data: data.into(), owner: uid })
    }

    pub(super) fn apply(self, command: &mut Command) {
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
    }

    pub(super) fn give(self, path: &Path) -> Result<(), ClusterError> {
        let Self::Other { uid, gid } = self else { return Ok(()) };
        // Of a link itself: the folder may be that user's, who could have put it there.
        lchown(path, Some(uid), Some(gid)).map_err(|source| ClusterError::File {
            what: "cannot give away",
            path: path.into(),
            source,
        })
    }

    /// Whether the user can reach `folder`: every folder above it must let that user
    /// through. The kernel is asked, so that none of its rules is forgotten.
    pub(super) fn reaches(self, folder: &Path) -> bool {
        let mut command = Command::new("test");
        command.arg("-x").arg(folder).current_dir("/");
        self.apply(&mut command);
        command.status().is_ok_and(|status| status.success())
    }
}

fn id(option: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([option, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
