//! One run in several parts: each is a shard of the plan in a process of its own, and the lead
//! gathers them, gives them one second 0, adds their seconds up as they go, ends them together,
//! and says which were lost. What is measured stays with the parts; at the end their run
//! directories are merged.

mod local;
mod message;
mod part;
mod parts;
mod sum;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::exit::Exit;
use common_net::signals::Interrupt;
use figures::Names;
use figures::recovery::Watch;
use run_log::format::{EndedBy, Phase, Window};
use run_log::phase::without_load;
use run_log::timeline::Second;
use tokio::sync::watch;
use tokio::time::sleep_until;

pub use local::Local;
pub use message::{Order, Report};
pub use part::{Orders, Told, report, report_second};
pub use parts::{Parts, Said};

use self::message::Seen;
use self::sum::Sums;
use crate::engine::{Cut, NOTICE, Seconds, StopRule, Tick, WorkerSeen};
use crate::measure::Collector;
use crate::time::At;

/// By which a lead says `--observe` to its first part: arguments are for all to see. On a line each.
pub const OBSERVE: &str = "REPLAYER_OBSERVE";
/// What of the environment is for the part that observes alone.
pub const OF_THE_OBSERVER: [&str; 2] = ["DATABASE_URL", OBSERVE];

#[derive(Debug, thiserror::Error)]
pub enum LeadError {
    #[error("cannot start a process")]
    Start(#[source] std::io::Error),
    #[error("part {part} of {of} {how} before the run began")]
    NotReady { part: usize, of: usize, how: String },
    #[error("the lead of this run ended before it began")]
    NeverArmed,
    #[error("the run was not begun: {0}")]
    NotArmed(String),
    #[error("all parts of the run were lost; the last {how}")]
    AllLost { how: String },
}

/// What is known of the whole run.
pub struct Whole {
    pub names: Names,
    pub plateau: Window,
    pub users: u64,
    /// What ends the whole of it.
    pub stop: Option<StopRule>,
    /// What is due, by second; nothing by closed pacing.
    pub planned: Vec<u64>,
    /// When its load ends.
    pub load_end: At,
    /// When all of it ends, where that is planned.
    pub planned_end: Option<At>,
    pub phases: Vec<Phase>,
    /// How long its first users stay behind the load, at most.
    pub recovery: Duration,
}

/// How much later than the lead the parts may take the load away: they are told, and each has a
/// second of its own in which it does.
const APART: Duration = Duration::from_secs(1);

/// Leads the parts of a run.
pub struct Lead<P> {
    parts: P,
    interrupts: watch::Receiver<Interrupt>,
    /// Parts that still say something.
    there: BTreeSet<usize>,
}

/// How a part ended, in words, and the last second that it told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    pub how: String,
    pub last_second: Option<u64>,
}

impl<P: Parts> Lead<P> {
    pub fn of(parts: P, interrupts: watch::Receiver<Interrupt>) -> Self {
        let there = (0..parts.count()).collect();
        Self { parts, interrupts, there }
    }

    pub fn parts(&mut self) -> &mut P {
        &mut self.parts
    }

    /// Waits until all parts are ready; the exit code of the signal that came before, if one did.
    ///
    /// # Errors
    /// When one of them will never be.
    pub async fn gather(&mut self) -> Result<Option<Exit>, LeadError> {
        let mut waited_for = self.there.clone();
        while !waited_for.is_empty() {
            tokio::select! {
                biased;
                Ok(()) = self.interrupts.changed() => return Ok(Some(self.interrupts.borrow().exit())),
                (part, said) = self.parts.next() => match said {
                    Said::Report(Report::Ready) => { waited_for.remove(&part); }
                    Said::Report(Report::Second { .. }) => {}
                    Said::Gone(how) => {
                        return Err(LeadError::NotReady { part: part + 1, of: self.parts.count(), how });
                    }
                },
            }
        }
        Ok(None)
    }

    /// Gives all parts their second 0.
    ///
    /// # Errors
    /// When one of them will not begin then.
    pub async fn arm(&mut self, at: DateTime<Utc>) -> Result<(), LeadError> {
        self.parts.arm(at).await.map_err(LeadError::NotArmed)
    }

