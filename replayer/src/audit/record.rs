//! What is audited, as run directories have it.

use scenario::{Audit, MarkPlace};

/// Of an audit of which nothing was counted so far, and why.
pub fn record(audit: &Audit, why: &str) -> run_log::audit::Audit {
    let Audit { endpoint, mark, table, column, pointer, settle } = audit;
    let mark = match mark {
        MarkPlace::Answer(pointer) => format!("{pointer} of the answer"),
        MarkPlace::Payload(pointer) => format!("{pointer} of the payload"),
    };
    let pointer = pointer.as_ref().map_or_else(String::new, |pointer| format!("{pointer} of "));
    run_log::audit::Audit {
        endpoint: endpoint.clone(),
        mark,
        place: format!("{pointer}{table}.{column}"),
        settle_s: settle.as_secs_f64(),
        not_done: Some(why.to_owned()),
        counts: None,
    }
}
