//! Run directories on their way: their files, packed and compressed.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Component, Path};

/// How hard it is compressed: histograms are compressed already.
const LEVEL: i32 = 3;

/// Packs the files of a run directory.
///
/// # Errors
/// When they cannot be read, or it cannot be written.
pub(super) fn pack(dir: &Path, to: &Path) -> io::Result<()> {
    let mut packed = tar::Builder::new(zstd::Encoder::new(File::create(to)?, LEVEL)?);
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_file() {
            packed.append_path_with_name(&path, path.file_name().unwrap_or_default())?;
        }
    }
    packed.into_inner()?.finish()?.sync_all()
}

/// Unpacks them into a folder: plain files with plain names, whatever is in it.
///
/// # Errors
/// When it is none, or cannot be written.
pub(super) fn unpack(packed: &Path, dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let mut packed = tar::Archive::new(zstd::Decoder::new(File::open(packed)?)?);
    for entry in packed.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let name = plain(&path).filter(|_| entry.header().entry_type().is_file());
        let name = name.ok_or_else(|| {
            let message = format!("{} is no plain file of a run directory", path.display());
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?;
        io::copy(&mut entry, &mut File::create(dir.join(name))?)?;
    }
    Ok(())
}

fn plain(path: &Path) -> Option<&OsStr> {
    let mut parts = path.components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(name)), None) => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_comes_out_as_it_went_in_and_nothing_lands_beside_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let [from, to, packed] = ["from", "to", "packed"].map(|name| folder.path().join(name));
        std::fs::create_dir(&from).unwrap();
        std::fs::write(from.join("run.json"), "{}").unwrap();
        std::fs::write(from.join("latency.hlog"), vec![7; 100_000]).unwrap();
        pack(&from, &packed).unwrap();
        unpack(&packed, &to).unwrap();
        for name in ["run.json", "latency.hlog"] {
            let read = |dir: &Path| std::fs::read(dir.join(name)).unwrap();
            assert_eq!(read(&to), read(&from));
        }
        for name in ["../outside", "/outside", "a/b"] {
            let mut header = tar::Header::new_gnu();
            let bytes = name.as_bytes();
            header.as_mut_bytes()[..bytes.len()].copy_from_slice(bytes);
            header.set_size(1);
            header.set_cksum();
            let mut hostile =
                tar::Builder::new(zstd::Encoder::new(File::create(&packed).unwrap(), 1).unwrap());
            hostile.append(&header, &b"x"[..]).unwrap();
            hostile.into_inner().unwrap().finish().unwrap();
            let error = unpack(&packed, &to).unwrap_err().to_string();
            assert!(error.contains("is no plain file"), "{error}");
        }
        assert!(!folder.path().join("outside").exists());
    }
}
