//! Whether the plan has the endpoints and personas that are named beside it.

use std::path::Path;

use common::nearest;

use crate::config::ConfigError;
use crate::prepare::Prepared;
use run_log::format::MAX_ENDPOINTS;
use run_log::format::Phase;
use scenario::{Expectation, Load, Profile, Scenario, Scope};

/// Names of endpoints and personas that a run's expectations and statuses go by.
#[derive(Clone, Debug)]
pub(super) struct Wanted<'a> {
    pub scenario: Option<(&'a Path, &'a Scenario)>,
    pub profile: Profile,
    /// The condition that stops the run, and where it is written.
    pub stop_on: Option<(String, &'a Expectation)>,
}

/// Makes sure that the plan has each of these names: what is expected of a name that is not
/// in it would never be judged.
///
/// # Errors
/// With the place and the first name that the plan has not.
pub(super) fn check_names(plan: &Prepared, wanted: &Wanted<'_>) -> Result<(), ConfigError> {
    let endpoints: Vec<&str> = plan.endpoints.iter().map(String::as_str).collect();
    let all = endpoints_and_personas(plan);
    if let Some((path, scenario)) = wanted.scenario {
        let place = |key: &str| format!("scenario {}: {key}", path.display());
        for name in scenario.statuses.keys() {
            // The file serves other runs, too, and what is left out has no status here.
            if !plan.left_out.names.contains(name) {
                check_name(plan, || place("statuses"), name, "endpoint", &endpoints)?;
            }
        }
        for check in &scenario.checks {
            if let Some(name) = &check.endpoint
                && !plan.left_out.names.contains(name)
            {
                let place = || format!("{} {:?}", place("[[check]]"), check.name);
                check_name(plan, place, name, "endpoint", &endpoints)?;
            }
        }
        if let Some(audit) = &scenario.audit
            && !plan.left_out.names.contains(&audit.endpoint)
        {
            let place = || place("[audit] endpoint");
            check_name(plan, place, &audit.endpoint, "endpoint", &endpoints)?;
        }
        for (expectation, name) in scenario.expect.iter().filter_map(named) {
            let is_judged = wanted.profile == Profile::Full;
            if is_judged || !plan.left_out.names.contains(name) {
                let place = || format!("{} {:?}", place("expect"), expectation.to_string());
                check_name(plan, place, name, "endpoint or persona", &all)?;
            }
        }
    }
    match &wanted.stop_on {
        Some((place, condition)) => check_expectation(plan, || place.clone(), condition),
        None => Ok(()),
    }
}

/// Makes sure that the plan has what an expectation is about; `place` is where that is written.
///
/// # Errors
/// When it has no such endpoint or persona, or leaves it out.
pub(super) fn check_expectation(
    plan: &Prepared,
    place: impl Fn() -> String,
    expectation: &Expectation,
) -> Result<(), ConfigError> {
    let Some((_, name)) = named(expectation) else { return Ok(()) };
    let all = endpoints_and_personas(plan);
    let place = || format!("{} {:?}", place(), expectation.to_string());
    check_name(plan, place, name, "endpoint or persona", &all)
}

fn endpoints_and_personas(plan: &Prepared) -> Vec<&str> {
    let personas = plan.personas.iter().map(|persona| persona.name.as_str());
    personas.chain(plan.endpoints.iter().map(String::as_str)).collect()
}

/// Makes sure that the plan has each phase that a scenario expects something of; where it is not
/// the scenario's load it need not, and nothing is judged.
///
/// # Errors
/// With the expectation and the phases that there are.
pub(super) fn check_phases(
    phases: &[Phase],
    wanted: &Wanted<'_>,
    load: &Load,
) -> Result<(), ConfigError> {
    let Some((path, scenario)) = wanted.scenario else { return Ok(()) };
    if wanted.profile != Profile::Full || !load.changes(&scenario.full).is_empty() {
        return Ok(());
    }
    let known: Vec<&str> = phases.iter().map(|phase| phase.name.as_str()).collect();
    let unknown = scenario.expect.iter().find_map(|expectation| {
        let name = expectation.phase().filter(|name| !known.contains(name))?;
        Some((expectation, name))
    });
    let Some((expectation, name)) = unknown else { return Ok(()) };
    Err(ConfigError::UnknownName {
        place: format!("scenario {}: expect {:?}", path.display(), expectation.to_string()),
        kind: "phase",
        name: name.to_owned(),
        hint: nearest::hint(name, known.iter().copied()),
        known: known.join(", "),
    })
}

/// An expectation that is about a name, with that name.
fn named(expectation: &Expectation) -> Option<(&Expectation, &str)> {
    match &expectation.scope {
        Scope::All | Scope::Phase(_) => None,
        Scope::Named(name) => Some((expectation, name)),
    }
}

fn check_name(
    plan: &Prepared,
    place: impl Fn() -> String,
    name: &str,
    kind: &'static str,
    known: &[&str],
) -> Result<(), ConfigError> {
    if known.contains(&name) {
        return Ok(());
    }
    let (place, name) = (place(), name.to_owned());
    if plan.left_out.names.contains(&name) {
        return Err(ConfigError::LeftOut { place, name });
    }
    let hint = nearest::hint(&name, known.iter().copied());
    let mut known = known.join(", ");
    if plan.endpoints.len() == MAX_ENDPOINTS {
        let own = MAX_ENDPOINTS - 1;
        known.push_str(&format!(
            " (endpoints past the first {own} are measured together, as other)"
        ));
    }
    Err(ConfigError::UnknownName { place, kind, name, hint, known })
}
