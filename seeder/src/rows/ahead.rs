//! Hashes of passwords before any row is made: on all cores, and with a word on how long.
//!
//! Rows are made one by one, by one thread, so a hash of production cost a row would take as many
//! times as long as there are cores. First all are asked for and none is made, which says how many
//! distinct ones there are; one of each kind on every core, measured, then says what the others
//! take. One alone would be faster than several are at once, which share memory and heat.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::password::Passwords;
use super::table::{Formula, Source, TableRows};
use crate::password::{Scheme, SchemeError};
use crate::plan::PlanError;
use generate::lock;

/// Memory of all the hashes that are made at once: past it fewer cores are used.
const MAX_BYTES: u64 = 1 << 30;

/// What the hashes of one kind will take.
#[derive(Debug)]
pub(crate) struct Estimate {
    scheme: Scheme,
    hashes: usize,
    /// Of those, the ones that are still to be made.
    left: usize,
    /// By the first of them.
    each: Duration,
    threads: usize,
}

impl Estimate {
    /// The processor time of all, on however many cores.
    pub(crate) fn work(&self) -> Duration {
        self.each * u32::try_from(self.hashes).unwrap_or(u32::MAX)
    }

    /// Of all that are left.
    fn total(&self) -> Duration {
        let rounds = self.left.div_ceil(self.threads);
        self.each * u32::try_from(rounds).unwrap_or(u32::MAX)
    }
}

/// `hashing 300 passwords (bcrypt, cost 12): about 38s on 2 cores, at 250 ms each`.
impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, hashes, each, threads, .. } = self;
        let about = match self.total() {
            short if short < Duration::from_secs(10) => format!("{:.1} s", short.as_secs_f64()),
            long => humantime::format_duration(Duration::from_secs(long.as_secs())).to_string(),
        };
        let cores = if *threads == 1 { "core" } else { "cores" };
        let each = each.as_secs_f64() * 1e3;
        write!(
            f,
            "hashing {hashes} passwords ({scheme}): about {about} on {threads} {cores}, at {each:.1} ms each"
        )
    }
}

pub(super) fn hash(
    passwords: &Arc<Passwords>,
    tables: &[Arc<TableRows>],
    tell: &mut dyn FnMut(&Estimate),
    stop: &AtomicBool,
) -> Result<(), PlanError> {
    let (asked, wanted) = passwords.gather(|| ask(tables, stop));
    asked?;
    let mut wanted = wanted.into_iter().peekable();
    while let Some(&(scheme, _)) = wanted.peek() {
        let mut of_kind = Vec::new();
        while let Some(key) = wanted.next_if(|(next, _)| *next == scheme) {
            of_kind.push(key);
        }
        let done = of_a_kind(passwords, scheme, &of_kind, tell, stop);
        done.map_err(|problem| wrong(tables, &problem))?;
    }
    Ok(())
}

/// Makes what hashes are made of, of all rows.
fn ask(tables: &[Arc<TableRows>], stop: &AtomicBool) -> Result<(), PlanError> {
    for group in tables.iter().flat_map(|table| &table.groups) {
        let hashed = group.columns.iter().enumerate().filter(|(_, column)| {
            column.hash && matches!(column.content, Source::Planned(Formula::Expression { .. }))
        });
        for (index, _) in hashed {
            for n in 1..=group.rows {
                if stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                group.evaluate(n, &group.orders[index])?;
            }
        }
    }
    Ok(())
}

fn of_a_kind(
    passwords: &Passwords,
    scheme: Scheme,
    wanted: &[(Scheme, String)],
    tell: &mut dyn FnMut(&Estimate),
    stop: &AtomicBool,
) -> Result<(), SchemeError> {
    if wanted.is_empty() {
        return Ok(());
    }
    let threads = threads(scheme).min(wanted.len());
    // Where one round is all that there is, it is not over before its length is said.
    let (first, rest) = wanted.split_at(if wanted.len() > threads { threads } else { 1 });
    let begun = Instant::now();
    side_by_side(passwords, first, first.len(), stop)?;
    let each = begun.elapsed();
    let threads = threads.min(rest.len().max(1));
    tell(&Estimate { scheme, hashes: wanted.len(), left: rest.len(), each, threads });
    side_by_side(passwords, rest, threads, stop)
}

/// Makes these on so many threads.
fn side_by_side(
    passwords: &Passwords,
    wanted: &[(Scheme, String)],
    threads: usize,
    stop: &AtomicBool,
) -> Result<(), SchemeError> {
    let next = AtomicUsize::new(0);
    let failed = std::sync::Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(key) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    if let Err(problem) = passwords.prepare(key.clone()) {
                        lock(&failed).get_or_insert(problem);
                        return;
                    }
                }
            });
        }
    });
    lock(&failed).take().map_or(Ok(()), Err)
}

/// As many as there are cores, and as the memory of so many hashes allows.
fn threads(scheme: Scheme) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let fit = usize::try_from(MAX_BYTES / scheme.memory_bytes()).unwrap_or(usize::MAX);
    cores.min(fit).max(1)
}

/// Which row it was for is not known any more; the column is.
fn wrong(tables: &[Arc<TableRows>], problem: &SchemeError) -> PlanError {
    let groups = tables.iter().flat_map(|table| &table.groups);
    let found = groups
        .flat_map(|group| group.columns.iter().map(move |column| (group, column)))
        .find(|(_, column)| column.hash);
    let (path, line) = found
        .map_or((Default::default(), 1), |(group, column)| (group.plan_path.clone(), column.line));
    PlanError::At { path, line, message: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::{Form, Variant};

    #[test]
    fn what_is_told_is_what_is_left_shared_among_the_cores() {
        let scheme = Scheme::bcrypt(12, Form::Phc).unwrap();
        let each = Duration::from_millis(250);
        let estimate = Estimate { scheme, hashes: 301, left: 299, each, threads: 2 };
        let told =
            "hashing 301 passwords (bcrypt, cost 12): about 37s on 2 cores, at 250.0 ms each";
        assert_eq!(estimate.to_string(), told);
        let one = Estimate { hashes: 2, left: 1, threads: 1, ..estimate };
        assert!(one.to_string().contains("about 0.2 s on 1 core,"), "{one}");
    }

    #[test]
    fn it_is_told_once_each_core_has_made_one_and_before_the_others() {
        let scheme = Scheme::bcrypt(4, Form::Phc).unwrap();
        let cores = threads(scheme);
        for (hashes, first) in [(0, 0), (1, 1), (cores, 1), (3 * cores + 1, cores)] {
            let passwords = Passwords::new(1, "plan");
            let wanted: Vec<_> = (0..hashes).map(|n| (scheme, n.to_string())).collect();
            let mut told = Vec::new();
            let mut tell = |estimate: &Estimate| told.push((passwords.made(), estimate.left));
            of_a_kind(&passwords, scheme, &wanted, &mut tell, &AtomicBool::new(false)).unwrap();
            assert_eq!(passwords.made(), hashes);
            let expected = (hashes > 0).then_some((first, hashes - first));
            assert_eq!(told, Vec::from_iter(expected), "{hashes} on {cores} cores");
        }
    }

    #[test]
    fn hashes_that_take_much_memory_are_made_by_fewer() {
        let large = Scheme::argon2(Variant::Id, 2 << 20, 1, 1, Form::Phc).unwrap();
        assert_eq!(threads(large), 1);
    }
}
