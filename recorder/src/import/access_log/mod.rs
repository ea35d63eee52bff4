//! Access logs of web servers and load balancers.
//!
//! A log has the time of completion, so `at = time - request time`; times with a resolution of one
//! second are spread within it, in the order of the lines. A session is what one address and
//! user agent did without a pause of half an hour. There are no bodies and no tokens: writes are
//! left out unless they are asked for, and a login can be put before each session.

mod alb;
mod clf;
mod envoy;
mod hit;
mod json;
mod kind;
mod line;
mod reading;
mod sessions;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use self::hit::Hit;
pub use self::kind::Kind;
use self::kind::looks_like;
use self::line::Parser;
pub use self::reading::{FieldMap, Reading, Unit};
use self::sessions::Sessions;
use super::error::ImportError;
use super::http::is_host;
use super::input::Input;
use super::remarks::{Remarks, TOO_LATE, UNSENDABLE};
use crate::correlate::{LogReader, Logged, Rules};
use crate::persona::{MOST_AHEAD_US, Prologue};
use trace::finish::ALL;
use trace::format::{
    self, Answer, Binding, End, Header, Part, PersonaWeight, RecordedResult, Request, Source,
    SourceKind,
};
use trace::routes::Routes;
use trace::unordered::Unordered;
use trace::wire;

const WRITES: &str = "writes without their bodies (skipped)";

/// Memory for lines that wait to be sorted.
const RUN_BYTES: usize = 24 << 20;

/// No line is longer.
const MOST_LINE: usize = 1 << 20;

/// How many lines of the same second are spread together, and how many bytes of them.
const MOST_AT_ONCE: usize = 50_000;
const MOST_BYTES_AT_ONCE: usize = 32 << 20;

/// Of this many first lines at least one must be understood.
const TRIED: u64 = 100;

const SECOND_US: u64 = 1_000_000;

pub struct Config {
    pub out: PathBuf,
    /// None for what the first lines look like.
    pub kind: Option<Kind>,
    pub reading: Reading,
    /// Take lines whose times go back.
    pub sort: bool,
    /// Take what is not GET or HEAD, without bodies.
    pub with_writes: bool,
    pub seed: u64,
    /// What logs each session in.
    pub login: Option<Prologue>,
    /// Digest of the manifest that the login's accounts are of.
    pub manifest: Option<String>,
    pub host: Option<String>,
    pub rules: Rules,
}

/// A log that became a trace.
#[derive(Debug)]
pub struct Imported {
    pub kind: Kind,
    pub end: End,
    pub remarks: Remarks,
}

/// What the first reading found.
struct FirstReading {
    kind: Kind,
    /// Microseconds since 1970.
    first: u64,
    remarks: Remarks,
}

