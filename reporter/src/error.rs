//! Everything that can go wrong, with its exit code.

use std::path::PathBuf;

use common::exit::Exit;
use manifest::ManifestError;
use rewrites::RewritesError;

use crate::chart::DrawError;
use crate::load::LoadError;
use crate::markers::MarkerError;
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
    Marker(#[from] MarkerError),
    #[error("{}: name the report itself, such as load-test-report.md; its page and its figures get the endings .html and .json", path.display())]
    Out { path: PathBuf },
    #[error("cannot write JUnit's XML")]
    Junit(#[from] quick_junit::SerializeError),
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
            Self::Load(_)
            | Self::Manifest(_)
            | Self::Traps(_)
            | Self::Template(_)
            | Self::Marker(_)
            | Self::Out { .. } => Exit::Usage,
            Self::Write(WriteError::Output(error)) => error.exit(),
            Self::Draw(_) | Self::Junit(_) | Self::Write(_) | Self::Stdout(_) => Exit::Internal,
        }
    }
}
