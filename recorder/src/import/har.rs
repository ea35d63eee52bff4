//! HAR 1.2, as browsers export it.
//!
//! One document whose entries are read one at a time, each bounded ([`super::json_text`]); one that
//! cannot be read is named and left out. A file is what one client did, so its connections do not
//! tell sessions apart; only a login of another account begins another.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::BufReader;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use chrono::{DateTime, FixedOffset};
use common::encoding;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

use super::error::ImportError;
use super::exchanges::MOST_BODY;
use super::format::{Format, LONGEST_US, Take};
use super::http::{end_to_end, is_host};
use super::input::Input;
use super::json_text::{Bounded, Bounds, LeftOut};
use super::remarks::Remarks;
use crate::exchange::{Exchange, SeenAnswer, SeenBody};
use trace::format::SourceKind;

/// How many hosts are named where there are others.
const SHOWN_HOSTS: usize = 5;

#[derive(Debug)]
pub struct Har {
    /// `host` or `host:port`; none for the one with most requests.
    host: Option<String>,
    /// The same, once the file was looked through.
    most_asked: OnceLock<Option<String>>,
    /// Whether all its requests began at one moment, once it was read.
    one_moment: OnceLock<bool>,
}

impl Har {
    pub fn new(host: Option<String>) -> Self {
        Self { host, most_asked: OnceLock::new(), one_moment: OnceLock::new() }
    }

    /// The host that is taken; none where there is no request to any.
    fn wanted(&self, input: &mut Input) -> Result<Option<String>, ImportError> {
        if let Some(host) = self.host.as_ref().or(self.most_asked.get().and_then(Option::as_ref)) {
            return Ok(Some(host.clone()));
        }
        let mut hosts = Hosts::default();
        read(input, &mut |text, _| {
            if let Ok(Asked { request: AskedFor { url } }) = serde_json::from_str(text)
                && let Some((authority, _)) = http_url(&url)
            {
                hosts.count(authority);
            }
            Ok(())
        })?;
        Ok(self.most_asked.get_or_init(|| hosts.most_asked()).clone())
    }
}

impl Format for Har {
    const KIND: SourceKind = SourceKind::Har;
    const HAS_LATE_ENDS: bool = true;

    fn readings(&self) -> u64 {
        if self.host.is_some() { 2 } else { 3 }
    }

    fn read(&self, input: &mut Input, take: Take<'_>) -> Result<Remarks, ImportError> {
        let wanted = self.wanted(input)?;
        let mut remarks = Remarks::default();
        let mut others = Hosts::default();
        let mut has_met = false;
        let mut number = 0_u64;
        let mut odd = Odd::default();
        let mut moments = Moments::default();
        let one_moment = self.one_moment.get().copied().unwrap_or_default();
        read(input, &mut |text, left_out| {
            number += 1;
            if left_out.of_entry {
                odd.note(number, "it is too long");
                return Ok(());
            }
            let entry: Entry = match serde_json::from_str(text) {
                Ok(entry) => entry,
                Err(error) => {
                    let error = error.to_string();
                    odd.note(number, error.split(" at line ").next().unwrap_or(&error));
                    return Ok(());
                }
            };
            let Some((authority, path)) = http_url(&entry.request.url) else {
                let (scheme, _) = entry.request.url.split_once(':').unwrap_or(("relative", ""));
                let scheme: String = scheme.chars().take(16).collect();
                remarks.count(&format!("{scheme}: URLs (skipped)"));
                return Ok(());
            };
            if !wanted.as_ref().is_some_and(|wanted| is_host(authority, wanted)) {
                others.count(authority);
                return Ok(());
            }
            has_met = true;
            let (authority, path) = (authority.to_owned(), path.into_owned());
            match entry.exchange(&authority, path, left_out, &mut remarks) {
                Some(mut exchange) => {
                    let next = moments.note(&exchange);
                    if one_moment {
                        remarks.count(AT_ONE_MOMENT);
                        exchange.at = next;
                    }
                    take(exchange)
                }
                None => Ok(()),
            }
        })?;
        self.one_moment.get_or_init(|| moments.is_one());
        if let Some(wanted) = &self.host
            && !others.0.is_empty()
            && !has_met
        {
            let message = format!("{wanted} does not occur; it has {}", others.named());
            return Err(ImportError::Option { option: "--host", message });
        }
        if !others.0.is_empty() {
            let what = format!("requests to other hosts (skipped): {}", others.named());
            remarks.add(&what, others.0.values().sum());
        }
        if let Some((number, why)) = odd.first {
            let what =
                format!("entries that cannot be read (skipped), first number {number}: {why}");
            remarks.add(&what, odd.count);
        }
        Ok(remarks)
    }
}

