//! One login: its requests in their order, with cookies, hidden fields and captured values.

use std::collections::BTreeMap;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, REFERER, SET_COOKIE};
use reqwest::{Client, Method, RequestBuilder, Response, Url};
use serde_json::Value;

use super::error::LoginError;
use super::page::{self, Form};
use crate::plan::{LoginContent, LoginStep, Template, Values};
use common::encoding;
use manifest::Account;

/// Of an answer so much is looked into.
const MAX_BYTES: usize = 8 << 20;
/// A page may be elsewhere by now.
const MAX_REDIRECTS: usize = 5;

/// What one account has got so far. All of it is secret, hence no `Debug`.
pub(super) struct Session<'a> {
    client: &'a Client,
    base: &'a Url,
    account: &'a Account,
    cookies: BTreeMap<String, String>,
    captured: BTreeMap<String, String>,
}

struct Answer {
    status: u16,
    /// Of this host, with query.
    location: Option<Url>,
    /// Names of the cookies that it set to something.
    set: Vec<String>,
    body: Vec<u8>,
}

impl<'a> Session<'a> {
    pub(super) fn new(client: &'a Client, base: &'a Url, account: &'a Account) -> Self {
        let (cookies, captured) = (BTreeMap::new(), BTreeMap::new());
        Self { client, base, account, cookies, captured }
    }

    /// # Errors
    /// [`LoginError::Refused`] with what the target answered instead of what the plan says.
    pub(super) async fn step(&mut self, step: &LoginStep) -> Result<(), LoginError> {
        let path = self.text(&step.path, percent)?;
        let url = self.url(&path)?;
        let method = Method::from_bytes(step.method.as_bytes()).map_err(|_| LoginError::Path)?;
        let mut request = self.client.request(method, url.clone());
        for (name, value) in &step.headers {
            request = request.header(name, self.text(value, str::to_owned)?);
        }
        let mut form_page = None;
        match &step.content {
            LoginContent::Nothing => {}
            LoginContent::Json(body) => request = request.json(&self.json(body)?),
            LoginContent::Form { page, fields } => {
                let page = match page {
                    Some(page) => self.url(page)?,
                    None => url.clone(),
                };
                let (page, Form { mut hidden, .. }) = self.page(page).await?;
                for (name, value) in fields {
                    hidden.insert(name.clone(), self.text(value, str::to_owned)?);
                }
                let mut sent = url.clone();
                sent.query_pairs_mut().clear().extend_pairs(&hidden);
                request = request
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .header(REFERER, page.as_str())
                    .body(sent.query().unwrap_or_default().to_owned());
                form_page = Some(page);
            }
        }
        let answer = self.send(request, &url).await?;
        self.judge(step, &path, &answer, form_page.as_ref())
    }

    /// Whether this is what a login is answered with.
    fn judge(
        &mut self,
        step: &LoginStep,
        path: &str,
        answer: &Answer,
        form_page: Option<&Url>,
    ) -> Result<(), LoginError> {
        let Answer { status, location, set, body } = answer;
        let refused = |what: &str| {
            Err(LoginError::Refused(format!("answered {status} to {} {path}{what}", step.method)))
        };
        if !(200..400).contains(status) {
            return refused("");
        }
        if !step.capture.is_empty() {
            let json: Value = serde_json::from_slice(body).unwrap_or_default();
            for (name, pointer) in &step.capture {
                let text = match json.pointer(pointer) {
                    Some(Value::String(text)) if !text.is_empty() => text.clone(),
                    Some(number @ Value::Number(_)) => number.to_string(),
                    _ => return refused(&format!(" without a value at {pointer}")),
                };
                self.captured.insert(name.clone(), text);
            }
        }
        if let Some(cookie) = &step.cookie {
            if !set.contains(cookie) {
                return refused(&format!(" and set no cookie {cookie}"));
            }
        } else if step.capture.is_empty()
            && let Some(page) = form_page
        {
            // No application says by its status that a form was refused.
            let same =
                |to: &Url| to.path().trim_end_matches('/') == page.path().trim_end_matches('/');
            if location.as_ref().is_some_and(same) {
                return refused(", back to the login page");
            }
            if location.is_none() && page::form(&String::from_utf8_lossy(body)).asks_for_password {
                return refused(" with the form again");
            }
        }
        Ok(())
    }

