//! Searches of targets whose limit is known, on a simulated clock: a queue before so many workers,
//! worked out request by request, its times judged as those of a run are.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use figures::{Names, Plateau, Recorded, ResponseTimes};
use hdrhistogram::Histogram;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use run_log::format::{LatencyKind, LoadHeld, Scope, Tag, Window};
use run_log::outcome::Outcome as Ended;
use run_log::timeline::Second;
use scenario::{Expectation, Pacing, Percentile, with_defaults};

use super::bisect::{Answer, Bounds, Next, Search};
use super::level::Axis;
use super::probe::{Outcome, Series, measured};

const SECONDS: u64 = 30;
const WARMUP: u64 = 5;

/// A target that serves so many requests at once, first come first served.
struct Target {
    workers: usize,
    service_us: f64,
    /// A service takes so much more or less of its time, as a share.
    jitter: f64,
}

impl Target {
    /// In requests a second.
    fn capacity(&self) -> f64 {
        self.workers as f64 * 1e6 / self.service_us
    }
}

/// Requests: when each was ready, and when it ended, in microseconds.
type Requests = Vec<(f64, f64)>;

/// When the next request that is ready then ends.
struct Workers<'a> {
    target: &'a Target,
    free_at: Vec<f64>,
    random: ChaCha8Rng,
}

impl<'a> Workers<'a> {
    fn of(target: &'a Target, seed: u64) -> Self {
        let random = ChaCha8Rng::seed_from_u64(seed);
        Self { target, free_at: vec![0.0; target.workers], random }
    }

    fn serve(&mut self, ready: f64) -> f64 {
        let first = (0..self.free_at.len())
            .min_by(|one, other| self.free_at[*one].total_cmp(&self.free_at[*other]))
            .unwrap();
        let off = self.target.jitter * (2.0 * self.random.random::<f64>() - 1.0);
        let service = self.target.service_us * (1.0 + off);
        self.free_at[first] = self.free_at[first].max(ready) + service;
        self.free_at[first]
    }
}

/// Users that each send twice a second, whatever the target does.
fn open(target: &Target, rate: f64, seed: u64) -> Requests {
    let mut workers = Workers::of(target, seed);
    let users = (rate / 2.0).round() as usize;
    let gap = users as f64 / rate * 1e6;
    let mut ready: Vec<f64> = (0..users)
        .flat_map(|_| {
            let phase = gap * workers.random.random::<f64>();
            (0..)
                .map(move |n| phase + f64::from(n) * gap)
                .take_while(|at| *at < SECONDS as f64 * 1e6)
        })
        .collect();
    ready.sort_by(f64::total_cmp);
    ready.into_iter().map(|ready| (ready, workers.serve(ready))).collect()
}

/// Users that think for a second after each answer.
fn closed(target: &Target, users: usize, seed: u64) -> Requests {
    let mut workers = Workers::of(target, seed);
    let mut next: BinaryHeap<Reverse<u64>> =
        (0..users).map(|_| Reverse((1e6 * workers.random.random::<f64>()) as u64)).collect();
    let mut requests = Requests::new();
    while let Some(Reverse(ready)) = next.pop().filter(|next| next.0 < SECONDS * 1_000_000) {
        let end = workers.serve(ready as f64);
        requests.push((ready as f64, end));
        next.push(Reverse(end as u64 + 1_000_000));
    }
    requests
}

/// Whether what is expected held, as a run's figures would have it.
fn held(requests: &Requests, expectations: &[Expectation]) -> Outcome {
    let names = Names { endpoints: vec!["GET /".to_owned()], personas: Vec::new() };
    let tag = Tag { scope: Scope::Endpoint(0), kind: LatencyKind::ResponseOk };
    let window = Window::new(WARMUP, SECONDS as f64);
    let second_of = |us: f64| (us / 1e6) as u64;
    let (mut plateau, mut series) = (Plateau::new(&names), Series::default());
    for second in 0..SECONDS {
        let mut row = Second { second, users: 1, ..Second::default() };
        let mut times = Histogram::<u64>::new(3).unwrap();
        let over = (second + 1) as f64 * 1e6;
        for (ready, end) in requests {
            row.ready += u64::from(second_of(*ready) == second);
            row.queued += u64::from(*ready < over && *end >= over);
            if second_of(*end) == second {
                times.record((end - ready) as u64).unwrap();
            }
        }
        row.outcomes[Ended::Completed] = times.len();
        plateau.add_row(window, &row);
        plateau.add(window, second, tag, &Recorded::of(&times)).unwrap();
        if second >= WARMUP {
            let mut of_second = ResponseTimes::default();
            of_second.add(tag.kind, &Recorded::of(&times));
            series.median_us.extend(of_second.percentile(Percentile::P50).value);
            series.waiting.push(row.queued as f64);
            series.ended += row.done();
        }
    }
    let due = requests.iter().filter(|(ready, _)| second_of(*ready) >= WARMUP).count() as u64;
    plateau.load_held = Some(LoadHeld { planned: due, ready: due });
    measured(&plateau, expectations, &series).outcome
}

fn search(bounds: Bounds, by: Axis, probe: impl Fn(f64, u64) -> Outcome) -> Answer {
    let mut search = Search::new(bounds, by, bounds.most_probes());
    let mut number = 0;
    loop {
        match search.what_next() {
            Next::Done(answer) => return answer,
            Next::Probe(level) => {
                number += 1;
                search.note(level, probe(level, number) == Outcome::Held);
            }
        }
    }
}

/// Of ten searches, how many have the truth in an answer that is as narrow as was asked for.
fn found(of: impl Fn(u64) -> (f64, Answer)) -> usize {
    let holds = |seed: u64| {
        let (truth, answer) = of(seed);
        let (Some(held), Some(missed)) = (answer.held, answer.missed) else { return false };
        held <= truth && truth <= missed && missed / held - 1.0 <= 0.05
    };
    (0..10).filter(|seed| holds(*seed)).count()
}

/// One that serves from 160 to 320 requests a second.
fn target(seed: u64, workers: usize, jitter: f64) -> Target {
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x5ea7);
    let service_us = workers as f64 * (3_125.0 + 3_125.0 * random.random::<f64>());
    Target { workers, service_us, jitter }
}

#[test]
fn a_rate_that_a_target_is_limited_to_is_in_the_answer() {
    let written: Vec<Expectation> = vec!["p95 < 200ms".parse().unwrap()];
    let expectations = with_defaults(&written, Pacing::Open);
    for workers in [1, 4] {
        let found = found(|seed| {
            let target = target(seed, workers, 0.1);
            let bounds = Bounds { from: 20.0, to: 1000.0, within: 0.05 };
            let probe =
                |level, number| held(&open(&target, level, seed << 8 | number), &expectations);
            (target.capacity(), search(bounds, Axis::Rate, probe))
        });
        assert!(found >= 9, "{found} of 10 with {workers} workers");
    }
}

#[test]
fn the_users_at_whom_workers_of_a_known_time_are_too_slow_are_in_the_answer() {
    let expectations: Vec<Expectation> = vec!["p95 < 200ms".parse().unwrap()];
    let found = found(|seed| {
        let target = target(seed, 4, 0.0);
        let bounds = Bounds { from: 20.0, to: 2000.0, within: 0.05 };
        let probe = |level: f64, number| {
            held(&closed(&target, level as usize, seed << 8 | number), &expectations)
        };
        // Where all workers are busy, users = throughput x (time to think + response time).
        let truth = target.capacity() * 1.2;
        (truth, search(bounds, Axis::Users, probe))
    });
    assert!(found >= 9, "{found} of 10");
}