const AT_ONE_MOMENT: &str = "requests that all began at one moment, as an export without times says \
                             (put one after another)";

/// When the requests of a file began. Insomnia gives all of them the time of the export, in the
/// order of its folders: nobody sent them all at once.
#[derive(Default)]
struct Moments {
    /// That of the first; none before it.
    first: Option<u64>,
    count: u64,
    differ: bool,
    /// When the one before would have ended, had they come one after another.
    end: u64,
}

impl Moments {
    /// When the request would have begun, had all come one after another.
    fn note(&mut self, exchange: &Exchange) -> u64 {
        let first = *self.first.get_or_insert(exchange.at);
        self.differ |= exchange.at != first;
        self.count += 1;
        let begins = self.end.max(first);
        self.end = begins + exchange.result.as_ref().map_or(0, |answer| answer.total_us) + 1;
        begins
    }

    fn is_one(&self) -> bool {
        self.count > 1 && !self.differ
    }
}

/// Entries that are none.
#[derive(Default)]
struct Odd {
    count: u64,
    /// The first by its number, from 1, and why.
    first: Option<(u64, String)>,
}

impl Odd {
    fn note(&mut self, number: u64, why: &str) {
        self.count += 1;
        if self.first.is_none() {
            self.first = Some((number, why.chars().take(LONGEST_WHY).collect()));
        }
    }
}

/// In characters: a text of the file may be quoted there.
const LONGEST_WHY: usize = 120;

/// Reads all entries, each as it stands there.
fn read(input: &mut Input, on_entry: OnEntry<'_>) -> Result<(), ImportError> {
    let path = input.path().to_owned();
    let (mut failed, mut has_log) = (None, false);
    let bounds = Bounds::default();
    let mut on_entry = |text: &str, left_out| match on_entry(text, left_out) {
        Ok(()) => true,
        Err(error) => {
            failed = Some(error);
            false
        }
    };
    let document = Document { on_entry: &mut on_entry, has_log: &mut has_log, bounds: &bounds };
    let content = BufReader::new(Bounded::new(input.content()?, &bounds));
    let mut json = serde_json::Deserializer::from_reader(content);
    let parsed = document.deserialize(&mut json).and_then(|()| json.end());
    if let Some(error) = failed {
        return Err(error);
    }
    parsed.map_err(|error| wrong(&path, &error))?;
    if !has_log {
        let message = "it is JSON and no HAR: there is no log with entries".to_owned();
        return Err(ImportError::Content { path, line: None, message });
    }
    Ok(())
}

fn wrong(path: &std::path::Path, error: &serde_json::Error) -> ImportError {
    let path = path.to_owned();
    match error.classify() {
        serde_json::error::Category::Eof => {
            ImportError::Cut { path, message: "its JSON is not complete".to_owned() }
        }
        serde_json::error::Category::Io => {
            let kind = error.io_error_kind().unwrap_or(std::io::ErrorKind::Other);
            ImportError::reading(&path, std::io::Error::new(kind, error.to_string()))
        }
        _ => {
            let text = error.to_string();
            let message = text.split(" at line ").next().unwrap_or(&text);
            let kind = if error.is_data() { "not a HAR" } else { "not JSON" };
            let line = u64::try_from(error.line()).ok().filter(|line| *line > 0);
            ImportError::Content { path, line, message: format!("{kind}: {message}") }
        }
    }
}

/// How many requests went to which.
#[derive(Default)]
struct Hosts(BTreeMap<String, u64>);

/// The most hosts that are told apart, and the longest name of one (RFC 1035, with its port).
const MAX_HOSTS: usize = 10_000;
const LONGEST_HOST: usize = 261;