    /// Adds up what the parts, whose second 0 is `at`, tell until all are gone; how each of them
    /// ended. One that was `cut_short` ends the others.
    pub async fn run(
        mut self,
        at: DateTime<Utc>,
        whole: Whole,
        cut_short: impl Fn(&P, usize) -> Option<EndedBy>,
        mut show: impl FnMut(&Tick<'_>),
    ) -> (P, BTreeMap<usize, Gone>) {
        let mut collector = Collector::new(whole.names, 0);
        let mut seconds = Seconds::new(whole.stop, whole.planned);
        let mut sums = Sums::default();
        // The row that each part told of last.
        let mut latest: BTreeMap<usize, Second> = BTreeMap::new();
        let mut gone = BTreeMap::new();
        let mut shown = Seen::default();
        // What of it was ended before its time.
        let mut ended = None;
        let (mut plateau, mut load_end) = (whole.plateau, whole.load_end);
        let is_watched = !whole.recovery.is_zero();
        collector.recovery = is_watched.then(|| Watch::of(&whole.phases)).flatten();
        while !self.there.is_empty() {
            let late_at = sums.late_at();
            tokio::select! {
                biased;
                Ok(()) = self.interrupts.changed() => {
                    let Some(cut) = Cut::by(*self.interrupts.borrow_and_update()) else { continue };
                    ended = Some(cut.what);
                    self.parts.tell(&Order::Stop(cut)).await;
                }
                (part, said) = self.parts.next() => match said {
                    Said::Report(Report::Ready) => {}
                    Said::Report(Report::Second { row, measured, seen }) => {
                        shown.errors.extend(seen.errors);
                        shown.observed.extend(seen.observed);
                        latest.insert(part, *row);
                        sums.add(part, &row, &measured);
                    }
                    Said::Gone(how) => {
                        self.there.remove(&part);
                        let last_second = latest.get(&part).map(|row| row.second);
                        gone.insert(part, Gone { how, last_second });
                        let cut = cut_short(&self.parts, part).map(Cut::because);
                        if let Some(cut) = cut.filter(|cut| ended < Some(cut.what)) {
                            ended = Some(cut.what);
                            self.parts.tell(&Order::Stop(cut)).await;
                        }
                    }
                },
                () = async {
                    match late_at {
                        Some(at) => sleep_until(at).await,
                        None => std::future::pending().await,
                    }
                } => {}
            }
            while let Some((row, histograms)) = sums.close(&self.there) {
                collector.add_second(&row, histograms, plateau);
                // Its rows are no one's history: those of the merged run are written later.
                let _ = seconds.close(&row, &collector, at.timestamp());
                let workers = self.parts.workers().into_iter().enumerate();
                let workers: Vec<WorkerSeen> = workers
                    .map(|(part, seen)| {
                        let lag_p99_us = latest.get(&part).map(|row| row.lag_p99_us);
                        WorkerSeen { lag_p99_us, ..seen }
                    })
                    .collect();
                show(&Tick {
                    row: &row,
                    collector: &collector,
                    planned_end: whole.planned_end,
                    errors: &shown.errors,
                    observed: &shown.observed,
                    workers: &workers,
                });
                shown = Seen::default();
                let cut = seconds
                    .reason_to_stop(&collector, whole.users, load_end)
                    .map(Cut::because)
                    .or_else(|| collector.is_recovery_over().then_some(Cut::RECOVERY_OVER));
                if let Some(cut) = cut.filter(|cut| ended < Some(cut.what)) {
                    ended = Some(cut.what);
                    let now = (Utc::now() - at).to_std().unwrap_or_default();
                    load_end = load_end.min(At::START + now + NOTICE + APART);
                    plateau = plateau.until(load_end.elapsed_s());
                    if let Some(recovery) = &mut collector.recovery {
                        let rest_s = (load_end + whole.recovery).elapsed_s();
                        recovery.during(without_load(plateau.end(), rest_s));
                    }
                    self.parts.tell(&Order::Stop(cut)).await;
                }
            }
        }
        (self.parts, gone)
    }
}
