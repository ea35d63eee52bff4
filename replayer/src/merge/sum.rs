//! The sums over the shards of a run.

use std::collections::BTreeMap;
use std::iter::Peekable;

use super::error::MergeError;
use figures::recovery::Watch;
use figures::stats::History;
use figures::validity::unbound_reason;
use figures::{Histograms, Names, is_endpoint};

use crate::measure::{Collector, note_lag};
use run_log::format::{
    Config, EndedBy, ErrorSample, Extra, Fidelity, LatencyKind, LoadHeld, Mark, PersonaRun, Phase,
    Run, Scope, State, Totals, Validity, ValidityState,
};
use run_log::phase::RECOVERY;
use run_log::reader::{Agreement, Intervals, ReadError, Rows, RunReader};
use run_log::stats::split;
use run_log::timeline::Second;
use run_log::writer::RunWriter;
use scenario::{Expectation, is_default};

/// Shards that were added up, with the run directory still to be finished.
pub struct Merged {
    pub collector: Collector,
    pub run: Run,
    pub writer: RunWriter,
    /// What was expected of each of them.
    pub expectations: Vec<Expectation>,
}

/// The marks are kept, and no database is asked.
const NOT_AUDITED: &str = "runs that are added up are not audited: marks.csv has their marks";

/// So many marks are held at once.
const MARKS: usize = 1000;

/// `run.json` of the whole, of at least one shard.
pub(super) fn run(shards: &[RunReader]) -> Run {
    let first = shards[0].run();
    let runs = || shards.iter().map(RunReader::run);
    let mut labels = first.labels.clone();
    labels.retain(|key, value| runs().all(|run| run.labels.get(key) == Some(value)));
    let mut limitations: Vec<String> = Vec::new();
    for text in runs().flat_map(|run| &run.limitations) {
        if !limitations.contains(text) {
            limitations.push(text.clone());
        }
    }
    let cut_short = runs().find(|run| !run.ended_by.as_ref().is_some_and(EndedBy::is_as_planned));
    let by_end = |one: &&Run, other: &&Run| one.plateau.end().total_cmp(&other.plateau.end());
    let ends = if cut_short.is_some() { runs().min_by(by_end) } else { runs().max_by(by_end) };
    let ends = ends.unwrap_or(first);
    let personas = first.personas.iter().enumerate().map(|(index, persona)| {
        let users: u64 = runs().map(|run| run.personas[index].users).sum();
        let users_per_account =
            if persona.accounts == 0 { 0 } else { users.div_ceil(persona.accounts) };
        PersonaRun { users, users_per_account, ..persona.clone() }
    });
    let totals = runs().fold(Totals::default(), |sum, run| add_totals(&sum, &run.totals));
    let mut marks: Vec<Mark> = runs().flat_map(|run| run.marks.iter().cloned()).collect();
    marks.sort();
    let mut run = Run {
        state: State::Running,
        elapsed_s: runs().map(|run| run.elapsed_s).fold(0.0, f64::max),
        started: runs().map(|run| run.started).min().unwrap_or(first.started),
        ended_by: cut_short.unwrap_or(first).ended_by.clone(),
        config: Config {
            users: runs().map(|run| run.config.users).sum(),
            threads: runs().map(|run| run.config.threads).sum(),
            ..first.config.clone()
        },
        labels,
        shard: None,
        workers: runs().flat_map(|run| run.workers.clone()).collect(),
        plateau: ends.plateau,
        phases: phases(&ends.phases, shards),
        personas: personas.collect(),
        load_held: load_held(runs().map(|run| run.load_held)),
        validity: validity(shards, &totals),
        totals,
        limitations,
        audit: first.audit.clone().map(|audit| audit.not_done(NOT_AUDITED)),
        verdicts: first.verdicts.clone(),
        ..first.clone()
    };
    // What only a later minor has is not in the sum.
    run.note(marks);
    run
}

