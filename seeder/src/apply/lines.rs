//! Rows as lines of COPY, made on a thread of their own: while the server
//! takes some, the next ones are generated.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::plan::PlanError;
use crate::rows::TableRows;

/// Bytes sent at a time.
const CHUNK_BYTES: usize = 128 * 1024;
/// Chunks waiting to be sent: with the one being made and the one under way, this
/// is all the memory that rows take at any scale.
const CHUNKS: usize = 4;

/// Some lines of COPY.
pub(super) struct Chunk {
    pub(super) lines: Vec<u8>,
    pub(super) rows: u64,
}

/// What makes the lines of rows: nothing but the lines ends up in `Vec<u8>`.
type Write = fn(&TableRows, usize, u64, &mut Vec<u8>) -> Result<(), PlanError>;

/// The rows of a group, in order.
pub(super) fn of_rows(
    table: Arc<TableRows>,
    group: usize,
) -> mpsc::Receiver<Result<Chunk, PlanError>> {
    make(table, group, |table, group, n, lines| table.groups[group].write(n, lines))
}

/// Their keys alone.
pub(super) fn of_keys(
    table: Arc<TableRows>,
    group: usize,
) -> mpsc::Receiver<Result<Chunk, PlanError>> {
    make(table, group, |table, group, n, lines| table.groups[group].write_key(n, lines))
}

/// The thread ends with the last row, at a mistake, or when nobody listens any more.
fn make(
    table: Arc<TableRows>,
    group: usize,
    write: Write,
) -> mpsc::Receiver<Result<Chunk, PlanError>> {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    std::thread::spawn(move || {
        let new = || Chunk { lines: Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8), rows: 0 };
        let mut chunk = new();
        for n in 1..=table.groups[group].rows {
            if let Err(error) = write(&table, group, n, &mut chunk.lines) {
                // Where nobody listens, nobody needs the mistake either.
                let _ = sender.blocking_send(Err(error));
                return;
            }
            chunk.rows += 1;
            if chunk.lines.len() >= CHUNK_BYTES
                && sender.blocking_send(Ok(std::mem::replace(&mut chunk, new()))).is_err()
            {
                return;
            }
        }
        if chunk.rows > 0 {
            let _ = sender.blocking_send(Ok(chunk));
        }
    });
    receiver
}
