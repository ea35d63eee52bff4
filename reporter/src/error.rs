//! Everything that can go wrong, with its exit code.

use common::exit::Exit;
use manifest::ManifestError;
use rewrites::RewritesError;

use crate::chart::DrawError;
use crate::load::LoadError;
use crate::render::TemplateError;
use crate::write::WriteError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Traps(#[from] RewritesError),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Draw(#[from] DrawError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("cannot write to stdout")]
    Stdout(#[source] std::io::Error),
}

impl Error {
    /// Damaged input is for the user to fix; output that cannot be written is not.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Load(_) | Self::Manifest(_) | Self::Traps(_) | Self::Template(_) => Exit::Usage,
            Self::Write(WriteError::Output(error)) => error.exit(),
            Self::Draw(_) | Self::Write(_) | Self::Stdout(_) => Exit::Internal,
        }
    }
}
