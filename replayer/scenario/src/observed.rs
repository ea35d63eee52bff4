//! What is looked at beside the target while the run goes on, in the words of `--observe`:
//!
//! ```toml
//! observe = ["port=8000", "redis=redis://127.0.0.1:6379", "postgres={{ env.DATABASE_URL }}"]
//! ```
//!
//! No file holds a password: a place that needs one comes whole from the environment.

use redact::is_secret_name;

/// Something to observe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// Such as `port=8000`.
    Written(String),
    /// Of this kind, such as `postgres`; where it is, a variable of the environment says.
    Variable { kind: String, name: String },
}

impl Observed {
    /// All of what is typed.
    ///
    /// # Errors
    /// With what would be right; what is typed is not repeated, as it may hold a password.
    pub(super) fn all(typed: &[String]) -> Result<Vec<Self>, String> {
        let numbered = (1..).zip(typed);
        let resolved = numbered.map(|(number, text)| {
            Self::resolve(text).map_err(|message| format!("observe, entry {number}: {message}"))
        });
        resolved.collect()
    }

    fn resolve(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=').filter(|(kind, place)| {
            !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_lowercase()) && !place.is_empty()
        });
        let Some((kind, place)) = parts else {
            return Err("expected what and where, such as \"port=8000\"".to_owned());
        };
        let variable = place.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        if let Some(name) = variable.and_then(|inside| inside.trim().strip_prefix("env."))
            && !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        {
            return Ok(Self::Variable { kind: kind.to_owned(), name: name.to_owned() });
        }
        if place.contains('{') {
            return Err(format!(
                "a variable of the environment stands there alone: \"{kind}={{{{ env.NAME }}}}\""
            ));
        }
        match holds_password(place) {
            true => Err(format!(
                "it holds a password, which belongs into no file: put the URL into a variable of \
                 the environment and write \"{kind}={{{{ env.NAME }}}}\""
            )),
            false => Ok(Self::Written(text.to_owned())),
        }
    }

    /// Whether it is a database.
    pub fn is_database(&self) -> bool {
        match self {
            Self::Written(text) => text.starts_with("postgres="),
            Self::Variable { kind, .. } => kind == "postgres",
        }
    }
}

/// Whether a URL has a password before its host, or something secret in its query.
fn holds_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let before_host = rest.rsplit_once('@').is_some_and(|(before, _)| before.contains(':'));
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let mut names = query.split(['&', '#']).map(|pair| pair.split('=').next().unwrap_or(pair));
    before_host || names.any(is_secret_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(typed: &str) -> Result<Vec<Observed>, String> {
        Observed::all(&["port=1".to_owned(), typed.to_owned()])
    }

    #[test]
    fn a_place_is_written_or_comes_from_the_environment() {
        for text in [
            "port=8000",
            "redis=redis://127.0.0.1:6379/2",
            "prometheus=http://[::1]:9187/probe?target=a&module=b",
            "postgres=postgres://app@127.0.0.1:5432/app?sslmode=disable",
            "postgres=postgres://app@[::1]/app",
        ] {
            assert_eq!(all(text).unwrap()[1], Observed::Written(text.to_owned()));
        }
        for text in ["postgres={{ env.DATABASE_URL }}", "postgres={{env.DATABASE_URL}}"] {
            let name = "DATABASE_URL".to_owned();
            let variable = Observed::Variable { kind: "postgres".to_owned(), name };
            assert!(variable.is_database());
            assert_eq!(all(text).unwrap()[1], variable);
        }
    }

    #[test]
    fn what_holds_a_password_is_refused_and_not_repeated() {
        for text in [
            "postgres=postgres://u:hunter2@127.0.0.1/d",
            "postgres=postgres://u:hun/ter2@127.0.0.1/d",
            "postgres=postgres://127.0.0.1/d?user=u&password=hunter2",
            "redis=redis://:hunter2@127.0.0.1:6379",
            "redis=u:hunter2@127.0.0.1",
            "prometheus=http://127.0.0.1/metrics?api_key=hunter2",
        ] {
            let error = all(text).unwrap_err();
            let kind = text.split_once('=').unwrap().0;
            let remedy = format!("write \"{kind}={{{{ env.NAME }}}}\"");
            assert!(error.starts_with("observe, entry 2: it holds a password"), "{error}");
            assert!(error.ends_with(&remedy) && !error.contains("ter2"), "{error}");
        }
    }

    #[test]
    fn what_is_neither_is_told() {
        for text in ["8000", "=8000", "port=", "redis://u:hunter2@h?a=b"] {
            let error = all(text).unwrap_err();
            assert!(
                error.ends_with("such as \"port=8000\"") && !error.contains("hunter"),
                "{error}"
            );
        }
        for text in [
            "redis=redis://{{ env.HOST }}",
            "redis={{ HOST }}",
            "redis={{ env. }}",
            "redis={{ env.A B }}",
        ] {
            let error = all(text).unwrap_err();
            assert!(error.ends_with("stands there alone: \"redis={{ env.NAME }}\""), "{error}");
        }
    }
}
