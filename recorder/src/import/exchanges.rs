//! Makes a trace of whole exchanges of a recording, as of those that the proxy sees.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::DateTime;
use manifest::format::Manifest;

use super::error::ImportError;
use super::format::Format;
use super::input::Input;
use super::remarks::{Remarks, TOO_LATE, UNSENDABLE};
use super::reorder::Reorder;
use crate::correlate::{self, Correlated, Correlator, Rules, SessionBy};
use crate::exchange::{Exchange, SeenBody};
use trace::finish::Finished;
use trace::format::{self, Header, LAST_AT, Origin, RecordedResult, Source};
use trace::journal::Journal;
use trace::wire::{self, Unsendable};

/// The largest body that is kept, in bytes: the proxy's default.
pub(super) const MOST_BODY: usize = 1 << 20;

pub struct Config {
    pub out: PathBuf,
    /// The accounts whose logins are recognised.
    pub manifest: Option<Manifest>,
    pub session_by: SessionBy,
    pub rules: Rules,
    pub keep_bodies: bool,
}

/// Imports a recording.
///
/// # Errors
/// When it is not of the format or damaged, or the trace cannot be written. No trace is made then.
pub fn import<F: Format>(
    format: &F,
    input: &mut Input,
    config: Config,
) -> Result<(Finished, Remarks), ImportError> {
    let digest = input.digest()?;
    let mut first: Option<u64> = None;
    let remarks = format.read(input, &mut |mut exchange| {
        if made_sendable(&mut exchange).is_err() {
            return Ok(());
        }
        first = Some(first.map_or(exchange.at, |first| first.min(exchange.at)));
        Ok(())
    })?;
    let first = first.ok_or_else(|| ImportError::Nothing {
        path: input.path().to_owned(),
        message: remarks.nothing(),
    })?;
    let micros = i64::try_from(first).unwrap_or(i64::MAX);
    let started = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    let prefix = digest.trim_start_matches("sha256:")[..8].to_owned();
    let header = Header {
        format: format::FORMAT.to_owned(),
        version: format::VERSION.to_owned(),
        minor: 0,
        tool: concat!("recorder ", env!("CARGO_PKG_VERSION")).to_owned(),
        started,
        sources: vec![Source {
            kind: F::KIND,
            seed: None,
            manifest: config.manifest.as_ref().map(|manifest| manifest.header.digest.clone()),
            input: Some(digest),
            target: None,
            rewrites: Vec::new(),
        }],
        personas: Vec::new(),
        redaction: config.rules.secret_names(),
        routes: config.rules.routes().to_vec(),
        failures: None,
        shapes: BTreeMap::new(),
    };
    let held = match F::HAS_LATE_ENDS {
        true => Reorder::with_late_ends(config.rules.names.clone()),
        false => Reorder::default(),
    };
    let mut sink = Sink {
        journal: Journal::create(&config.out, &header)?,
        correlator: Correlator::new(correlate::Config {
            manifest: config.manifest,
            session_by: config.session_by,
            rules: config.rules,
            keep_bodies: config.keep_bodies,
            started,
            prefix: prefix.clone(),
        }),
        held,
        first,
        prefix,
        number: 0,
        remarks: Remarks::default(),
    };
    let read = format.read(input, &mut |exchange| sink.take(exchange));
    let finished = read.and_then(|remarks| {
        while let Some(exchange) = sink.held.pop() {
            sink.write(exchange)?;
        }
        Ok(remarks)
    });
    match finished {
        Ok(mut remarks) => {
            for (what, count) in sink.remarks.iter() {
                remarks.add(what, count);
            }
            Ok((sink.journal.finish()?, remarks))
        }
        Err(error) => {
            sink.journal.discard()?;
            Err(error)
        }
    }
}

struct Sink {
    journal: Journal,
    correlator: Correlator,
    held: Reorder,
    /// Microseconds since 1970 at the first request.
    first: u64,
    prefix: String,
    number: u64,
    remarks: Remarks,
}

impl Sink {
    fn take(&mut self, mut exchange: Exchange) -> Result<(), ImportError> {
        if made_sendable(&mut exchange).is_err() {
            self.remarks.count(UNSENDABLE);
            return Ok(());
        }
        if exchange.at > LAST_AT {
            self.remarks.count(TOO_LATE);
            return Ok(());
        }
        self.number += 1;
        exchange.at -= self.first;
        exchange.id = format!("{}-{}", self.prefix, self.number);
        capped(&mut exchange.body);
        if let Ok(answer) = &mut exchange.result {
            capped(&mut answer.body);
        }
        self.held.push(exchange);
        while let Some(due) = self.held.pop_due() {
            self.write(due)?;
        }
        Ok(())
    }

    fn write(&mut self, exchange: Exchange) -> Result<(), ImportError> {
        let Correlated { mut request, shape, captures } = self.correlator.take(exchange);
        for capture in captures {
            self.journal.capture(capture)?;
        }
        if let (Some(shape), RecordedResult::Answer(answer)) = (shape, &mut request.result) {
            answer.shape = Some(self.journal.shape(shape)?);
        }
        for binding in &request.bind {
            if binding.ambiguous {
                self.remarks.count("values that others would have fitted as well (say with same)");
            }
            if let Origin::Slot(name) = &binding.from {
                self.remarks.count(&format!("values of {name} unbound (give them with --slot)"));
            }
        }
        Ok(self.journal.append(&request)?)
    }
}

/// Encodes what a path must not hold, as every client does.
///
/// # Errors
/// When its method or a header could end the head, or begin another request: no client sent that.
fn made_sendable(exchange: &mut Exchange) -> Result<(), Unsendable> {
    if let Cow::Owned(path) = wire::encoded_target(&exchange.path) {
        exchange.path = path;
    }
    wire::method(&exchange.method)?;
    wire::target(&exchange.path)?;
    exchange.headers.iter().try_for_each(|(name, value)| wire::header(name, value))
}

fn capped(body: &mut SeenBody) {
    if let SeenBody::Whole(bytes) = body
        && bytes.len() > MOST_BODY
    {
        let sha256 = common::digest::of(bytes);
        *body = SeenBody::TooLarge { size: bytes.len() as u64, sha256 };
    }
}
