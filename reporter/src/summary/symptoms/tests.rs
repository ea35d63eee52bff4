use run_log::format::TargetSample;
use run_log::timeline::Second;

use super::band::{Band, LASTS, Limit};
use super::load::LoadBySecond;
use super::signs::Signs;
use super::symptom::{Order, Symptom, ordered};
use crate::units::{Figure, Unit};

/// When a series left what it was in its first five seconds.
fn left(limit: Limit, values: &[f64]) -> Option<u64> {
    let mut band = Band::new(limit, LASTS);
    for (second, value) in (0..).zip(values) {
        band.see(second, *value, second < 5, 1.0);
    }
    band.left().map(|(second, ..)| second)
}

const USUAL: [f64; 5] = [10_000.0, 12_000.0, 9_000.0, 11_000.0, 12_000.0];

fn then(values: &[f64]) -> Vec<f64> {
    [&USUAL, values].concat()
}

#[test]
fn what_is_slow_for_three_seconds_is_a_symptom_from_when_it_began_to_be_slower() {
    let slow = [70_000.0; 3];
    assert_eq!(left(Limit::LATENCY_US, &then(&slow)), Some(5));
    let rises = [12_000.0, 13_000.0, 30_000.0, 50_000.0, 70_000.0, 90_000.0, 110_000.0];
    assert_eq!(left(Limit::LATENCY_US, &then(&rises)), Some(7));
    // Of four one may be back; two are not enough, and neither is what goes back for longer.
    let but_one = [70_000.0, 70_000.0, 11_000.0, 70_000.0];
    assert_eq!(left(Limit::LATENCY_US, &then(&but_one)), Some(5));
    assert_eq!(left(Limit::LATENCY_US, &then(&slow[..2])), None);
    let now_and_then = [70_000.0, 70_000.0, 11_000.0, 11_000.0, 70_000.0, 70_000.0, 11_000.0];
    assert_eq!(left(Limit::LATENCY_US, &then(&now_and_then)), None);
    // Three times what is next to nothing is nothing.
    assert_eq!(left(Limit::LATENCY_US, &then(&[40_000.0; 9])), None);
}

#[test]
fn a_limit_that_was_reached_from_the_start_is_no_symptom() {
    let busy = Limit::Reaches(180.0);
    assert_eq!(left(busy, &[90.0, 80.0, 90.0, 80.0, 90.0, 180.0, 190.0, 200.0]), Some(5));
    assert_eq!(left(busy, &[90.0, 180.0, 185.0, 80.0, 90.0, 180.0, 190.0, 200.0]), Some(5));
    assert_eq!(left(busy, &[190.0, 180.0, 185.0, 80.0, 90.0, 180.0, 190.0, 200.0]), None);
    assert_eq!(left(busy, &[180.0, 190.0]), None, "nobody knows what is usual");
}

#[test]
fn what_grows_with_the_load_is_no_symptom() {
    let row = |second, users| Second { second, users, ..Second::default() };
    let timeline: Vec<Second> = (0..10).map(|second| row(second, 10 * (1 + second / 5))).collect();
    let load = LoadBySecond::new(&timeline, &(0..5));
    assert_eq!((load.at(4), load.at(5), load.at(99)), (1.0, 2.0, 2.0));
    let descriptors = |grown: f64| {
        let mut band = Band::new(Limit::COUNT, LASTS);
        for second in 0..10 {
            let value = if second < 5 { 100.0 } else { 100.0 * grown };
            band.see(second, value, second < 5, load.at(second));
        }
        band.left()
    };
    assert_eq!(descriptors(2.0), None);
    assert_eq!(descriptors(3.5), Some((5, 100.0, 350.0)));
}

/// What is found in samples of eight seconds, of which five are usual, on a machine of two cores.
fn found(metrics: &[(&str, [f64; 8])]) -> Vec<(String, u64)> {
    let mut signs = Signs::on(2);
    for second in 0..8 {
        for (metric, values) in metrics {
            let value = values[usize::try_from(second).unwrap()];
            let sample = TargetSample { second, metric: (*metric).to_owned(), value };
            signs.see(&sample, second < 5, 1.0);
        }
    }
    let bands = signs.into_bands();
    bands.filter_map(|(name, band, ..)| Some((name, band.left()?.0))).collect()
}

