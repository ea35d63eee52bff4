//! One line of a log, in each of the formats.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate};
use serde_json::Value;

use crate::import::format::LONGEST_US;

/// Formats of access logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// nginx's default and Apache's combined; the number behind it, if there is one, is a duration
    /// where its unit was given.
    Combined,
    /// Apache's common.
    Common,
    /// Apache's vhost_combined: host and port before it.
    VhostCombined,
    /// ingress-nginx of Kubernetes: behind it the length of the request, and its time in seconds.
    Ingress,
    /// Traefik's: behind it a count, router, server, and the duration in milliseconds.
    Traefik,
    TraefikJson,
    Caddy,
    /// Envoy's default.
    Envoy,
    /// AWS Application Load Balancer.
    Alb,
    /// A JSON object a line.
    Json,
}

impl Kind {
    /// What is more special first: a line may be in several.
    pub const ALL: [Self; 10] = [
        Self::Ingress,
        Self::Traefik,
        Self::VhostCombined,
        Self::TraefikJson,
        Self::Caddy,
        Self::Envoy,
        Self::Alb,
        Self::Combined,
        Self::Common,
        Self::Json,
    ];

    /// The format that a line in none of them resembles most.
    pub(super) fn nearest(line: &str) -> Self {
        let first = line.split(' ').next().unwrap_or_default();
        if line.starts_with('{') {
            Self::Json
        } else if line.starts_with('[') {
            Self::Envoy
        } else if matches!(first, "http" | "https" | "h2" | "grpcs" | "ws" | "wss") {
            Self::Alb
        } else if line.matches('"').count() == 2 {
            Self::Common
        } else {
            Self::Combined
        }
    }

    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Combined => {
                r#"192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 12 "-" "agent""#
            }
            Self::Common => {
                r#"192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 12"#
            }
            Self::VhostCombined => {
                r#"h:80 192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 12 "-" "agent""#
            }
            Self::Ingress => {
                r#"192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 12 "-" "agent" 91 0.012 [web-80] [] 10.0.0.1:80 12 0.012 200 0a1b"#
            }
            Self::Traefik => {
                r#"192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 12 "-" "agent" 1 "web@docker" "http://10.0.0.1:80" 12ms"#
            }
            Self::TraefikJson => {
                r#"{"StartUTC":"2026-10-10T13:55:36Z","RequestMethod":"GET","RequestPath":"/a","DownstreamStatus":200,"Duration":12000000}"#
            }
            Self::Caddy => {
                r#"{"ts":1791640536.5,"request":{"method":"GET","host":"h","uri":"/a"},"duration":0.012,"status":200}"#
            }
            Self::Envoy => {
                r#"[2026-10-10T13:55:36.123Z] "GET /a HTTP/1.1" 200 - 0 12 12 11 "192.0.2.1" "agent" "0a1b" "h" "10.0.0.1:80""#
            }
            Self::Json => {
                r#"{"time":"2026-10-10T13:55:36Z","method":"GET","path":"/a","status":200}"#
            }
            Self::Alb => {
                r#"http 2026-10-10T13:55:36.123456Z app/lb/1 192.0.2.1:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 "GET http://h:80/a HTTP/1.1" "agent" …"#
            }
        }
    }

    /// Whether its times are of a request's start, as its documentation has it. Apache's are, too,
    /// but nginx writes the same lines with those of the end.
    fn is_of_start(self) -> bool {
        matches!(self, Self::VhostCombined | Self::Traefik | Self::TraefikJson | Self::Envoy)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Combined => "combined",
            Self::Common => "common",
            Self::VhostCombined => "vhost-combined",
            Self::Ingress => "ingress",
            Self::Traefik => "traefik",
            Self::TraefikJson => "traefik-json",
            Self::Caddy => "caddy",
            Self::Envoy => "envoy",
            Self::Json => "json",
            Self::Alb => "alb",
        })
    }
}

