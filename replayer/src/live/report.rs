//! The report of a run that goes on, by the program that writes reports.
//!
//! It is a process of its own: the reporter comes after the replayer, and what it takes of memory
//! and time is not this process's. It inherits the low priority of the thread that serves.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::process::Command;
use tokio::time::timeout;

/// Of the longest and widest runs it takes seconds.
const MOST: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub(super) enum ReportError {
    #[error(
        "there is no run directory yet: one of several parts is there at the end, when they are added up"
    )]
    NotYet,
    #[error("a page of another site may not ask for it")]
    Foreign,
    #[error("another report is being written: ask again")]
    Busy,
    #[error("reports are written by the program {}, which is not there", .0.display())]
    NoProgram(PathBuf),
    #[error("cannot write a report: {0}")]
    Io(#[from] io::Error),
    #[error("cannot write a report within {} s", MOST.as_secs())]
    TooLong,
    #[error("{0}")]
    Refused(String),
}

impl ReportError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotYet => StatusCode::NOT_FOUND,
            Self::Foreign => StatusCode::FORBIDDEN,
            Self::Busy | Self::TooLong => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoProgram(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Io(_) | Self::Refused(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The reporter that came with this program.
pub(super) fn reporter() -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("reporter"))
}

/// The page of a run directory, which may still be written.
///
/// # Errors
/// When `reporter` is missing or fails.
pub(super) async fn page_of(dir: &Path, reporter: &Path) -> Result<String, ReportError> {
    let dir = tokio::fs::canonicalize(dir).await?;
    let folder = tempfile::tempdir()?;
    let runs = folder.path().join("runs");
    std::fs::create_dir(&runs)?;
    symlink(&dir, runs.join(dir.file_name().unwrap_or("run".as_ref())))?;
    let page = folder.path().join("report.html");
    let mut command = Command::new(reporter);
    command.arg("fill").arg("--runs").arg(&runs).arg("--out").arg(page.with_extension("md"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    let output = timeout(MOST, command.output()).await.map_err(|_| ReportError::TooLong)?;
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ReportError::NoProgram(reporter.to_owned()),
        _ => ReportError::Io(error),
    })?;
    // Whatever its exit code says of the run.
    tokio::fs::read_to_string(&page).await.map_err(|_| {
        ReportError::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (dir, program) = (folder.path().join("run"), folder.path().join("reporter"));
        std::fs::create_dir(&dir).unwrap();
        let error = page_of(&dir, &program).await.unwrap_err();
        assert_eq!(error.status(), StatusCode::NOT_IMPLEMENTED);
        assert!(error.to_string().contains(&*program.to_string_lossy()), "{error}");
    }
}
