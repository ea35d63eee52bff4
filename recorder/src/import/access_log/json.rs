//! A JSON object a line: Caddy's, Traefik's, and those whose fields are found by their usual names
//! or as the user says.

use std::borrow::Cow;
use std::net::SocketAddr;

use chrono::DateTime;
use serde_json::Value;

use super::clf::clf_time;
use super::hit::{Hit, request_line, target};
use super::reading::{FieldMap, Fields, Unit};

/// What each field is called in formats whose documentation says it: the first that is there counts.
pub(super) const CADDY: Fields = [
    ("time", &["ts"]),
    ("method", &["request.method"]),
    ("path", &["request.uri"]),
    ("status", &["status"]),
    ("duration", &["duration"]),
    // The one behind proxies that are trusted; the peer; with its port, as before 2.5.
    ("client", &["request.client_ip", "request.remote_ip", "request.remote_addr"]),
    ("agent", &["request.headers.User-Agent"]),
    ("host", &["request.host"]),
    ("size", &["size"]),
];
pub(super) const TRAEFIK: Fields = [
    ("time", &["StartUTC"]),
    ("method", &["RequestMethod"]),
    ("path", &["RequestPath"]),
    ("status", &["DownstreamStatus"]),
    ("duration", &["Duration"]),
    ("client", &["ClientHost"]),
    ("agent", &["request_User-Agent"]),
    ("host", &["RequestHost"]),
    ("size", &["DownstreamContentSize"]),
];

/// An object with these fields, where nothing else is mapped. `unit` goes before what a name says.
pub(super) fn json<'a>(
    map: &FieldMap,
    line: &'a str,
    fields: &Fields,
    unit: Option<Unit>,
) -> Option<Hit<'a>> {
    let object: Value = serde_json::from_str(line).ok()?;
    let field = |thing: &str| -> Option<(&str, &Value)> {
        if let Some(name) = map.0.get(thing) {
            return Some((name, at(&object, name)?));
        }
        let (_, names) = fields.iter().find(|(known, _)| *known == thing)?;
        names.iter().find_map(|name| Some((*name, at(&object, name)?)))
    };
    let text = |thing: &str| text_of(field(thing)?.1);
    let (time_us, is_exact) = json_time(field("time")?.1)?;
    let request = object.get("request").and_then(Value::as_str);
    let (method, target, http) = match (text("method"), text("path"), request) {
        (Some(method), Some(path), _) => {
            let target = target(&path)?.into_owned();
            (method, target, "1.1")
        }
        (_, _, Some(request)) => {
            let (method, target, http) = request_line(request)?;
            (method.to_owned(), target.into_owned(), http)
        }
        _ => return None,
    };
    let took_us = field("duration").and_then(|(name, value)| {
        let number = match value {
            Value::String(text) => text.parse().ok()?,
            other => other.as_f64()?,
        };
        unit.or_else(|| Unit::of_name(name))?.us(number)
    });
    Some(Hit {
        time_us,
        is_exact,
        took_us,
        client: text("client").map(without_port).unwrap_or_default().into(),
        agent: text("agent").unwrap_or_default().into(),
        host: text("host").map(Cow::from),
        method: method.to_ascii_uppercase().into(),
        target: target.into(),
        http,
        status: text("status")?.parse().ok().filter(|status| (100..600).contains(status))?,
        size: text("size").and_then(|size| size.parse().ok()).unwrap_or(0),
    })
}

/// The field of this name, else the one to which it leads, as `request.uri` does.
fn at<'v>(object: &'v Value, name: &str) -> Option<&'v Value> {
    object.get(name).or_else(|| {
        let (outer, inner) = name.split_once('.')?;
        at(object.get(outer)?, inner)
    })
}

/// Of a list, as of the values of a header, the first.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(items) => text_of(items.first()?),
        _ => None,
    }
}

/// A port is of one connection, and a client has many.
fn without_port(client: String) -> String {
    client.parse::<SocketAddr>().map_or(client, |address| address.ip().to_string())
}

/// Microseconds since 1970, and whether they are finer than a second.
fn json_time(value: &Value) -> Option<(u64, bool)> {
    let text = match value {
        Value::Number(number) => return epoch(number.as_f64()?),
        Value::String(text) => text,
        _ => return None,
    };
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        let is_exact = text.contains('.');
        return Some((u64::try_from(time.timestamp_micros()).ok()?, is_exact));
    }
    match text.parse() {
        Ok(number) => epoch(number),
        Err(_) => clf_time(text).map(|time| (time, false)),
    }
}

/// Seconds, milliseconds or microseconds since 1970, by their size.
fn epoch(number: f64) -> Option<(u64, bool)> {
    if !(0.0..1e17).contains(&number) {
        return None;
    }
    let scale = match number {
        ..1e11 => 1e6,
        ..1e14 => 1e3,
        _ => 1.0,
    };
    Some(((number * scale) as u64, scale < 1e6 || number.fract() != 0.0))
}
