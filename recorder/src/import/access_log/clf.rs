//! Apache's common and combined formats, and those that have more before or behind them.

use chrono::NaiveDate;

use super::hit::{Hit, quoted, request_line};
use super::kind::Kind;
use super::reading::Unit;

pub(super) struct Clf {
    kind: Kind,
    /// Of the number behind the agent, where the format does not say it.
    unit: Option<Unit>,
    /// The last time that was read, and what it means: lines of one second share it.
    last: (String, u64),
}

impl Clf {
    pub(super) fn new(kind: Kind, unit: Option<Unit>) -> Self {
        Self { kind, unit, last: (String::new(), 0) }
    }

    /// `host:port` before all else.
    pub(super) fn with_host<'a>(&mut self, line: &'a str) -> Option<Hit<'a>> {
        let (host, rest) = line.split_once(' ')?;
        let (_, port) = host.rsplit_once(':')?;
        let (before, _) = rest.split_once(" [")?;
        if port.parse::<u16>().is_err() || before.split(' ').count() < 3 {
            return None;
        }
        let hit = self.hit(rest)?;
        Some(Hit { host: Some(host.into()), ..hit })
    }

    pub(super) fn hit<'a>(&mut self, line: &'a str) -> Option<Hit<'a>> {
        // A user without a name may be `""`, and ingress-nginx had the client in brackets as well.
        // Looked for byte by byte: lines are too short for a searcher to be made for each.
        let bytes = line.as_bytes();
        let (before, rest) = line.split_at(bytes.windows(3).position(|three| three == b"] \"")?);
        let opened = before.as_bytes().windows(2).rposition(|two| two == b" [")?;
        let (client, time) = (&before[..opened], &before[opened + 2..]);
        let (client, _) = client.split_once(' ')?;
        let (request, rest) = quoted(&rest[2..])?;
        let mut words = rest.split_ascii_whitespace();
        let status = words.next()?.parse().ok().filter(|status| (100..600).contains(status))?;
        let size = words.next()?.parse().unwrap_or(0);
        let (mut agent, mut took_us) = ("-", None);
        if self.kind != Kind::Common {
            let (_referer, rest) = quoted(&rest[rest.find('"')?..])?;
            let (found, rest) = quoted(rest.trim_start())?;
            agent = found;
            took_us = self.took(rest)?;
        }
        let (method, target, http) = request_line(request)?;
        Some(Hit {
            time_us: self.time(time)?,
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
            _ => self.unit.zip(words.next()).and_then(|(unit, word)| {
                let word = word.trim_matches('"');
                // nginx's may be named, as in `rt=0.012`.
                let number = word.rsplit_once('=').map_or(word, |(_, number)| number);
                unit.us(number.parse().ok()?)
            }),
        })
    }

    fn time(&mut self, text: &str) -> Option<u64> {
        if self.last.0 != text {
            let time = clf_time(text)?;
            self.last.0.clear();
            self.last.0.push_str(text);
            self.last.1 = time;
        }
        Some(self.last.1)
    }
}

/// `10/Oct/2026:13:55:36 -0700` in microseconds since 1970.
pub(super) fn clf_time(text: &str) -> Option<u64> {
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