/// Unknown where that of a shard is.
fn load_held(mut of_shards: impl Iterator<Item = Option<LoadHeld>>) -> Option<LoadHeld> {
    of_shards.try_fold(LoadHeld::default(), |sum, of_shard| {
        let LoadHeld { planned, ready } = of_shard?;
        Some(LoadHeld { planned: sum.planned + planned, ready: sum.ready + ready })
    })
}

/// These phases, with what all shards held of their load. One that a shard did not get to is none
/// of which that is known. A recovery ends with that of the first shard: one in which nobody stayed
/// for it has ended before it was known how long it would be.
fn phases(phases: &[Phase], shards: &[RunReader]) -> Vec<Phase> {
    let of_shard = |shard: &RunReader, name: &str| {
        shard.run().phases.iter().find(|phase| phase.name == name)?.load_held
    };
    let of_recovery = shards.iter().flat_map(|shard| &shard.run().phases);
    let ends = of_recovery.filter(|phase| phase.name == RECOVERY).map(|of| of.window.end());
    let recovery_end_s = ends.fold(f64::INFINITY, f64::min);
    let whole = phases.iter().map(|phase| Phase {
        window: match phase.name.as_str() {
            RECOVERY => phase.window.until(recovery_end_s),
            _ => phase.window,
        },
        load_held: load_held(shards.iter().map(|shard| of_shard(shard, &phase.name))),
        ..phase.clone()
    });
    whole.collect()
}

/// What a run was judged by, but for what is expected of each.
fn expectations(shard: &RunReader) -> Result<Vec<Expectation>, MergeError> {
    let verdicts = shard.run().verdicts.iter();
    verdicts
        .map(|verdict| verdict.expectation.parse())
        .filter(|parsed| !parsed.as_ref().is_ok_and(is_default))
        .collect::<Result<Vec<Expectation>, _>>()
        .map_err(|error| MergeError::Content {
            dir: shard.dir().to_owned(),
            message: error.to_string(),
        })
}

/// A whole is as good as its worst part, and without one of them it is none. What is a share
/// of all requests is judged of their sum.
fn validity(shards: &[RunReader], totals: &Totals) -> Validity {
    let mut state = ValidityState::Valid;
    let mut reasons = Vec::new();
    let mut present = Vec::new();
    let mut of = 0;
    for run in shards.iter().map(RunReader::run) {
        let of_part = unbound(&run.totals);
        let others: Vec<&String> =
            run.validity.reasons.iter().filter(|text| Some(*text) != of_part.as_ref()).collect();
        // How grave each reason is by itself is not written down: the worst is taken.
        if of_part.is_none() || !others.is_empty() {
            state = state.max(run.validity.state);
        }
        if let Some(shard) = run.shard {
            reasons.extend(others.into_iter().map(|text| format!("shard {shard}: {text}")));
            present.push(shard.index);
            of = shard.of;
        }
    }
    for index in (1..=of).filter(|index| !present.contains(index)) {
        state = ValidityState::Invalid;
        reasons.push(format!("shard {index}/{of} is missing"));
    }
    if let Some(reason) = unbound(totals) {
        state = ValidityState::Invalid;
        reasons.push(reason);
    }
    Validity { state, reasons }
}

fn unbound(totals: &Totals) -> Option<String> {
    unbound_reason(totals.unbound_by_tool(), totals.planned)
}

fn add_totals(a: &Totals, b: &Totals) -> Totals {
    Totals {
        planned: a.planned + b.planned,
        outcomes: [a.outcomes, b.outcomes].into_iter().sum(),
        extra: Extra {
            renewals: a.extra.renewals + b.extra.renewals,
            retries: a.extra.retries + b.extra.retries,
            probes: a.extra.probes + b.extra.probes,
            observations: a.extra.observations + b.extra.observations,
        },
        planned_sent: a.planned_sent + b.planned_sent,
        failed_status: a.failed_status + b.failed_status,
        never_ready: a.never_ready + b.never_ready,
        unbound_by_target: a.unbound_by_target + b.unbound_by_target,
        rebound: a.rebound + b.rebound,
        bytes_sent: a.bytes_sent + b.bytes_sent,
        bytes_received: a.bytes_received + b.bytes_received,
        connections_opened: a.connections_opened + b.connections_opened,
    }
}

