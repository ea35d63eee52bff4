//! Text with expressions in it: `Bearer {{ session.access_token }}`.
//!
//! `account.…`, `session.…`, `clock.…` and `fresh.…` stand alone in their
//! braces, because replay puts its own value exactly there; everything else is
//! an expression of the generators.

use generate::{Clock, Generators, Stream};
use minijinja::{Environment, Expression, Value};

use trace::format::{ClockFormat, FreshId};

#[derive(Debug)]
pub(super) struct Template(pub(super) Vec<Piece>);

#[derive(Debug)]
pub(super) enum Piece {
    Literal(String),
    Reference(Reference),
    Expression(Expression<'static, 'static>),
}

/// A value that is another one in each session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    /// A field of the user's account.
    Account(String),
    /// Captured from an earlier answer.
    Session(String),
    Clock(ClockFormat),
    Fresh(FreshId),
}

const ROOTS: [&str; 4] = ["account", "session", "clock", "fresh"];

impl Reference {
    /// None for what does not look like a reference.
    fn parse(text: &str) -> Option<Result<Self, String>> {
        let (root, name) = text.split_once('.')?;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return None;
        }
        Some(Ok(match root {
            "account" => Self::Account(name.to_owned()),
            "session" => Self::Session(name.to_owned()),
            "clock" => match clock(name) {
                Some(format) => Self::Clock(format),
                None => {
                    return Some(Err(format!(
                        "clock.{name}: expected clock.rfc3339_millis, clock.rfc3339_seconds, clock.unix_seconds or clock.unix_millis"
                    )));
                }
            },
            "fresh" => match fresh(name) {
                Some(like) => Self::Fresh(like),
                None => {
                    return Some(Err(format!(
                        "fresh.{name}: expected fresh.uuid, fresh.digits_12 or fresh.hex_32, with 1 to 64 digits"
                    )));
                }
            },
            _ => return None,
        }))
    }
}

fn clock(name: &str) -> Option<ClockFormat> {
    Some(match name {
        "rfc3339_millis" => ClockFormat::Rfc3339Millis,
        "rfc3339_seconds" => ClockFormat::Rfc3339Seconds,
        "unix_seconds" => ClockFormat::UnixSeconds,
        "unix_millis" => ClockFormat::UnixMillis,
        _ => return None,
    })
}

fn fresh(name: &str) -> Option<FreshId> {
    let digits = |text: &str| text.parse().ok().filter(|length| (1..=64).contains(length));
    match name.split_once('_') {
        Some(("digits", length)) => digits(length).map(FreshId::Digits),
        Some(("hex", length)) => digits(length).map(FreshId::Hex),
        _ => (name == "uuid").then_some(FreshId::Uuid),
    }
}

/// Compiles expressions, each once, when the file is loaded.
pub(super) struct Compiler {
    pub(super) generators: Generators,
    /// Expressions are shared by tasks of the runtime, which may outlive any
    /// scope, so it lives as long as the process: one a personas file.
    environment: &'static Environment<'static>,
}

impl Compiler {
    pub(super) fn new() -> Self {
        let generators = Generators::new(Clock::System);
        let environment = Box::leak(Box::new(generators.environment()));
        Self { generators, environment }
    }

    pub(super) fn template(&self, text: &str) -> Result<Template, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((literal, inner)) = rest.split_once("{{") {
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.to_owned()));
            }
            let (piece, after) = self.expression(inner)?;
            pieces.push(piece);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Ok(Template(pieces))
    }

    /// What stands after `{{`, and what follows its `}}`. An expression may have
    /// `}}` in it, so its end is the first one at which it compiles.
    fn expression<'t>(&self, inner: &'t str) -> Result<(Piece, &'t str), String> {
        let mut first_error = None;
        for (end, _) in inner.match_indices("}}") {
            match self.piece(inner[..end].trim()) {
                Ok(piece) => return Ok((piece, &inner[end + 2..])),
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        Err(first_error.unwrap_or_else(|| "{{ without }}".to_owned()))
    }

    fn piece(&self, text: &str) -> Result<Piece, String> {
        if let Some(reference) = Reference::parse(text) {
            return reference.map(Piece::Reference);
        }
        let failed = |error: minijinja::Error| format!("{{{{ {text} }}}}: {error}");
        let expression = generate::compile(self.environment, text).map_err(failed)?;
        let used = expression.undeclared_variables(false);
        if let Some(root) = ROOTS.iter().find(|root| used.contains(**root)) {
            return Err(format!(
                "{{{{ {text} }}}}: {root}.… must stand alone in its braces, so that replay can put its own value there"
            ));
        }
        // One trial, so that what can only fail fails before the first request.
        let stream = Stream::new(0, &[]);
        let value = self.generators.draw(&stream, 0, || expression.eval(())).map_err(failed)?;
        if value.is_undefined() {
            return Err(format!("{{{{ {text} }}}}: there is no such name"));
        }
        Ok(Piece::Expression(expression))
    }
}

/// What an expression gave, as JSON.
pub(super) fn as_json(value: &Value) -> Result<String, minijinja::Error> {
    serde_json::to_string(value).map_err(|error| {
        minijinja::Error::new(minijinja::ErrorKind::BadSerialization, error.to_string())
    })
}

impl Template {
    /// The references in it.
    pub(super) fn references(&self) -> impl Iterator<Item = &Reference> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Reference(reference) => Some(reference),
            Piece::Literal(_) | Piece::Expression(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_taken_apart_at_its_expressions() {
        let compiler = Compiler::new();
        let template =
            compiler.template("a {{ session.id }}/{{ weighted({'x': {'y': 1}}|length) }}z").err();
        assert!(template.is_some(), "weighted of a number");
        let template = compiler.template("a {{ session.id }}/{{ {'x': {'y': 1}}.x.y }}z").unwrap();
        assert!(matches!(
            template.0.as_slice(),
            [Piece::Literal(a), Piece::Reference(Reference::Session(id)), Piece::Literal(slash),
             Piece::Expression(_), Piece::Literal(z)]
            if a == "a " && id == "id" && slash == "/" && z == "z"
        ));
    }

    #[test]
    fn mistakes_are_told_with_what_would_be_right() {
        let compiler = Compiler::new();
        for (text, expected) in [
            ("{{ pick(['a'] }}", "unexpected end of input"),
            ("{{ pikc(['a']) }}", "pikc"),
            ("{{ colour }}", "no such name"),
            ("{{ session.id|upper }}", "session.… must stand alone"),
            ("{{ clock.iso }}", "expected clock.rfc3339_millis"),
            ("{{ fresh.hex_99 }}", "1 to 64 digits"),
            ("{{ integer(1, 2)", "without }}"),
        ] {
            let error = compiler.template(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
