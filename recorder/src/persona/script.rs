//! A personas file, checked and compiled.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use generate::Generators;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use rewrites::Traps;

use super::body::{self, Body};
use super::capture::Rule;
use super::file::{self, PersonasError, Source};
use super::template::{Compiler, Piece, Reference, Template};
use trace::format::canonical;

/// All personas, and what they do.
#[derive(Debug)]
pub struct Personas {
    /// `sha256:…` of the file's bytes.
    pub digest: String,
    pub(super) generators: Generators,
    /// Known faults of what is recorded.
    pub(super) traps: Traps,
    pub(super) personas: Vec<Arc<Persona>>,
}

#[derive(Debug)]
pub(super) struct Persona {
    pub(super) name: String,
    pub(super) weight: u32,
    pub(super) wait: RangeInclusive<Duration>,
    /// Persona of its accounts in the manifest.
    pub(super) accounts: String,
    pub(super) login: Vec<Step>,
    /// The headers of all requests but those of the login, and nothing else.
    pub(super) common: Step,
    pub(super) tasks: Vec<Task>,
}

#[derive(Debug)]
pub(super) struct Task {
    pub(super) name: String,
    pub(super) weight: u32,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug)]
pub(super) struct Step {
    /// The route's name.
    pub(super) name: String,
    pub(super) method: Method,
    pub(super) path: Template,
    /// Names in canonical case.
    pub(super) headers: Vec<(String, Template)>,
    pub(super) body: Option<Body>,
    pub(super) captures: Vec<Rule>,
    /// Session variables that it cannot be sent without.
    pub(super) needs: BTreeSet<String>,
}

impl Step {
    /// The references in it.
    pub(super) fn references(&self) -> impl Iterator<Item = &Reference> {
        self.path
            .references()
            .chain(self.headers.iter().flat_map(|(_, value)| value.references()))
            .chain(self.body.iter().flat_map(Body::references))
    }
}

impl Personas {
    /// Reads a personas file and compiles every expression in it.
    ///
    /// # Errors
    /// With file and line, when it cannot be read, has an unknown field, a
    /// weight of zero, an expression that does not compile or a variable that
    /// nothing captures.
    pub fn read(path: &Path) -> Result<Self, PersonasError> {
        let source = Source::read(path)?;
        let typed = source.parse()?;
        let loader = Loader {
            compiler: Compiler::new(),
            base: &typed.base,
            headers: &typed.headers,
            source: &source,
        };
        if !typed.base.is_empty() && !typed.base.starts_with('/') {
            return Err(source.error_at(&typed.base, "base does not start with /"));
        }
        let mut personas: Vec<Arc<Persona>> = Vec::new();
        for persona in typed.persona {
            if personas.iter().any(|earlier| earlier.name == persona.name) {
                return Err(
                    source.error(None, format!("two personas are named {:?}", persona.name))
                );
            }
            personas.push(Arc::new(loader.persona(persona, &typed.login)?));
        }
        if personas.is_empty() {
            return Err(source.error(None, "it has no [[persona]]"));
        }
        let traps = match &typed.traps {
            Some(traps) => {
                let folder = path.parent().unwrap_or(Path::new(""));
                Traps::read(&folder.join(traps))?
            }
            None => Traps::default(),
        };
        let digest = common::digest::of(source.text.as_bytes());
        Ok(Self { traps, digest, generators: loader.compiler.generators, personas })
    }
}

struct Loader<'a> {
    compiler: Compiler,
    base: &'a str,
    headers: &'a BTreeMap<String, String>,
    source: &'a Source,
}