/// Adds what was measured, a second at a time, and writes it.
pub(super) fn seconds(
    shards: &[RunReader],
    run: Run,
    mut writer: RunWriter,
) -> Result<Merged, MergeError> {
    let names = Names {
        endpoints: run.endpoints.clone(),
        personas: run.personas.iter().map(|persona| persona.name.clone()).collect(),
    };
    let expectations = expectations(&shards[0])?;
    let mut collector = Collector::new(names, 0);
    collector.plateau.watch(&run.phases, &expectations);
    collector.recovery = run.config.recovery_s.and_then(|_| Watch::of(&run.phases));
    let mut parts = Vec::with_capacity(shards.len());
    for shard in shards {
        parts.push(Part::open(shard)?);
    }
    let mut history = History::default();
    for second in 0.. {
        let mut row = Second { second, ..Second::default() };
        let mut histograms = Histograms::default();
        let mut is_over = true;
        for part in &mut parts {
            if let Some(of_part) = part.second(second, &mut histograms)? {
                row.add(&of_part);
                is_over = false;
            }
        }
        if is_over {
            break;
        }
        note_lag(&mut row, &histograms);
        let of_second =
            history.row(run.started.timestamp(), &row, &histograms.responses(is_endpoint));
        writer.second(&row, histograms.iter(), &of_second)?;
        collector.add_second(&row, histograms, run.plateau);
    }
    collector.totals = run.totals.clone();
    collector.plateau.load_held = run.load_held;
    // Not in the tables, which have the columns of minor 0.
    collector.same_failures = shards.iter().map(|shard| shard.run().fidelity.same_failures).sum();
    for part in &parts {
        let dir = part.shard.dir();
        let content = |message| MergeError::Content { dir: dir.to_owned(), message };
        part.agreement.check(part.shard.run()).map_err(content)?;
        add_tables(part, &mut collector)?;
    }
    collector.plateau.fidelity = collector.fidelity();
    // All watched the same target, so the samples of one are enough.
    for seen in shards[0].target()? {
        writer.target(&[seen?])?;
    }
    errors(shards, &mut writer)?;
    marks(shards, &mut writer)?;
    Ok(Merged { collector, run, writer, expectations })
}

/// Failing answers of all shards, second by second as each has them.
fn errors(shards: &[RunReader], writer: &mut RunWriter) -> Result<(), MergeError> {
    let mut parts = Vec::with_capacity(shards.len());
    for shard in shards {
        parts.push(shard.errors()?.peekable());
    }
    let second = |next: Option<&Result<ErrorSample, _>>| match next {
        Some(Ok(sample)) => Some(sample.second),
        // Told at once.
        Some(Err(_)) => Some(0),
        None => None,
    };
    loop {
        let heads = parts.iter_mut().filter_map(|part| second(part.peek()).map(|at| (at, part)));
        let Some((_, part)) = heads.min_by_key(|(at, _)| *at) else { return Ok(()) };
        if let Some(sample) = part.next() {
            writer.errors(&[sample?])?;
        }
    }
}

/// Marks of all shards, those of one after those of the other.
fn marks(shards: &[RunReader], writer: &mut RunWriter) -> Result<(), MergeError> {
    for shard in shards.iter().filter(|shard| shard.run().audit.is_some()) {
        let mut held = Vec::with_capacity(MARKS);
        for row in shard.marks()? {
            held.push(row?);
            if held.len() == MARKS {
                writer.marks(&held)?;
                held.clear();
            }
        }
        writer.marks(&held)?;
    }
    Ok(())
}

/// A shard being read.
struct Part<'a> {
    shard: &'a RunReader,
    rows: Rows<Second>,
    intervals: Peekable<Intervals>,
    /// Requests that were completed, by endpoint.
    completed: Vec<u64>,
    agreement: Agreement,
}

