//! Hashes of passwords, on threads of their own: signals are heard meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use sqlx::PgConnection;
use tokio::sync::oneshot;

use super::error::ApplyError;
use crate::database::DatabaseError;
use crate::rows::{Engine, TableRows};

/// What takes less of one core needs no word.
const WORTH_TELLING: Duration = Duration::from_millis(500);

/// Makes the hashes that the rows will ask for, and says on stderr how long that takes.
pub(super) async fn ahead(
    connection: &mut PgConnection,
    engine: &'static Engine,
    tables: &[Arc<TableRows>],
) -> Result<(), ApplyError> {
    // At production cost this is minutes, in which the server hears nothing.
    sqlx::query("SET LOCAL idle_in_transaction_session_timeout = 0")
        .execute(connection)
        .await
        .map_err(DatabaseError::while_doing("preparing a transaction"))?;
    let stop = Stop(Arc::default());
    let (done, result) = oneshot::channel();
    let (stopped, tables) = (stop.0.clone(), tables.to_vec());
    thread::spawn(move || {
        let mut tell = |estimate: &crate::rows::Estimate| {
            if estimate.work() >= WORTH_TELLING {
                common::say!("{estimate}");
            }
        };
        // Nobody listens where a signal came first.
        let _ = done.send(engine.hash_ahead(&tables, &mut tell, &stopped));
    });
    Ok(result.await.expect("it sends what came of it, whatever that is")?)
}

/// Ends the threads when nobody waits for them any more.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
