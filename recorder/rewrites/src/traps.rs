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

/// Traps of a file.
const MOST_TRAPS: usize = 1_000;

/// Bytes of a file: what reads TOML holds many times as much.
const MOST_BYTES: usize = 4 << 20;

/// Letters of what a trap says, and of what helps: they go into one line.
const MOST_LETTERS: usize = 500;

/// Of the traps that an answer shows, the first are named.
const MOST_SHOWN: usize = 3;

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
    /// With file, line and key, when it cannot be read, has an unknown key or what is no route, or
    /// has more to say than is shown.
    pub fn read(path: &Path) -> Result<Self, RewritesError> {
        let source = Source::read("traps", path)?;
        if source.text.len() > MOST_BYTES {
            return Err(source.error(None, format!("it is over {} MiB", MOST_BYTES >> 20)));
        }
        let file: File = source.parse()?;
        if file.trap.len() > MOST_TRAPS {
            return Err(source.error(None, format!("it has more than {MOST_TRAPS} traps")));
        }
        let mut traps = Vec::with_capacity(file.trap.len());
        for (number, typed) in (1..).zip(file.trap) {
            let mut routes = Vec::new();
            for text in typed.routes.all() {
                let route = text.parse().map_err(|error: super::RouteError| {
                    source.at_key("trap", number, "match", &error)
                })?;
                routes.push(route);
            }
            let Typed { number: of_trap, status, says, help, .. } = typed;
            for (key, text) in [("says", Some(&says)), ("help", help.as_ref())] {
                if text.is_some_and(|text| text.chars().count() > MOST_LETTERS) {
                    let message = format!("it has more than {MOST_LETTERS} letters");
                    return Err(source.at_key("trap", number, key, &message));
                }
            }
            traps.push(Trap { number: of_trap, routes, status, says, help });
        }
        Ok(Self(traps))
    }

    /// Those that an answer with this status to a request of this route shows, the first three.
    pub fn shown_by(&self, name: &str, status: u16) -> Vec<&Trap> {
        let (method, path) = name.split_once(' ').unwrap_or(("", name));
        let is_for = |route: &Route| route.matches(name, method, path, "");
        let is_shown = |trap: &&Trap| trap.status == status && trap.routes.iter().any(is_for);
        self.0.iter().filter(is_shown).take(MOST_SHOWN).collect()
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