impl<'a> Part<'a> {
    fn open(shard: &'a RunReader) -> Result<Self, ReadError> {
        Ok(Self {
            shard,
            rows: shard.seconds()?,
            intervals: shard.intervals()?.peekable(),
            completed: vec![0; shard.run().endpoints.len()],
            agreement: Agreement::default(),
        })
    }

    /// Reads a second: its row, none past the end, and its histograms into `sum`.
    fn second(&mut self, second: u64, sum: &mut Histograms) -> Result<Option<Second>, MergeError> {
        let row = self.rows.next().transpose()?;
        if row.is_some_and(|row| row.second != second) {
            return Err(MergeError::Gap { dir: self.shard.dir().to_owned(), second });
        }
        if let Some(row) = &row {
            let content =
                |message| MergeError::Content { dir: self.shard.dir().to_owned(), message };
            self.agreement.row(row).map_err(content)?;
        }
        let is_of_second = |next: &Result<_, _>| {
            next.as_ref().map_or(true, |i: &run_log::reader::Interval| i.second <= second)
        };
        while let Some(interval) = self.intervals.next_if(is_of_second).transpose()? {
            if row.is_none() {
                return Err(MergeError::Gap { dir: self.shard.dir().to_owned(), second });
            }
            let tag = interval.tag;
            let run = self.shard.run();
            let (index, named) = match tag.scope {
                Scope::Endpoint(index) => (index, run.endpoints.len()),
                Scope::Persona(index) => (index, run.personas.len()),
            };
            if index >= named {
                let dir = self.shard.dir().to_owned();
                let message = format!("tag {tag} is of nothing that run.json names");
                return Err(MergeError::Content { dir, message });
            }
            self.agreement.interval(interval.second, tag, interval.recorded.count());
            if let (Scope::Endpoint(index), LatencyKind::ResponseOk | LatencyKind::ResponseFailed) =
                (tag.scope, tag.kind)
                && let Some(count) = self.completed.get_mut(index)
            {
                *count += interval.recorded.count();
            }
            sum.add_recorded(tag, &interval.recorded);
        }
        Ok(row)
    }
}

/// The tables of the whole run.
fn add_tables(part: &Part<'_>, collector: &mut Collector) -> Result<(), MergeError> {
    let shard = part.shard;
    let content = |message: String| MergeError::Content { dir: shard.dir().to_owned(), message };
    let endpoints: BTreeMap<(String, String), usize> = shard
        .run()
        .endpoints
        .iter()
        .enumerate()
        .map(|(index, name)| (split(name), index))
        .collect();
    let index = |method: &str, name: &str| {
        endpoints
            .get(&(method.to_owned(), name.to_owned()))
            .copied()
            .ok_or_else(|| content(format!("{method} {name} is not an endpoint of its run.json")))
    };
    for row in shard.stats()? {
        let row = row?;
        if row.name == "Aggregated" {
            continue;
        }
        let endpoint = index(&row.method, &row.name)?;
        let totals = &mut collector.by_endpoint[endpoint];
        totals.requests += row.requests;
        totals.failures += row.failures;
        // Written as the mean over completed requests: their sum again, exactly below 2^53.
        totals.body_bytes += (row.average_bytes * part.completed[endpoint] as f64).round() as u64;
    }
    for row in shard.failures()? {
        let row = row?;
        let endpoint = index(&row.method, &row.name)?;
        let seconds = row.first_second.zip(row.last_second).map(|(first, last)| first..=last);
        let of_it = collector.failures.entry((endpoint, row.error)).or_default();
        of_it.add(row.occurrences, seconds);
    }
    for row in shard.fidelity()? {
        let row = row?;
        let (method, name) = split(&row.endpoint);
        let sum = &mut collector.by_endpoint[index(&method, &name)?].fidelity;
        *sum = Fidelity {
            compared: sum.compared + row.compared,
            same_status: sum.same_status + row.same_status,
            shapes_compared: sum.shapes_compared + row.shapes_compared,
            same_status_and_shape: sum.same_status_and_shape + row.same_status_and_shape,
            ..*sum
        };
    }
    Ok(())
}
