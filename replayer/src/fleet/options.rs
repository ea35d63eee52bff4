//! The options of a run that a worker takes from a plan, which somebody else has written.

use super::error::FleetError;
use super::record::{FileKind, ShardPlan};

/// What is neither a file of this machine, nor one that it writes, nor a variable of its
/// environment.
const TAKEN: [&str; 36] = [
    "--target",
    "--allow-host",
    "--insecure",
    "--seed",
    "--source-ip",
    "--read-only",
    "--skip-truncated",
    "--max-trace-memory",
    "--profile",
    "--speed",
    "--clones",
    "--users",
    "--rate",
    "--stages",
    "--duration",
    "--max-requests",
    "--personas",
    "--spawn-rate",
    "--warmup",
    "--pacing",
    "--independent",
    "--restart",
    "--stop-on",
    "--stop-not-before",
    "--recovery",
    "--rate-tolerance",
    "--label",
    "--max-rate",
    "--max-queue",
    "--login-rate",
    "--connect-timeout",
    "--request-timeout",
    "--grace",
    "--verify",
    "--no-observe",
    "--threads",
];

/// Whether a worker takes an option, by its name, from a plan, or it is none of a plan's.
#[cfg(test)]
pub(crate) fn is_known(option: &str) -> bool {
    planned([option.to_owned()]).iter().all(|option| TAKEN.contains(&name_of(option)))
}

fn name_of(option: &str) -> &str {
    option.split('=').next().unwrap_or_default()
}

/// The options of a plan, of which hosts are left that this worker may load, and none that it has
/// an `own` of: addresses and cores are a machine's.
///
/// # Errors
/// When there is one that is not taken.
pub(super) fn taken(
    plan: &ShardPlan,
    allowed: &[String],
    own: &[String],
) -> Result<Vec<String>, FleetError> {
    let mut options = Vec::with_capacity(plan.options.len());
    for option in &plan.options {
        let name = name_of(option);
        let value = option.strip_prefix("--allow-host=").unwrap_or_default();
        if !TAKEN.contains(&name) {
            return Err(FleetError::Option(name.to_owned()));
        }
        let may_load = || allowed.iter().any(|host| host.eq_ignore_ascii_case(value));
        let is_replaced = own.iter().any(|own| name_of(own) == name);
        if !is_replaced && (name != "--allow-host" || may_load()) {
            options.push(option.clone());
        }
    }
    Ok(options)
}

/// Those options of a run that a plan has: files go by their digests, and secrets each worker has
/// for itself.
pub(super) fn planned(options: impl IntoIterator<Item = String>) -> Vec<String> {
    let is_own =
        |name: &str| name == "--slot" || FileKind::ALL.iter().any(|kind| kind.option() == name);
    options.into_iter().filter(|option| !is_own(name_of(option))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(options: &[&str]) -> ShardPlan {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        ShardPlan { users: 1, options }
    }

    #[test]
    fn a_plan_cannot_make_a_worker_read_write_or_load_what_it_may_not() {
        let plan =
            of(&["--target=http://h:80", "--allow-host=h", "--allow-host=other", "--verify"]);
        let taken = |plan: &ShardPlan| taken(plan, &["H".to_owned()], &[]);
        assert_eq!(taken(&plan).unwrap(), ["--target=http://h:80", "--allow-host=h", "--verify"]);
        for option in
            ["--trace=/etc/passwd", "--out=/", "--manifest=/m", "--observe=postgres=x", "-q"]
        {
            let plan = of(&[option]);
            let error = taken(&plan).unwrap_err().to_string();
            assert!(error.contains("does not take from others"), "{error}");
        }
    }

    #[test]
    fn what_a_worker_says_itself_replaces_what_the_plan_says() {
        let plan = of(&["--threads=8", "--source-ip=127.0.0.1", "--verify"]);
        let own = ["--source-ip=127.0.0.7".to_owned(), "--slot=token=TOKEN".to_owned()];
        assert_eq!(taken(&plan, &[], &own).unwrap(), ["--threads=8", "--verify"]);
    }
}