/// What a line is of that none of the formats has, if that is known.
pub(super) fn looks_like(line: &str) -> Option<&'static str> {
    let is_syslog = line.starts_with('<')
        && line.split_once('>').is_some_and(|(level, _)| {
            level.len() > 1 && level[1..].bytes().all(|byte| byte.is_ascii_digit())
        });
    if line.contains(" haproxy[") {
        Some("a log of HAProxy")
    } else if ["#Software:", "#Version:", "#Fields:", "#Date:"]
        .iter()
        .any(|of| line.starts_with(of))
    {
        Some("W3C's extended log format, as of IIS and CloudFront")
    } else if is_syslog {
        Some("syslog's, which stand before those of a server")
    } else {
        None
    }
}

/// What a duration is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    /// That of a field which says it in its name: `duration_ms`, `request_time_seconds`, and
    /// nginx's `request_time`, which is in seconds.
    fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        // All of these end with `seconds`, too.
        if ends(&["_ms", "_millis", "milliseconds"]) {
            Some(Self::Millis)
        } else if ends(&["_us", "_micros", "microseconds"]) {
            Some(Self::Micros)
        } else if ends(&["_ns", "_nanos", "nanoseconds"]) {
            Some(Self::Nanos)
        } else if name == "request_time" || ends(&["_s", "_sec", "_secs", "seconds"]) {
            Some(Self::Seconds)
        } else {
            None
        }
    }

    /// In microseconds, a day at most; none for what is no duration.
    fn us(self, number: f64) -> Option<u64> {
        let us = match self {
            Self::Seconds => number * 1e6,
            Self::Millis => number * 1e3,
            Self::Micros => number,
            Self::Nanos => number / 1e3,
        };
        (us >= 0.0).then_some((us.round() as u64).min(LONGEST_US))
    }
}

/// What a log does not say of itself.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    pub fields: FieldMap,
    /// Of its durations.
    pub unit: Option<Unit>,
    /// Whether its times are of a request's start.
    pub is_of_start: Option<bool>,
}

impl Reading {
    pub(super) fn is_of_start(&self, kind: Kind) -> bool {
        self.is_of_start.unwrap_or(kind.is_of_start())
    }
}

/// The names of a JSON log's fields.
#[derive(Clone, Debug, Default)]
pub struct FieldMap(BTreeMap<String, String>);

/// The fields of formats whose documentation names them.
const CADDY: [(&str, &str); 9] = [
    ("time", "ts"),
    ("method", "request.method"),
    ("path", "request.uri"),
    ("status", "status"),
    ("duration", "duration"),
    ("client", "request.remote_ip"),
    ("agent", "request.headers.User-Agent"),
    ("host", "request.host"),
    ("size", "size"),
];
const TRAEFIK: [(&str, &str); 9] = [
    ("time", "StartUTC"),
    ("method", "RequestMethod"),
    ("path", "RequestPath"),
    ("status", "DownstreamStatus"),
    ("duration", "Duration"),
    ("client", "ClientHost"),
    ("agent", "request_User-Agent"),
    ("host", "RequestHost"),
    ("size", "DownstreamContentSize"),
];

/// Each field with the names that it usually has.
const FIELDS: [(&str, &[&str]); 9] = [
    ("time", &["time", "timestamp", "@timestamp", "ts", "time_iso8601", "time_local", "date"]),
    ("method", &["method", "request_method", "verb", "http_method"]),
    ("path", &["path", "uri", "request_uri", "url", "target"]),
    ("status", &["status", "status_code", "response_code", "http_status"]),
    ("duration", &["request_time", "duration", "duration_ms", "latency_ms", "latency"]),
    ("client", &["client", "remote_addr", "client_ip", "remote_ip", "ip", "x_forwarded_for"]),
    ("agent", &["agent", "user_agent", "http_user_agent", "userAgent"]),
    ("host", &["host", "http_host", "server_name", "authority"]),
    ("size", &["size", "bytes", "body_bytes_sent", "bytes_sent", "response_size"]),
];

impl FromStr for FieldMap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut map = BTreeMap::new();
        for pair in text.split(',') {
            let (thing, field) = pair
                .split_once('=')
                .ok_or_else(|| format!("{pair:?} is not of the form time=ts"))?;
            if !FIELDS.iter().any(|(known, _)| *known == thing) || field.is_empty() {
                let known: Vec<&str> = FIELDS.iter().map(|(known, _)| *known).collect();
                return Err(format!("{pair:?}: known are {}", known.join(", ")));
            }
            map.insert(thing.to_owned(), field.to_owned());
        }
        Ok(Self(map))
    }
}

