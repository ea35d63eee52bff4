//! The functions, drawing from one source.

use std::sync::{Arc, Mutex};

use common::input::MOST_STEPS;
use minijinja::{Environment, UndefinedBehavior};

use crate::clock::Clock;
use crate::source::{Source, lock};
use crate::stream::Stream;
use crate::{fake_data, functions, times};

/// The functions and the random source that they share.
///
/// ```
/// use minijinja::Value;
/// use generate::{Clock, Generators, Stream};
///
/// let generators = Generators::new(Clock::System);
/// let environment = generators.environment();
/// let expression = environment.compile_expression("pick(['fire', 'medical'])")?;
/// let stream = Stream::new(42, &["AlertIngestion", "alert_type"]);
/// let value = generators.draw(&stream, 7, || expression.eval(Value::UNDEFINED))?;
/// assert_eq!(value, generators.draw(&stream, 7, || expression.eval(Value::UNDEFINED))?);
/// # Ok::<(), minijinja::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Generators {
    source: Source,
    clock: Clock,
    /// Held for a whole evaluation, so that two threads do not draw from each
    /// other's stream; `source` is locked for a single draw only.
    turn: Arc<Mutex<()>>,
}

impl Generators {
    pub fn new(clock: Clock) -> Self {
        let source = Arc::new(Mutex::new(Stream::new(0, &[]).at(0)));
        Self { source, clock, turn: Arc::default() }
    }

