//! Why nothing could be verified.

use std::path::PathBuf;

use super::login::LoginError;
use crate::apply::ApplyError;
use crate::clean::CleanError;

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Clean(#[from] CleanError),
    #[error(transparent)]
    Login(#[from] LoginError),
    #[error("no manifest {}; make it with: seeder apply --manifest {}", path.display(), path.display())]
    NoManifest { path: PathBuf },
}

impl From<ApplyError> for VerifyError {
    fn from(error: ApplyError) -> Self {
        Self::Clean(error.into())
    }
}