/// A request of the log.
#[derive(Debug, PartialEq)]
pub(super) struct Hit<'a> {
    /// Of completion, microseconds since 1970.
    pub(super) time_us: u64,
    /// Whether that is finer than a second.
    pub(super) is_exact: bool,
    pub(super) took_us: Option<u64>,
    pub(super) client: Cow<'a, str>,
    /// Empty where it is not known.
    pub(super) agent: Cow<'a, str>,
    pub(super) host: Option<Cow<'a, str>>,
    pub(super) method: Cow<'a, str>,
    /// Path and query.
    pub(super) target: Cow<'a, str>,
    pub(super) http: &'static str,
    pub(super) status: u16,
    pub(super) size: u64,
}

pub(super) struct Parser<'a> {
    kind: Kind,
    reading: &'a Reading,
    /// The last time that was read, and what it means: lines of one second share it.
    last: (String, u64),
}

impl<'p> Parser<'p> {
    pub(super) fn new(kind: Kind, reading: &'p Reading) -> Self {
        Self { kind, reading, last: (String::new(), 0) }
    }

    /// None where the line is not of this format.
    pub(super) fn parse<'a>(&mut self, line: &'a str) -> Option<Hit<'a>> {
        let mut hit = match self.kind {
            Kind::Combined | Kind::Ingress | Kind::Traefik | Kind::Common => self.clf(line)?,
            Kind::VhostCombined => self.vhost(line)?,
            Kind::Json => self.json(line, &[], self.reading.unit)?,
            Kind::Caddy => self.json(line, &CADDY, Some(Unit::Seconds))?,
            Kind::TraefikJson => self.json(line, &TRAEFIK, Some(Unit::Nanos))?,
            Kind::Envoy => envoy(line)?,
            Kind::Alb => alb(line)?,
        };
        if self.reading.is_of_start(self.kind) {
            hit.time_us += hit.took_us.unwrap_or(0);
        }
        Some(hit)
    }

    /// `host:port` before all else.
    fn vhost<'a>(&mut self, line: &'a str) -> Option<Hit<'a>> {
        let (host, rest) = line.split_once(' ')?;
        let (_, port) = host.rsplit_once(':')?;
        let (before, _) = rest.split_once(" [")?;
        if port.parse::<u16>().is_err() || before.split(' ').count() < 3 {
            return None;
        }
        let hit = self.clf(rest)?;
        Some(Hit { host: Some(host.into()), ..hit })
    }

    fn clf<'a>(&mut self, line: &'a str) -> Option<Hit<'a>> {
        let (client, rest) = line.split_once(' ')?;
        let (_, rest) = rest.split_once(" [")?;
        let (time, rest) = rest.split_once("] ")?;
        let (request, rest) = quoted(rest)?;
        let mut words = rest.split_ascii_whitespace();
        let status = words.next()?.parse().ok().filter(|status| (100..600).contains(status))?;
        let size = words.next()?.parse().unwrap_or(0);
        let (mut agent, mut took_us) = ("-", None);
        if self.kind != Kind::Common {
            let (_, rest) = rest.split_once(" \"")?;
            let (_, rest) = rest.split_once('"')?;
            let (found, rest) = quoted(rest.trim_start())?;
            agent = found;
            took_us = self.took(rest)?;
        }
        let (method, target, http) = request_line(request)?;
        Some(Hit {
            time_us: self.clf_time(time)?,
            is_exact: false,
            took_us,
            client: client.into(),
            agent: if agent == "-" { "".into() } else { agent.into() },
            host: None,
            method: method.into(),
            target,
            http,
            status,
            size,
        })
    }

    /// What stands behind the agent, as the format has it; none where it is not of the format.
    fn took(&self, rest: &str) -> Option<Option<u64>> {
        let mut words = rest.split_ascii_whitespace();
        Some(match self.kind {
            Kind::Ingress => {
                let (_, seconds, upstream) = (words.next()?, words.next()?, words.next()?);
                let seconds = seconds.parse().ok().filter(|_| upstream.starts_with('['))?;
                Unit::Seconds.us(seconds)
            }
            Kind::Traefik => {
                let millis = words.last()?.strip_suffix("ms")?;
                Unit::Millis.us(millis.parse().ok()?)
            }
            _ => self.reading.unit.zip(words.next()).and_then(|(unit, word)| {
                let word = word.trim_matches('"');
                // nginx's may be named, as in `rt=0.012`.
                let number = word.rsplit_once('=').map_or(word, |(_, number)| number);
                unit.us(number.parse().ok()?)
            }),
        })
    }

    fn clf_time(&mut self, text: &str) -> Option<u64> {
        if self.last.0 != text {
            let time = clf_time(text)?;
            self.last.0.clear();
            self.last.0.push_str(text);
            self.last.1 = time;
        }
        Some(self.last.1)
    }

    /// An object with these fields, else those that were mapped or are usual. `unit` goes before
    /// what a name says.
    fn json<'a>(&self, line: &'a str, own: &[(&str, &str)], unit: Option<Unit>) -> Option<Hit<'a>> {
        let object: Value = serde_json::from_str(line).ok()?;
        let field = |thing: &str| -> Option<(&str, &Value)> {
            let of_format = own.iter().find(|(known, _)| *known == thing).map(|(_, name)| *name);
            let mapped = self.reading.fields.0.get(thing).map(String::as_str);
            if let Some(name) = mapped.or(of_format) {
                return Some((name, at(&object, name)?));
            }
            let (_, names) = FIELDS.iter().find(|(known, _)| *known == thing)?;
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
            (_, _, Some(request)) if own.is_empty() => {
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
            client: text("client").unwrap_or_default().into(),
            agent: text("agent").unwrap_or_default().into(),
            host: text("host").map(Cow::from),
            method: method.to_ascii_uppercase().into(),
            target: target.into(),
            http,
            status: text("status")?.parse().ok().filter(|status| (100..600).contains(status))?,
            size: text("size").and_then(|size| size.parse().ok()).unwrap_or(0),
        })
    }
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

