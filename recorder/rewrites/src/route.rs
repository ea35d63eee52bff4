//! Which requests a rule is for: `POST /alerts/{id}/acknowledge`.

use std::fmt;
use std::str::FromStr;

/// A method and a path. `*` is any method; in the path `{name}` is any segment, and a last `**`
/// whatever follows, be it nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// None for any.
    method: Option<String>,
    path: String,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a route such as 'POST /alerts/{{id}}', '* /static/**'")]
pub struct RouteError(String);

impl Route {
    /// Whether a request with this name, method and path (and query) is one of these: its route is
    /// called so, or its path below `base` is one of these.
    pub fn matches(&self, name: &str, method: &str, path: &str, base: &str) -> bool {
        if self.method.as_ref().is_some_and(|of| of != method) {
            return false;
        }
        let route = name.split_once(' ').map_or(name, |(_, route)| route);
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let below = path.strip_prefix(base).filter(|below| below.starts_with('/'));
        route == self.path
            || below.is_some_and(|below| self.has(below))
            || self.has(path)
            || self.has(route)
    }

    fn has(&self, path: &str) -> bool {
        let mut segments = path.split('/');
        for wanted in self.path.split('/') {
            if wanted == "**" {
                return true;
            }
            let Some(segment) = segments.next() else { return false };
            let is_any = wanted.starts_with('{') && wanted.ends_with('}') && !segment.is_empty();
            if !is_any && wanted != segment {
                return false;
            }
        }
        segments.next().is_none()
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.as_deref().unwrap_or("*"), self.path)
    }
}

impl FromStr for Route {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, RouteError> {
        let wrong = || RouteError(text.to_owned());
        let (method, path) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let path = path.trim_start();
        let is_method = method == "*" || method.bytes().all(|byte| byte.is_ascii_uppercase());
        let rest_is_last = path.split('/').rev().skip(1).all(|segment| segment != "**");
        if method.is_empty() || !is_method || !path.starts_with('/') || !rest_is_last {
            return Err(wrong());
        }
        if path.contains(['?', '#', ' ']) {
            return Err(wrong());
        }
        let method = (method != "*").then(|| method.to_owned());
        Ok(Self { method, path: path.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(route: &str, name: &str, path: &str) -> bool {
        let method = name.split(' ').next().unwrap();
        route.parse::<Route>().unwrap().matches(name, method, path, "/api/v1")
    }

    #[test]
    fn a_request_is_known_by_its_route_and_by_its_path() {
        let ingest = "POST /alerts/ingest";
        assert!(is(ingest, ingest, "/api/v1/alerts/ingest"));
        assert!(is(ingest, "POST /api/v1/alerts/ingest", "/api/v1/alerts/ingest?x=1"));
        assert!(is("POST /api/v1/alerts/ingest", ingest, "/api/v1/alerts/ingest"));
        assert!(!is(ingest, "GET /alerts/ingest", "/api/v1/alerts/ingest"));
        assert!(!is(ingest, "POST /alerts", "/api/v1/alerts"));
        assert!(is("GET /alerts/{id}", "GET /alerts/{id}", "/api/v1/alerts/17"));
        assert!(is("GET /alerts/{id}", "GET /one", "/api/v1/alerts/17"));
        assert!(!is("GET /alerts/{id}", "GET /one", "/api/v1/alerts/"));
        assert!(!is("GET /alerts/{id}", "GET /one", "/api/v1/alerts/17/x"));
        assert!(is("* /static/**", "GET /static/a/b.js", "/static/a/b.js"));
        assert!(is("* /**", "DELETE /x", "/x"));
        assert!(!is("* /static/**", "GET /statics", "/statics"));
        assert!(!is("GET /1/alerts", "GET /x", "/api/v1/1/alert"));
    }

    #[test]
    fn routes_read_back_as_written() {
        for text in ["POST /alerts/ingest", "* /**", "GET /a/{id}/b"] {
            assert_eq!(text.parse::<Route>().unwrap().to_string(), text);
        }
        for text in ["", "POST", "/alerts", "post /a", "GET a", "GET /a?b", "GET /**/a", "GET /a b"]
        {
            assert!(text.parse::<Route>().is_err(), "{text}");
        }
    }
}
