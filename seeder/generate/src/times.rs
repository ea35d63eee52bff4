//! Times relative to a clock.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use minijinja::{Environment, Error};
use rand::RngExt;

use super::clock::Clock;
use super::functions::invalid;
use super::source::{Source, lock};

pub(super) fn install(environment: &mut Environment<'_>, source: &Source, clock: Clock) {
    environment.add_function("now", move || text(clock.now()));
    environment.add_function("time", move |offset: &str| shifted(clock.now(), parse(offset)?));
    let source = source.clone();
    environment.add_function("time_between", move |from: &str, to: &str| {
        let (from, to) = (parse(from)?, parse(to)?);
        if from > to {
            return Err(invalid("time_between(): the first time is after the second"));
        }
        let micros = |delta: TimeDelta| delta.num_microseconds().unwrap_or(i64::MAX);
        let drawn = lock(&source).random_range(micros(from)..=micros(to));
        shifted(clock.now(), TimeDelta::microseconds(drawn))
    });
}

/// `-3h`, `+2d 4h`, `0s`: a duration with a sign.
fn parse(offset: &str) -> Result<TimeDelta, Error> {
    let trimmed = offset.trim();
    let (sign, length) = match trimmed.strip_prefix('-') {
        Some(length) => (-1, length),
        None => (1, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    humantime::parse_duration(length)
        .ok()
        .and_then(|length: Duration| TimeDelta::from_std(length).ok())
        .map(|length| length * sign)
        .ok_or_else(|| invalid(format!("'{offset}' is not an offset such as '-3h' or '+2d 4h'")))
}

fn shifted(now: DateTime<Utc>, by: TimeDelta) -> Result<String, Error> {
    now.checked_add_signed(by)
        .map(text)
        .ok_or_else(|| invalid("a time that far away cannot be written"))
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}
