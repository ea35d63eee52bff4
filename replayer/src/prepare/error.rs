//! Why a trace cannot be replayed.

use std::path::PathBuf;

use trace::reader::ReadError;

#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("trace {}: request {id}: {message}", path.display())]
    Request { path: PathBuf, id: String, message: String },
    #[error(
        "trace {} needs more than {} MiB of memory; raise the bound with --max-trace-memory, \
         or replay it at --clones 1, where it is read as it is needed",
        path.display(), memory >> 20
    )]
    TooBig { path: PathBuf, memory: u64 },
    #[error(
        "sessions of trace {} overlap so that {} MiB are needed at once, over the bound of {} MiB; \
         raise it with --max-trace-memory",
        path.display(), needed >> 20, memory >> 20
    )]
    TooWide { path: PathBuf, needed: u64, memory: u64 },
    #[error(
        "a part of trace {} was recorded with {file}, and another was not: replay them apart",
        path.display()
    )]
    PartlyRewritten { path: PathBuf, file: String },
    #[error("trace {} changed while it was replayed", path.display())]
    Changed { path: PathBuf },
    #[error("trace {} has no request{}", path.display(), of_persona(persona.as_ref()))]
    Empty { path: PathBuf, persona: Option<String> },
}

fn of_persona(persona: Option<&String>) -> String {
    persona.map_or(String::new(), |persona| format!(" of persona {persona}"))
}
