//! What is observed, and what of it is watched.

use std::collections::BTreeMap;

use run_log::format::{Run, TargetSample};

use super::band::{Band, LASTS, Limit};
use super::symptom::Order;
use crate::summary::samples::{MACHINE, unit};
use crate::units::Unit;

/// Shares of the processors that leave none: of a process, and of all of a machine.
const BUSY_PROCESS: f64 = 0.9;
const BUSY_MACHINE: f64 = 0.95;

/// A wait for a lock from which on it is no matter of course, in seconds.
const LONG_WAIT_S: f64 = 1.0;

/// Of the connections that a server allows; those that are left are for its owner.
const NEARLY_ALL: f64 = 0.95;

/// Fewer connections are always all busy now and then.
const LEAST_BUSY: f64 = 2.0;

#[derive(Default)]
pub(super) struct Signs {
    /// In percent of one core; none where the target's machine is not known.
    processors: Option<f64>,
    metrics: BTreeMap<String, Metric>,
    /// By what is observed, such as `process.8000`.
    processes: BTreeMap<String, Processes>,
    databases: BTreeMap<String, Database>,
}

struct Metric {
    band: Band,
    order: Order,
    /// Of a counter.
    before: Option<f64>,
}

/// How many processes there are: each has memory and descriptors of its own.
#[derive(Default)]
struct Processes {
    at_first: f64,
    before: f64,
    now: (u64, f64),
}

impl Processes {
    fn see(&mut self, second: u64, count: f64, is_usual: bool) {
        if second > self.now.0 {
            self.before = self.now.1;
        }
        self.now = (second, count);
        if is_usual {
            self.at_first = self.at_first.max(count);
        }
    }

    /// By how much they have grown by the second before this one, at least 1.
    fn grown(&self, second: u64) -> f64 {
        let count = if second > self.now.0 { self.now.1 } else { self.before };
        (count / self.at_first.max(1.0)).max(1.0)
    }
}

/// What one second says of a database, as far as it has come in, and what it said before.
struct Database {
    second: u64,
    now: Connections,
    /// Most connections so far: while there are more and more, the pool has no limit yet.
    most: f64,
    busy: Band,
    allowed: Band,
    lock: Band,
}

#[derive(Default)]
struct Connections {
    active: Option<f64>,
    idle: Option<f64>,
    in_transaction: Option<f64>,
    of_all: Option<f64>,
    allowed: Option<f64>,
}

impl Signs {
    pub(super) fn new(run: &Run) -> Self {
        if run.config.target_is_local { Self::on(run.host.cores) } else { Self::default() }
    }

    /// On a machine of so many cores, which the target is on as well.
    pub(super) fn on(cores: u32) -> Self {
        Self { processors: Some(f64::from(cores) * 100.0), ..Self::default() }
    }

    /// Takes a sample. `load` is by how much the load has grown since the usual seconds.
    pub(super) fn see(&mut self, sample: &TargetSample, is_usual: bool, load: f64) {
        let TargetSample { second, metric, value } = sample;
        if let Some((database, what)) = of_database(metric) {
            let database = self.databases.entry(database.to_owned());
            database.or_insert_with(|| Database::new(*second)).see(*second, what, *value, is_usual);
            return;
        }
        if let Some(of) = metric.strip_suffix(".processes") {
            self.processes.entry(of.to_owned()).or_default().see(*second, *value, is_usual);
            return;
        }
        if !self.metrics.contains_key(metric) {
            let Some((limit, lasts, order)) = self.watched(metric) else { return };
            let band = Band::new(limit, lasts);
            self.metrics.insert(metric.clone(), Metric { band, order, before: None });
        }
        let Some(of) = self.metrics.get_mut(metric) else { return };
        let group = metric.rsplit_once('.').and_then(|(group, _)| self.processes.get(group));
        let load = load.max(group.map_or(1.0, |of| of.grown(*second)));
        if of.order == Order::Backlog {
            // What a counter has grown by.
            if let Some(before) = of.before.replace(*value) {
                of.band.see(*second, value - before, is_usual, load);
            }
        } else {
            of.band.see(*second, *value, is_usual, load);
        }
    }

