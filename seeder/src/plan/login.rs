//! `[login]`: how an account of the plan logs in, in the words of personas files.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::template::{Reference, Template};

/// The requests of a login, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Login {
    pub line: usize,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub method: String,
    pub path: Template,
    pub headers: BTreeMap<String, Template>,
    pub content: Content,
    /// Name of a session variable to the JSON pointer of its value in the answer.
    pub capture: BTreeMap<String, String>,
    /// A cookie that a good answer sets.
    pub cookie: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Nothing,
    /// JSON whose texts are templates.
    Json(serde_json::Value),
    /// As a browser sends it: the page is fetched first, and what its form has hidden is sent
    /// along.
    Form {
        page: Option<String>,
        fields: BTreeMap<String, Template>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    request: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<serde_json::Value>,
    form: Option<BTreeMap<String, String>>,
    page: Option<String>,
    #[serde(default)]
    capture: BTreeMap<String, String>,
    cookie: Option<String>,
}

impl Login {
    /// One table, or a list of them.
    pub(super) fn resolve(line: usize, typed: toml::Value) -> Result<Self, String> {
        let tables = match typed {
            toml::Value::Array(steps) => steps,
            one => vec![one],
        };
        let mut steps = Vec::new();
        let mut captured = BTreeSet::new();
        for table in tables {
            let typed = Typed::deserialize(table)
                .map_err(|error| format!("login: {}", error.message().replace('\n', " ")))?;
            let step = Step::resolve(typed)?;
            for reference in step.references()? {
                match reference {
                    Reference::Session(name) if !captured.contains(&name) => {
                        return Err(format!(
                            "login: session.{name} is captured by no earlier step"
                        ));
                    }
                    _ => {}
                }
            }
            captured.extend(step.capture.keys().cloned());
            steps.push(step);
        }
        match steps.is_empty() {
            true => Err("login has no steps".to_owned()),
            false => Ok(Self { line, steps }),
        }
    }

    /// Where accounts of a plan without `[login]` log in.
    pub fn usual(path: &str) -> Self {
        let field = |name: &str| serde_json::Value::from(format!("{{{{ account.{name} }}}}"));
        let body = [("email", field("email")), ("password", field("password"))];
        let body = body.into_iter().map(|(name, value)| (name.to_owned(), value));
        let step = Step {
            method: "POST".to_owned(),
            path: Template::literal(path),
            headers: BTreeMap::new(),
            content: Content::Json(serde_json::Value::Object(body.collect())),
            capture: [("access_token".to_owned(), "/access_token".to_owned())].into(),
            cookie: None,
        };
        Self { line: 1, steps: vec![step] }
    }

    /// The same, but that its last request goes there.
    pub fn at(mut self, path: &str) -> Self {
        if let Some(last) = self.steps.last_mut() {
            last.path = Template::literal(path);
        }
        self
    }

    /// The fields of accounts that it needs.
    pub(super) fn fields(&self) -> BTreeSet<String> {
        let references = self.steps.iter().filter_map(|step| step.references().ok()).flatten();
        references
            .filter_map(|reference| match reference {
                Reference::Account(field) => Some(field),
                _ => None,
            })
            .collect()
    }
}