impl Hosts {
    fn count(&mut self, authority: &str) {
        let is_known = self.0.contains_key(authority)
            || self.0.len() < MAX_HOSTS && authority.len() <= LONGEST_HOST;
        let name = if is_known { authority } else { "others" };
        *self.0.entry(name.to_owned()).or_default() += 1;
    }

    fn most_asked(&self) -> Option<String> {
        self.by_count().next().map(|(name, _)| name.clone())
    }

    fn by_count(&self) -> impl Iterator<Item = (&String, &u64)> {
        let mut hosts: Vec<_> = self.0.iter().collect();
        hosts.sort_by_key(|(_, count)| Reverse(**count));
        hosts.into_iter()
    }

    fn named(&self) -> String {
        let named = self.by_count().map(|(name, count)| format!("{name} {count}"));
        let mut named: Vec<String> = named.take(SHOWN_HOSTS).collect();
        if self.0.len() > SHOWN_HOSTS {
            named.push("…".to_owned());
        }
        named.join(", ")
    }
}

/// Of an entry only where it went.
#[derive(Deserialize)]
struct Asked {
    request: AskedFor,
}

#[derive(Deserialize)]
struct AskedFor {
    url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    started_date_time: DateTime<FixedOffset>,
    #[serde(default)]
    time: Option<f64>,
    request: Sent,
    response: Received,
    #[serde(default)]
    timings: Timings,
    #[serde(rename = "_resourceType")]
    resource_type: Option<String>,
    /// Chrome: `memory` or `disk`.
    #[serde(rename = "_fromCache")]
    from_cache: Option<IgnoredAny>,
    /// Safari: `Network Load`, `Memory Cache` and others.
    #[serde(rename = "_fetchType")]
    fetch_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    method: String,
    url: String,
    #[serde(default)]
    http_version: String,
    #[serde(default, deserialize_with = "few")]
    headers: Vec<Pair>,
    post_data: Option<PostData>,
    body_size: Option<f64>,
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostData {
    #[serde(default)]
    mime_type: String,
    text: Option<String>,
    encoding: Option<String>,
    #[serde(default, deserialize_with = "few")]
    params: Vec<Param>,
}

#[derive(Deserialize)]
struct Param {
    name: String,
    value: Option<String>,
}

#[derive(Deserialize)]
struct Received {
    #[serde(default)]
    status: i64,
    #[serde(default, deserialize_with = "few")]
    headers: Vec<Pair>,
    content: Option<Content>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    size: Option<f64>,
    mime_type: Option<String>,
    text: Option<String>,
    encoding: Option<String>,
}

/// Milliseconds; -1 or nothing where it does not apply. `ssl` lies within `connect`.
#[derive(Default, Deserialize)]
struct Timings {
    blocked: Option<f64>,
    dns: Option<f64>,
    connect: Option<f64>,
    send: Option<f64>,
    wait: Option<f64>,
    receive: Option<f64>,
}

impl Entry {
    /// None where it cannot be repeated.
    fn exchange(
        self,
        authority: &str,
        path: String,
        left_out: LeftOut,
        remarks: &mut Remarks,
    ) -> Option<Exchange> {
        let cached = self.fetch_type.as_deref().is_some_and(|fetch| fetch.ends_with("Cache"));
        if cached || self.from_cache.is_some() {
            remarks.count("answers from the browser's cache (skipped)");
            return None;
        }
        if self.request.method.eq_ignore_ascii_case("CONNECT") {
            remarks.count("tunnels through a proxy (skipped)");
            return None;
        }
        let is_socket = self.resource_type.as_deref() == Some("websocket");
        if is_socket || self.response.status == 101 {
            remarks.count("WebSockets (skipped)");
            return None;
        }
        let Some(status) = u16::try_from(self.response.status).ok().filter(|s| *s >= 100) else {
            remarks.count("requests that were cancelled or failed (skipped)");
            return None;
        };
        let mut headers = pairs(self.request.headers);
        // HTTP/2 has it in the URL alone.
        if super::http::header(&headers, "host").is_none() {
            headers.push(("Host".to_owned(), Bytes::copy_from_slice(authority.as_bytes())));
        }
        // Some programs say it beside the body alone.
        if let Some(data) = self.request.post_data.as_ref() {
            say_type(&mut headers, &data.mime_type);
        }
        let is_cut = |text: &Option<String>| {
            left_out.of_text && text.as_ref().is_some_and(|t| t.len() > MOST_BODY)
        };
        let sent_cut = self.request.post_data.as_ref().is_some_and(|data| is_cut(&data.text));
        let content_cut =
            self.response.content.as_ref().is_some_and(|content| is_cut(&content.text));
        let Some(body) = (!sent_cut)
            .then_some(())
            .and_then(|()| sent_body(self.request.post_data, self.request.body_size, &headers))
        else {
            remarks.count("writes without their bodies (skipped)");
            return None;
        };
        let Timings { blocked, dns, connect, send, wait, receive } = self.timings;
        let us = |ms: Option<f64>| {
            ms.filter(|ms| *ms > 0.0).map_or(0, |ms| ((ms * 1e3) as u64).min(LONGEST_US))
        };
        // What comes before the sending is not part of the exchange.
        let before = us(blocked) + us(dns) + us(connect);
        let header_us = us(send) + us(wait);
        let mut total_us = header_us + us(receive);
        if total_us == 0 {
            total_us = us(self.time).saturating_sub(before);
        }
        let started = u64::try_from(self.started_date_time.timestamp_micros()).unwrap_or_default();
        // The content is decoded already.
        let received = pairs(self.response.headers).into_iter();
        let mut received: Vec<_> =
            received.filter(|(name, _)| !name.eq_ignore_ascii_case("content-encoding")).collect();
        if let Some(kind) = self.response.content.as_ref().and_then(|of| of.mime_type.as_deref()) {
            say_type(&mut received, kind);
        }
        let size = self.response.content.as_ref().and_then(|content| content.size);
        let whole = self.response.content.filter(|_| !content_cut);
        let answer = match whole.map_or_else(|| Some(Vec::new()), Content::bytes) {
            _ if content_cut => {
                SeenBody::TooLarge { size: size.unwrap_or(0.0) as u64, sha256: String::new() }
            }
            Some(bytes) => SeenBody::Whole(bytes.into()),
            None => {
                remarks.count("answers without their bodies (nothing can be bound to them)");
                let kind = super::http::header(&received, "content-type").unwrap_or_default();
                if kind.to_ascii_lowercase().contains("json") {
                    // Its shape is not known, which is not to say that it had none.
                    SeenBody::TooLarge { size: size.unwrap_or(0.0) as u64, sha256: String::new() }
                } else {
                    SeenBody::Whole(Bytes::new())
                }
            }
        };
        Some(Exchange {
            id: String::new(),
            connection: 1,
            at: started + before,
            http: if self.request.http_version.contains(['2', '3']) { "2" } else { "1.1" },
            method: self.request.method.to_ascii_uppercase(),
            path,
            headers,
            body: SeenBody::Whole(body.into()),
            result: Ok(SeenAnswer {
                status,
                headers: received,
                header_us: if header_us == 0 { total_us } else { header_us },
                total_us,
                body: answer,
            }),
        })
    }
}

/// Host and port, if it is not the scheme's own, and path with query, of an http or https URL.
fn http_url(url: &str) -> Option<(&str, Cow<'_, str>)> {
    let (scheme, rest) = url.split_once("://")?;
    let own = match scheme.to_ascii_lowercase().as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let authority = authority.strip_suffix(own).unwrap_or(authority);
    // A query right behind the host has the path `/`, which the URL does not contain.
    let path = if path.starts_with('/') { path.into() } else { format!("/{path}").into() };
    (!authority.is_empty()).then_some((authority, path))
}

fn pairs(pairs: Vec<Pair>) -> Vec<(String, Bytes)> {
    end_to_end(pairs.into_iter().map(|pair| (pair.name, Bytes::from(pair.value))).collect())
}

/// Adds the type of a body to headers that do not have it.
fn say_type(headers: &mut Vec<(String, Bytes)>, kind: &str) {
    // What Chrome says where it knows none.
    let is_known = !kind.is_empty() && kind != "x-unknown";
    if is_known && super::http::header(headers, "content-type").is_none() {
        headers.push(("Content-Type".to_owned(), Bytes::copy_from_slice(kind.as_bytes())));
    }
}

/// None where there was one that the file does not have.
fn sent_body(
    data: Option<PostData>,
    size: Option<f64>,
    headers: &[(String, Bytes)],
) -> Option<Vec<u8>> {
    let Some(data) = data else {
        let length = super::http::header(headers, "content-length");
        let has = size.is_some_and(|size| size > 0.0) || length.is_some_and(|length| length != "0");
        return (!has).then(Vec::new);
    };
    match data.text {
        Some(text) if data.encoding.as_deref() == Some("base64") => {
            BASE64_STANDARD.decode(text).ok()
        }
        Some(text) if !text.is_empty() || data.params.is_empty() => Some(text.into_bytes()),
        _ if data.mime_type.starts_with("multipart/") => None,
        _ => {
            // Some programs give them as they were sent, others decoded.
            let texts =
                |param: &'_ Param| [param.name.clone(), param.value.clone().unwrap_or_default()];
            let fields: Vec<[String; 2]> = data.params.iter().map(texts).collect();
            let as_sent = fields.iter().flatten().all(|text| is_form_encoded(text));
            let mut body = Vec::new();
            for [name, value] in &fields {
                if !body.is_empty() {
                    body.push(b'&');
                }
                for (text, end) in [(name, "="), (value, "")] {
                    if as_sent {
                        body.extend_from_slice(text.as_bytes());
                    } else {
                        encoding::form(text, &mut body);
                    }
                    body.extend_from_slice(end.as_bytes());
                }
            }
            Some(body)
        }
    }
}

/// Whether it may be a name or value of `application/x-www-form-urlencoded` as it stands there.
fn is_form_encoded(text: &str) -> bool {
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*~+%".contains(&byte);
    let is_escape = |rest: &str| {
        rest.get(..2).is_some_and(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()))
    };
    text.bytes().all(is_kept) && text.split('%').skip(1).all(is_escape)
}