    /// How a metric is watched, if it is.
    fn watched(&self, metric: &str) -> Option<(Limit, u32, Order)> {
        let is_machine = metric.starts_with(MACHINE);
        let name = metric.rsplit('.').next()?;
        Some(match (name, is_machine) {
            ("cpu_percent", false) => {
                (Limit::Reaches(self.processors? * BUSY_PROCESS), LASTS, Order::Processors)
            }
            ("cpu_percent", true) => {
                (Limit::Reaches(self.processors? * BUSY_MACHINE), LASTS, Order::Processors)
            }
            ("listen_drops_total" | "listen_overflows_total", true) => {
                self.processors?;
                (Limit::Reaches(1.0), 1, Order::Backlog)
            }
            ("rss_bytes" | "memory_bytes" | "cgroup_memory_bytes", false) => {
                (Limit::MEMORY, LASTS, Order::Memory)
            }
            ("descriptors" | "threads", false) => (Limit::COUNT, LASTS, Order::Descriptors),
            _ => return None,
        })
    }

    /// Each series with its unit.
    pub(super) fn into_bands(self) -> impl Iterator<Item = (String, Band, Unit, Order)> {
        let metrics = self.metrics.into_iter().map(|(name, Metric { band, order, .. })| {
            let unit = if order == Order::Backlog { Unit::Count } else { unit(&name) };
            (name, band, unit, order)
        });
        let databases = self.databases.into_iter().flat_map(|(name, database)| {
            let Database { busy, allowed, lock, .. } = database;
            [
                (format!("{name}.longest_wait_seconds"), lock, Unit::Seconds, Order::Lock),
                (format!("{name}: busy connections"), busy, Unit::Count, Order::Connections),
                (format!("{name}.connections_of_all"), allowed, Unit::Count, Order::Connections),
            ]
        });
        metrics.chain(databases)
    }
}

impl Database {
    fn new(second: u64) -> Self {
        Self {
            second,
            now: Connections::default(),
            most: 0.0,
            busy: Band::new(Limit::Reaches(1.0), LASTS),
            allowed: Band::new(Limit::Reaches(NEARLY_ALL), LASTS),
            lock: Band::new(Limit::Reaches(LONG_WAIT_S), 1),
        }
    }

    fn see(&mut self, second: u64, what: &str, value: f64, is_usual: bool) {
        if self.second != second {
            (self.second, self.now) = (second, Connections::default());
        }
        let Connections { active, idle, in_transaction, of_all, allowed } = &mut self.now;
        match what {
            "connections.active" => *active = Some(value),
            "connections.idle" => *idle = Some(value),
            "connections.idle_in_transaction" => *in_transaction = Some(value),
            "connections_of_all" => *of_all = Some(value),
            "connections_allowed" => *allowed = Some(value),
            _ => {
                // It began when the wait did.
                let begun = second.saturating_sub(value as u64);
                self.lock.see_shown(begun, value, value, is_usual, 1.0);
                return;
            }
        }
        if let (Some(active), Some(idle), Some(in_transaction)) =
            (self.now.active, self.now.idle, self.now.in_transaction)
            && what.starts_with("connections.")
        {
            let busy = active + in_transaction;
            let is_all = idle == 0.0 && busy >= LEAST_BUSY && busy <= self.most;
            self.most = self.most.max(busy + idle);
            self.busy.see_shown(second, f64::from(is_all), busy, is_usual, 1.0);
        }
        if let (Some(of_all), Some(allowed)) = (self.now.of_all, self.now.allowed)
            && what.starts_with("connections_")
            && allowed > 0.0
        {
            self.allowed.see_shown(second, of_all / allowed, of_all, is_usual, 1.0);
        }
    }
}

/// The database of a metric that is watched of one, and which it is.
fn of_database(metric: &str) -> Option<(&str, &str)> {
    let at = [
        ".connections.active",
        ".connections.idle",
        ".connections.idle_in_transaction",
        ".connections_of_all",
        ".connections_allowed",
        ".longest_wait_seconds",
    ];
    let end = at.into_iter().find(|end| metric.ends_with(end))?;
    Some((metric.strip_suffix(end)?, &end[1..]))
}
