//! What all readers of a trace ask of its lines.

use trace::format as disk;

/// The persona of a request, or the name that stands for none.
pub(super) fn persona(line: &disk::Request) -> &str {
    line.persona.as_deref().unwrap_or("(none)")
}

/// What the answer of a line gives to later ones.
pub(super) fn captures(line: &disk::Request) -> &[disk::Capture] {
    match &line.result {
        disk::RecordedResult::Answer(answer) => &answer.capture,
        disk::RecordedResult::Error(_) => &[],
    }
}

/// About how many bytes a request takes, as a line and as a template.
pub(super) fn size_in_memory(line: &disk::Request) -> u64 {
    let body = match &line.body {
        Some(disk::Body::Text(text) | disk::Body::Base64(text)) => text.len(),
        Some(disk::Body::Truncated { .. }) | None => 0,
    };
    let headers: usize = line.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    // Its strings twice, as a line and as a template while it is made, and what stands around.
    (2 * (body + headers + line.path.len()) + 1024) as u64
}
