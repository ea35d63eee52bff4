//! A trace as HAR 1.2, for tools that read that.
//!
//! Requests are written as they were recorded, with nothing in the place of each secret; answers
//! have bodies only where the recording kept them.

use std::io::{BufWriter, Write};
use std::path::Path;

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use common::output::Output;
use serde_json::{Value, json};

use trace::format::{Answer, Body, RecordedResult, Request};
use trace::journal::JournalError;
use trace::reader::TraceReader;
use trace::writer::WriteError;

/// Writes the trace's requests as entries, with URLs that begin with `origin`; returns how many.
///
/// # Errors
/// When the trace is damaged, or the file cannot be written.
pub fn har(trace: &Path, out: &Path, origin: &str) -> Result<u64, JournalError> {
    let failed = |source| WriteError::Io { path: out.to_owned(), source };
    let mut reader = TraceReader::open(trace)?;
    let started = reader.header().started;
    let mut file = BufWriter::new(Output::create(out).map_err(WriteError::from)?);
    let creator = json!({"name": "recorder", "version": env!("CARGO_PKG_VERSION")});
    write!(file, r#"{{"log":{{"version":"1.2","creator":{creator},"entries":["#).map_err(failed)?;
    let mut count = 0;
    while let Some(request) = reader.next_request()? {
        let comma = if count > 0 { "," } else { "" };
        write!(file, "{comma}\n{}", entry(&request, started, origin)).map_err(failed)?;
        count += 1;
    }
    writeln!(file, "\n]}}}}").map_err(failed)?;
    let output = file.into_inner().map_err(|error| failed(error.into_error()))?;
    output.publish().map_err(WriteError::from)?;
    Ok(count)
}

fn entry(request: &Request, started: DateTime<Utc>, origin: &str) -> Value {
    let at = started + Duration::microseconds(i64::try_from(request.at).unwrap_or(i64::MAX));
    let ms = |us: u64| us as f64 / 1e3;
    let version = if request.http == "2" { "HTTP/2.0" } else { "HTTP/1.1" };
    let headers: Vec<Value> =
        request.headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let query = request.path.split_once('?').map_or("", |(_, query)| query);
    let query: Vec<Value> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            json!({"name": name, "value": value})
        })
        .collect();
    let mut sent = json!({
        "method": request.method, "url": format!("{origin}{}", request.path),
        "httpVersion": version, "headers": headers, "queryString": query, "cookies": [],
        "headersSize": -1, "bodySize": 0,
    });
    if let Some(body) = &request.body {
        let is_type = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("content-type");
        let mime = request.headers.iter().find(is_type).map_or("", |(_, value)| value);
        let (size, data) = match body {
            Body::Text(text) => (text.len() as u64, json!({"mimeType": mime, "text": text})),
            Body::Base64(text) => (
                text.len() as u64 / 4 * 3,
                json!({"mimeType": mime, "text": text, "encoding": "base64"}),
            ),
            Body::Truncated { size, .. } => {
                (*size, json!({"mimeType": mime, "text": "", "comment": "not kept"}))
            }
        };
        sent["bodySize"] = size.into();
        sent["postData"] = data;
    }
    let none = Answer::default();
    let (answer, total_us) = match &request.result {
        RecordedResult::Answer(answer) => (answer, answer.total_us),
        RecordedResult::Error(error) => (&none, error.after_us),
    };
    let mut content = json!({"size": answer.size, "mimeType": ""});
    if let Some(body) = &answer.body {
        content["text"] = body.as_str().into();
    }
    json!({
        "startedDateTime": at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "time": ms(total_us),
        "request": sent,
        "response": {
            "status": answer.status, "statusText": "", "httpVersion": version, "cookies": [],
            "headers": [], "content": content, "redirectURL": "", "headersSize": -1,
            "bodySize": -1,
        },
        "cache": {},
        "timings": {
            "send": 0, "wait": ms(answer.header_us),
            "receive": ms(total_us.saturating_sub(answer.header_us)),
        },
        "_session": request.session, "_name": request.name,
    })
}