impl Loader<'_> {
    fn persona(
        &self,
        typed: file::Persona,
        login: &[file::Step],
    ) -> Result<Persona, PersonasError> {
        if typed.task.is_empty() {
            let message = format!("persona {:?} has no [[persona.task]]", typed.name);
            return Err(self.source.error_at(&typed.name, message));
        }
        let mut known = BTreeSet::new();
        let none = BTreeMap::new();
        let own = typed.login.as_deref().unwrap_or(login);
        let login = self.steps(own, &none, &mut known)?;
        let common = self.common()?;
        let mut tasks = Vec::with_capacity(typed.task.len());
        for task in &typed.task {
            if task.steps.is_empty() {
                let message = format!("task {:?} has no steps", task.name);
                return Err(self.source.error_at(&task.name, message));
            }
            let steps = self.steps(&task.steps, self.headers, &mut known.clone())?;
            tasks.push(Task { name: task.name.clone(), weight: task.weight.get(), steps });
        }
        Ok(Persona {
            accounts: typed.accounts.unwrap_or_else(|| typed.name.clone()),
            name: typed.name,
            weight: typed.weight.get(),
            wait: typed.wait.0,
            login,
            common,
            tasks,
        })
    }

    fn common(&self) -> Result<Step, PersonasError> {
        let headers = self.headers.iter().map(|(name, value)| self.header(name, value));
        Ok(Step {
            name: String::new(),
            method: Method::GET,
            path: Template(Vec::new()),
            headers: headers.collect::<Result<_, _>>()?,
            body: None,
            captures: Vec::new(),
            needs: BTreeSet::new(),
        })
    }

    /// Steps in their order; `known` are the variables captured so far.
    fn steps(
        &self,
        typed: &[file::Step],
        common: &BTreeMap<String, String>,
        known: &mut BTreeSet<String>,
    ) -> Result<Vec<Step>, PersonasError> {
        let mut steps = Vec::with_capacity(typed.len());
        for typed in typed {
            let step = self.step(typed, common)?;
            if let Some(name) = step.needs.iter().find(|name| !known.contains(*name)) {
                let message = format!(
                    "session.{name} is captured by no earlier step of the login or of this task"
                );
                return Err(self.source.error_at(&typed.request, message));
            }
            known.extend(step.captures.iter().map(|rule| rule.name.clone()));
            steps.push(step);
        }
        Ok(steps)
    }

    fn step(
        &self,
        typed: &file::Step,
        common: &BTreeMap<String, String>,
    ) -> Result<Step, PersonasError> {
        let at = |written: &str, message: String| self.source.error_at(written, message);
        let request = &typed.request;
        let wrong = || at(request, format!("{request:?} is not a request such as \"GET /alerts\""));
        let (method, path) = request.split_once(' ').ok_or_else(wrong)?;
        if !path.starts_with('/') || !method.chars().all(|c| c.is_ascii_uppercase()) {
            return Err(wrong());
        }
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| wrong())?;
        let template =
            |text: &str| self.compiler.template(text).map_err(|message| at(text, message));
        let route = template(path)?;
        let name = match &typed.name {
            Some(name) => name.clone(),
            None => format!("{method} {}", route_name(&route)),
        };
        let path = template(&format!("{}{path}", self.base)).map_err(|_| wrong())?;

        let mut headers = Vec::new();
        for (name, value) in
            common.iter().filter(|(n, _)| !typed.headers.contains_key(*n)).chain(&typed.headers)
        {
            headers.push(self.header(name, value)?);
        }
        let body = match &typed.body {
            Some(json) => Some(
                body::compile(&self.compiler, json)
                    .map_err(|(written, message)| at(&written, message))?,
            ),
            None => None,
        };
        if let Some(key) = body.as_ref().and_then(Body::literal_secret) {
            return Err(at(
                request,
                format!(
                    "{key} holds a secret in plain text; put it into the manifest and write {{{{ account.… }}}}"
                ),
            ));
        }
        let mut captures = Vec::with_capacity(typed.capture.len());
        for (name, pointer) in &typed.capture {
            captures.push(
                Rule::new(name.clone(), pointer.clone()).map_err(|message| at(pointer, message))?,
            );
        }
        let mut step = Step { name, method, path, headers, body, captures, needs: BTreeSet::new() };
        step.needs = step
            .references()
            .filter_map(|reference| match reference {
                Reference::Session(name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        Ok(step)
    }

    fn header(&self, name: &str, value: &str) -> Result<(String, Template), PersonasError> {
        let at = |written: &str, message: String| self.source.error_at(written, message);
        if HeaderName::from_bytes(name.as_bytes()).is_err() || HeaderValue::from_str(value).is_err()
        {
            return Err(at(name, format!("{name:?} is not a header that can be sent")));
        }
        let template = self.compiler.template(value).map_err(|message| at(value, message))?;
        if redact::is_secret_name(name) && template.references().next().is_none() {
            return Err(at(
                value,
                format!(
                    "header {name} holds a secret in plain text; capture it in the login and write {{{{ session.… }}}}"
                ),
            ));
        }
        Ok((canonical(name), template))
    }
}

/// The path of a route: without query, an `{id}` for each expression.
fn route_name(path: &Template) -> String {
    let mut name = String::new();
    for piece in &path.0 {
        match piece {
            Piece::Literal(text) => match text.split_once('?') {
                Some((before, _)) => return name + before,
                None => name.push_str(text),
            },
            Piece::Reference(_) | Piece::Expression(_) => name.push_str("{id}"),
        }
    }
    name
}
