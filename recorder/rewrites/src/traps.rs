//! Known faults of a system under test: by which answers they are known, and what helps.
//!
//! A TOML file that a personas file names (`traps = "…"`) and that the reporter takes, so that who
//! meets one is told what it is:
//!
//! ```toml
//! [[trap]]
//! number = 3
//! match = "POST /alerts/ingest"
//! status = 405
//! says = "the endpoint does not exist: GET /alerts/{alert_id} owns the path"
//! help = "--rewrites FILE sends another request in its place"
//! ```

use std::path::Path;

use serde::Deserialize;

use super::file::{OneOrMore, RewritesError, Source};
use super::route::Route;

/// The traps of a file, in its order.
#[derive(Clone, Debug, Default)]
pub struct Traps(Vec<Trap>);

#[derive(Clone, Debug)]
pub struct Trap {
    pub number: u32,
    routes: Vec<Route>,
    status: u16,
    /// What it is.
    pub says: String,
    /// What helps.
    pub help: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    trap: Vec<Typed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    number: u32,
    #[serde(rename = "match")]
    routes: OneOrMore,
    status: u16,
    says: String,
    help: Option<String>,
}

impl Traps {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// With file, line and key, when it cannot be read, or has an unknown key or what is no route.
    pub fn read(path: &Path) -> Result<Self, RewritesError> {
        let source = Source::read("traps", path)?;
        let file: File = source.parse()?;
        let mut traps = Vec::with_capacity(file.trap.len());
        for (number, typed) in (1..).zip(file.trap) {
            let mut routes = Vec::new();
            for text in typed.routes.all() {
                let route = text.parse().map_err(|error: super::RouteError| {
                    source.at_key("trap", number, "match", &error)
                })?;
                routes.push(route);
            }
            let Typed { number, status, says, help, .. } = typed;
            traps.push(Trap { number, routes, status, says, help });
        }
        Ok(Self(traps))
    }

    /// Those that an answer with this status to a request of this route shows.
    pub fn shown_by(&self, name: &str, status: u16) -> Vec<&Trap> {
        let (method, path) = name.split_once(' ').unwrap_or(("", name));
        let is_for = |route: &Route| route.matches(name, method, path, "");
        let is_shown = |trap: &&Trap| trap.status == status && trap.routes.iter().any(is_for);
        self.0.iter().filter(is_shown).collect()
    }
}

impl std::fmt::Display for Trap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "trap {}: {}", self.number, self.says)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}