#[test]
fn a_pool_whose_connections_are_all_busy_is_a_symptom_unless_it_still_grows() {
    let pool = |active: [f64; 8], idle: [f64; 8]| {
        found(&[
            ("postgres.connections.active", active),
            ("postgres.connections.idle", idle),
            ("postgres.connections.idle_in_transaction", [0.0; 8]),
        ])
    };
    let idle = [3.0, 4.0, 2.0, 3.0, 3.0, 0.0, 0.0, 0.0];
    let busy = pool([2.0, 1.0, 3.0, 2.0, 2.0, 5.0, 5.0, 5.0], idle);
    assert_eq!(busy, [("postgres: busy connections".to_owned(), 5)]);
    assert_eq!(pool([2.0, 1.0, 3.0, 2.0, 2.0, 6.0, 7.0, 8.0], idle), []);
}

#[test]
fn locks_limits_and_what_only_ever_grows_are_told_from_when_they_began() {
    let at_last = |usual: f64, last: [f64; 3]| {
        let [a, b, c] = last;
        [usual, usual, usual, usual, usual, a, b, c]
    };
    let wait = at_last(0.0, [0.2, 1.2, 2.2]);
    assert_eq!(
        found(&[("db.longest_wait_seconds", wait)]),
        [("db.longest_wait_seconds".to_owned(), 5)]
    );
    let of_all = at_last(40.0, [96.0, 97.0, 97.0]);
    assert_eq!(
        found(&[("db.connections_of_all", of_all), ("db.connections_allowed", [100.0; 8])]),
        [("db.connections_of_all".to_owned(), 5)]
    );
    let mib = 1_048_576.0;
    for (metric, usual, last) in [
        ("process.80.rss_bytes", 30.0 * mib, [80.0 * mib, 90.0 * mib, 99.0 * mib]),
        ("process.80.descriptors", 20.0, [60.0, 90.0, 99.0]),
        ("process.80.cpu_percent", 90.0, [180.0, 199.0, 190.0]),
        ("machine.cpu_percent", 90.0, [190.0, 199.0, 190.0]),
        ("machine.listen_drops_total", 9.0, [10.0, 10.0, 10.0]),
    ] {
        assert_eq!(found(&[(metric, at_last(usual, last))]), [(metric.to_owned(), 5)]);
    }
    // What more processes hold is not what one of them holds on to.
    let more = at_last(3.0, [9.0, 9.0, 9.0]);
    let held = at_last(20.0, [60.0, 61.0, 62.0]);
    let of_one = "process.80.descriptors";
    assert_eq!(
        found(&[(of_one, held), ("process.80.processes", more)]),
        [],
        "but for the first second"
    );
    // Of these nobody knows which way is worse, or they are the generator's.
    for metric in ["redis.clients", "machine.rss_bytes", "postgres.table.size_bytes{table=\"t\"}"] {
        assert_eq!(found(&[(metric, at_last(1.0, [1e9; 3]))]), []);
    }
}

#[test]
fn of_what_begins_together_the_cause_comes_first() {
    let symptom = |second, order| Symptom {
        second,
        series: format!("{order:?}"),
        usual: Figure::none(Unit::Count),
        then: Figure::none(Unit::Count),
        order,
    };
    let found = ordered(vec![
        symptom(12, Order::Latency),
        symptom(13, Order::Lock),
        symptom(14, Order::Processors),
        symptom(15, Order::Lock),
        symptom(8, Order::Memory),
    ]);
    let told: Vec<(u64, Order)> = found.iter().map(|of| (of.second, of.order)).collect();
    let (lock, processors) = (Order::Lock, Order::Processors);
    let memory = (8, Order::Memory);
    assert_eq!(told, [memory, (13, lock), (14, processors), (12, Order::Latency), (15, lock)]);
}
