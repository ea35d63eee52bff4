//! Which rewrites are in force: those of the recording, and those of the replay.

use std::path::Path;

use rewrites::Rewrites;
use trace::format::{Header, Rewrite};

use super::error::PrepareError;

/// A rule that changed requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    pub rewrite: Rewrite,
    /// Requests of the trace that it was for; none where it was applied when they were recorded.
    pub requests: Option<u64>,
}

/// What is left to apply of what was asked for: the requests of a trace that was recorded with it
/// are rewritten already.
pub(super) fn to_apply<'a>(
    path: &Path,
    header: &Header,
    asked: Option<&'a Rewrites>,
) -> Result<Option<&'a Rewrites>, PrepareError> {
    let Some(rewrites) = asked else { return Ok(None) };
    let is_of = |of: &&trace::format::Source| {
        of.rewrites.iter().any(|rewrite| rewrite.digest == rewrites.digest())
    };
    match header.sources.iter().filter(is_of).count() {
        0 => Ok(Some(rewrites)),
        count if count == header.sources.len() => Ok(None),
        _ => Err(PrepareError::PartlyRewritten {
            path: path.to_owned(),
            file: rewrites.file().to_owned(),
        }),
    }
}

/// All that are in force, those that are applied here last.
pub(super) fn in_force(header: &Header, applied: Option<&Rewrites>) -> Vec<Rewritten> {
    let mut all: Vec<Rewritten> = Vec::new();
    for rewrite in header.sources.iter().flat_map(|source| &source.rewrites) {
        if all.iter().all(|known| known.rewrite != *rewrite) {
            all.push(Rewritten { rewrite: rewrite.clone(), requests: None });
        }
    }
    let here = applied.map(Rewrites::in_force).unwrap_or_default();
    all.extend(here.into_iter().map(|rewrite| Rewritten { rewrite, requests: Some(0) }));
    all
}

/// Counts a request that these rules, by their numbers, were for.
pub(super) fn count(all: &mut [Rewritten], rules: &[usize]) {
    let here = all.iter().position(|rewritten| rewritten.requests.is_some()).unwrap_or(all.len());
    for rule in rules {
        if let Some(Rewritten { requests: Some(count), .. }) = all.get_mut(here + rule) {
            *count += 1;
        }
    }
}
