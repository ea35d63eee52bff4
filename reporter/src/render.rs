//! Templates: minijinja with what the report says as ready strings.
//!
//! A template next to which there is a folder `partials` takes its partials
//! from there, and from those that are built in where one is missing. It may
//! extend the one that is built in, and say only what it says otherwise.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use common::input::{MAX_EXPRESSION_BYTES, MOST_STEPS};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Captured, Environment, Error, ErrorKind, UndefinedBehavior, Value};

use crate::markdown;
use crate::report::Report;

const MAIN: &str = "load-test-report.md.j2";
const RESULTS: &str = "partials/results.md.j2";

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../templates/", $name)))),*]
    };
}

/// Name and text of the templates that are built in.
const BUILT_IN: [(&str, &str); 3] =
    built_in!["load-test-report.md.j2", "partials/results.md.j2", "partials/more-results.md.j2",];

#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("cannot read template {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("template {name} line {line}: {message}")]
    At { name: String, line: usize, message: String },
}

impl TemplateError {
    /// The innermost cause that has a place, on one line.
    pub(crate) fn of(error: &Error) -> Self {
        let mut innermost = error;
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            if let Some(cause) =
                cause.downcast_ref::<Error>().filter(|cause| cause.line().is_some())
            {
                innermost = cause;
            }
            source = cause.source();
        }
        let expression = innermost
            .range()
            .zip(innermost.template_source())
            .and_then(|(range, source)| source.get(range))
            .map(str::trim);
        let message = match (innermost.kind(), expression) {
            (ErrorKind::UndefinedError, Some(variable)) => {
                format!("unknown variable `{variable}`")
            }
            (kind, _) => innermost.detail().map_or_else(|| kind.to_string(), str::to_owned),
        };
        Self::At {
            name: innermost.name().unwrap_or("?").to_owned(),
            line: innermost.line().unwrap_or(0),
            message,
        }
    }
}

/// A compiled template with its partials.
pub struct Template {
    environment: Environment<'static>,
    name: String,
}

impl Template {
    /// Reads and compiles a template; none for the one that is built in.
    ///
    /// # Errors
    /// With file and line, when it cannot be read or is not a template.
    pub fn load(path: Option<&Path>) -> Result<Self, TemplateError> {
        let mut sources: BTreeMap<String, String> =
            BUILT_IN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let mut main = MAIN.to_owned();
        if let Some(path) = path {
            let folder = path.parent().unwrap_or(Path::new(""));
            for name in sources.keys().cloned().collect::<Vec<_>>() {
                let partial = folder.join(&name);
                if name != MAIN && partial.is_file() {
                    sources.insert(name, read(&partial)?);
                }
            }
            main = path.display().to_string();
            // Under the name of one that is built in it could not extend that.
            if sources.contains_key(&main) {
                main = format!("./{main}");
            }
            sources.insert(main.clone(), read(path)?);
        }
        let mut environment = Environment::new();
        environment.set_debug(true);
        environment.set_fuel(Some(MOST_STEPS));
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // What is filled in is escaped by the formatter, unless a filter made it for its place.
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_formatter(|out, state, value| match value.as_str() {
            Some(text) if !value.is_safe() => Ok(out.write_str(&markdown::text(text))?),
            _ => minijinja::escape_formatter(out, state, value),
        });
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
        // Only delimiters can be refused, and they are the usual ones.
        environment.set_syntax(syntax.build().expect("the usual delimiters"));
        environment.add_filter("code", |text: &str| safe(markdown::code(text)));
        environment.add_filter("cell", |text: &str| safe(markdown::text(text)));
        environment.add_filter("fenced", |text: &str| safe(markdown::fenced(text)));
        environment.add_filter("link", |text: &str| safe(markdown::link(text)));
        for (name, text) in sources {
            if let Some(line) = long_tag(&text) {
                let most = MAX_EXPRESSION_BYTES >> 10;
                let message = format!("what stands between two braces is over {most} KiB");
                return Err(TemplateError::At { name, line, message });
            }
            environment
                .add_template_owned(name, text)
                .map_err(|error| TemplateError::of(&error))?;
        }
        Ok(Self { environment, name: main })
    }

