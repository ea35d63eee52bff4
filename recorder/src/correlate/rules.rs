//! The rules file: what is secret besides the defaults, what to bind and what not.

use std::path::{Path, PathBuf};

use redact::Names;
use serde::Deserialize;

use super::names::last_of;

/// The file as it is written, in TOML; every list may be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedRules {
    /// Further names of fields, headers and parameters whose values are secret: every name that
    /// contains one of these, ignoring case, `-` and `_`.
    #[serde(default)]
    secret: Vec<String>,
    /// Names that match although their values are not secret.
    #[serde(default)]
    harmless: Vec<String>,
    /// Names of fields and parameters that keep their values as recorded.
    #[serde(default)]
    keep: Vec<String>,
    /// Pairs of names with the same meaning: even a short value that an answer has under one of
    /// them is bound where the other one is sent.
    #[serde(default)]
    same: Vec<(String, String)>,
    /// Route names, such as `/files/{path}/raw`; a `{…}` stands for any one segment.
    #[serde(default)]
    routes: Vec<String>,
    /// Names of fields and parameters whose values have to be others in each run of a session, or
    /// pairs of such a name and a pattern: `A` is a capital, `a` a small letter, `9` a digit.
    #[serde(default)]
    fresh: Vec<FreshRule>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a name, or a pair of a name and a pattern")]
enum FreshRule {
    Name(String),
    Like(String, String),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "TypedRules")]
pub struct Rules {
    pub(crate) names: Names,
    keep: Vec<String>,
    same: Vec<(String, String)>,
    routes: Vec<String>,
    fresh: Vec<FreshRule>,
}

/// What a rule says of values that have to be others in each run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FreshForm<'a> {
    /// What makes it unique is another.
    AsItIs,
    Like(&'a str),
}

impl From<TypedRules> for Rules {
    fn from(typed: TypedRules) -> Self {
        let TypedRules { secret, harmless, keep, same, routes, fresh } = typed;
        Self { names: Names::new(secret, &harmless), keep, same, routes, fresh }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    #[error("cannot read the rules {}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{} line {line}: {message}", path.display())]
    Content { path: PathBuf, line: usize, message: String },
}

impl Rules {
    /// # Errors
    /// When the file cannot be read, or has an unknown key.
    pub fn read(path: &Path) -> Result<Self, RulesError> {
        let io = |source| RulesError::Io { path: path.to_owned(), source };
        let text = common::input::text(path).map_err(io)?;
        toml::from_str(&text).map_err(|error| RulesError::Content {
            path: path.to_owned(),
            line: error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1),
            message: error.message().lines().collect::<Vec<_>>().join(" "),
        })
    }

    /// What is secret by its name.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The names in force, for the trace's header.
    pub fn secret_names(&self) -> Vec<String> {
        self.names.in_force()
    }

    /// Whether an answer gives a secret under this name.
    pub(super) fn is_secret(&self, name: &str) -> bool {
        self.names.is_secret(name)
    }

    pub(super) fn is_kept(&self, name: &str) -> bool {
        self.keep.iter().any(|kept| kept.eq_ignore_ascii_case(name))
    }

    pub(super) fn are_same(&self, one: &str, other: &str) -> bool {
        let are = |a: &str, b: &str| one.eq_ignore_ascii_case(a) && other.eq_ignore_ascii_case(b);
        self.same.iter().any(|(a, b)| are(a, b) || are(b, a))
    }

    /// Whether a value of this name is wanted, even a short one: by a rule that says where it is
    /// sent.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.same
            .iter()
            .flat_map(|(a, b)| [a, b])
            .any(|rule| rule.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case(name)))
    }

    pub(super) fn has_same(&self) -> bool {
        !self.same.is_empty()
    }

    /// Whether values of this name have to be others in each run, and of what form.
    pub(super) fn fresh(&self, name: &str) -> Option<FreshForm<'_>> {
        let is = |rule: &str| {
            rule.eq_ignore_ascii_case(name) || rule.eq_ignore_ascii_case(last_of(name))
        };
        self.fresh.iter().find_map(|rule| match rule {
            FreshRule::Name(rule) => is(rule).then_some(FreshForm::AsItIs),
            FreshRule::Like(rule, pattern) => is(rule).then_some(FreshForm::Like(pattern)),
        })
    }

    /// The paths of routes that are named by rules.
    pub fn routes(&self) -> &[String] {
        &self.routes
    }

    pub(super) fn route(&self, path: &str) -> Option<&str> {
        let fits = |template: &&String| {
            let mut segments = path.split('/');
            template.split('/').all(|wanted| {
                let is_any = wanted.starts_with('{') && wanted.ends_with('}');
                segments.next().is_some_and(|segment| is_any || segment == wanted)
            }) && segments.next().is_none()
        };
        self.routes.iter().find(fits).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rules_file_extends_the_defaults() {
        let rules: Rules = toml::from_str(
            "secret = [\"x-internal\"]\nharmless = [\"token_count\"]\nkeep = [\"page\"]\n\
             same = [[\"order\", \"order_number\"]]\nroutes = [\"/files/{path}/raw\"]\n\
             fresh = [\"username\", [\"sku\", \"AA-99\"]]",
        )
        .unwrap();
        for name in ["X-Internal-Key", "password", "access_token"] {
            assert!(rules.is_secret(name), "{name}");
        }
        assert!(!rules.is_secret("token_count") && !rules.is_secret("title"));
        assert!(rules.is_kept("Page") && rules.are_same("order_number", "order"));
        assert_eq!(rules.route("/files/a.txt/raw"), Some("/files/{path}/raw"));
        assert_eq!(rules.route("/files/a.txt"), None);
        assert_eq!(rules.fresh("user[Username]"), Some(FreshForm::AsItIs));
        assert_eq!(rules.fresh("sku"), Some(FreshForm::Like("AA-99")));
        assert_eq!(rules.fresh("title"), None);
    }

    #[test]
    fn what_is_not_known_is_told_with_its_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "secret = []\nsecrets = []\n").unwrap();
        let error = Rules::read(file.path()).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("secrets"), "{error}");
    }
}
