//! Throughput and response time of each step of a load in stages.

use super::axis::{LatencyUnit, top};
use super::drawn::Drawn;
use super::error::DrawError;
use super::palette::{BLUE, ORANGE, VERMILION};
use super::panel::{Line, Panel};
use super::plane::{Draws, Plane};
use crate::report::{StepRow, Stress};
use crate::summary::Summary;
use crate::units::Figure;

pub(super) fn draw(scenario: &str, summary: &Summary) -> Result<Option<Drawn>, DrawError> {
    let Some(stress) = Stress::new(summary).filter(|stress| stress.steps.len() > 1) else {
        return Ok(None);
    };
    let line = |name: &str, color, pick: fn(&StepRow) -> Figure, scale: f64| {
        let steps = stress.steps.iter();
        let points = steps.filter_map(|of| Some((of.users.value?, pick(of).value? * scale)));
        Line::new(name, color, points.collect())
    };
    let most = stress.steps.iter().filter_map(|of| of.p95.value).fold(0.0, f64::max);
    let unit = LatencyUnit::for_most(most);
    let end = top(stress.steps.iter().filter_map(|of| of.users.value));
    let breaking = stress.breaking_users;
    Plane {
        title: format!("{scenario}: {}", finding(&stress)),
        x_label: "Users",
        x: 0.0..end.max(breaking.value.unwrap_or(0.0)),
        panels: vec![
            Panel {
                label: "Requests/s that succeeded".to_owned(),
                lines: vec![line("throughput", BLUE, |of| of.throughput, 1.0)],
            },
            Panel {
                label: format!("Response time, {}", unit.name()),
                lines: vec![line("p95", ORANGE, |of| of.p95, unit.scale(1.0))],
            },
            Panel {
                label: "Failed, %".to_owned(),
                lines: vec![line("failure rate", VERMILION, |of| of.failures, 100.0)],
            },
        ],
        upright: breaking.value,
        draws: Draws::Lines,
    }
    .draw()
    .map(Some)
}

fn finding(stress: &Stress) -> String {
    let (held, at) = (stress.held_users, stress.held_throughput);
    let held = match held.value {
        Some(_) => format!("holds {held} users with {at}"),
        None => "holds no step".to_owned(),
    };
    let broke = match stress.breaking_users.value {
        Some(_) => format!("{held}, breaks at {} (upright line)", stress.breaking_users),
        None => held,
    };
    match &stress.recovery {
        Some(of) if of.after.value.is_some() => format!("{broke}, recovered {} after", of.after),
        Some(of) => format!("{broke}, recovery: {}", of.result),
        None => broke,
    }
}
