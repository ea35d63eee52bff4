//! What `--observe` and scenarios name.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use common::address::SafetyError;
use common::exit::Exit;
use common::secret::Secret;
use common::target::{Target, TargetError};
use common_net::trust::{Trust, TrustError};
use http1::{Destination, DestinationError, tls};

use super::place::{DatabaseError, Place};
use super::redis::{Redis, RedisError};

/// What is wrong with it. The text itself is not repeated: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    #[error(
        "expected postgres=URL, port=8000, pid=123, redis=URL or prometheus=URL, each by itself"
    )]
    Kind,
    #[error("port=: expected a port of this machine, such as port=8000")]
    Port,
    #[error("pid=: expected the number of a process of this machine, such as pid=123")]
    Pid,
    #[error(
        "postgres=: not the URL of a database, such as \
         postgres=postgres://user@127.0.0.1:5432/name"
    )]
    Postgres,
    #[error("prometheus=")]
    Page(#[source] TargetError),
    #[error("{0} is there twice")]
    Twice(String),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("redis=")]
    Redis(#[from] RedisError),
    #[error("prometheus=")]
    Destination(#[source] SafetyError),
    #[error(
        "prometheus=: its host cannot stand in a certificate; expected a URL such as \
         prometheus=https://metrics.example/metrics"
    )]
    Host,
    #[error("prometheus=")]
    Tls(#[from] TrustError),
}

impl ObserveError {
    pub fn exit(&self) -> Exit {
        match self {
            Self::Database(error) => error.exit(),
            Self::Redis(error) => error.exit(),
            Self::Destination(error) => error.exit(),
            Self::Tls(_) => Exit::Environment,
            Self::Kind
            | Self::Port
            | Self::Pid
            | Self::Postgres
            | Self::Page(_)
            | Self::Host
            | Self::Twice(_) => Exit::Usage,
        }
    }
}

/// Who names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// `--observe`.
    Option,
    /// The file of a scenario.
    Scenario(PathBuf),
}

impl By {
    /// As it is said of what it names.
    pub(super) fn of(&self) -> &'static str {
        match self {
            Self::Option => "--observe",
            Self::Scenario(_) => "the scenario",
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option => f.write_str("--observe"),
            Self::Scenario(path) => write!(f, "scenario {}: observe", path.display()),
        }
    }
}

/// What somebody names, which may hold a password.
#[derive(Clone, Debug)]
pub struct Said {
    pub text: Secret,
    pub by: By,
}

/// What is wrong with it, and who said it.
#[derive(Debug, thiserror::Error)]
#[error("{by}")]
pub struct Misnamed {
    by: By,
    #[source]
    error: ObserveError,
}

impl Misnamed {
    pub fn exit(&self) -> Exit {
        self.error.exit()
    }
}

/// Something to observe beside the target, on this machine or a host that is allowed.
pub enum Named {
    Postgres(Box<Place>),
    Port(u16),
    Pid(u32),
    Redis(Redis),
    Prometheus { destination: Arc<Destination>, path: String },
}

/// Of whom it may be and how it is talked to.
pub struct Rules<'a> {
    /// Hosts other than this machine.
    pub allowed: &'a [String],
    pub trust: Trust,
}

impl Named {
    /// The database behind the target, if it is given, and all of what is said. What two name is
    /// looked at once. Host names are resolved here, and never again.
    ///
    /// # Errors
    /// When one of them is nothing that can be observed, is said twice by the same, or may not be
    /// talked to.
    pub fn all(
        said: &[Said],
        database_url: Option<&Secret>,
        rules: &Rules<'_>,
    ) -> Result<Vec<(Self, By)>, Misnamed> {
        let mut all: Vec<(Self, By)> = Vec::new();
        let mut names: BTreeMap<String, Option<&By>> = BTreeMap::new();
        if let Some(url) = database_url {
            let misnamed = |error| Misnamed { by: By::Option, error: ObserveError::from(error) };
            let place = Place::of(url.expose(), rules.allowed).map_err(misnamed)?;
            let named = Self::Postgres(Box::new(place));
            names.insert(named.to_string(), None);
            all.push((named, By::Option));
        }
        for Said { text, by } in said {
            let misnamed = |error| Misnamed { by: by.clone(), error };
            let named = Self::of(text.expose(), rules).map_err(misnamed)?;
            let name = named.to_string();
            match names.get(&name) {
                Some(before) if *before == Some(by) => {
                    return Err(misnamed(ObserveError::Twice(name)));
                }
                Some(_) => {}
                None => {
                    names.insert(name, Some(by));
                    all.push((named, by.clone()));
                }
            }
        }
        Ok(all)
    }

