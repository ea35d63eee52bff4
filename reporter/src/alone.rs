//! What a run was to do, told by its own `run.json`: the scenario of a report that was given no
//! scenario files.

use std::collections::BTreeMap;
use std::time::Duration;

use run_log::format::{Config, Pacing, Run};
use scenario::{Load, Order, Scenario, is_default};

/// A scenario that asks for what the run did, and expects what it was judged by. It is called as
/// its run directory is, since runs of the same scenario may stand side by side.
pub fn scenario_of(number: u32, name: &str, run: &Run) -> Scenario {
    let load = load_of(&run.config);
    let asked = run.verdicts.iter().filter_map(|verdict| verdict.expectation.parse().ok());
    let objective = match &run.scenario {
        Some(of) => format!("The recording {}, by the scenario {}.", run.trace.file, of.name),
        None => format!("The recording {}, replayed without a scenario.", run.trace.file),
    };
    Scenario {
        number,
        name: name.to_owned(),
        title: name.to_owned(),
        objective,
        expect: asked.filter(|expectation| !is_default(expectation)).collect(),
        statuses: BTreeMap::new(),
        checks: Vec::new(),
        audit: None,
        observe: Vec::new(),
        trace: None,
        manifest: None,
        rewrites: None,
        put_back: true,
        full: load.clone(),
        quick: load,
        digest: run.scenario.as_ref().map_or_else(|| "none".to_owned(), |of| of.digest.clone()),
    }
}

/// The load of a run. What is of a later minor version is as a recording has it.
pub fn load_of(config: &Config) -> Load {
    let default = Load::as_recorded();
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
    Load {
        axis: config.axis.parse().unwrap_or(default.axis),
        pacing: match config.pacing {
            Pacing::Open => scenario::Pacing::Open,
            Pacing::Closed => scenario::Pacing::Closed,
        },
        order: if config.independent { Order::None } else { Order::Session },
        speed: config.speed.try_into().unwrap_or_default(),
        spawn_rate: config.spawn_rate_per_s.to_string().parse().ok(),
        duration: config.duration_s.and_then(seconds),
        warmup: seconds(config.warmup_s).unwrap_or_default(),
        max_requests: config.max_requests,
        recovery: config.recovery_s.and_then(seconds),
        stop_on: config.stop_on.as_ref().and_then(|condition| condition.parse().ok()),
        ..default
    }
}