    /// The page with the form, wherever it is by now, and the form.
    async fn page(&mut self, mut url: Url) -> Result<(Url, Form), LoginError> {
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.send(self.client.get(url.clone()), &url).await?;
            match (answer.status, answer.location) {
                (300..400, Some(to)) => url = to,
                (200, _) => {
                    let form = page::form(&String::from_utf8_lossy(&answer.body));
                    return Ok((url, form));
                }
                (status, _) => {
                    let path = url.path();
                    return Err(LoginError::Refused(format!("answered {status} to GET {path}")));
                }
            }
        }
        Err(LoginError::Refused(format!("GET {} is redirected without end", url.path())))
    }

    async fn send(&mut self, request: RequestBuilder, url: &Url) -> Result<Answer, LoginError> {
        let unreachable = |error: reqwest::Error| LoginError::Unreachable {
            place: url.origin().ascii_serialization() + url.path(),
            source: error.without_url(),
        };
        let request = match self.cookies.is_empty() {
            true => request,
            false => {
                let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
                request.header(COOKIE, pairs.collect::<Vec<_>>().join("; "))
            }
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let set = self.keep_cookies(&response);
        let location = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
        let location = location.and_then(|to| url.join(to).ok());
        // Another host is not followed, and is as good as any other page.
        let location = match location {
            Some(to) if to.origin() == self.base.origin() => Some(to),
            Some(_) => self.base.join("/").ok(),
            None => None,
        };
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_BYTES {
                let path = url.path();
                let most = MAX_BYTES >> 20;
                return Err(LoginError::Refused(format!("answered over {most} MiB to {path}")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, location, set, body })
    }

    fn keep_cookies(&mut self, response: &Response) -> Vec<String> {
        let mut set = Vec::new();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let pair =
                cookie.to_str().ok().and_then(|text| text.split(';').next()?.split_once('='));
            let Some((name, value)) = pair else { continue };
            let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
            if value.is_empty() || value == "\"\"" {
                self.cookies.remove(&name);
            } else {
                set.push(name.clone());
                self.cookies.insert(name, value);
            }
        }
        set
    }

    /// A path of the target, which no value may lead away from.
    fn url(&self, path: &str) -> Result<Url, LoginError> {
        let url = self.base.join(path).map_err(|_| LoginError::Path)?;
        if url.origin() != self.base.origin() || !url.username().is_empty() {
            return Err(LoginError::Path);
        }
        Ok(url)
    }

    fn text(
        &self,
        template: &Template,
        encode: impl Fn(&str) -> String,
    ) -> Result<String, LoginError> {
        let values = Values {
            account: &self.account.fields,
            session: &self.captured,
            cookies: &self.cookies,
        };
        template.render(&values, encode).map_err(LoginError::Refused)
    }

    fn json(&self, body: &Value) -> Result<Value, LoginError> {
        Ok(match body {
            Value::String(text) => {
                let template = Template::parse(text).map_err(LoginError::Refused)?;
                Value::String(self.text(&template, str::to_owned)?)
            }
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.json(item)).collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => {
                let fields =
                    fields.iter().map(|(name, value)| Ok((name.clone(), self.json(value)?)));
                Value::Object(fields.collect::<Result<_, LoginError>>()?)
            }
            other => other.clone(),
        })
    }
}

/// A value as a path has it.
fn percent(value: &str) -> String {
    let mut text = Vec::new();
    encoding::percent(value, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}
