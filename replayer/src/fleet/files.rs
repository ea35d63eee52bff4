//! Files on their way, each by its digest, so that none goes twice.

use std::io;
use std::path::{Path, PathBuf};

use common::digest;
use tokio::fs;

use super::error::FleetError;
use super::names;
use super::nats::Nats;

fn unread(path: &Path) -> impl FnOnce(io::Error) -> FleetError {
    let path = path.to_owned();
    move |source| FleetError::Read { path, source }
}

fn unwritten(path: &Path) -> impl FnOnce(io::Error) -> FleetError {
    let path = path.to_owned();
    move |source| FleetError::Write { path, source }
}

/// `sha256:…`, read on a thread of its own.
pub(super) async fn digest_of(path: &Path) -> Result<String, FleetError> {
    let read = path.to_owned();
    let digest = tokio::task::spawn_blocking(move || digest::of_file(&read)).await;
    digest.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(unread(path))
}

/// Sends a file under a name, where there is none of it.
pub(super) async fn send(nats: &Nats, path: &Path, name: &str) -> Result<(), FleetError> {
    if nats.files.info(name).await.is_ok_and(|info| !info.deleted) {
        return Ok(());
    }
    let mut file = fs::File::open(path).await.map_err(unread(path))?;
    nats.files.put(name, &mut file).await.map_err(FleetError::nats("send a file"))?;
    Ok(())
}

/// Fetches an object into a file, which appears whole; its digest.
pub(super) async fn fetch(nats: &Nats, name: &str, to: &Path) -> Result<String, FleetError> {
    let mut object = nats.files.get(name).await.map_err(FleetError::nats("fetch a file"))?;
    let part = to.with_extension("part");
    let mut file = fs::File::create(&part).await.map_err(unwritten(&part))?;
    tokio::io::copy(&mut object, &mut file).await.map_err(FleetError::nats("fetch a file"))?;
    file.sync_all().await.map_err(unwritten(&part))?;
    let digest = digest_of(&part).await?;
    fs::rename(&part, to).await.map_err(unwritten(to))?;
    Ok(digest)
}

/// The file of a digest in a folder of such, fetched where it is not there yet. It has the name
/// that it has at the lead, by which run directories call it and its kind is known.
pub(super) async fn cached(
    nats: &Nats,
    run: &str,
    file: &super::record::File,
    folder: &Path,
) -> Result<PathBuf, FleetError> {
    let folder = folder.join(names::file(&file.digest));
    fs::create_dir_all(&folder).await.map_err(unwritten(&folder))?;
    // Whatever was said, it lies in the folder.
    let path = folder.join(Path::new(&file.name).file_name().unwrap_or("file".as_ref()));
    if path.is_file() && digest_of(&path).await? == file.digest {
        return Ok(path);
    }
    let found = fetch(nats, &names::file(&file.digest), &path).await?;
    if found != file.digest {
        // It would be taken for the right one.
        let _ = fs::remove_file(&path).await;
        let (what, run, expected) = (file.name.clone(), run.to_owned(), file.digest.clone());
        return Err(FleetError::Digest { what, run, found, expected });
    }
    Ok(path)
}
