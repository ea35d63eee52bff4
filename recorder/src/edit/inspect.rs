//! What is in a trace, in figures.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use hdrhistogram::Histogram;
use serde::Serialize;

use trace::failures::FailureCount;
use trace::format::Failures;
use trace::format::{End, Origin, PersonaWeight, RecordedResult, Request, Source};
use trace::reader::{ReadError, TraceReader};

/// How many endpoints have a line of their own; the others are summed up.
const MAX_ENDPOINTS: usize = 1000;

/// The name of that sum.
const OTHERS: &str = "(others)";

/// Times in microseconds, sizes in bytes.
#[derive(Debug, Serialize)]
pub struct Inspection {
    pub version: String,
    pub tool: String,
    pub started: DateTime<Utc>,
    pub sources: Vec<Source>,
    /// Where over 1 % of it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<Failures>,
    pub end: End,
    /// From the first sending to the end of the last exchange.
    pub length_us: u64,
    pub mean_per_s: f64,
    /// Requests sent in the busiest second.
    pub peak_per_s: u64,
    pub personas: BTreeMap<String, Persona>,
    pub endpoints: BTreeMap<String, Endpoint>,
    pub bindings: Bindings,
    /// Names of secrets that replay must be given.
    pub slots: BTreeMap<String, u64>,
    pub shapes: u64,
}

#[derive(Debug, Default, Serialize)]
pub struct Persona {
    /// None where the recording did not know the persona beforehand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    pub sessions: u64,
    pub requests: u64,
    pub failures: u64,
}

#[derive(Debug, Default, Serialize)]
pub struct Endpoint {
    pub requests: u64,
    /// A status of 400 or above, or no answer.
    pub failures: u64,
    pub statuses: BTreeMap<u16, u64>,
    /// Percentiles of the answers' times, off by at most 1 %.
    pub p50_us: u64,
    pub p95_us: u64,
    pub max_us: u64,
    pub mean_bytes: u64,
    #[serde(skip)]
    times: Option<Histogram<u32>>,
    #[serde(skip)]
    total_bytes: u64,
}

impl Endpoint {
    fn time(&mut self, us: u64) {
        self.max_us = self.max_us.max(us);
        // Neither fails: two digits are allowed, and the histogram grows as needed.
        if self.times.is_none() {
            self.times = Histogram::new(2).ok();
        }
        if let Some(times) = &mut self.times {
            let _ = times.record(us);
        }
    }
}

/// How many values come from where.
#[derive(Debug, Default, Serialize)]
pub struct Bindings {
    pub capture: u64,
    pub account: u64,
    pub clock: u64,
    pub fresh: u64,
    pub slot: u64,
    /// Of all of them, those that others of the session would have fitted as well.
    pub ambiguous: u64,
}

/// Reads a trace to its end. Memory: at most 20 KiB for each of at most 1000 endpoints, the
/// sessions' names, and what the reader takes.
///
/// # Errors
/// When the file is not a whole, undamaged trace.
pub fn inspect(path: &Path) -> Result<Inspection, ReadError> {
    let mut reader = TraceReader::open(path)?;
    let mut counts = Counts::default();
    for PersonaWeight { name, weight } in &reader.header().personas {
        counts
            .personas
            .insert(name.clone(), Persona { weight: Some(*weight), ..Persona::default() });
    }
    while let Some(request) = reader.next_request()? {
        counts.add(&request);
    }
    for endpoint in counts.endpoints.values_mut() {
        let answers = endpoint.statuses.values().sum::<u64>().max(1);
        if let Some(times) = endpoint.times.take() {
            endpoint.p50_us = times.value_at_quantile(0.5).min(endpoint.max_us);
            endpoint.p95_us = times.value_at_quantile(0.95).min(endpoint.max_us);
        }
        endpoint.mean_bytes = endpoint.total_bytes / answers;
    }
    let header = reader.header().clone();
    let end = reader.finish()?;
    let length_us = counts.last_done - counts.first_at.unwrap_or(counts.last_done);
    Ok(Inspection {
        version: header.version,
        tool: header.tool,
        started: header.started,
        sources: header.sources,
        failures: header.failures.or_else(|| counts.failures.noted(|_| None)),
        mean_per_s: end.requests as f64 / (length_us.max(1) as f64 / 1e6),
        peak_per_s: counts.peak.max(counts.in_second),
        length_us,
        end,
        personas: counts.personas,
        endpoints: counts.endpoints,
        bindings: counts.bindings,
        slots: counts.slots,
        shapes: header.shapes.len() as u64,
    })
}

#[derive(Default)]
struct Counts {
    first_at: Option<u64>,
    last_done: u64,
    /// The second that is being counted, from the first request.
    second: u64,
    in_second: u64,
    peak: u64,
    personas: BTreeMap<String, Persona>,
    /// Sessions of personas.
    sessions: HashSet<Box<str>>,
    endpoints: BTreeMap<String, Endpoint>,
    bindings: Bindings,
    slots: BTreeMap<String, u64>,
    /// A trace before minor 2 does not say it.
    failures: FailureCount,
}

impl Counts {
    fn add(&mut self, request: &Request) {
        self.failures.add(request);
        let second = (request.at - *self.first_at.get_or_insert(request.at)) / 1_000_000;
        if second != self.second {
            self.peak = self.peak.max(self.in_second);
            self.second = second;
            self.in_second = 0;
        }
        self.in_second += 1;

        let known =
            self.endpoints.contains_key(&request.name) || self.endpoints.len() < MAX_ENDPOINTS;
        let name = if known { &request.name } else { OTHERS };
        if !self.endpoints.contains_key(name) {
            self.endpoints.insert(name.to_owned(), Endpoint::default());
        }
        let Some(endpoint) = self.endpoints.get_mut(name) else { return };
        endpoint.requests += 1;
        let (took, failed) = match &request.result {
            RecordedResult::Answer(answer) => {
                *endpoint.statuses.entry(answer.status).or_default() += 1;
                endpoint.time(answer.total_us);
                endpoint.total_bytes += answer.size;
                (answer.total_us, answer.status >= 400)
            }
            RecordedResult::Error(error) => (error.after_us, true),
        };
        endpoint.failures += u64::from(failed);
        self.last_done = self.last_done.max(request.at.saturating_add(took));

        if let Some(name) = &request.persona {
            let persona = self.personas.entry(name.clone()).or_default();
            persona.requests += 1;
            if !self.sessions.contains(request.session.as_str()) {
                persona.sessions += 1;
                self.sessions.insert(request.session.as_str().into());
            }
            persona.failures += u64::from(failed);
        }
        for binding in &request.bind {
            self.bindings.ambiguous += u64::from(binding.ambiguous);
            match &binding.from {
                Origin::Capture { .. } => self.bindings.capture += 1,
                Origin::Account(_) => self.bindings.account += 1,
                Origin::Clock(_) => self.bindings.clock += 1,
                Origin::Fresh { .. } => self.bindings.fresh += 1,
                Origin::Slot(name) => {
                    self.bindings.slot += 1;
                    *self.slots.entry(name.clone()).or_default() += 1;
                }
            }
        }
    }
}