/// Start, request, status, flags, bytes received and sent, milliseconds, those of the upstream;
/// then in quotes who it came from, agent, id, host and upstream.
fn envoy(line: &str) -> Option<Hit<'_>> {
    let (time, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let (request, rest) = quoted(rest)?;
    let (numbers, rest) = rest.trim_start().split_once(" \"")?;
    let numbers: Vec<&str> = numbers.split(' ').collect();
    let [status, _, _, sent, millis, ..] = numbers[..] else { return None };
    let (client, rest) = rest.split_once('"')?;
    let (agent, rest) = quoted(rest.trim_start())?;
    let (_, rest) = quoted(rest.trim_start())?;
    let (host, _) = quoted(rest.trim_start())?;
    let (method, target, http) = request_line(request)?;
    let known = |text: &'_ str| text != "-";
    let time = DateTime::parse_from_rfc3339(time).ok()?;
    Some(Hit {
        time_us: u64::try_from(time.timestamp_micros()).ok()?,
        is_exact: true,
        took_us: millis.parse().ok().and_then(|millis| Unit::Millis.us(millis)),
        client: client.split(',').next().unwrap_or_default().into(),
        agent: if known(agent) { agent.into() } else { "".into() },
        host: Some(host).filter(|host| known(host)).map(Cow::from),
        method: method.into(),
        target,
        http,
        // 0 where there was no answer.
        status: status.parse().ok().filter(|status| (100..600).contains(status))?,
        size: sent.parse().unwrap_or(0),
    })
}

