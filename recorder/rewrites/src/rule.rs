//! A file, checked and compiled.

use std::collections::BTreeMap;
use std::path::Path;

use common::secret::Secret;
use generate::Generators;
use minijinja::Expression;
use trace::format::{Rewrite, canonical};
use trace::wire;

use super::file::{self, RewritesError, Source};
use super::route::Route;
use super::text::{Compiler, Piece, Text, of_environment};

/// The rules of a file, in their order. Each that matches a request as it was recorded applies,
/// one after another; one that drops it or has it answered is the last.
#[derive(Debug)]
pub struct Rewrites {
    pub(super) file: String,
    pub(super) digest: String,
    pub(super) base: String,
    pub(super) rules: Vec<Rule>,
    pub(super) generators: Generators,
    /// Variables of the environment that headers need.
    pub(super) secrets: BTreeMap<String, Secret>,
}

#[derive(Debug)]
pub struct Rule {
    pub(super) routes: Vec<Route>,
    pub(super) does: Does,
    means: Option<String>,
}

#[derive(Debug)]
pub(super) enum Does {
    Send(Box<Sent>),
    Drop,
    Keep,
    Answer,
}

/// What is sent otherwise; none of it where it is as recorded.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) method: Option<String>,
    pub(super) path: Option<Text>,
    pub(super) body: Option<Expression<'static, 'static>>,
    /// By name in canonical case; without a text it is removed.
    pub(super) headers: Vec<(String, Option<Text>)>,
    /// As it is written.
    line: Option<String>,
}

/// Headers that a rule sets or removes: servers take some hundred in a request.
const MOST_HEADERS: usize = 100;

/// Headers that are made anew for each connection.
const MADE_ANEW: [&str; 5] =
    ["host", "content-length", "connection", "cookie", "transfer-encoding"];

impl Rewrites {
    /// Reads and checks a file; its variables of the environment are read, too.
    ///
    /// # Errors
    /// With file, line and key, when it cannot be read, has an unknown key, a rule that does
    /// nothing or two things at once, an expression that does not compile, or a variable that the
    /// environment has not.
    pub fn read(path: &Path) -> Result<Self, RewritesError> {
        let source = Source::read("rewrites", path)?;
        let typed: file::File = source.parse()?;
        if typed.rewrite.is_empty() {
            return Err(source.error(None, "it has no [[rewrite]]"));
        }
        let is_base =
            typed.base.is_empty() || typed.base.starts_with('/') && !typed.base.ends_with('/');
        if !is_base {
            let message = format!("base {:?} is not a path such as /api/v1", typed.base);
            return Err(source.error(None, message));
        }
        let compiler = Compiler::new();
        let mut secrets = BTreeMap::new();
        let mut rules = Vec::with_capacity(typed.rewrite.len());
        for (number, rule) in (1..).zip(&typed.rewrite) {
            let at = |key: &str, message: String| source.at_key("rewrite", number, key, &message);
            rules.push(compile(rule, &compiler, &mut secrets, &at)?);
        }
        Ok(Self {
            file: source.name(),
            digest: common::digest::of(source.text.as_bytes()),
            base: typed.base,
            rules,
            generators: compiler.generators,
            secrets,
        })
    }

    /// `sha256:…` of the file's bytes.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The file's name without its folder.
    pub fn file(&self) -> &str {
        &self.file
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether any of its rules has requests answered from the recording.
    pub fn answers(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.does, Does::Answer))
    }

    /// The values of the slots that its headers have, which are named after the variables of the
    /// environment that they come from.
    pub fn secrets(&self) -> &BTreeMap<String, Secret> {
        &self.secrets
    }

    /// Its rules as a trace and a run directory note them.
    pub fn in_force(&self) -> Vec<Rewrite> {
        self.rules
            .iter()
            .map(|rule| Rewrite {
                file: self.file.clone(),
                digest: self.digest.clone(),
                rule: rule.to_string(),
                means: rule.means.clone(),
            })
            .collect()
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let routes: Vec<String> = self.routes.iter().map(Route::to_string).collect();
        write!(f, "{}: ", routes.join(", "))?;
        match &self.does {
            Does::Drop => f.write_str("not sent"),
            Does::Keep => f.write_str("kept, and nothing that no rule keeps"),
            Does::Answer => f.write_str("not sent, and answered from the recording"),
            Does::Send(sent) => {
                let line = sent.line.as_ref().map(|line| format!("sent as {line}"));
                let body = sent.body.as_ref().map(|_| "another body".to_owned());
                let headers = sent.headers.iter().map(|(name, text)| {
                    format!("{name} {}", if text.is_some() { "set" } else { "removed" })
                });
                let all: Vec<String> = line.into_iter().chain(body).chain(headers).collect();
                f.write_str(&all.join(", "))
            }
        }
    }
}

