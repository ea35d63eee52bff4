//! What a run does for an audit while it goes on.

use scenario::{Audit, MarkPlace};

use crate::engine::{MarkFrom, Marking};
use crate::prepare::Marked;

/// Which requests get a mark into their payload; none where the mark is the answer's.
pub fn marked(audit: &Audit) -> Option<Marked> {
    match &audit.mark {
        MarkPlace::Payload(pointer) => Marked::new(&audit.endpoint, pointer),
        MarkPlace::Answer(_) => None,
    }
}

/// Whose marks are noted; none where the endpoint is left out of the run.
pub fn marking(audit: &Audit, endpoints: &[String]) -> Option<Marking> {
    let endpoint = endpoints.iter().position(|name| *name == audit.endpoint)?;
    let from = match &audit.mark {
        MarkPlace::Answer(pointer) => MarkFrom::Answer(trace::pointer::tokens(pointer)?),
        MarkPlace::Payload(pointer) => {
            MarkFrom::Payload { key: trace::pointer::tokens(pointer)?.pop()? }
        }
    };
    Some(Marking { endpoint, from })
}