/// Imports a log.
///
/// # Errors
/// When no line is of a known format, times go back, or the trace cannot be written.
pub fn import(input: &mut Input, config: &Config) -> Result<Imported, ImportError> {
    let digest = input.digest()?;
    let kind = match config.kind {
        Some(kind) => kind,
        None => detect(input, &config.reading)?,
    };
    let FirstReading { kind, first, mut remarks } = look(input, kind, config)?;
    let ahead = if config.login.is_some() { MOST_AHEAD_US } else { 0 };
    // A whole second, so that those of the trace are those of the log.
    let first = (first - ahead.min(first)) / SECOND_US * SECOND_US;
    let micros = i64::try_from(first).unwrap_or(i64::MAX);
    let started = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    let prefix = digest.trim_start_matches("sha256:")[..8].to_owned();
    let mut sink = Sink {
        config,
        reader: LogReader::new(&config.rules),
        first,
        started,
        out: Unordered::new(&config.out, RUN_BYTES)
            .naming(Routes::new(config.rules.routes().iter().cloned())),
        sessions: Sessions::default(),
        requests: 0,
        prefix,
        random: ChaCha8Rng::seed_from_u64(config.seed),
        second: 0,
        waiting: Vec::new(),
        waiting_bytes: 0,
    };
    each_hit(input, kind, config, |hit| match hit {
        LogLine::Hit { hit, .. } => sink.take(hit),
        LogLine::Broken { .. } | LogLine::LeftOut(_) => Ok(()),
    })?;
    sink.spread()?;
    if sink.is_spread() {
        remarks
            .add("times of one second's resolution, spread within it by the seed", sink.requests);
    }
    let header = Header {
        format: format::FORMAT.to_owned(),
        version: format::VERSION.to_owned(),
        minor: 0,
        tool: concat!("recorder ", env!("CARGO_PKG_VERSION")).to_owned(),
        started,
        sources: vec![Source {
            kind: SourceKind::AccessLog,
            seed: Some(config.seed),
            manifest: config.manifest.clone(),
            input: Some(digest),
            target: None,
            rewrites: Vec::new(),
        }],
        personas: match &config.login {
            Some(login) => vec![PersonaWeight { name: login.persona().to_owned(), weight: 1.0 }],
            None => vec![PersonaWeight { name: ALL.to_owned(), weight: 1.0 }],
        },
        redaction: config.rules.secret_names(),
        routes: config.rules.routes().to_vec(),
        failures: None,
        shapes: BTreeMap::new(),
    };
    let end = sink.out.finish(&header, 0)?;
    Ok(Imported { kind, end, remarks })
}

