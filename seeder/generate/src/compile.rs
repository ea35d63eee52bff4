//! Expressions that somebody wrote, compiled.

use common::input::MAX_EXPRESSION_BYTES;
use minijinja::{Environment, Error, ErrorKind, Expression};

/// Compiles an expression of a plan or a personas file.
///
/// # Errors
/// When it is none, or so long that its parser might come to the end of its stack.
pub fn compile<'e>(
    environment: &'e Environment<'static>,
    text: &str,
) -> Result<Expression<'e, 'static>, Error> {
    if text.len() > MAX_EXPRESSION_BYTES {
        let message = format!("an expression has at most {} KiB", MAX_EXPRESSION_BYTES >> 10);
        return Err(Error::new(ErrorKind::SyntaxError, message));
    }
    environment.compile_expression_owned(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, Generators};

    #[test]
    fn an_expression_of_many_operators_is_refused() {
        let environment = Environment::new();
        let sum = |count| format!("1{}", "+1".repeat(count));
        let value = compile(&environment, &sum(2000)).unwrap().eval(()).unwrap();
        assert_eq!(value, minijinja::Value::from(2001));
        assert!(compile(&environment, &sum(100_000)).is_err());
    }

    #[test]
    fn an_expression_that_makes_too_much_is_an_error() {
        let environment = Generators::new(Clock::System).environment();
        for text in ["'a\nb' | indent(1000000000)", "'x' * 90000000 ~ 'x' * 90000000"] {
            let error = compile(&environment, text).unwrap().eval(()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OutOfFuel, "{text}: {error}");
        }
    }
}