/// Type, time, balancer, client, target, three times, two statuses, two sizes, request, agent.
fn alb(line: &str) -> Option<Hit<'_>> {
    let (fields, rest) = line.split_once(" \"")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let [_, time, _, client, _, waiting, answering, sending, status, _, _, sent] = fields[..]
    else {
        return None;
    };
    let (request, rest) = rest.split_once('"')?;
    let (agent, _) = quoted(rest.trim_start())?;
    let mut words = request.split(' ');
    let (method, url, version) = (words.next()?, words.next()?, words.next()?);
    let (_, after) = url.split_once("://")?;
    let host = after.split(['/', '?']).next()?;
    // -1 where the target did not answer.
    let times = [waiting, answering, sending].map(|time| time.parse::<f64>().unwrap_or(-1.0));
    let took: f64 = times.iter().filter(|time| **time > 0.0).sum();
    let time = DateTime::parse_from_rfc3339(time).ok()?;
    Some(Hit {
        time_us: u64::try_from(time.timestamp_micros()).ok()?,
        is_exact: true,
        took_us: Some(((took * 1e6) as u64).min(LONGEST_US)),
        client: client.rsplit_once(':').map_or(client, |(address, _)| address).into(),
        agent: if agent == "-" { "".into() } else { agent.into() },
        host: Some(host.into()),
        method: method.into(),
        target: target(url)?,
        http: http_version(version),
        status: status.parse().ok().filter(|status| (100..600).contains(status))?,
        size: sent.parse().unwrap_or(0),
    })
}

/// The text between quotes, in which quotes are escaped, and the rest of the line.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('"')?;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' if !escaped => return Some((&text[..at], &text[at + 1..])),
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

fn request_line(request: &str) -> Option<(&str, Cow<'_, str>, &'static str)> {
    let (method, rest) = request.split_once(' ')?;
    let (url, version) = rest.rsplit_once(' ')?;
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    if !is_method || !version.starts_with("HTTP/") {
        return None;
    }
    Some((method, target(url)?, http_version(version)))
}

fn http_version(version: &str) -> &'static str {
    if version.starts_with("HTTP/2") || version.starts_with("HTTP/3") { "2" } else { "1.1" }
}

/// Path and query of a request's target; escapes of the log become those of a URL.
fn target(url: &str) -> Option<Cow<'_, str>> {
    let path = match url.split_once("://") {
        Some((_, rest)) if !url.starts_with('/') => rest.find('/').map_or("/", |at| &rest[at..]),
        _ => url,
    };
    if !path.starts_with('/') {
        return None;
    }
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if path.bytes().all(is_plain) {
        return Some(path.into());
    }
    let mut encoded = String::with_capacity(path.len() + 8);
    let mut rest = path;
    while let Some(next) = rest.chars().next() {
        let hex = rest.strip_prefix("\\x").and_then(|hex| hex.get(..2));
        if let Some(hex) = hex.filter(|hex| u8::from_str_radix(hex, 16).is_ok()) {
            encoded.push('%');
            encoded.push_str(hex);
            rest = &rest[4..];
            continue;
        }
        let plain = u8::try_from(next).is_ok_and(is_plain);
        if plain {
            encoded.push(next);
        } else {
            let mut bytes = [0; 4];
            for byte in next.encode_utf8(&mut bytes).bytes() {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        }
        rest = &rest[next.len_utf8()..];
    }
    Some(encoded.into())
}

