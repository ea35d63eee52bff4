//! Envoy's default format.

use std::borrow::Cow;

use chrono::DateTime;

use super::hit::{Hit, quoted, request_line};
use super::reading::Unit;

/// Start, request, status, flags, bytes received and sent, milliseconds, those of the upstream;
/// then in quotes who it came from, agent, id, host and upstream.
pub(super) fn envoy(line: &str) -> Option<Hit<'_>> {
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
