//! What everything of a fleet is called in NATS.

/// Key-value bucket of plans and shards.
pub(super) const RUNS: &str = "replay_runs";
/// Object store of what is sent, and of what was measured.
pub(super) const FILES: &str = "replay_files";
/// Stream of the seconds of all runs.
pub(super) const LIVE: &str = "REPLAY_LIVE";
/// Subjects of that stream.
pub(super) const SECONDS: &str = "replay.*.second.*";
/// Keys of all plans.
pub(super) const PLANS: &str = "*.plan";

/// Whether a run may be called so: its name is a part of subjects and of paths.
pub fn is_run(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(is_part)
}

pub(super) fn plan(run: &str) -> String {
    format!("{run}.plan")
}

/// The run of a plan's key.
pub(super) fn run_of_plan(key: &str) -> Option<&str> {
    key.strip_suffix(".plan").filter(|run| is_run(run))
}

/// `shard` counts from 1.
pub(super) fn shard(run: &str, shard: u32) -> String {
    format!("{run}.shard.{shard}")
}

pub(super) fn shards(run: &str) -> String {
    format!("{run}.shard.*")
}

/// The number at the end of a key or subject.
pub(super) fn number(name: &str) -> Option<u32> {
    name.rsplit('.').next()?.parse().ok()
}

pub(super) fn second(run: &str, shard: u32) -> String {
    format!("replay.{run}.second.{shard}")
}

pub(super) fn seconds(run: &str) -> String {
    format!("replay.{run}.second.*")
}

pub(super) fn clock(run: &str) -> String {
    format!("replay.{run}.clock")
}

pub(super) fn beat(run: &str, shard: u32) -> String {
    format!("replay.{run}.beat.{shard}")
}

pub(super) fn beats(run: &str) -> String {
    format!("replay.{run}.beat.*")
}

/// The object of a file by its digest, `sha256:…`.
pub(super) fn file(digest: &str) -> String {
    digest.replace(':', "-")
}

pub(super) fn result(run: &str, shard: u32, epoch: u64) -> String {
    format!("run/{run}/{shard}/{epoch}.tar.zst")
}
