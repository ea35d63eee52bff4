//! What is audited, as run directories have it.

use run_log::audit::{MadeBy, Stored};
use scenario::{Audit, MarkPlace};

/// Of an audit of which nothing was counted so far, and why.
pub fn record(audit: &Audit, why: &str) -> run_log::audit::Audit {
    let Audit { endpoint, mark, table, column, pointer, settle } = audit;
    let (mark, made_by) = match mark {
        MarkPlace::Answer(pointer) => (format!("{pointer} of the answer"), MadeBy::Target),
        MarkPlace::Payload(pointer) => (format!("{pointer} of the payload"), MadeBy::Run),
    };
    let path = pointer.as_deref().and_then(trace::pointer::tokens).unwrap_or_default();
    let stored = Stored { table: table.clone(), column: column.clone(), path, made_by };
    let pointer = pointer.as_ref().map_or_else(String::new, |pointer| format!("{pointer} of "));
    run_log::audit::Audit {
        endpoint: endpoint.clone(),
        mark,
        place: format!("{pointer}{table}.{column}"),
        stored: Some(stored),
        settle_s: settle.as_secs_f64(),
        not_done: Some(why.to_owned()),
        counts: None,
    }
}