    fn of(text: &str, rules: &Rules<'_>) -> Result<Self, ObserveError> {
        let (kind, value) = text.split_once('=').ok_or(ObserveError::Kind)?;
        match kind {
            "postgres" => match Place::of(value, rules.allowed) {
                Err(DatabaseError::Url) => Err(ObserveError::Postgres),
                place => Ok(Self::Postgres(Box::new(place?))),
            },
            "port" => match value.parse() {
                Ok(port) if port > 0 => Ok(Self::Port(port)),
                _ => Err(ObserveError::Port),
            },
            "pid" => match value.parse() {
                Ok(pid) if pid > 0 => Ok(Self::Pid(pid)),
                _ => Err(ObserveError::Pid),
            },
            "redis" => Ok(Self::Redis(Redis::of(value, rules.allowed)?)),
            "prometheus" => Self::page(value, rules),
            _ => Err(ObserveError::Kind),
        }
    }

    fn page(url: &str, rules: &Rules<'_>) -> Result<Self, ObserveError> {
        // Behind the scheme; a path may follow, which a target has none of.
        let host = url.find("://").map_or(0, |at| at + 3);
        let path = url[host..].find(['/', '?', '#']).map_or(url.len(), |at| host + at);
        let (of_host, path) = url.split_at(path);
        if path.contains('@') {
            return Err(ObserveError::Page(TargetError::Credentials));
        }
        let is_plain = path.chars().all(|c| c.is_ascii_graphic() && c != '#');
        if !is_plain {
            return Err(ObserveError::Page(TargetError::NotAUrl));
        }
        let Target { secure, host, port } = of_host.parse().map_err(ObserveError::Page)?;
        let destination = match secure {
            true => {
                let config = tls::client_config(&rules.trust)?;
                Destination::https(&host, port, rules.allowed, config)
            }
            false => Destination::http(&host, port, rules.allowed),
        };
        let destination = destination.map_err(|error| match error {
            DestinationError::Safety(error) => ObserveError::Destination(error),
            DestinationError::Name { .. } => ObserveError::Host,
        })?;
        let path = match path {
            "" | "/" => "/metrics".to_owned(),
            query if query.starts_with('?') => format!("/{query}"),
            path => path.to_owned(),
        };
        Ok(Self::Prometheus { destination: Arc::new(destination), path })
    }
}

