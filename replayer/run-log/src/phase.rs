//! The phases of a run: named stretches of its time, planned before it begins.

use crate::format::{Phase, Window};

/// What follows the last phase: requests under way end, and none is released any more.
pub const DRAIN: &str = "drain";

/// What follows the last step where the recovery from it is measured: only the users of the first
/// step are there.
pub const RECOVERY: &str = "recovery";

/// What a step of a load in stages is called, by its number from 1.
pub fn step_name(number: u32) -> String {
    format!("{STEP}{number}")
}

const STEP: &str = "step ";

/// Which step of a load in stages a phase is, from 1; none where it is no step.
pub fn step_of(phase: &Phase) -> Option<u32> {
    phase.name.strip_prefix(STEP)?.parse().ok()
}

/// The first step of a load in stages, where the run has one.
pub fn first_step(phases: &[Phase]) -> Option<&Phase> {
    phases.iter().find(|phase| step_of(phase) == Some(1))
}

/// The name of the phase that a second is in.
pub fn phase_of(phases: &[Phase], second: u64) -> &str {
    let of = |phase: &&Phase| phase.window.contains(second);
    phases.iter().find(of).map_or(DRAIN, |phase| &phase.name)
}

/// The phases of a run whose load ended then, in seconds, as far as it got into them; a recovery
/// follows from there to `rest_s`.
pub fn phases_until(phases: &[Phase], end_s: f64, rest_s: f64) -> Vec<Phase> {
    let begun = phases.iter().filter_map(|phase| {
        let window = match phase.name.as_str() {
            RECOVERY => without_load(end_s, rest_s),
            _ => phase.window.until(end_s),
        };
        let is_begun = (window.start_s as f64) < window.end();
        is_begun.then(|| Phase { window, ..phase.clone() })
    });
    begun.collect()
}

/// The phases as far as there are seconds of them: of a run that was killed they are those planned.
pub fn phases_seen(phases: &[Phase], seconds: u64) -> Vec<Phase> {
    let cut = |phase: &Phase| Phase { window: phase.window.until(seconds as f64), ..phase.clone() };
    phases.iter().filter(|phase| phase.window.start_s < seconds).map(cut).collect()
}

/// The seconds from the end of the load to that of the run.
pub fn without_load(end_s: f64, rest_s: f64) -> Window {
    Window::new(Window::new(0, end_s).end_s, rest_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(name: &str, start_s: u64, end_s: f64) -> Phase {
        let window = Window::new(start_s, end_s);
        Phase { name: name.to_owned(), window, users: 1, load_held: None }
    }

    #[test]
    fn each_second_is_of_one_phase_and_what_follows_the_last_is_the_drain() {
        let phases = [phase("ramp", 0, 2.0), phase("plateau", 2, 9.5)];
        let names: Vec<&str> = [0, 1, 2, 9, 10].iter().map(|s| phase_of(&phases, *s)).collect();
        assert_eq!(names, ["ramp", "ramp", "plateau", "plateau", DRAIN]);
        let until = |end_s| phases_until(&phases, end_s, end_s);
        assert_eq!(until(5.5), [phases[0].clone(), phase("plateau", 2, 5.5)]);
        assert_eq!(until(2.0), phases[..1]);
        assert_eq!(until(60.0), phases);
    }

    #[test]
    fn a_recovery_begins_with_the_first_second_that_is_all_without_the_load() {
        let phases = [phase("step 1", 0, 4.0), phase("step 2", 4, 8.0), phase(RECOVERY, 8, 68.0)];
        assert_eq!(phases_until(&phases, 8.0, 68.0), phases);
        let stopped = phases_until(&phases, 5.5, 20.5);
        let [first, ..] = phases.clone();
        assert_eq!(stopped, [first.clone(), phase("step 2", 4, 5.5), phase(RECOVERY, 6, 20.5)]);
        // With the load everything ended.
        assert_eq!(phases_until(&phases, 3.5, 3.5), [phase("step 1", 0, 3.5)]);
        assert_eq!(phases_until(&phases, 4.0, 4.0), [first]);
    }

    #[test]
    fn a_step_is_known_by_its_name() {
        assert_eq!(step_of(&phase(&step_name(12), 0, 2.0)), Some(12));
        for other in ["ramp 2", "step", "step two", "plateau"] {
            assert_eq!(step_of(&phase(other, 0, 2.0)), None, "{other}");
        }
    }

    #[test]
    fn a_phase_is_written_with_its_seconds_beside_its_name() {
        let text = serde_json::to_string(&phase("ramp", 0, 2.0)).unwrap();
        assert_eq!(text, r#"{"name":"ramp","start_s":0,"end_s":2,"users":1}"#);
        assert_eq!(serde_json::from_str::<Phase>(&text).unwrap(), phase("ramp", 0, 2.0));
    }
}
