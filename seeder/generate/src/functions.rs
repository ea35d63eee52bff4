//! Choices, numbers, places, ids and patterns.

use std::collections::BTreeMap;

use minijinja::value::{Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};
use rand::{Rng, RngExt};

use super::source::{Source, lock};

pub(super) fn install(environment: &mut Environment<'_>, source: &Source) {
    let s = source.clone();
    environment.add_function("pick", move |choices: Rest<Value>| pick(&s, &choices));
    let s = source.clone();
    environment.add_function("weighted", move |weights: Value| weighted(&s, &weights));
    environment.add_function("cycle", cycle);
    let s = source.clone();
    environment.add_function("integer", move |low: i64, high: i64| integer(&s, low, high));
    let s = source.clone();
    environment.add_function("skewed", move |low: i64, high: i64, power: u32| {
        let (low, high) = if low <= high { (low, high) } else { (high, low) };
        let count = high.abs_diff(low).saturating_add(1);
        let drawn = skewed(&mut *lock(&s), count, power)?;
        Ok::<_, Error>(low.saturating_add_unsigned(drawn))
    });
    let s = source.clone();
    environment.add_function("uniform", move |low: f64, high: f64| uniform(&s, low, high));
    let s = source.clone();
    environment.add_function("normal", move |mean: f64, deviation: f64| {
        normal(&mut *lock(&s), mean, deviation)
    });
    let s = source.clone();
    environment.add_function("chance", move |share: f64| lock(&s).random::<f64>() < share);
    let s = source.clone();
    environment.add_function("place", move |latitude: f64, longitude: f64, radius: f64| {
        place(&s, latitude, longitude, radius)
    });
    let s = source.clone();
    environment.add_function("uuid", move || {
        uuid::Builder::from_random_bytes(lock(&s).random()).into_uuid().to_string()
    });
    let s = source.clone();
    environment.add_function("pattern", move |form: &str| pattern(&mut *lock(&s), form));
    environment.add_function("pad", |n: i64, width: usize| format!("{n:0width$}"));
}

pub(super) fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// A list, or the choices one by one.
fn pick(source: &Source, choices: &[Value]) -> Result<Value, Error> {
    let list: Vec<Value> = match choices {
        [one] if one.kind() == ValueKind::Seq => one.try_iter()?.collect(),
        several => several.to_vec(),
    };
    if list.is_empty() {
        return Err(invalid("pick() needs at least one choice"));
    }
    let index = lock(source).random_range(0..list.len());
    Ok(list[index].clone())
}

fn weighted(source: &Source, weights: &Value) -> Result<Value, Error> {
    if weights.kind() != ValueKind::Map {
        return Err(invalid("weighted() takes a mapping such as {'a': 3, 'b': 1}"));
    }
    let mut choices = Vec::new();
    let mut total = 0.0;
    for choice in weights.try_iter()? {
        let weight = f64::try_from(weights.get_item(&choice)?)?;
        if !(weight >= 0.0 && weight.is_finite()) {
            return Err(invalid(format!("weight {weight} of {choice} is below zero")));
        }
        total += weight;
        choices.push((choice, total));
    }
    if total <= 0.0 {
        return Err(invalid("weighted() needs a weight above zero"));
    }
    let drawn = lock(source).random::<f64>() * total;
    let found = choices.iter().find(|(_, upto)| drawn < *upto).or(choices.last());
    Ok(found.map_or(Value::UNDEFINED, |(choice, _)| choice.clone()))
}

// The engine's functions take their arguments by value.
#[expect(clippy::needless_pass_by_value)]
fn cycle(choices: Value, n: usize) -> Result<Value, Error> {
    let length = choices.len().filter(|length| *length > 0);
    let length = length.ok_or_else(|| invalid("cycle() needs a list with at least one choice"))?;
    let index = n.checked_sub(1).ok_or_else(|| invalid("cycle() counts from 1"))?;
    choices.get_item_by_index(index % length)
}

fn integer(source: &Source, low: i64, high: i64) -> Result<i64, Error> {
    if low > high {
        return Err(invalid(format!("integer(): {low} is above {high}")));
    }
    Ok(lock(source).random_range(low..=high))
}

/// From 0 to below `count`. A product rounds alike on every machine; a power,
/// as the mathematical library has it, may not.
pub fn skewed(source: &mut impl Rng, count: u64, power: u32) -> Result<u64, Error> {
    if !(1..=8).contains(&power) {
        return Err(invalid(format!("a skew of {power} is not from 1 to 8")));
    }
    let drawn: f64 = source.random();
    let share = (1..power).fold(drawn, |share, _| share * drawn);
    // Truncation is what is wanted; no count of rows comes near 2^53.
    Ok(((share * count as f64) as u64).min(count.saturating_sub(1)))
}

fn uniform(source: &Source, low: f64, high: f64) -> Result<f64, Error> {
    if low.partial_cmp(&high) != Some(std::cmp::Ordering::Less) {
        return Err(invalid(format!("uniform(): {low} is not below {high}")));
    }
    Ok(lock(source).random_range(low..high))
}

/// The sum of twelve uniform numbers has variance 1, and is a bell within 6
/// deviations. Unlike the exact methods it needs no logarithm and no cosine,
/// whose last digit differs from machine to machine.
fn normal(source: &mut impl Rng, mean: f64, deviation: f64) -> f64 {
    let sum: f64 = (0..12).map(|_| source.random::<f64>()).sum();
    mean + deviation * (sum - 6.0)
}

/// Evenly over the disc (of degrees, which are narrower to the east than to
/// the north), with six decimals: a tenth of a metre.
fn place(source: &Source, latitude: f64, longitude: f64, radius: f64) -> Result<Value, Error> {
    if !(radius >= 0.0 && radius.is_finite()) {
        return Err(invalid(format!("place(): the radius {radius} is below zero")));
    }
    let mut source = lock(source);
    let (north, east) = loop {
        let (north, east): (f64, f64) =
            (source.random_range(-1.0..=1.0), source.random_range(-1.0..=1.0));
        if north * north + east * east <= 1.0 {
            break (north * radius, east * radius);
        }
    };
    let decimals = |degrees: f64| (degrees * 1e6).round() / 1e6;
    Ok(Value::from(BTreeMap::from([
        ("latitude", decimals(latitude + north)),
        ("longitude", decimals(longitude + east)),
    ])))
}

fn pattern(source: &mut impl Rng, form: &str) -> String {
    form.chars()
        .map(|character| match character {
            '#' => char::from(source.random_range(b'0'..=b'9')),
            '?' => char::from(source.random_range(b'A'..=b'Z')),
            other => other,
        })
        .collect()
}
