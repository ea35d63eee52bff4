//! The phases of a run: named stretches of its time, planned before it begins.

use crate::format::Phase;

/// What follows the last phase: requests under way end, and none is released any more.
pub const DRAIN: &str = "drain";

/// What a step of a load in stages is called, by its number from 1.
pub fn step_name(number: u32) -> String {
    format!("{STEP}{number}")
}

const STEP: &str = "step ";

/// Which step of a load in stages a phase is, from 1; none where it is no step.
pub fn step_of(phase: &Phase) -> Option<u32> {
    phase.name.strip_prefix(STEP)?.parse().ok()
}

/// The name of the phase that a second is in.
pub fn phase_of(phases: &[Phase], second: u64) -> &str {
    let of = |phase: &&Phase| phase.window.contains(second);
    phases.iter().find(of).map_or(DRAIN, |phase| &phase.name)
}

/// The phases as far as a run of this length, in seconds, got into them.
pub fn phases_until(phases: &[Phase], end_s: f64) -> Vec<Phase> {
    let begun = phases.iter().filter(|phase| (phase.window.start_s as f64) < end_s);
    begun.map(|phase| Phase { window: phase.window.until(end_s), ..phase.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Window;

    fn phase(name: &str, start_s: u64, end_s: f64) -> Phase {
        let window = Window::new(start_s, end_s);
        Phase { name: name.to_owned(), window, users: 1, load_held: None }
    }

    #[test]
    fn each_second_is_of_one_phase_and_what_follows_the_last_is_the_drain() {
        let phases = [phase("ramp", 0, 2.0), phase("plateau", 2, 9.5)];
        let names: Vec<&str> = [0, 1, 2, 9, 10].iter().map(|s| phase_of(&phases, *s)).collect();
        assert_eq!(names, ["ramp", "ramp", "plateau", "plateau", DRAIN]);
        assert_eq!(phases_until(&phases, 5.5), [phases[0].clone(), phase("plateau", 2, 5.5)]);
        assert_eq!(phases_until(&phases, 2.0), phases[..1]);
        assert_eq!(phases_until(&phases, 60.0), phases);
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
