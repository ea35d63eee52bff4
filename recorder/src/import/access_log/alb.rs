//! The format of AWS's Application Load Balancer.

use chrono::DateTime;

use super::hit::{Hit, http_version, quoted, target};
use crate::import::format::LONGEST_US;

/// Type, time, balancer, client, target, three times, two statuses, two sizes, request, agent.
pub(super) fn alb(line: &str) -> Option<Hit<'_>> {
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