/// As it was typed, without what nobody is to see: user, password and query.
impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres(place) => write!(f, "postgres={place}"),
            Self::Port(port) => write!(f, "port={port}"),
            Self::Pid(pid) => write!(f, "pid={pid}"),
            Self::Redis(redis) => write!(f, "redis={redis}"),
            Self::Prometheus { destination, path } => {
                let path = path.split('?').next().unwrap_or_default();
                write!(f, "prometheus={}{path}", destination.origin())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(by: &By, text: &str) -> Said {
        Said { text: Secret::from(text.to_owned()), by: by.clone() }
    }

    fn all_of(said: &[Said], database_url: Option<&str>) -> Result<Vec<String>, Misnamed> {
        let database_url = database_url.map(|url| Secret::from(url.to_owned()));
        let rules = Rules { allowed: &[], trust: Trust::System };
        let all = Named::all(said, database_url.as_ref(), &rules)?;
        Ok(all.iter().map(|(named, _)| named.to_string()).collect())
    }

    fn all(typed: &[&str], database_url: Option<&str>) -> Result<Vec<String>, Misnamed> {
        let said: Vec<Said> = typed.iter().map(|text| said(&By::Option, text)).collect();
        all_of(&said, database_url)
    }

    #[test]
    fn what_is_observed_is_shown_without_passwords() {
        let typed = [
            "postgres=postgres://u:hunter2@127.0.0.1:5433/d?application_name=hunter2",
            "port=8000",
            "pid=12",
            "redis=redis://u:hunter2@127.0.0.1:6380/2",
            "prometheus=http://127.0.0.1:9100",
            "prometheus=http://127.0.0.1:9100/probe?token=hunter2",
            "prometheus=http://[::1]/",
        ];
        let expected = [
            "postgres=127.0.0.1:5432/app",
            "postgres=127.0.0.1:5433/d",
            "port=8000",
            "pid=12",
            "redis=127.0.0.1:6380",
            "prometheus=http://127.0.0.1:9100/metrics",
            "prometheus=http://127.0.0.1:9100/probe",
            "prometheus=http://[::1]/metrics",
        ];
        let first = Some("postgres://u:hunter2@127.0.0.1/app");
        assert_eq!(all(&typed, first).unwrap(), expected);
        // It may be said again, and is the same.
        let again = ["postgres=postgres://u:other@127.0.0.1:5432/app"];
        assert_eq!(all(&again, first).unwrap(), ["postgres=127.0.0.1:5432/app"]);
    }

    #[test]
    fn mistakes_are_told_in_one_line_without_what_was_typed() {
        let cases = [
            ("8000", 2, "expected postgres=URL, port=8000"),
            ("postgres://u:hunter2@127.0.0.1/d", 2, "expected postgres=URL, port=8000"),
            ("mysql=mysql://u:hunter2@127.0.0.1/d", 2, "expected postgres=URL, port=8000"),
            ("port=http", 2, "such as port=8000"),
            ("port=0", 2, "such as port=8000"),
            ("port=70000", 2, "such as port=8000"),
            ("pid=-1", 2, "such as pid=123"),
            (
                "postgres=hunter2@127.0.0.1",
                2,
                "such as postgres=postgres://user@127.0.0.1:5432/name",
            ),
            ("postgres=postgres://u:hunter2@203.0.113.7/d", 3, "--allow-host 203.0.113.7"),
            ("redis=u:hunter2@127.0.0.1", 2, "such as redis://127.0.0.1:6379"),
            ("redis=redis://u:hunter2@203.0.113.7", 3, "--allow-host 203.0.113.7"),
            ("prometheus=127.0.0.1:9100", 2, "such as http://127.0.0.1:8080"),
            ("prometheus=http://u:hunter2@127.0.0.1/metrics", 2, "credentials do not belong there"),
            ("prometheus=http://u:hun/ter2@127.0.0.1/", 2, "credentials do not belong there"),
            ("prometheus=http://127.0.0.1/a b", 2, "not an http or https URL"),
            ("prometheus=http://203.0.113.7/metrics", 3, "--allow-host 203.0.113.7"),
        ];
        for (text, code, expected) in cases {
            let error = all(&[text], None).unwrap_err();
            let told = common::exit::one_line("tool", &error);
            assert!(told.contains(expected), "{text}: {told}");
            assert!(!told.contains("ter2") && !told.contains('\n'), "{told}");
            assert_eq!(error.exit().code(), code, "{text}: {told}");
        }
        let twice = all(&["port=1", "port=1"], None).unwrap_err();
        assert_eq!(
            common::exit::one_line("tool", &twice),
            "tool: --observe: port=1 is there twice"
        );
    }

    #[test]
    fn what_a_scenario_names_is_added_and_told_by_its_file() {
        let scenario = By::Scenario("s.toml".into());
        let both = |text: &str, of_scenario: &str| {
            all_of(&[said(&By::Option, text), said(&scenario, of_scenario)], None)
        };
        assert_eq!(both("port=1", "port=2").unwrap(), ["port=1", "port=2"]);
        assert_eq!(both("port=1", "port=1").unwrap(), ["port=1"]);
        for (of_scenario, told) in [
            ("prot=1", "scenario s.toml: observe: expected postgres=URL"),
            ("port=a", "scenario s.toml: observe: port=: expected a port of this machine"),
            ("redis=redis://203.0.113.7", "scenario s.toml: observe: redis=: "),
        ] {
            let error = common::exit::one_line("", &both("port=1", of_scenario).unwrap_err());
            assert!(error.contains(told), "{error}");
        }
        let twice = [said(&scenario, "port=2"), said(&scenario, "port=2")];
        let twice = all_of(&twice, None).unwrap_err();
        let told = common::exit::one_line("tool", &twice);
        assert_eq!(told, "tool: scenario s.toml: observe: port=2 is there twice");
    }
}
