//! Which minor version has what a request needs.
//!
//! The header comes before the requests, so whoever writes a trace asks here of each of them
//! before the first is written.

use super::format::{CaptureFrom, FreshId, Origin, RecordedResult, Request};
use super::own_site;

/// The lowest that has all of a request.
pub fn of_request(request: &Request) -> u32 {
    let of_bindings = request.bind.iter().any(|binding| {
        binding.ambiguous
            || matches!(&binding.from, Origin::Fresh { like: FreshId::Pattern(_), .. })
    });
    let is_own = |(name, value): &(String, String)| own_site::of_target(name, value).is_some();
    let of_headers = request.headers.iter().any(is_own);
    let of_captures = match &request.result {
        RecordedResult::Answer(answer) => {
            answer.capture.iter().map(|capture| of_capture(&capture.from)).max()
        }
        RecordedResult::Error(_) => None,
    };
    u32::from(of_bindings || of_headers).max(of_captures.unwrap_or(0))
}

/// The lowest that has this kind of capture.
pub fn of_capture(from: &CaptureFrom) -> u32 {
    match from {
        CaptureFrom::Json { .. }
        | CaptureFrom::Header(_)
        | CaptureFrom::HeaderSegment { .. }
        | CaptureFrom::Cookie(_)
        | CaptureFrom::Form(_) => 0,
        CaptureFrom::Meta(_) | CaptureFrom::Attribute(_) | CaptureFrom::Text { .. } => 1,
    }
}