impl Step {
    fn resolve(typed: Typed) -> Result<Self, String> {
        let Typed { request, headers, body, form, page, capture, cookie } = typed;
        let wrong = || format!("login: {request:?} is not a request such as \"POST /login\"");
        let (method, path) = request.split_once(' ').ok_or_else(wrong)?;
        let is_method = !method.is_empty() && method.chars().all(|c| c.is_ascii_uppercase());
        if !is_method || !is_path(path) {
            return Err(wrong());
        }
        if let Some((name, pointer)) = capture.iter().find(|(_, p)| !p.starts_with('/')) {
            return Err(format!(
                "login: capture {name}: {pointer:?} is not a JSON pointer such as /access_token"
            ));
        }
        let templates = |texts: BTreeMap<String, String>| -> Result<_, String> {
            let parsed = texts.into_iter().map(|(name, text)| Ok((name, template(&text)?)));
            parsed.collect()
        };
        let content = match (body, form, page) {
            (None, None, None) => Content::Nothing,
            (Some(body), None, None) => Content::Json(body),
            (None, Some(_), Some(page)) if !is_path(&page) => {
                return Err(format!("login: page {page:?} is not a path such as /login"));
            }
            (None, Some(fields), page) => Content::Form { page, fields: templates(fields)? },
            (_, None, Some(_)) => {
                return Err(
                    "login: page goes with form = { … }, whose hidden fields it has".to_owned()
                );
            }
            (Some(_), Some(_), _) => {
                return Err("login: a request has either a body (JSON) or a form".to_owned());
            }
        };
        Ok(Self {
            method: method.to_owned(),
            path: template(path)?,
            headers: templates(headers)?,
            content,
            capture,
            cookie,
        })
    }

    fn references(&self) -> Result<Vec<Reference>, String> {
        let mut templates = vec![self.path.clone()];
        templates.extend(self.headers.values().cloned());
        match &self.content {
            Content::Nothing => {}
            Content::Form { fields, .. } => templates.extend(fields.values().cloned()),
            Content::Json(body) => {
                for text in texts(body) {
                    templates.push(template(text)?);
                }
            }
        }
        Ok(templates.iter().flat_map(Template::references).cloned().collect())
    }
}

fn template(text: &str) -> Result<Template, String> {
    Template::parse(text).map_err(|problem| format!("login: {problem}"))
}

/// Of this host: what begins with two slashes names another.
fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.starts_with("//")
}

fn texts(body: &serde_json::Value) -> Vec<&str> {
    match body {
        serde_json::Value::String(text) => vec![text],
        serde_json::Value::Array(items) => items.iter().flat_map(texts).collect(),
        serde_json::Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Login, String> {
        let table: toml::Table = text.parse().unwrap();
        Login::resolve(1, table["login"].clone())
    }

    #[test]
    fn one_request_or_several_are_read_in_the_words_of_personas() {
        let usual = read(
            "[login]
             request = 'POST /api/v1/auth/login'
             body = { email = '{{ account.email }}', password = '{{ account.password }}' }
             capture = { access_token = '/access_token' }",
        );
        assert_eq!(usual.unwrap(), Login::usual("/api/v1/auth/login"));
        let two = read(
            "[[login]]
             request = 'GET /csrf'
             capture = { csrf = '/token' }
             [[login]]
             request = 'POST /login'
             headers = { X-CSRF = '{{ session.csrf }}' }
             form = { name = '{{ account.login }}', pw = '{{ account.password }}' }",
        )
        .unwrap();
        let fields: Vec<String> = two.fields().into_iter().collect();
        assert_eq!((two.steps.len(), fields), (2, vec!["login".to_owned(), "password".to_owned()]));
    }

    #[test]
    fn what_is_wrong_is_told_with_what_would_be_right() {
        for (text, expected) in [
            ("request = 'login'", "is not a request such as"),
            ("request = 'POST //other.example/'", "is not a request such as"),
            ("request = 'POST http://other.example/'", "is not a request such as"),
            ("request = 'POST /l'\npage = '/x'", "page goes with form"),
            ("request = 'POST /l'\nform = {}\npage = '//x'", "is not a path"),
            ("request = 'POST /l'\nform = {}\nbody = {}", "either a body (JSON) or a form"),
            ("request = 'POST /l'\ncapture = { a = 'x' }", "is not a JSON pointer"),
            (
                "request = 'POST /l'\nbody = { a = '{{ session.b }}' }",
                "captured by no earlier step",
            ),
            ("request = 'POST /l'\nbody = { a = '{{ n }}' }", "none of account.FIELD"),
            ("request = 'POST /l'\nlol = 1", "unknown field `lol`"),
        ] {
            let error = read(&format!("[login]\n{text}")).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
