//! Texts with expressions in them: `Bearer {{ env.API_KEY }}`.

use std::cell::Cell;

use common::secret::Secret;
use generate::Generators;
use minijinja::{Environment, Expression};

/// Compiles expressions, each once, when a file is read.
pub(super) struct Compiler {
    pub(super) generators: Generators,
    /// Expressions are shared by threads that may outlive any scope, so it lives as long as the
    /// process: one a file.
    environment: &'static Environment<'static>,
    /// How many it has compiled.
    expressions: Cell<usize>,
}

/// Expressions of a file; each takes some KiB.
const MOST_EXPRESSIONS: usize = 10_000;

#[derive(Debug)]
pub(super) struct Text(pub(super) Vec<Piece>);

#[derive(Debug)]
pub(super) enum Piece {
    Literal(String),
    Expression(Expression<'static, 'static>),
    /// A variable of the environment.
    Env(String),
}

/// What a request is called in expressions.
const KNOWN: [&str; 6] = ["method", "path", "route", "persona", "headers", "body"];

impl Compiler {
    pub(super) fn new() -> Self {
        let generators = Generators::new(generate::Clock::System);
        let environment = Box::leak(Box::new(generators.environment()));
        Self { generators, environment, expressions: Cell::new(0) }
    }

    /// An expression alone.
    pub(super) fn expression(&self, text: &str) -> Result<Expression<'static, 'static>, String> {
        let text = text.trim();
        if self.expressions.get() == MOST_EXPRESSIONS {
            return Err(format!("a file has at most {MOST_EXPRESSIONS} expressions"));
        }
        let expression =
            generate::compile(self.environment, text).map_err(|error| error.to_string())?;
        let globals: Vec<&str> = self.environment.globals().map(|(name, _)| name).collect();
        let used = expression.undeclared_variables(false);
        let is_known = |name: &str| KNOWN.contains(&name) || globals.contains(&name);
        match used.iter().find(|name| !is_known(name)) {
            Some(name) if name == "env" => {
                Err("env.… stands alone in the braces of a header, such as {{ env.API_KEY }}"
                    .into())
            }
            Some(name) => Err(format!(
                "there is no {name}; an expression has {} and the generators",
                KNOWN.join(", ")
            )),
            None => {
                self.expressions.set(self.expressions.get() + 1);
                Ok(expression)
            }
        }
    }

    /// A text with expressions in double braces.
    pub(super) fn text(&self, text: &str) -> Result<Text, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((literal, inner)) = rest.split_once("{{") {
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.to_owned()));
            }
            let (piece, after) = self.braces(inner)?;
            pieces.push(piece);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Ok(Text(pieces))
    }

    /// What stands after `{{`, and what follows its `}}`: the first at which it compiles, since an
    /// expression may have `}}` in it.
    fn braces<'t>(&self, inner: &'t str) -> Result<(Piece, &'t str), String> {
        let mut first_error = None;
        for (end, _) in inner.match_indices("}}") {
            let text = inner[..end].trim();
            let after = &inner[end + 2..];
            if let Some(name) = text.strip_prefix("env.")
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            {
                return Ok((Piece::Env(name.to_owned()), after));
            }
            match self.expression(text) {
                Ok(expression) => return Ok((Piece::Expression(expression), after)),
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        Err(first_error.unwrap_or_else(|| "{{ without }}".to_owned()))
    }
}

impl Text {
    /// The variables of the environment that it needs.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Env(name) => Some(name.as_str()),
            Piece::Literal(_) | Piece::Expression(_) => None,
        })
    }
}

/// A variable of the environment, which is a secret wherever it goes.
pub(super) fn of_environment(name: &str) -> Result<Secret, String> {
    std::env::var(name)
        .map(Secret::from)
        .map_err(|_| format!("the environment has no variable {name}"))
}
