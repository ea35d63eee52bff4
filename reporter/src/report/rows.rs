//! A run's tables: by persona, by endpoint, by cause of failure.

use common::shown::shortened;
use run_log::format::ErrorSample;
use serde::Serialize;

use crate::summary::Summary;
use crate::units::{Figure, Unit, micros, per_second, share};
use figures::Group;
use scenario::Percentile;

#[derive(Serialize)]
pub struct PersonaRow {
    pub name: String,
    pub users: Figure,
    pub accounts: Figure,
    pub users_per_account: Figure,
    pub requests: Figure,
    pub failures: Figure,
    pub mean: Figure,
    pub p50: Figure,
    pub p95: Figure,
    pub p99: Figure,
    pub throughput: Figure,
}

#[derive(Serialize)]
pub struct EndpointRow {
    pub name: String,
    pub requests: Figure,
    pub ok: Figure,
    pub failed: Figure,
    pub failures: Figure,
    pub mean: Figure,
    pub p50: Figure,
    pub p90: Figure,
    pub p95: Figure,
    pub p99: Figure,
    pub p99_9: Figure,
    pub max: Figure,
    pub throughput: Figure,
    /// Of the bodies of its answers, over the whole run.
    pub mean_bytes: Figure,
    pub service_mean: Figure,
    pub service_p95: Figure,
    /// Of the service time of all completed requests together.
    pub service_share: Figure,
    pub queue_p95: Figure,
    pub connect_p95: Figure,
    pub session_delay_p95: Figure,
    pub since_due_p95: Figure,
}

/// Of the whole run.
#[derive(Serialize)]
pub struct FailureRow {
    pub endpoint: String,
    pub error: String,
    /// Of answers that failed by it.
    #[serde(skip)]
    pub status: Option<u16>,
    pub occurrences: Figure,
    /// Of all failures.
    pub share: Figure,
    /// When the first and the last of them ended, from the start of the run; nothing where the run
    /// is of a version that does not tell.
    pub first: Figure,
    pub last: Figure,
    /// The beginning of an answer of this kind, or what the request lacked.
    pub sample: Option<String>,
}

/// So much is shown of a sample.
const LONGEST_SAMPLE: usize = 160;

pub(super) fn personas(summary: &Summary) -> Vec<PersonaRow> {
    let groups = summary.plateau.personas.iter().zip(&summary.run.personas);
    groups
        .map(|(group, persona)| PersonaRow {
            name: persona.name.clone(),
            users: Figure::count(persona.users),
            accounts: Figure::count(persona.accounts),
            users_per_account: Figure::count(persona.users_per_account),
            requests: Figure::count(group.requests()),
            failures: share(group.failures()),
            mean: micros(group.responses.mean()),
            p50: micros(group.responses.percentile(Percentile::P50)),
            p95: micros(group.responses.percentile(Percentile::P95)),
            p99: micros(group.responses.percentile(Percentile::P99)),
            throughput: per_second(group.rate(summary.plateau.length_s())),
        })
        .collect()
}

/// Busiest first; endpoints on which no request ended are left out.
pub(super) fn endpoints(summary: &Summary) -> Vec<EndpointRow> {
    let endpoints = summary.plateau.endpoints.iter().enumerate();
    let mut busy: Vec<(usize, &Group)> = endpoints.filter(|(_, of)| of.requests() > 0).collect();
    busy.sort_by(|(_, a), (_, b)| {
        b.requests().cmp(&a.requests()).then_with(|| a.name.cmp(&b.name))
    });
    busy.into_iter().map(|(index, of)| endpoint_row(index, of, summary)).collect()
}

fn endpoint_row(index: usize, endpoint: &Group, summary: &Summary) -> EndpointRow {
    let responses = &endpoint.responses;
    let mean_bytes = summary.body_bytes.get(&index);
    EndpointRow {
        name: endpoint.name.clone(),
        requests: Figure::count(endpoint.requests()),
        ok: Figure::count(responses.ok()),
        failed: Figure::count(endpoint.failed()),
        failures: share(endpoint.failures()),
        mean: micros(responses.mean()),
        p50: micros(responses.percentile(Percentile::P50)),
        p90: micros(responses.percentile(Percentile::P90)),
        p95: micros(responses.percentile(Percentile::P95)),
        p99: micros(responses.percentile(Percentile::P99)),
        p99_9: micros(responses.percentile(Percentile::P99_9)),
        max: micros(responses.max()),
        throughput: per_second(endpoint.rate(summary.plateau.length_s())),
        mean_bytes: mean_bytes
            .map_or(Figure::none(Unit::Bytes), |bytes| Figure::new(*bytes, Unit::Bytes)),
        service_mean: micros(endpoint.service_mean()),
        service_p95: micros(endpoint.service_percentile(Percentile::P95)),
        service_share: share(endpoint.service_share(&summary.plateau.all)),
        queue_p95: micros(figures::percentile(&endpoint.queue, Percentile::P95)),
        connect_p95: micros(figures::percentile(&endpoint.connect, Percentile::P95)),
        session_delay_p95: micros(figures::percentile(&endpoint.session_delay, Percentile::P95)),
        since_due_p95: micros(endpoint.since_due(Percentile::P95)),
    }
}

pub(super) fn failures(summary: &Summary) -> Vec<FailureRow> {
    let mut rows: Vec<_> = summary.failures.iter().filter(|row| row.occurrences > 0).collect();
    rows.sort_by(|a, b| {
        b.occurrences
            .cmp(&a.occurrences)
            .then_with(|| (&a.name, &a.error).cmp(&(&b.name, &b.error)))
    });
    let all = rows.iter().map(|row| row.occurrences).sum();
    let second = |second: Option<u64>| {
        second.map_or(Figure::none(Unit::Seconds), |at| Figure::new(at as f64, Unit::Seconds))
    };
    rows.into_iter()
        .map(|row| FailureRow {
            endpoint: row.endpoint(),
            error: row.error.clone(),
            status: row.status(),
            occurrences: Figure::count(row.occurrences),
            share: Figure::share(row.occurrences, all),
            first: second(row.first_second),
            last: second(row.last_second),
            sample: sample(summary, row),
        })
        .collect()
}

fn sample(summary: &Summary, row: &run_log::format::FailureRow) -> Option<String> {
    let is_of_it =
        |sample: &&ErrorSample| sample.error() == row.error && sample.endpoint == row.endpoint();
    let sample = summary.samples_of_failures.iter().find(is_of_it)?;
    let text = match (&sample.body, &sample.lacks) {
        (Some(body), _) => body.clone(),
        (None, lacks) => format!("lacked {}", lacks.as_ref()?),
    };
    Some(shortened(&text, LONGEST_SAMPLE).into_owned()).filter(|text| !text.is_empty())
}
