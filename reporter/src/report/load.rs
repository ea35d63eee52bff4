//! A load in words.

use common::shown::shortened;
use run_log::format::Run;
use scenario::{Axis, Load, Order, Pacing, Profile, Rate};
use serde::Serialize;

use crate::alone::load_of;
use crate::load::{Entry, MeasuredRun};
use crate::units::{grouped, seconds};

/// So much is shown of a load that is none of this version.
const LONGEST: usize = 100;

#[derive(Serialize)]
pub struct LoadText {
    /// Such as `1,000 users for 5 min`.
    pub how_many: String,
    pub pacing: &'static str,
    pub spawn_rate: Option<String>,
    pub duration: Option<String>,
    pub personas: Vec<String>,
    pub stop_on: Option<String>,
    /// How long at most the users of the first step stay behind stages.
    pub recovery: Option<String>,
}

/// `quick profile: 100 users for 15 s instead of 1,000 users for 5 min`.
pub(super) fn scaled(entry: &Entry, measured: &MeasuredRun) -> Option<String> {
    (measured.profile == Profile::Quick).then(|| {
        let (quick, full) = (as_run(&measured.summary.run), how_many(&entry.scenario.full));
        // Where the run alone tells of it, the full load is not known.
        let instead = entry.path.as_ref().map(|_| format!(" instead of {full}"));
        format!("quick profile: {quick}{}", instead.unwrap_or_default())
    })
}

/// The load as it was run, whatever the scenario asks for: `20 users for 6 s`.
pub(super) fn as_run(run: &Run) -> String {
    let config = &run.config;
    let of_run = config.axis.parse().map(|axis| how_many(&Load { axis, ..load_of(config) }));
    // As it is written there, where it is of a later minor version.
    let mut text = of_run.unwrap_or_else(|_| shortened(&config.axis, LONGEST).into_owned());
    if let Some(most) = config.max_requests {
        text.push_str(&format!(", {} requests at most", grouped(most as f64, 0)));
    }
    if let Some(shard) = run.shard {
        text.push_str(&format!(", shard {shard}"));
    }
    text
}

impl LoadText {
    pub(super) fn of(load: &Load) -> Self {
        Self {
            how_many: how_many(load),
            pacing: match (load.pacing, load.order) {
                (Pacing::Open, Order::Session) => "open",
                (Pacing::Open, Order::None) => "open, each request for itself",
                (Pacing::Closed, _) => "closed",
            },
            spawn_rate: load.spawn_rate.map(rate),
            duration: load.duration.map(|duration| seconds(duration.as_secs_f64())),
            personas: load.personas.clone(),
            recovery: load.recovery.map(|bound| seconds(bound.as_secs_f64())),
            stop_on: load.stop_on.as_ref().map(|of| format!("{of}{}", load.stop_grace())),
        }
    }
}

fn how_many(load: &Load) -> String {
    let duration = load.duration.map(|duration| seconds(duration.as_secs_f64()));
    let length = duration.map_or_else(String::new, |duration| format!(" for {duration}"));
    let count = |count: u64| grouped(count as f64, 0);
    let length = match load.speed.factor() {
        1.0 => length,
        speed => format!("{length} at {speed} times the recorded speed"),
    };
    match &load.axis {
        Axis::Clones(1) => format!("every session once{length}"),
        Axis::Clones(clones) => format!("{} clones{length}", count(*clones)),
        Axis::Users(users) => format!("{} users{length}", count(*users)),
        Axis::Rate(goal) => {
            let rate = rate(goal.rate);
            let of = goal.of.as_ref().map_or_else(String::new, |of| format!("`{of}` at "));
            format!("{of}{rate}{length}")
        }
        Axis::Stages(stages) => format!(
            "{} to {} users, {} more every {}",
            count(stages.start),
            count(stages.to),
            count(stages.step),
            seconds(stages.every.as_secs_f64())
        ),
    }
}

/// As it was typed, with thousands separated.
fn rate(rate: Rate) -> String {
    let decimals = if rate.per_second().fract() == 0.0 { 0 } else { 2 };
    format!("{}/s", grouped(rate.per_second(), decimals))
}
