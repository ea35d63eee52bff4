//! What the seconds of a plan are called.

use super::users::{Schedule, Starts};
use crate::time::At;
use run_log::format::{Phase, Window};
use run_log::phase::{RECOVERY, step_name};
use scenario::{Axis, Load, Stages};

impl Schedule {
    /// The phases of a plan whose seconds `plateau` are judged, one after another, without a gap.
    pub fn phases(&self, load: &Load, plateau: Window) -> Vec<Phase> {
        let users = self.users.len() as u64;
        let mut phases = Phases { all: Vec::new(), until: 0, end: plateau.end() };
        let started = match &load.axis {
            Axis::Stages(stages) => stages.start,
            Axis::Clones(_) | Axis::Users(_) | Axis::Rate(_) => users,
        };
        let ramp_end = whole_second(self.ramp_end).min(plateau.start_s);
        phases.add("ramp", ramp_end as f64, started);
        phases.add("warm-up", plateau.start_s as f64, started);
        match &load.axis {
            Axis::Stages(stages) => {
                phases.add_steps(load, stages);
                let rest_s = plateau.end() + self.recovery.as_secs_f64();
                phases.end = rest_s;
                phases.add(RECOVERY, rest_s, stages.start);
            }
            Axis::Clones(_) | Axis::Users(_) | Axis::Rate(_) => {
                phases.add("plateau", plateau.end(), users);
            }
        }
        phases.all
    }
}

/// The first whole second from a time on.
fn whole_second(at: At) -> u64 {
    at.nanos().max(0).unsigned_abs().div_ceil(1_000_000_000)
}

struct Phases {
    all: Vec<Phase>,
    /// Where the last one ends, in whole seconds.
    until: u64,
    /// Where the plan ends, in seconds.
    end: f64,
}

impl Phases {
    /// The next one, up to here; none where that is not a second on.
    fn add(&mut self, name: &str, end_s: f64, users: u64) {
        let end_s = end_s.min(self.end);
        if end_s <= self.until as f64 {
            return;
        }
        let window = Window::new(self.until, end_s);
        self.until = window.end_s;
        self.all.push(Phase { name: name.to_owned(), window, users, load_held: None });
    }

    /// A ramp and a step for each number of users, as far as the plan goes.
    fn add_steps(&mut self, load: &Load, stages: &Stages) {
        let starts = Starts { load, stages: Some(stages) };
        let every = stages.every.as_secs_f64();
        for step in 0_u32.. {
            if f64::from(step) * every >= self.end {
                return;
            }
            let users = stages.users_at(stages.every * step);
            let all_started = whole_second(starts.of(users.saturating_sub(1)));
            let ends = (f64::from(step + 1) * every).ceil();
            let number = step + 1;
            self.add(&format!("ramp {number}"), (all_started as f64).min(ends), users);
            self.add(&step_name(number), ends, users);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Bound, Chain, PlannedUser, Stay};
    use super::*;

    const USERS: Axis = Axis::Users(10);

    fn stages(text: &str) -> Axis {
        Axis::Stages(text.parse().unwrap())
    }

    /// Name, seconds and users of each phase of a load of so many users, its ramp that long.
    fn told(axis: &Axis, spawn_rate: &str, plateau: (u64, f64), ramp_s: u64) -> Vec<String> {
        let spawn_rate = (!spawn_rate.is_empty()).then(|| spawn_rate.parse().unwrap());
        told_of(&Load { axis: axis.clone(), spawn_rate, ..Load::as_recorded() }, plateau, ramp_s)
    }

    fn told_of(load: &Load, plateau: (u64, f64), ramp_s: u64) -> Vec<String> {
        let user = PlannedUser {
            persona: 0,
            ordinal: 0,
            start: At::START,
            chain: Chain::Cycle { first: 0 },
            bound: Bound::NONE,
            stay: Stay::WithLoad,
        };
        let schedule = Schedule {
            users: vec![user; 10],
            shares: Vec::new(),
            end: None,
            is_limited: false,
            recovery: load.recovery.unwrap_or_default(),
            ramp_end: At::START + Duration::from_secs(ramp_s),
            rate: None,
        };
        let phases = schedule.phases(load, Window::new(plateau.0, plateau.1));
        let one = |of: &Phase| {
            format!("{} {}-{} {}", of.name, of.window.start_s, of.window.end(), of.users)
        };
        phases.iter().map(one).collect()
    }

    #[test]
    fn a_ramp_a_warm_up_and_a_plateau_follow_each_other() {
        assert_eq!(
            told(&USERS, "1/s", (15, 30.0), 10),
            ["ramp 0-10 10", "warm-up 10-15 10", "plateau 15-30 10"]
        );
        assert_eq!(told(&USERS, "", (0, 29.5), 0), ["plateau 0-29.5 10"]);
    }

    #[test]
    fn each_step_has_its_ramp_and_the_plan_may_end_within_one() {
        let by_ten = stages("start 20, +10 every 10s, to 50");
        assert_eq!(
            told(&by_ten, "5/s", (4, 40.0), 4),
            [
                "ramp 0-4 20",
                "step 1 4-10 20",
                "ramp 2 10-12 30",
                "step 2 12-20 30",
                "ramp 3 20-22 40",
                "step 3 22-30 40",
                "ramp 4 30-32 50",
                "step 4 32-40 50",
            ]
        );
        assert_eq!(
            told(&by_ten, "5/s", (4, 21.5), 4),
            [
                "ramp 0-4 20",
                "step 1 4-10 20",
                "ramp 2 10-12 30",
                "step 2 12-20 30",
                "ramp 3 20-21.5 40"
            ]
        );
        // All at once, and steps that are no whole seconds.
        assert_eq!(
            told(&stages("start 2, +2 every 1500ms, to 6"), "", (0, 4.5), 0),
            ["step 1 0-2 2", "step 2 2-3 4", "step 3 3-4.5 6"]
        );
    }

    #[test]
    fn a_recovery_follows_the_last_step() {
        let axis = stages("start 2, +2 every 5s, to 4");
        let recovery = Some(Duration::from_secs(60));
        assert_eq!(
            told_of(&Load { axis, recovery, ..Load::as_recorded() }, (0, 9.5), 0),
            ["step 1 0-5 2", "step 2 5-9.5 4", "recovery 10-69.5 2"]
        );
    }

    #[test]
    fn a_step_whose_users_take_longer_than_it_lasts_is_all_ramp() {
        let slow = stages("start 10, +10 every 5s, to 30");
        assert_eq!(
            told(&slow, "1/s", (10, 15.0), 9),
            ["ramp 0-9 10", "warm-up 9-10 10", "ramp 3 10-15 30"]
        );
    }
}
