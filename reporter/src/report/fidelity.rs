//! Answers against the recorded ones.

use run_log::format::{Fidelity, FidelityRow};
use serde::Serialize;

use crate::units::Figure;

#[derive(Serialize)]
pub struct FidelityReport {
    /// Name of the run directory, where it is not the section's own.
    pub run: Option<String>,
    pub compared: Figure,
    pub same_status: Figure,
    /// Of those with the recorded status, the ones that are failures, as recorded.
    pub same_failures: Figure,
    pub shapes_compared: Figure,
    pub same_status_and_shape: Figure,
    pub endpoints: Vec<EndpointFidelity>,
}

#[derive(Serialize)]
pub struct EndpointFidelity {
    pub endpoint: String,
    pub compared: Figure,
    pub same_status: Figure,
    pub shapes_compared: Figure,
    pub same_status_and_shape: Figure,
}

impl FidelityReport {
    pub(super) fn new(run: Option<&str>, all: &Fidelity, endpoints: &[FidelityRow]) -> Self {
        Self {
            run: run.map(str::to_owned),
            compared: Figure::count(all.compared),
            same_status: Figure::share(all.same_status, all.compared),
            same_failures: Figure::count(all.same_failures),
            shapes_compared: Figure::count(all.shapes_compared),
            same_status_and_shape: Figure::share(all.same_status_and_shape, all.shapes_compared),
            endpoints: endpoints.iter().filter(|row| row.compared > 0).map(of_endpoint).collect(),
        }
    }
}

fn of_endpoint(row: &FidelityRow) -> EndpointFidelity {
    EndpointFidelity {
        endpoint: row.endpoint.clone(),
        compared: Figure::count(row.compared),
        same_status: Figure::share(row.same_status, row.compared),
        shapes_compared: Figure::count(row.shapes_compared),
        same_status_and_shape: Figure::share(row.same_status_and_shape, row.shapes_compared),
    }
}
