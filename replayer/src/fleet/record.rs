//! What stands in the key-value bucket: a plan a run, which its lead alone writes, and a record a
//! shard, which whoever has claimed it writes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use run_log::format::EndedBy;
use serde::{Deserialize, Serialize};

use crate::engine::Cut;

/// Counts the changes after which a lead and a worker do not understand each other.
pub(super) const VERSION: u32 = 1;

/// What a run is made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    pub version: u32,
    /// Name and version of the lead: the same schedule comes of the same version alone.
    pub tool: String,
    pub begun: DateTime<Utc>,
    pub shards: Vec<ShardPlan>,
    pub files: BTreeMap<FileKind, File>,
    pub state: PlanState,
    /// What ends it before its plan does.
    pub stop: Option<Cut>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShardPlan {
    pub users: usize,
    /// Options of `replayer run`, as [`super::options`] allows them.
    pub options: Vec<String>,
}

/// What a run reads, and the option of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    Trace,
    Scenario,
    Rewrites,
    Manifest,
}

impl FileKind {
    pub(super) const ALL: [Self; 4] = [Self::Trace, Self::Scenario, Self::Rewrites, Self::Manifest];

    pub(super) const fn option(self) -> &'static str {
        match self {
            Self::Trace => "--trace",
            Self::Scenario => "--scenario",
            Self::Rewrites => "--rewrites",
            Self::Manifest => "--manifest",
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct File {
    /// With its ending, by which it is read.
    pub name: String,
    /// `sha256:…`
    pub digest: String,
    /// Whether it is in the object store; else each worker has to have it.
    pub is_sent: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanState {
    /// Shards may be claimed.
    Gathering,
    /// Second 0 is then, by the lead's clock.
    Armed { at: DateTime<Utc> },
    /// It has not begun, and will not.
    Aborted { why: String },
    /// It was collected.
    Over,
}

/// What has become of a shard, by whoever has claimed it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ShardRecord {
    /// Who, for those who read it.
    pub worker: String,
    /// The revision of the claim, by which it is told from others of the same shard; none in the
    /// claim itself.
    pub epoch: Option<u64>,
    pub state: ShardState,
    pub clock: Option<Clock>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ShardState {
    Claimed,
    /// It has read everything, and waits to be armed.
    Ready,
    /// It will begin then.
    Armed,
    /// Its directory is in the object store.
    Done {
        object: String,
        digest: String,
        how: String,
        ended_by: Option<EndedBy>,
    },
    /// It has measured nothing that could be sent.
    Failed {
        how: String,
    },
}

impl ShardState {
    /// In a word.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Ready => "ready",
            Self::Armed => "armed",
            Self::Done { .. } => "done",
            Self::Failed { .. } => "failed",
        }
    }
}

/// How a clock stands beside that of the lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// The lead's less this one, in microseconds.
    pub offset_us: i64,
    /// Half the shortest round trip: the offset is as exact as this, in microseconds.
    pub bound_us: u64,
}
