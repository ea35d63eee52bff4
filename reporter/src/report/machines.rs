//! How generator, target and database behaved under load.

use serde::Serialize;

use crate::summary::{MetricKind, Statement, Summary};
use crate::units::{Figure, Unit};

/// The generator on the plateau.
#[derive(Serialize)]
pub struct Generator {
    pub cpu_mean: Figure,
    pub cpu_max: Figure,
    pub memory_max: Figure,
}

#[derive(Serialize)]
pub struct LevelRow {
    pub metric: String,
    pub least: Figure,
    pub mean: Figure,
    pub most: Figure,
}

#[derive(Serialize)]
pub struct CounterRow {
    pub metric: String,
    pub grown: Figure,
    pub rate: Figure,
}

pub(super) fn generator(summary: &Summary) -> Generator {
    let rows = || summary.timeline.iter().filter(|row| summary.window.contains(&row.second));
    let count = rows().count() as f64;
    let cpu = rows().map(|row| row.generator_cpu_percent);
    Generator {
        cpu_mean: Figure::new(cpu.clone().sum::<f64>() / count, Unit::Percent),
        cpu_max: Figure::new(cpu.fold(f64::NAN, f64::max), Unit::Percent),
        memory_max: rows()
            .map(|row| row.generator_rss_bytes)
            .max()
            .map_or(Figure::none(Unit::Bytes), bytes),
    }
}

/// A statement of a database on the plateau.
#[derive(Serialize)]
pub struct StatementRow {
    /// What the database's other metrics begin with.
    pub database: String,
    pub statement: String,
    pub calls: Figure,
    pub total: Figure,
    pub mean: Figure,
    pub rows: Figure,
}

pub(super) fn statements(summary: &Summary) -> Vec<StatementRow> {
    let row = |of: Statement<'_>| StatementRow {
        database: of.database.to_owned(),
        statement: of.text,
        calls: Figure::new(of.calls, Unit::Count),
        total: Figure::new(of.total_us, Unit::Microseconds),
        mean: Figure::new(of.mean_us, Unit::Microseconds),
        rows: Figure::new(of.rows, Unit::Count),
    };
    summary.samples.statements().into_iter().map(row).collect()
}

pub(super) fn levels(summary: &Summary) -> Vec<LevelRow> {
    let metrics = summary.samples.over();
    metrics
        .filter_map(|metric| match metric.kind {
            MetricKind::Level { least, mean, most } => {
                Some(LevelRow { metric: metric.name.to_owned(), least, mean, most })
            }
            MetricKind::Counter { .. } => None,
        })
        .collect()
}

pub(super) fn counters(summary: &Summary) -> Vec<CounterRow> {
    let metrics = summary.samples.over();
    metrics
        .filter_map(|metric| match metric.kind {
            MetricKind::Counter { grown, rate } => {
                Some(CounterRow { metric: metric.name.to_owned(), grown, rate })
            }
            MetricKind::Level { .. } => None,
        })
        .collect()
}

fn bytes(bytes: u64) -> Figure {
    Figure::new(bytes as f64, Unit::Bytes)
}