fn compile(
    typed: &file::Rule,
    compiler: &Compiler,
    secrets: &mut BTreeMap<String, Secret>,
    at: &dyn Fn(&str, String) -> RewritesError,
) -> Result<Rule, RewritesError> {
    let mut routes = Vec::new();
    for text in typed.routes.all() {
        routes
            .push(text.parse().map_err(|error: super::RouteError| at("match", error.to_string()))?);
    }
    if routes.is_empty() {
        return Err(at("match", "it names no route".to_owned()));
    }
    let changes = typed.send.is_some() || typed.body.is_some() || !typed.headers.is_empty();
    let does = match (changes, typed.drop, typed.keep, typed.answer) {
        (true, false, false, false) => Does::Send(Box::new(sent(typed, compiler, secrets, at)?)),
        (false, true, false, false) => Does::Drop,
        (false, false, true, false) => Does::Keep,
        (false, false, false, true) => Does::Answer,
        _ => {
            let message = "a rule does one of these: send, body and headers change the request; \
                           drop = true; keep = true; answer = true";
            return Err(at("match", message.to_owned()));
        }
    };
    Ok(Rule { routes, does, means: typed.means.clone() })
}

fn sent(
    typed: &file::Rule,
    compiler: &Compiler,
    secrets: &mut BTreeMap<String, Secret>,
    at: &dyn Fn(&str, String) -> RewritesError,
) -> Result<Sent, RewritesError> {
    let mut sent = Sent { line: typed.send.clone(), ..Sent::default() };
    if let Some(line) = &typed.send {
        let (method, path) = match line.split_once(' ') {
            Some((method, path)) => (method, Some(path.trim_start())),
            None => (line.as_str(), None),
        };
        let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
        if !is_method || path.is_some_and(|path| !path.starts_with('/')) {
            let message =
                format!("{line:?} is not a method and a path such as \"POST /incidents\"");
            return Err(at("send", message));
        }
        if method == "CONNECT" {
            return Err(at("send", "CONNECT asks for a tunnel, which no request is".to_owned()));
        }
        sent.method = Some(method.to_owned());
        if let Some(path) = path {
            let text = compiler.text(path).map_err(|message| at("send", message))?;
            let is_spaced = |piece: &Piece| match piece {
                Piece::Literal(text) => text.contains(char::is_whitespace),
                Piece::Env(_) => true,
                Piece::Expression(_) => false,
            };
            if text.0.iter().any(is_spaced) {
                let message = format!("{path:?} has a space, or a secret, which a path has not");
                return Err(at("send", message));
            }
            sent.path = Some(text);
        }
    }
    if let Some(body) = &typed.body {
        let expression = compiler.expression(body).map_err(|message| at("body", message))?;
        sent.body = Some(expression);
    }
    if typed.headers.len() > MOST_HEADERS {
        return Err(at("headers", format!("a rule has at most {MOST_HEADERS} of them")));
    }
    for (name, header) in &typed.headers {
        let key = format!("headers.{name}");
        let at = |message: String| at(&key, message);
        wire::header(name, b"x").map_err(|error| at(error.to_string()))?;
        if MADE_ANEW.iter().any(|made| name.eq_ignore_ascii_case(made)) {
            return Err(at("it is made anew for each request, whatever it was".to_owned()));
        }
        let text = match header {
            file::Header::Is(false) => None,
            file::Header::Is(true) => {
                return Err(at("expected a text, or false to remove it".to_owned()));
            }
            file::Header::Text(text) => Some(compiler.text(text).map_err(at)?),
        };
        if let Some(text) = &text {
            for piece in &text.0 {
                if let Piece::Literal(text) = piece {
                    wire::header(name, text.as_bytes()).map_err(|error| at(error.to_string()))?;
                }
            }
            let is_literal = text.0.iter().all(|piece| matches!(piece, Piece::Literal(_)));
            if redact::is_secret_name(name) && is_literal && !text.0.is_empty() {
                let message = "it holds a secret in plain text; put it into the environment and \
                               write {{ env.… }}";
                return Err(at(message.to_owned()));
            }
            for variable in text.variables() {
                let value = of_environment(variable).map_err(at)?;
                wire::header(name, value.expose().as_bytes()).map_err(|_| {
                    at(format!("what the environment has as {variable} is no value of a header"))
                })?;
                secrets.insert(variable.to_owned(), value);
            }
        }
        sent.headers.push((canonical(name), text));
    }
    Ok(sent)
}