    /// Fills the template.
    ///
    /// # Errors
    /// With file, line and name, when it uses an unknown variable.
    pub fn render(&self, report: &Report) -> Result<Rendered<'_>, TemplateError> {
        let context = context(report);
        let captured = self
            .environment
            .get_template(&self.name)
            .and_then(|template| template.render_captured(context.clone()))
            .map_err(|error| TemplateError::of(&error))?;
        Ok(Rendered { template: self, context, captured })
    }
}

/// A template that was filled, and can be asked for its parts.
pub struct Rendered<'a> {
    template: &'a Template,
    context: Value,
    captured: Captured<'a>,
}

impl Rendered<'_> {
    pub fn text(&self) -> &str {
        self.captured.output()
    }

    /// One block of the template.
    ///
    /// # Errors
    /// When it has no such block, and as [`Template::render`].
    pub fn block(&mut self, block: &str) -> Result<String, TemplateError> {
        self.captured
            .with_state_mut(|state| state.render_block(block))
            .map_err(|error| TemplateError::of(&error))
    }

    /// The results of one scenario, by its place in the report.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn results(&self, index: usize) -> Result<String, TemplateError> {
        let of = self
            .context
            .get_attr("scenarios")
            .and_then(|of| of.get_item_by_index(index))
            .map_err(|error| TemplateError::of(&error))?;
        let run = of.get_attr("run").map_err(|error| TemplateError::of(&error))?;
        let all = self.context.clone();
        self.template
            .environment
            .get_template(RESULTS)
            .and_then(|template| {
                template.render(minijinja::context! { s => of, run => run, ..all })
            })
            .map_err(|error| TemplateError::of(&error))
    }
}

/// What templates see: the report's JSON, each figure as the string that is shown for it.
pub fn context(report: &Report) -> Value {
    ready(report.to_value())
}

fn read(path: &Path) -> Result<String, TemplateError> {
    common::input::text(path)
        .map_err(|source| TemplateError::Read { path: path.to_owned(), source })
}

/// The line of a tag that is so long that its parser, which goes as deep as it has operators,
/// might come to the end of its stack.
fn long_tag(text: &str) -> Option<usize> {
    let tags = [("{{", "}}"), ("{%", "%}")];
    let mut long = tags.iter().flat_map(|(open, close)| {
        text.match_indices(open).map(|(at, _)| at).filter(move |at| {
            let inside = &text.as_bytes()[*at..];
            inside.len() > MAX_EXPRESSION_BYTES
                && !inside[..MAX_EXPRESSION_BYTES].windows(2).any(|end| end == close.as_bytes())
        })
    });
    long.next().map(|at| text[..at].matches('\n').count() + 1)
}

/// Converts JSON to template values, each figure to the string shown for it.
fn ready(value: serde_json::Value) -> Value {
    use serde_json::Value as Json;

    match value {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(value),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::from(whole),
            None => Value::from(number.as_f64()),
        },
        Json::String(text) => Value::from(text),
        Json::Array(items) => items.into_iter().map(ready).collect(),
        Json::Object(mut fields) => match fields.remove("shown") {
            Some(shown) => ready(shown),
            None => {
                let fields = fields.into_iter().map(|(name, value)| (name, ready(value)));
                Value::from(fields.collect::<BTreeMap<String, Value>>())
            }
        },
    }
}

/// What needs no escaping any more.
fn safe(text: String) -> Value {
    Value::from_safe_string(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_no_longer_than_its_parser_can_follow() {
        let sum = |count| format!("a\n{{{{ 1{} }}}}\n", "+1".repeat(count));
        assert_eq!(long_tag(&sum(1000)), None);
        assert_eq!(long_tag(&sum(100_000)), Some(2));
        assert_eq!(long_tag(&format!("{{% if {}", "x".repeat(MAX_EXPRESSION_BYTES))), Some(1));
        for (_, text) in BUILT_IN {
            assert_eq!(long_tag(text), None);
        }
    }
}