    /// An environment with all functions; an undefined variable is an error in it.
    pub fn environment(&self) -> Environment<'static> {
        let mut environment = Environment::new();
        self.install(&mut environment);
        environment
    }

    /// Adds the functions to an environment that has others already.
    pub fn install(&self, environment: &mut Environment<'_>) {
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(MOST_STEPS));
        functions::install(environment, &self.source);
        times::install(environment, &self.source, self.clock);
        environment.add_global("fake", fake_data::FakeData::value(&self.source));
    }

    /// For further functions that draw, such as the seeder's `ref`.
    pub fn source(&self) -> Source {
        self.source.clone()
    }

    /// Evaluates with every function drawing from position `n` of `stream`.
    ///
    /// What the engine makes of a lone undefined variable is the value
    /// "undefined", not an error: look for it with `Value::is_undefined`.
    pub fn draw<T>(&self, stream: &Stream, n: u64, evaluate: impl FnOnce() -> T) -> T {
        let _turn = lock(&self.turn);
        *lock(&self.source) = stream.at(n);
        evaluate()
    }

    /// The same from within an evaluation, which then goes on as if nothing had been drawn.
    pub fn draw_within<T>(&self, stream: &Stream, n: u64, evaluate: impl FnOnce() -> T) -> T {
        let outer = std::mem::replace(&mut *lock(&self.source), stream.at(n));
        let drawn = evaluate();
        *lock(&self.source) = outer;
        drawn
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::{TimeZone, Utc};
    use minijinja::Value;

    use super::*;

    fn generators() -> Generators {
        Generators::new(Clock::Fixed(Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap()))
    }

    fn values(expression: &str, count: u64) -> Vec<Value> {
        let generators = generators();
        let environment = generators.environment();
        let expression = environment.compile_expression(expression).unwrap();
        let stream = Stream::new(1, &["test"]);
        (1..=count)
            .map(|n| {
                let context = BTreeMap::from([("n", n)]);
                generators.draw(&stream, n, || expression.eval(Value::from(context))).unwrap()
            })
            .collect()
    }

    fn numbers(expression: &str, count: u64) -> Vec<f64> {
        values(expression, count).into_iter().map(|v| f64::try_from(v).unwrap()).collect()
    }

    /// The rows that a seed gives are part of the interface: a change here is
    /// a change of the manifest's version.
    #[test]
    fn the_same_seed_gives_the_same_values_in_every_version() {
        let expected = [
            ("integer(1, 1000)", "723"),
            ("uniform(0, 1)", "0.7226688860029866"),
            ("normal(0, 1)", "-0.5870225352859553"),
            ("place(45.5, -73.5, 0.5)", "{'latitude': 45.722669, 'longitude': -73.798193}"),
            ("uuid()", "d5ff1595-6fc1-4a34-bc95-df6cebfef156"),
            ("pattern('R-##??')", "R-27OF"),
            ("weighted({'a': 3, 'b': 1})", "a"),
            ("time_between('-30d', '-1h')", "2025-12-23T15:35:56.144530Z"),
            ("fake.name()", "Daisha Reichert"),
            ("fake.sentence(3, 6)", "quisquam natus sed."),
        ];
        for (expression, value) in expected {
            assert_eq!(values(expression, 1)[0].to_string(), value, "{expression}");
        }
    }

    #[test]
    fn a_value_does_not_depend_on_what_was_drawn_before() {
        let all = values("fake.name()", 50);
        let generators = generators();
        let environment = generators.environment();
        let expression = environment.compile_expression("fake.name()").unwrap();
        let alone = generators
            .draw(&Stream::new(1, &["test"]), 50, || expression.eval(Value::UNDEFINED))
            .unwrap();
        assert_eq!(all[49], alone);
        assert_ne!(all[48], alone);
    }

    #[test]
    fn every_name_of_fake_data_gives_text() {
        for name in fake_data::NAMES {
            let value = values(&format!("fake.{name}()"), 1).remove(0);
            assert!(value.as_str().is_some_and(|text| !text.is_empty()), "{name}");
        }
    }

    #[test]
    fn weights_decide_how_often() {
        let drawn = values("weighted({'a': 3, 'b': 1, 'never': 0})", 2000);
        let a = drawn.iter().filter(|value| value.as_str() == Some("a")).count();
        assert!((1400..1600).contains(&a), "{a} of 2000");
        assert!(drawn.iter().all(|value| value.as_str() != Some("never")));
    }

    #[test]
    fn numbers_stay_in_their_ranges_and_reach_both_ends() {
        let whole = numbers("integer(1, 3)", 200);
        assert!((1..=3).all(|end| whole.contains(&f64::from(end))));
        assert!(whole.iter().all(|number| (1.0..=3.0).contains(number)));
        assert!(numbers("uniform(0.7, 1.0)", 200).iter().all(|n| (0.7..1.0).contains(n)));
        let normal = numbers("normal(10, 2)", 2000);
        let mean = normal.iter().sum::<f64>() / 2000.0;
        let variance = normal.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / 2000.0;
        assert!((mean - 10.0).abs() < 0.2, "{mean}");
        assert!((variance.sqrt() - 2.0).abs() < 0.2, "{variance}");
    }

    #[test]
    fn places_lie_within_the_radius() {
        for place in values("place(45.5, -73.5, 0.5)", 200) {
            let part = |name| f64::try_from(place.get_attr(name).unwrap()).unwrap();
            let (north, east) = (part("latitude") - 45.5, part("longitude") + 73.5);
            assert!(north.hypot(east) <= 0.5 + 1e-6, "{place}");
        }
    }

    #[test]
    fn times_are_relative_to_the_clock() {
        assert_eq!(values("now()", 1)[0].to_string(), "2026-01-01T00:00:00.000000Z");
        assert_eq!(values("time('-1h 30m')", 1)[0].to_string(), "2025-12-31T22:30:00.000000Z");
        for time in values("time_between('-2h', '-1h')", 50) {
            let time = time.to_string();
            assert!(("2025-12-31T22:00".."2025-12-31T23:00").contains(&time.as_str()), "{time}");
        }
    }

    #[test]
    fn mistakes_are_named_with_what_would_be_right() {
        let environment = generators().environment();
        for (expression, expected) in [
            ("fake.nmae()", "did you mean name?"),
            ("pick([])", "at least one"),
            ("integer(5, 1)", "5 is above 1"),
            ("uniform(2, 2)", "2 is not below 2"),
            ("weighted({'a': 0})", "above zero"),
            ("weighted(['a'])", "mapping"),
            ("time('soon')", "such as '-3h'"),
            ("place(0, 0, -1)", "radius"),
            ("cycle(['a'], 0)", "from 1"),
            ("missing.part", "undefined"),
        ] {
            let error = environment.compile_expression(expression).unwrap();
            let error = error.eval(Value::UNDEFINED).unwrap_err().to_string();
            assert!(error.contains(expected), "{expression}: {error}");
        }
    }
}
