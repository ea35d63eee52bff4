//! A run's tables: by persona, by endpoint, by cause of failure.

use serde::Serialize;

use crate::summary::Summary;
use crate::units::{Figure, micros, per_second, share};
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
    pub p95: Figure,
}

#[derive(Serialize)]
pub struct EndpointRow {
    pub name: String,
    pub requests: Figure,
    pub failed: Figure,
    pub failures: Figure,
    pub mean: Figure,
    pub p50: Figure,
    pub p95: Figure,
    pub p99: Figure,
    pub max: Figure,
    pub throughput: Figure,
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
}

#[derive(Serialize)]
pub struct ErrorRow {
    pub second: u64,
    pub endpoint: String,
    pub what: String,
    pub body: String,
}

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
            p95: micros(group.responses.percentile(Percentile::P95)),
        })
        .collect()
}

/// Busiest first; endpoints on which no request ended are left out.
pub(super) fn endpoints(summary: &Summary) -> Vec<EndpointRow> {
    let mut busy: Vec<&Group> =
        summary.plateau.endpoints.iter().filter(|endpoint| endpoint.requests() > 0).collect();
    busy.sort_by(|a, b| b.requests().cmp(&a.requests()).then_with(|| a.name.cmp(&b.name)));
    busy.into_iter().map(|endpoint| endpoint_row(endpoint, summary)).collect()
}

fn endpoint_row(endpoint: &Group, summary: &Summary) -> EndpointRow {
    let responses = &endpoint.responses;
    EndpointRow {
        name: endpoint.name.clone(),
        requests: Figure::count(endpoint.requests()),
        failed: Figure::count(endpoint.failed()),
        failures: share(endpoint.failures()),
        mean: micros(responses.mean()),
        p50: micros(responses.percentile(Percentile::P50)),
        p95: micros(responses.percentile(Percentile::P95)),
        p99: micros(responses.percentile(Percentile::P99)),
        max: micros(responses.max()),
        throughput: per_second(endpoint.rate(summary.plateau.length_s())),
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
    rows.into_iter()
        .map(|row| FailureRow {
            endpoint: if row.name.starts_with(&row.method) {
                row.name.clone()
            } else {
                format!("{} {}", row.method, row.name)
            },
            error: row.error.clone(),
            status: row.status(),
            occurrences: Figure::count(row.occurrences),
        })
        .collect()
}

pub(super) fn errors(summary: &Summary) -> Vec<ErrorRow> {
    summary
        .errors
        .iter()
        .map(|error| ErrorRow {
            second: error.second,
            endpoint: error.endpoint.clone(),
            what: match (&error.check, error.status) {
                (Some(check), _) => run_log::format::FailureRow::missed_check(check),
                (None, Some(status)) => status.to_string(),
                (None, None) => error.outcome.clone(),
            },
            body: match (&error.body, &error.lacks) {
                (Some(body), _) => body.clone(),
                (None, Some(lacks)) => format!("lacked {lacks}"),
                (None, None) => String::new(),
            },
        })
        .collect()
}
