//! Whether the machine that generator and target share was short of processors, and who had them.

use crate::summary::{PROCESSES, Summary};
use crate::units::{Figure, Unit};

use super::machines::generator;

/// Of the time of all processors: from here on none of them has any to spare.
const BUSY: f64 = 0.85;

const MACHINE: &str = "machine.cpu_percent";
const SHARE: &str = ".cpu_percent";

/// In a sentence, with what each that was watched took on the plateau; none where the machine had
/// processors to spare, the target is elsewhere, or nobody looked.
pub(super) fn processors(summary: &Summary) -> Option<String> {
    let run = &summary.run;
    let there = f64::from(run.host.cores) * 100.0;
    let busy = summary.samples.mean(MACHINE).filter(|_| run.config.target_is_local)?;
    if busy < there * BUSY {
        return None;
    }
    let mut takers: Vec<(f64, String)> = summary
        .samples
        .names(PROCESSES)
        .filter_map(|name| {
            let who = name.strip_prefix(PROCESSES)?.strip_suffix(SHARE)?;
            Some((summary.samples.mean(name)?, called(who, &run.config.target)))
        })
        .collect();
    takers.extend(generator(summary).cpu_mean.value.map(|cpu| (cpu, "the generator".to_owned())));
    takers.sort_by(|one, other| other.0.total_cmp(&one.0));
    let percent = |value| Figure::new(value, Unit::Percent);
    let each: Vec<String> =
        takers.into_iter().map(|(cpu, who)| format!("{who} {}", percent(cpu))).collect();
    Some(format!(
        "this machine was short of processors, busy to {} of {} of one core: {}",
        percent(busy),
        percent(there),
        each.join(", ")
    ))
}

/// A watched process: by the port that it listens on, or its number.
fn called(who: &str, target: &str) -> String {
    match who.strip_prefix("pid_") {
        Some(pid) => format!("process {pid}"),
        None if target.ends_with(&format!(":{who}")) => "the target".to_owned(),
        None => format!("what listens on port {who}"),
    }
}
