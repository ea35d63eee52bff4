//! What a run would do.

use common::say::{print, print_json};
use serde_json::json;

use super::input::Ready;
use super::planned::Planned;
use crate::error::Error;

/// Prints requests, users, rates, accounts and bindings of the plan.
pub(super) fn print_plan(
    Ready { plan, settings, .. }: &Ready,
    Planned { schedule, mine: planned, shards, .. }: &Planned,
    as_json: bool,
) -> Result<(), Error> {
    let seconds = schedule.length_s(plan, &settings.load);
    let mean = planned.requests as f64 / seconds;
    let peak = planned.by_second.iter().copied().max().unwrap_or(0);
    let connections: u64 = shards.iter().map(|share| share.connections).sum();
    let bindings = &plan.bindings.counts;
    let personas: Vec<_> = plan
        .personas
        .iter()
        .zip(&schedule.shares)
        .zip(&settings.accounts)
        .map(|((persona, users), accounts)| (persona.name.as_str(), *users, accounts.len() as u64))
        .collect();
    let text = if as_json {
        let personas: Vec<_> = personas
            .iter()
            .map(|(name, users, accounts)| json!({"name": name, "users": users, "accounts": accounts}))
            .collect();
        let plan = json!({
            "requests": planned.requests,
            "users": schedule.users.len(),
            "personas": personas,
            "ramp_s": schedule.ramp_end.nanos() as f64 / 1e9,
            "seconds": seconds,
            "mean_per_s": mean,
            "peak_per_s": peak,
            "requests_by_second": planned.by_second,
            "connections": connections,
            "processes": shards.len(),
            "bindings": bindings,
            "rate": schedule.rate.map(|(asked, planned)| json!({"asked": asked, "planned": planned})),
        });
        return print_json(&format!("{plan:#}\n")).map_err(Error::stdout);
    } else {
        let mut text = format!(
            "pacing        {:?}, order {}, speed {}\nrequests      {} in {seconds:.1} s, mean {mean:.1}/s, peak {peak}/s\n\
             users         {}, the last starts at {}\nconnections   {connections} at most\n",
            settings.load.pacing,
            settings.load.order.name(),
            settings.load.speed.factor(),
            planned.requests,
            schedule.users.len(),
            schedule.ramp_end,
        );
        if shards.len() > 1 {
            text.push_str(&format!("processes     {}\n", shards.len()));
        }
        if let Some(rate) = schedule.rate_text() {
            text.push_str(&format!("rate          {rate}\n"));
        }
        for (name, users, accounts) in &personas {
            let shared = match accounts {
                0 => "no accounts".to_owned(),
                accounts => {
                    format!("{accounts} accounts, {} users each at most", users.div_ceil(*accounts))
                }
            };
            text.push_str(&format!("persona       {name}: {users} users, {shared}\n"));
        }
        for (kind, count) in bindings {
            text.push_str(&format!("bindings      {count} {kind}\n"));
        }
        if settings.load.pacing == scenario::Pacing::Closed {
            text.push_str(
                "Closed pacing: these rates hold if the target answers as fast as when recorded.\n",
            );
        }
        text
    };
    print(&text).map_err(Error::stdout)
}
