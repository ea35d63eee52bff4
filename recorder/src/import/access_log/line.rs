//! One line of a log, in each of the formats.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate};
use serde_json::Value;

/// No request takes longer than a day.
const MOST_US: u64 = 86_400_000_000;

/// Formats of access logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// nginx's default and Apache's combined, with a request time behind it if there is one:
    /// seconds with a fraction (nginx's `$request_time`) or whole microseconds (Apache's `%D`).
    Combined,
    /// Apache's common.
    Common,
    /// A JSON object a line.
    Json,
    /// AWS Application Load Balancer.
    Alb,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Combined, Self::Common, Self::Json, Self::Alb];

    /// The format that a line in none of them resembles most.
    pub(super) fn nearest(line: &str) -> Self {
        let first = line.split(' ').next().unwrap_or_default();
        if line.starts_with('{') {
            Self::Json
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
            Self::Json => {
                r#"{"time":"2026-10-10T13:55:36Z","method":"GET","path":"/a","status":200}"#
            }
            Self::Alb => {
                r#"http 2026-10-10T13:55:36.123456Z app/lb/1 192.0.2.1:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 "GET http://h:80/a HTTP/1.1" "agent" …"#
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Combined => "combined",
            Self::Common => "common",
            Self::Json => "json",
            Self::Alb => "alb",
        })
    }
}

/// The names of a JSON log's fields.
#[derive(Clone, Debug, Default)]
pub struct FieldMap(BTreeMap<String, String>);

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

/// Whether `host`, maybe with a port, is the one wanted.
pub(super) fn is_host(host: &str, wanted: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    host.eq_ignore_ascii_case(wanted) || name.eq_ignore_ascii_case(wanted)
}

pub(super) struct Parser<'a> {
    kind: Kind,
    fields: &'a FieldMap,
    /// The last time that was read, and what it means: lines of one second share it.
    last: (String, u64),
}

impl<'p> Parser<'p> {
    pub(super) fn new(kind: Kind, fields: &'p FieldMap) -> Self {
        Self { kind, fields, last: (String::new(), 0) }
    }

    /// None where the line is not of this format.
    pub(super) fn parse<'a>(&mut self, line: &'a str) -> Option<Hit<'a>> {
        match self.kind {
            Kind::Combined => self.clf(line, true),
            Kind::Common => self.clf(line, false),
            Kind::Json => self.json(line),
            Kind::Alb => alb(line),
        }
    }

    fn clf<'a>(&mut self, line: &'a str, is_combined: bool) -> Option<Hit<'a>> {
        let (client, rest) = line.split_once(' ')?;
        let (_, rest) = rest.split_once(" [")?;
        let (time, rest) = rest.split_once("] ")?;
        let (request, rest) = quoted(rest)?;
        let mut words = rest.split_ascii_whitespace();
        let status = words.next()?.parse().ok().filter(|status| (100..600).contains(status))?;
        let size = words.next()?.parse().unwrap_or(0);
        let (mut agent, mut took_us) = ("-", None);
        if is_combined {
            let (_, rest) = rest.split_once(" \"")?;
            let (_, rest) = rest.split_once('"')?;
            let (found, rest) = quoted(rest.trim_start())?;
            agent = found;
            let took = rest.split_ascii_whitespace().next().and_then(request_time);
            took_us = took.map(|us| us.min(MOST_US));
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

    fn clf_time(&mut self, text: &str) -> Option<u64> {
        if self.last.0 != text {
            let time = clf_time(text)?;
            self.last.0.clear();
            self.last.0.push_str(text);
            self.last.1 = time;
        }
        Some(self.last.1)
    }

    fn json<'a>(&mut self, line: &'a str) -> Option<Hit<'a>> {
        let object: BTreeMap<Cow<'a, str>, Value> = serde_json::from_str(line).ok()?;
        let field = |thing: &str| -> Option<(&str, &Value)> {
            if let Some(name) = self.fields.0.get(thing) {
                return object.get_key_value(name.as_str()).map(|(key, value)| (&**key, value));
            }
            let (_, names) = FIELDS.iter().find(|(known, _)| *known == thing)?;
            names.iter().find_map(|name| object.get_key_value(*name)).map(|(key, v)| (&**key, v))
        };
        let text = |thing: &str| match field(thing)?.1 {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
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
            // By its name; else seconds.
            let scale = if name.contains("ms") || name.contains("milli") {
                1e3
            } else if name.contains("us") || name.contains("micro") {
                1.0
            } else {
                1e6
            };
            (number >= 0.0).then_some(((number * scale) as u64).min(MOST_US))
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
        took_us: Some(((took * 1e6) as u64).min(MOST_US)),
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

/// Seconds with a fraction, or whole microseconds; nginx's may be named, as in `rt=0.012`.
fn request_time(word: &str) -> Option<u64> {
    let word = word.trim_matches('"');
    let number = word.rsplit_once('=').map_or(word, |(_, number)| number);
    if number.contains('.') {
        let seconds: f64 = number.parse().ok()?;
        (0.0..1e6).contains(&seconds).then_some((seconds * 1e6).round() as u64)
    } else {
        number.parse().ok()
    }
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
        let fields = FieldMap::default();
        let mut parser = Parser::new(kind, &fields);
        parser.parse(line)
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
    fn request_times_are_seconds_or_microseconds() {
        let line = Kind::Combined.example();
        for (more, took) in [
            ("", None),
            (" 0.250", Some(250_000)),
            (" 1234", Some(1234)),
            (" rt=1.5", Some(1_500_000)),
        ] {
            let line = format!("{line}{more}");
            assert_eq!(parsed(Kind::Combined, &line).unwrap().took_us, took, "{more}");
        }
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
        let mut parser = Parser::new(Kind::Json, &fields);
        let hit = parser.parse(line).unwrap();
        assert_eq!((&*hit.method, &*hit.target, hit.is_exact), ("GET", "/y", false));
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
