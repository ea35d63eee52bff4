//! Whether run directories are parts of one run.

use super::error::MergeError;
use run_log::format::{Config, Run, State};
use run_log::reader::RunReader;

/// How far the starts of two shards may be apart.
const APART_MS: i64 = 100;

/// `shards` are in the order of their numbers.
pub(super) fn parts_of_one_run(shards: &[RunReader]) -> Result<(), MergeError> {
    for shard in shards {
        let dir = shard.dir().to_owned();
        if shard.run().state == State::Running {
            return Err(MergeError::Incomplete { dir });
        }
        if shard.run().shard.is_none() {
            return Err(MergeError::NotAShard { dir });
        }
    }
    let Some((first, others)) = shards.split_first() else { return Ok(()) };
    let mut before = first;
    for shard in others {
        let (one, other) = (first.dir().to_owned(), shard.dir().to_owned());
        if let Some(what) = difference(first.run(), shard.run()) {
            return Err(MergeError::Differs { what, one, other });
        }
        if let Some(number) = shard.run().shard
            && before.run().shard == Some(number)
        {
            return Err(MergeError::Overlap { shard: number, one: before.dir().to_owned(), other });
        }
        before = shard;
    }
    let by_start = |shard: &&RunReader| shard.run().started;
    if let (Some(one), Some(other)) =
        (shards.iter().min_by_key(by_start), shards.iter().max_by_key(by_start))
    {
        let apart_ms = (other.run().started - one.run().started).num_milliseconds();
        if apart_ms > APART_MS {
            let (one, other) = (one.dir().to_owned(), other.dir().to_owned());
            return Err(MergeError::Apart { apart_ms, one, other });
        }
    }
    Ok(())
}

/// What two shards of a run have in common, and these have not.
fn difference(one: &Run, other: &Run) -> Option<&'static str> {
    let names = |run: &Run| -> Vec<String> {
        run.personas.iter().map(|persona| persona.name.clone()).collect()
    };
    let accounts =
        |run: &Run| -> Vec<u64> { run.personas.iter().map(|persona| persona.accounts).collect() };
    [
        (one.shard.map(|s| s.of) != other.shard.map(|s| s.of), "number of shards"),
        (one.tool != other.tool, "version of the replayer"),
        (one.trace != other.trace, "trace"),
        (one.rewrites != other.rewrites, "rewrites"),
        (one.manifest != other.manifest, "manifest"),
        (one.scenario != other.scenario, "scenario"),
        (of_whole(&one.config) != of_whole(&other.config), "configuration"),
        (one.endpoints != other.endpoints, "endpoints"),
        (names(one) != names(other), "personas"),
        (accounts(one) != accounts(other), "accounts"),
        (one.plateau.start_s != other.plateau.start_s, "plateau"),
    ]
    .into_iter()
    .find_map(|(differs, what)| differs.then_some(what))
}

/// The configuration without what each shard has for itself.
fn of_whole(config: &Config) -> Config {
    Config { users: 0, threads: 0, ..config.clone() }
}
