//! What becomes of a target once the load is taken away: real servers that break under stages.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use run_log::format::{EndedBy, Phase, Run};
use run_log::recovery::{Recovered, Recovery};
use run_log::timeline::Second;

use crate::support::{Answer, Ran, Server, TraceBuilder, Workplace};

/// More requests in a second than the four users of the first step can send, at 20/s each, and far
/// fewer than those of the second do.
const TOO_MANY: usize = 120;

/// What was asked of a server, and since when it has been too much.
#[derive(Default)]
struct Asked {
    lately: VecDeque<Instant>,
    last_overload: Option<Instant>,
}

impl Asked {
    /// How long ago it was last too much; none where it never was.
    fn since_overload(&mut self) -> Option<Duration> {
        let now = Instant::now();
        self.lately.push_back(now);
        let is_old = |at: &Instant| now.duration_since(*at) > Duration::from_secs(1);
        while self.lately.front().is_some_and(is_old) {
            self.lately.pop_front();
        }
        if self.lately.len() > TOO_MANY {
            self.last_overload = Some(now);
        }
        self.last_overload.map(|at| now.duration_since(at))
    }
}

fn good() -> Answer {
    Answer::Json(200, "{}".into())
}

/// One that answers as this says from when it was too much for the first time on, with how long ago
/// that was last so; before that slower than when it is good again, so that a busy neighbour makes
/// no difference.
fn breaking(broken: impl Fn(Duration) -> Answer + Send + Sync + 'static) -> Server {
    let asked = Mutex::new(Asked::default());
    Server::start_forgetful(move |_| match asked.lock().unwrap().since_overload() {
        None => Answer::Late(Duration::from_millis(80), 200, "{}".into()),
        Some(since) => broken(since),
    })
}

/// It fails until 3 s after it was too much.
fn recovering() -> Server {
    breaking(|since| match since < Duration::from_secs(3) {
        true => Answer::Json(503, "{}".into()),
        false => good(),
    })
}

/// Four users for some seconds, then as many as break it.
fn ran(server: &Server, options: &[&str]) -> Ran {
    let steps: Vec<(u64, &str, &str)> = (0..40).map(|n| (n * 50, "GET", "/")).collect();
    let place = Workplace::new(&TraceBuilder::default().session("s", &steps).in_order(), 0);
    place.run(&server.url(), &[&["--no-probe", "--quiet"], options].concat())
}

const STAGES: [&str; 2] = ["--stages", "start 4, +80 every 4s, to 84"];
const CLOSED: [&str; 4] = ["--pacing", "closed", STAGES[0], STAGES[1]];

fn recovery(run: &Run) -> Recovery {
    run.recovery.unwrap_or_else(|| panic!("{:?}", run.phases))
}

fn last_phase(run: &Run) -> &Phase {
    run.phases.last().unwrap()
}

/// The rows of the recovery, its last one, in which users may leave, left out.
fn without_load(ran: &Ran) -> Vec<Second> {
    let run = ran.reader().run().clone();
    let window = last_phase(&run).window;
    let rows = ran.reader().seconds().unwrap().map(Result::unwrap);
    rows.filter(|row| window.contains(row.second) && row.second + 1 < window.end_s).collect()
}

#[test]
fn one_that_recovers_is_seen_to_and_ends_the_run() {
    let ran = ran(&recovering(), &[&CLOSED[..], &["--recovery", "5m"]].concat());
    let run = ran.checked();
    let names: Vec<&str> = run.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(names, ["step 1", "step 2", "recovery"]);
    assert_eq!((last_phase(&run).users, run.plateau.end_s), (4, 8));
    let found = recovery(&run);
    assert_eq!(found.result, Recovered::Recovered, "{}", ran.stdout);
    // Of the three seconds, those may be before the load ended in which a busy machine sent less.
    assert!(found.after_s.unwrap() >= 1.0, "{found:?}");
    assert!(run.elapsed_s < 8.0 + 300.0, "{}", run.elapsed_s);
    assert_eq!(run.ended_by, Some(EndedBy::Duration));
    let rows = without_load(&ran);
    assert!(rows.len() >= 6 && rows.iter().all(|row| row.users == 4), "{rows:?}");
    let told = "s after the load was gone\n";
    assert!(ran.stdout.contains("recovery: as at the first step"), "{}", ran.stdout);
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
}

#[test]
fn one_that_stays_slow_has_not_recovered_within_the_bound() {
    let slow = breaking(|_| Answer::Late(Duration::from_secs(2), 200, "{}".into()));
    let ran = ran(&slow, &[&CLOSED[..], &["--recovery", "8s"]].concat());
    let run = ran.checked();
    let found = recovery(&run);
    assert_eq!((found.result, found.after_s), (Recovered::NotWithin, None), "{}", ran.stdout);
    assert!(found.last.unwrap().p95_us.unwrap() >= 2e6, "{found:?}");
    assert_eq!((last_phase(&run).window.start_s, last_phase(&run).window.end()), (8, 16.0));
    assert!(ran.stdout.contains("recovery: not within 8 s: p95 2"), "{}", ran.stdout);
}

#[test]
fn one_that_dies_is_dead() {
    let ran = ran(&breaking(|_| Answer::Death), &[&CLOSED[..], &["--recovery", "8s"]].concat());
    let run = ran.checked();
    let found = recovery(&run);
    assert_eq!((found.result, found.after_s), (Recovered::Dead, None), "{}", ran.stdout);
    assert!(ran.stdout.contains("recovery: dead: nothing was answered"), "{}", ran.stdout);
}

#[test]
fn by_open_pacing_all_that_was_planned_for_those_who_stay_is_counted() {
    let ran = ran(&breaking(|_| good()), &[&STAGES[..], &["--recovery", "5m"]].concat());
    let run = ran.checked();
    assert_eq!(recovery(&run).result, Recovered::Recovered, "{}", ran.stdout);
    let planned: u64 = run.phases.iter().map(|phase| phase.load_held.unwrap().planned).sum();
    // The second within which the load ended is of its last step, whoever stays.
    assert_eq!(planned, run.totals.planned);
    assert!(without_load(&ran).iter().all(|row| row.users == 4));
}

#[test]
fn in_several_processes_the_lead_takes_the_load_away_and_sees_it_recover() {
    let ran = ran(
        &recovering(),
        &[
            "--pacing",
            "closed",
            "--stages",
            "start 4, +80 every 12s, to 164",
            "--stop-on",
            "failures > 40%",
            "--recovery",
            "5m",
            "--processes",
            "2",
        ],
    );
    let run = ran.checked();
    assert_eq!(run.ended_by, Some(EndedBy::StopOn("failures > 40%".to_owned())));
    assert_eq!(recovery(&run).result, Recovered::Recovered, "{}", ran.stdout);
    assert_eq!((last_phase(&run).name.as_str(), last_phase(&run).users), ("recovery", 4));
    // Both may end the load a moment apart, at the end of a second.
    assert!(without_load(&ran).iter().skip(1).all(|row| row.users == 4));
}

#[test]
fn without_a_bound_on_it_the_run_ends_with_its_load() {
    let run = ran(&breaking(|_| good()), &CLOSED).checked();
    assert_eq!((run.recovery, last_phase(&run).name.as_str()), (None, "step 2"));
    assert!(run.config.recovery_s.is_none());
}