/// `10/Oct/2026:13:55:36 -0700` in microseconds since 1970.
fn clf_time(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
    let month = MONTHS.iter().position(|month| text.get(3..6) == Some(month))?;
    let date = NaiveDate::from_ymd_opt(
        text.get(7..11)?.parse().ok()?,
        u32::try_from(month).ok()? + 1,
        number(0..2)?,
    )?;
    let time = date.and_hms_opt(number(12..14)?, number(15..17)?, number(18..20)?)?;
    let zone = text.get(20..)?.trim();
    let (sign, zone) = zone.split_at_checked(1)?;
    let zone: i64 = zone.parse().ok()?;
    let offset = (zone / 100) * 3600 + (zone % 100) * 60;
    let offset = match sign {
        "+" => offset,
        "-" => -offset,
        _ => return None,
    };
    u64::try_from(time.and_utc().timestamp() - offset).ok()?.checked_mul(1_000_000)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(kind: Kind, line: &str) -> Option<Hit<'_>> {
        parsed_as(kind, line, &Reading::default())
    }

    fn parsed_as<'a>(kind: Kind, line: &'a str, reading: &Reading) -> Option<Hit<'a>> {
        Parser::new(kind, reading).parse(line)
    }

    #[test]
    fn each_format_understands_its_own_example() {
        for kind in Kind::ALL {
            let hit = parsed(kind, kind.example()).unwrap_or_else(|| panic!("{kind}"));
            assert_eq!((&*hit.method, &*hit.target, hit.status), ("GET", "/a", 200), "{kind}");
            assert_eq!(hit.time_us / 1_000_000, 1_791_640_536, "{kind}");
        }
    }

    #[test]
    fn the_unit_of_a_duration_is_that_of_the_format_or_given() {
        let took = |kind: Kind, more: &str, unit| {
            let line = format!("{}{more}", Kind::Combined.example());
            let reading = Reading { unit, ..Reading::default() };
            parsed_as(kind, &line, &reading).map(|hit| hit.took_us)
        };
        for more in ["", " 0.250", " 1234", " 91 0.012 [web-80] []", " 1 \"r\" \"s\" 12ms"] {
            assert_eq!(took(Kind::Combined, more, None), Some(None), "{more}");
        }
        for (more, unit, us) in [
            (" 0.250", Unit::Seconds, 250_000),
            (" 1234", Unit::Micros, 1234),
            (" 12", Unit::Millis, 12_000),
            (" 1500", Unit::Nanos, 2),
            (" \"rt=1.5\"", Unit::Seconds, 1_500_000),
        ] {
            assert_eq!(took(Kind::Combined, more, Some(unit)), Some(Some(us)), "{more}");
        }
        for kind in [Kind::Ingress, Kind::Traefik, Kind::Caddy, Kind::TraefikJson, Kind::Envoy] {
            assert_eq!(parsed(kind, kind.example()).unwrap().took_us, Some(12_000), "{kind}");
        }
        for (name, unit) in [
            ("request_time", Some(Unit::Seconds)),
            ("Duration_Seconds", Some(Unit::Seconds)),
            ("took_s", Some(Unit::Seconds)),
            ("latency_ms", Some(Unit::Millis)),
            ("time_milliseconds", Some(Unit::Millis)),
            ("microseconds", Some(Unit::Micros)),
            ("took_ns", Some(Unit::Nanos)),
            ("latency", None),
            ("status", None),
        ] {
            assert_eq!(Unit::of_name(name), unit, "{name}");
        }
        assert_eq!(took(Kind::Ingress, " 0.250", None), None);
        assert_eq!(took(Kind::Traefik, " 0.250", None), None);
    }

    /// Lines as the documentation of each has them.
    #[test]
    fn lines_of_others_documentation_are_read_as_it_says() {
        let caddy = r#"{"level":"info","ts":1646861401.5241024,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"127.0.0.1","remote_port":"41342","client_ip":"127.0.0.1","proto":"HTTP/2.0","method":"GET","host":"localhost","uri":"/","headers":{"User-Agent":["curl/7.82.0"],"Accept":["*/*"]}},"bytes_read":0,"user_id":"","duration":0.000929675,"size":10900,"status":200}"#;
        let hit = parsed(Kind::Caddy, caddy).unwrap();
        assert_eq!((hit.time_us, hit.took_us), (1_646_861_401_524_102, Some(930)));
        assert_eq!(
            (&*hit.agent, hit.host.as_deref(), hit.size),
            ("curl/7.82.0", Some("localhost"), 10_900)
        );
        let envoy = r#"[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "nsq2http" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "locations" "tcp://10.0.2.1:80""#;
        let hit = parsed(Kind::Envoy, envoy).unwrap();
        assert_eq!(
            (&*hit.method, &*hit.target, hit.status, hit.http),
            ("POST", "/api/v1/locations", 204, "2")
        );
        // It began at .310 and took 226 ms.
        assert_eq!((hit.time_us, hit.took_us), (1_460_751_420_536_000, Some(226_000)));
        assert_eq!(
            (&*hit.client, &*hit.agent, hit.host.as_deref()),
            ("10.0.35.28", "nsq2http", Some("locations"))
        );
        let traefik = r#"192.168.33.1 - - [02/Nov/2017:22:10:18 +0000] "GET /whoami HTTP/1.1" 200 432 "-" "Mozilla/5.0" 1 "Host-whoami" "http://172.17.0.2:80" 5ms"#;
        let hit = parsed(Kind::Traefik, traefik).unwrap();
        assert_eq!((hit.time_us, hit.took_us), (1_509_660_618_005_000, Some(5000)));
        let vhost = r#"www.example.com:443 192.0.2.7 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326 "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)""#;
        let hit = parsed(Kind::VhostCombined, vhost).unwrap();
        assert_eq!((hit.host.as_deref(), &*hit.client), (Some("www.example.com:443"), "192.0.2.7"));
        assert_eq!(hit.agent, "Mozilla/4.08 [en] (Win98; I ;Nav)");
        assert_eq!(hit.time_us, 971_211_336_000_000);
    }

    #[test]
    fn a_time_is_of_the_end_or_of_the_start() {
        let line = format!("{} 0.250", Kind::Combined.example());
        let unit = Some(Unit::Seconds);
        let time = |is_of_start| {
            let reading = Reading { unit, is_of_start, ..Reading::default() };
            parsed_as(Kind::Combined, &line, &reading).unwrap().time_us
        };
        assert_eq!(time(Some(true)) - time(None), 250_000);
        assert_eq!(time(Some(false)), time(None));
    }

    #[test]
    fn what_a_log_escapes_is_escaped_as_in_a_url() {
        let line = r#"::1 - bob [01/Jan/2026:00:00:00 -0130] "GET /a\x22b?c=\"d\" HTTP/2.0" 200 - "-" "x \"y\" z""#;
        let hit = parsed(Kind::Combined, line).unwrap();
        assert_eq!(hit.target, "/a%22b?c=%5C%22d%5C%22");
        assert_eq!((&*hit.agent, hit.http), (r#"x \"y\" z"#, "2"));
        assert_eq!(hit.time_us, 1_767_231_000_000_000);
    }

    #[test]
    fn json_fields_are_found_by_their_usual_names_or_as_mapped() {
        let line = r#"{"ts":1791640536.25,"request":"GET /x HTTP/1.1","status":"404","latency_ms":12.5,"ip":"a"}"#;
        let hit = parsed(Kind::Json, line).unwrap();
        assert_eq!((hit.time_us, hit.is_exact), (1_791_640_536_250_000, true));
        assert_eq!((hit.took_us, hit.status, &*hit.client), (Some(12_500), 404, "a"));
        let fields: FieldMap = "time=when,path=where,method=how".parse().unwrap();
        let line = r#"{"when":"2026-10-10T13:55:36Z","where":"/y","how":"get","status":200}"#;
        let reading = Reading { fields, ..Reading::default() };
        let hit = parsed_as(Kind::Json, line, &reading).unwrap();
        assert_eq!((&*hit.method, &*hit.target, hit.is_exact), ("GET", "/y", false));
        let fields = "path=request.uri,method=request.verb,agent=headers.agent".parse().unwrap();
        let line = r#"{"ts":1,"request":{"uri":"/z","verb":"GET"},"headers":{"agent":["a","b"]},"status":200,"latency":5}"#;
        let reading = Reading { fields, ..Reading::default() };
        let hit = parsed_as(Kind::Json, line, &reading).unwrap();
        assert_eq!((&*hit.target, &*hit.agent, hit.took_us), ("/z", "a", None));
        let reading = Reading { unit: Some(Unit::Millis), ..reading };
        assert_eq!(parsed_as(Kind::Json, line, &reading).unwrap().took_us, Some(5000));
        assert!("when=ts".parse::<FieldMap>().unwrap_err().contains("known are time, method"));
    }

    #[test]
    fn what_is_no_request_is_none() {
        for line in [
            "",
            "- - -",
            r#"1.2.3.4 - - [10/Oct/2026:13:55:36 +0000] "-" 400 0 "-" "-""#,
            r#"1.2.3.4 - - [10/Xyz/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 0 "-" "-""#,
            r#"1.2.3.4 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 999 0 "-" "-""#,
            r#"1.2.3.4 - - [10/Oct/2026:13:55:36 +0000] "GET a b c" 200 0 "-" "-"#,
            "{\"time\":1}",
            "[",
        ] {
            for kind in Kind::ALL {
                assert_eq!(parsed(kind, line), None, "{kind}: {line}");
            }
        }
    }
}