/// A line of the log.
enum LogLine<'a> {
    Hit { number: u64, hit: Hit<'a> },
    Broken { number: u64, text: &'a str },
    LeftOut(&'static str),
}

/// Hands every line over.
fn each_hit(
    input: &mut Input,
    kind: Kind,
    config: &Config,
    mut take: impl FnMut(LogLine<'_>) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let mut parser = Parser::new(kind, &config.reading);
    each_line(input, |number, text| {
        let Some(hit) = parser.parse(text) else {
            take(LogLine::Broken { number, text })?;
            return Ok(true);
        };
        let is_other =
            |wanted: &String| hit.host.as_deref().is_some_and(|host| !is_host(host, wanted));
        let is_sendable = wire::method(&hit.method).is_ok()
            && wire::target(&hit.target).is_ok()
            && wire::header("User-Agent", hit.agent.as_bytes()).is_ok();
        let is_write = !format::is_safe(&hit.method);
        take(if config.host.as_ref().is_some_and(is_other) {
            LogLine::LeftOut("requests to other hosts (skipped)")
        } else if !is_sendable {
            LogLine::LeftOut(UNSENDABLE)
        } else if hit.time_us > format::LAST_AT {
            LogLine::LeftOut(TOO_LATE)
        } else if is_write && !config.with_writes {
            LogLine::LeftOut(WRITES)
        } else {
            LogLine::Hit { number, hit }
        })?;
        Ok(true)
    })
}

/// Hands over each line that is not empty, for as long as more are wanted.
fn each_line(
    input: &mut Input,
    mut take: impl FnMut(u64, &str) -> Result<bool, ImportError>,
) -> Result<(), ImportError> {
    let path = input.path().to_owned();
    let mut content = input.content()?;
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        line.clear();
        number += 1;
        let read = std::io::Read::take(&mut content, MOST_LINE as u64).read_until(b'\n', &mut line);
        match read.map_err(|error| ImportError::reading(&path, error))? {
            0 => return Ok(()),
            MOST_LINE => {
                let message = "the line is longer than 1 MiB".to_owned();
                return Err(ImportError::Content { path, line: Some(number), message });
            }
            _ => {}
        }
        // The strict check is by far the faster one, and nearly all lines pass it.
        let text = std::str::from_utf8(&line)
            .map_or_else(|_| String::from_utf8_lossy(&line), Cow::Borrowed);
        let text = text.trim();
        if !text.is_empty() && !take(number, text)? {
            return Ok(());
        }
    }
}

/// The format that most of the first lines are in.
fn detect(input: &mut Input, reading: &Reading) -> Result<Kind, ImportError> {
    let mut fits: Vec<(u64, Kind)> = Kind::ALL.into_iter().map(|kind| (0, kind)).collect();
    let mut first = None;
    each_line(input, |number, text| {
        first.get_or_insert_with(|| (number, text.to_owned()));
        for (count, kind) in &mut fits {
            *count += u64::from(Parser::new(*kind, reading).parse(text).is_some());
        }
        Ok(number < TRIED)
    })?;
    let Some((number, text)) = first else {
        return Err(ImportError::Empty { path: input.path().to_owned() });
    };
    // Of equally good ones the first.
    let best = fits.into_iter().rev().max_by_key(|(count, _)| *count);
    match best {
        Some((count, kind)) if count > 0 => Ok(kind),
        _ => Err(unknown(input.path(), number, &text, Kind::nearest(&text))),
    }
}

fn unknown(path: &Path, line: u64, text: &str, nearest: Kind) -> ImportError {
    let shown: String = text.chars().take(100).collect();
    let message = match looks_like(text) {
        Some(of) => format!("{shown:?} looks like {of}, which is not known here"),
        None => format!(
            "{shown:?} is in no known format; the nearest is {nearest}, such as {}",
            nearest.example()
        ),
    };
    ImportError::Content { path: path.to_owned(), line: Some(line), message }
}

/// Reads all of the log, and keeps only its start and the remarks.
fn look(input: &mut Input, kind: Kind, config: &Config) -> Result<FirstReading, ImportError> {
    let path = input.path().to_owned();
    let mut remarks = Remarks::default();
    let (mut first, mut last) = (u64::MAX, 0);
    let mut hits = 0_u64;
    let mut hosts = false;
    let mut broken = None;
    // Of a start that is known to the second, the end is not known better.
    let slack = if config.reading.is_of_start(kind) { SECOND_US } else { 0 };
    each_hit(input, kind, config, |line| {
        match line {
            LogLine::Hit { number, hit } => {
                if hit.time_us + slack < last && !config.sort {
                    let at = |us: u64| {
                        let us = i64::try_from(us).unwrap_or(i64::MAX);
                        DateTime::<Utc>::from_timestamp_micros(us).unwrap_or_default()
                    };
                    let message = format!(
                        "its time goes back from {} to {}; --sort takes such logs",
                        at(last),
                        at(hit.time_us)
                    );
                    return Err(ImportError::Content {
                        path: path.clone(),
                        line: Some(number),
                        message,
                    });
                }
                last = last.max(hit.time_us);
                first = first.min(hit.time_us.saturating_sub(hit.took_us.unwrap_or(0)));
                hits += 1;
                hosts |= hit.host.is_some();
                if hit.took_us.is_none() {
                    remarks.count(
                        "requests whose time to answer is not known (--unit, if it is there)",
                    );
                }
            }
            LogLine::Broken { number, text } => {
                broken.get_or_insert_with(|| (number, text.to_owned()));
                remarks.count("lines that are in another format (skipped)");
            }
            LogLine::LeftOut(why) => remarks.count(why),
        }
        Ok(())
    })?;
    let others = remarks.get("requests to other hosts (skipped)");
    match (&config.host, broken) {
        _ if hits > 0 => {}
        (Some(host), _) if others > 0 => {
            let message = format!("{host} does not occur in {}", path.display());
            return Err(ImportError::Option { option: "--host", message });
        }
        (_, Some((number, text))) => return Err(unknown(&path, number, &text, kind)),
        _ => {
            let mut message = remarks.nothing();
            if remarks.get(WRITES) > 0 {
                message.push_str("; --with-writes takes those");
            }
            return Err(ImportError::Nothing { path, message });
        }
    }
    if config.host.is_some() && !hosts {
        let message = "this log does not say which host a request is to".to_owned();
        return Err(ImportError::Option { option: "--host", message });
    }
    Ok(FirstReading { kind, first, remarks })
}

struct Sink<'a> {
    config: &'a Config,
    reader: LogReader<'a>,
    /// Microseconds since 1970 at `at = 0`.
    first: u64,
    started: DateTime<Utc>,
    out: Unordered,
    sessions: Sessions,
    requests: u64,
    prefix: String,
    random: ChaCha8Rng,
    /// Hits of the same second that wait to be spread.
    second: u64,
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
}

/// A hit whose time within its second is not known yet.
struct Waiting {
    session: u64,
    is_first: bool,
    took_us: u64,
    request: Request,
}

impl Sink<'_> {
    fn take(&mut self, hit: Hit<'_>) -> Result<(), ImportError> {
        let is_full = self.waiting.len() == MOST_AT_ONCE || self.waiting_bytes > MOST_BYTES_AT_ONCE;
        if self.second != hit.time_us / SECOND_US || is_full {
            self.spread()?;
            self.second = hit.time_us / SECOND_US;
        }
        self.requests += 1;
        let (session, is_first) = self.sessions.of(&hit.client, &hit.agent, hit.time_us);
        let Logged { name, path, mut bind } = self.reader.request(&hit.method, &hit.target);
        let mut headers = Vec::with_capacity(2);
        let agent = Some(("User-Agent", &*hit.agent)).filter(|(_, agent)| !agent.is_empty());
        for (index, (name, value)) in [("Accept", "*/*")].into_iter().chain(agent).enumerate() {
            let (value, bindings) = self.reader.header(index, name, value);
            headers.push((name.to_owned(), value));
            bind.extend(bindings);
        }
        let took_us = hit.took_us.unwrap_or(0);
        let request = Request {
            id: format!("{}-{}", self.prefix, self.requests),
            at: hit.time_us,
            session: format!("{}-s{session}", self.prefix),
            persona: Some(ALL.to_owned()),
            account: None,
            name,
            http: hit.http.to_owned(),
            method: hit.method.into_owned(),
            path,
            headers,
            body: None,
            bind,
            after: Vec::new(),
            prologue: false,
            result: RecordedResult::Answer(Answer {
                status: hit.status,
                header_us: took_us,
                total_us: took_us,
                size: hit.size,
                shape: None,
                capture: Vec::new(),
                body: None,
            }),
        };
        let waiting = Waiting { session, is_first, took_us, request };
        if hit.is_exact {
            return self.write(waiting);
        }
        let headers = waiting.request.headers.iter().map(|(_, value)| value.len());
        self.waiting_bytes += waiting.request.path.len() * 2 + headers.sum::<usize>();
        self.waiting.push(waiting);
        Ok(())
    }

    fn is_spread(&self) -> bool {
        self.random.get_word_pos() > 0
    }

    /// Gives the hits of a second times within it, in their order.
    fn spread(&mut self) -> Result<(), ImportError> {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let mut within: Vec<u64> =
            waiting.iter().map(|_| self.random.random_range(0..SECOND_US)).collect();
        within.sort_unstable();
        for (mut waiting, within) in waiting.into_iter().zip(within) {
            waiting.request.at += within;
            self.write(waiting)?;
        }
        Ok(())
    }

    fn write(&mut self, waiting: Waiting) -> Result<(), ImportError> {
        let Waiting { session, is_first, took_us, mut request } = waiting;
        request.at = request.at.saturating_sub(took_us).saturating_sub(self.first);
        if let Some(login) = &self.config.login {
            if is_first {
                request.at = request.at.max(MOST_AHEAD_US);
                for line in login.lines(&request.session, session, request.at, self.started)? {
                    self.out.add(line)?;
                }
                self.sessions.begin(session, request.at);
            }
            // The request that ended first may not have begun first.
            request.at = request.at.max(self.sessions.begun(session));
            let common = login.common(&request.session, session, self.started)?;
            request.persona = Some(common.persona);
            request.account = Some(common.account);
            let own = request.headers.len();
            request.headers.extend(common.headers);
            request.bind.extend(common.bind.into_iter().map(|binding| {
                let part = match binding.part {
                    Part::Header(index) => Part::Header(index + own),
                    other => other,
                };
                Binding { part, ..binding }
            }));
        }
        Ok(self.out.add(request)?)
    }
}