impl Content {
    /// None where there was a body that the file does not have.
    fn bytes(self) -> Option<Vec<u8>> {
        match self.text {
            Some(text) if self.encoding.as_deref() == Some("base64") => {
                BASE64_STANDARD.decode(text).ok()
            }
            Some(text) => Some(text.into_bytes()),
            None => self.size.is_none_or(|size| size <= 0.0).then(Vec::new),
        }
    }
}

/// The most headers, or fields of a form, that an entry has.
const MOST_PAIRS: usize = 10_000;

/// A list that takes much more memory than its text, and that nobody means to be long.
fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    struct Few<T>(Vec<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Few<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "a list of at most {MOST_PAIRS}")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Vec<T>, A::Error> {
            while let Some(one) = list.next_element()? {
                if self.0.len() == MOST_PAIRS {
                    return Err(de::Error::invalid_length(MOST_PAIRS + 1, &self));
                }
                self.0.push(one);
            }
            Ok(self.0)
        }
    }

    from.deserialize_seq(Few(Vec::new()))
}

/// Takes an entry as it stands there, and what was left out of it.
type OnEntry<'a> = &'a mut dyn FnMut(&str, LeftOut) -> Result<(), ImportError>;

/// The same; whether to go on.
type GoesOn<'a> = &'a mut dyn FnMut(&str, LeftOut) -> bool;

/// The document, of which nothing is kept.
struct Document<'a> {
    on_entry: GoesOn<'a>,
    has_log: &'a mut bool,
    bounds: &'a Bounds,
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object with a log")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "log" {
                map.next_value_seed(Log {
                    on_entry: &mut *self.on_entry,
                    has_log: &mut *self.has_log,
                    bounds: self.bounds,
                })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Log<'a> {
    on_entry: GoesOn<'a>,
    has_log: &'a mut bool,
    bounds: &'a Bounds,
}

impl<'de> DeserializeSeed<'de> for Log<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Log<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a log with entries")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "entries" {
                *self.has_log = true;
                map.next_value_seed(Entries {
                    on_entry: &mut *self.on_entry,
                    bounds: self.bounds,
                })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Entries<'a> {
    on_entry: GoesOn<'a>,
    bounds: &'a Bounds,
}

impl<'de> DeserializeSeed<'de> for Entries<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        loop {
            let Some(entry) = entries.next_element::<Box<RawValue>>()? else { break };
            if !(self.on_entry)(entry.get(), self.bounds.end_entry()) {
                return Err(de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}
