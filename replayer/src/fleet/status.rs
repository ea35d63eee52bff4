//! What runs there are, and how they stand.

use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use serde::Serialize;

use super::error::FleetError;
use super::names;
use super::nats::Nats;
use super::record::{Clock, Plan, PlanState, ShardRecord};

#[derive(Debug, Serialize)]
pub struct RunStatus {
    pub run: String,
    pub begun: DateTime<Utc>,
    pub state: PlanState,
    pub shards: Vec<ShardStatus>,
}

#[derive(Debug, Serialize)]
pub struct ShardStatus {
    pub shard: u32,
    pub users: usize,
    /// Nobody, where it is free.
    pub worker: Option<String>,
    pub state: &'static str,
    pub clock: Option<Clock>,
}

/// All runs that the bucket still has, or the one of a name; the oldest first.
///
/// # Errors
/// When NATS does not tell.
pub async fn runs(nats: &Nats, wanted: Option<&str>) -> Result<Vec<RunStatus>, FleetError> {
    let keys = nats.runs.keys().await.map_err(FleetError::nats("list the runs"))?;
    let keys: Vec<String> = keys.filter_map(async |key| key.ok()).collect().await;
    let mut found = Vec::new();
    for run in keys.iter().filter_map(|key| names::run_of_plan(key)) {
        if wanted.is_some_and(|wanted| wanted != run) {
            continue;
        }
        let Some(plan) = nats.get::<Plan>(names::plan(run)).await? else { continue };
        let mut shards = Vec::new();
        for (shard, of) in (1..).zip(&plan.value.shards) {
            let record = nats.get::<ShardRecord>(names::shard(run, shard)).await?;
            let record = record.map(|record| record.value);
            shards.push(ShardStatus {
                shard,
                users: of.users,
                state: record.as_ref().map_or("free", |record| record.state.name()),
                clock: record.as_ref().and_then(|record| record.clock),
                worker: record.map(|record| record.worker),
            });
        }
        let (run, begun, state) = (run.to_owned(), plan.value.begun, plan.value.state);
        found.push(RunStatus { run, begun, state, shards });
    }
    found.sort_by_key(|run| run.begun);
    match wanted.filter(|_| found.is_empty()) {
        Some(run) => Err(FleetError::Unknown(run.to_owned())),
        None => Ok(found),
    }
}
