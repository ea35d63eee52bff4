//! What is replayed and where: options that every command takes, and what becomes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use clap::Args as ClapArgs;
use common::secret::Secret;
use common::target::{Target, Typed};
use common_net::trust::Trust;
use manifest::format::Manifest;
use rewrites::Rewrites;

use crate::audit::{marked, marking};
use crate::config::{self, ConfigError};
use crate::engine::{FidelityMode, Http, Settings, checks_by_endpoint};
use crate::error::Error;
use crate::preflight::Seeded;
use crate::prepare::{
    LeftOut, Prepared, Rewritten, Selection, TraceStream, prepare, prepare_streamed,
};
use http1::{Destination, tls};
use run_log::format::ManifestRef;
use scenario::{Audit, Axis, Expectation, Load, Order, Scenario};

/// Failing answers an endpoint that each worker keeps in the run directory.
const ERROR_SAMPLES: usize = 3;

/// What is replayed, and where.
#[derive(Debug, ClapArgs)]
pub(super) struct Input {
    /// The trace to replay, where the scenario does not name it
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// The manifest of the database behind the target; not needed by a trace without logins
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Where to, such as http://127.0.0.1:8080
    #[arg(long, value_name = "URL", env = "TARGET", hide_env_values = true)]
    pub target: Typed<Target>,
    /// A host, other than this machine, that may be loaded
    #[arg(long, value_name = "HOST")]
    pub allow_host: Vec<String>,
    /// Accept any certificate; the report will say so
    #[arg(long)]
    pub insecure: bool,
    /// Value of a named secret slot of the trace: NAME=ENVIRONMENT_VARIABLE
    #[arg(long, value_name = "NAME=VAR")]
    pub slot: Vec<String>,
    /// What to send in the place of what was recorded, as a file of rewrites; instead of the
    /// scenario's
    #[arg(long, value_name = "FILE")]
    pub rewrites: Option<PathBuf>,
    /// Seed of everything that is drawn
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Connect from this address of this machine; several take turns
    #[arg(long, value_name = "IP")]
    pub source_ip: Vec<IpAddr>,
    /// Send GET and HEAD alone: logins and all that needs them are left out too
    #[arg(long)]
    pub read_only: bool,
    /// Leave out requests whose body was too big to be kept
    #[arg(long)]
    pub skip_truncated: bool,
    /// Memory for the trace; at one clone a session it is read as it is needed
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = size)]
    pub max_trace_memory: u64,
}

/// `512MiB` or `2GiB`, in bytes.
fn size(text: &str) -> Result<u64, String> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let found = units.iter().find_map(|(unit, shift)| {
        let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        number.checked_mul(1 << shift).filter(|bytes| *bytes > 0)
    });
    found.ok_or_else(|| "expected a size such as 512MiB or 2GiB".to_owned())
}

/// What is read, beside a scenario.
pub(super) struct Files {
    pub trace: PathBuf,
    pub manifest: Option<PathBuf>,
    pub rewrites: Option<PathBuf>,
}

impl Input {
    /// What was typed, or else what the scenario names.
    ///
    /// # Errors
    /// When neither names a trace.
    pub(super) fn files(&self, scenario: Option<&Scenario>) -> Result<Files, ConfigError> {
        let given = |typed: &Option<PathBuf>, of_scenario: fn(&Scenario) -> &Option<PathBuf>| {
            typed.clone().or_else(|| of_scenario(scenario?).clone())
        };
        let trace = given(&self.trace, |scenario| &scenario.trace).ok_or_else(|| {
            let message = "give the trace to replay, or a scenario that names one".to_owned();
            ConfigError::Option { option: "--trace", message }
        })?;
        let manifest = given(&self.manifest, |scenario| &scenario.manifest);
        let rewrites = given(&self.rewrites, |scenario| &scenario.rewrites);
        Ok(Files { trace, manifest, rewrites })
    }
}

/// What both commands need.
pub(super) struct Ready {
    pub plan: Arc<Prepared>,
    /// The trace, where it is read as it is needed.
    pub stream: Option<TraceStream>,
    pub http: Http,
    pub settings: Settings,
    /// Where to: scheme, host and port.
    pub target: String,
    pub manifest: ManifestRef,
    /// What it says of the database.
    pub seeded: Option<Seeded>,
    /// Whether the target is on this machine.
    pub is_local: bool,
    pub limitations: Vec<String>,
    /// What whoever starts it has to know.
    pub notices: Vec<String>,
}

impl Ready {
    pub(super) fn say_notices(&self) {
        for notice in &self.notices {
            common::say!("replayer: {notice}");
        }
    }
}

/// Everything about a run that is typed and not read from the trace.
pub(super) struct Choices {
    pub load: Load,
    pub scenario: Option<Scenario>,
    /// The database behind the target, where it may be asked.
    pub database: Option<Secret>,
    pub connect_timeout: Duration,
    pub request_timeout: Duration,
    pub grace: Duration,
    pub fidelity: FidelityMode,
    pub max_queue: usize,
    pub login_rate: f64,
}

impl Choices {
    /// What the run is judged by, as it was written.
    pub(super) fn expectations(&self) -> &[Expectation] {
        self.scenario.as_ref().map_or(&[], |scenario| &scenario.expect)
    }

    /// What is audited.
    pub(super) fn audit(&self) -> Option<&Audit> {
        self.scenario.as_ref()?.audit.as_ref()
    }
}

/// Reads and checks what is given; nothing is sent.
///
/// # Errors
/// When something of it cannot be used.
pub(super) fn prepare_all(input: &Input, choices: &Choices) -> Result<Ready, Error> {
    let target = input.target.clone().value("--target").map_err(ConfigError::from)?;
    let url = target.to_string();
    let Target { secure, host, port } = target;
    let destination = if secure {
        let trust = if input.insecure { Trust::Insecure } else { Trust::System };
        Destination::https(&host, port, &input.allow_host, tls::client_config(&trust)?)?
    } else {
        Destination::http(&host, port, &input.allow_host)?
    };
    let destination = from_sources(destination, &input.source_ip)?;
    let Files { trace, manifest, rewrites } = input.files(choices.scenario.as_ref())?;
    let manifest = manifest.as_deref().map(Manifest::read).transpose()?;
    let rewrites = match rewrites {
        Some(path) => Some(Arc::new(Rewrites::read(&path)?)),
        None => None,
    };
    let selection = Selection {
        personas: choices.load.personas.clone(),
        read_only: input.read_only,
        skip_truncated: input.skip_truncated,
        order: choices.load.order,
        pacing: choices.load.pacing,
        rewrites: rewrites.clone(),
        marked: choices.audit().and_then(marked),
    };
    let (origin, memory) = (destination.origin(), input.max_trace_memory);
    let (plan, stream) = if choices.load.axis == Axis::Clones(1) {
        let (plan, stream) = prepare_streamed(&trace, &origin, &selection, memory)?;
        (plan, Some(stream))
    } else {
        (prepare(&trace, &origin, &selection, memory)?, None)
    };
    let secrets = secrets(input, &plan, rewrites.as_deref())?;
    let failures = plan.recorded_failures.as_ref().map(ToString::to_string);
    let mut limitations: Vec<String> =
        left_out(&plan).into_iter().chain(ambiguous(&plan)).chain(failures).collect();
    let notices: Vec<String> =
        plan.rewrites.iter().map(in_words).chain(limitations.iter().cloned()).collect();
    if choices.load.order == Order::None {
        limitations.push(
            "each request stands for itself: of a session only the values are waited for, not the order"
                .to_owned(),
        );
    }
    let is_local = destination.addresses().iter().all(|address| address.ip().is_loopback());
    if is_local {
        limitations.push(
            "generator and target share the same processors, so each slows the other down"
                .to_owned(),
        );
    }
    if input.insecure {
        limitations.push("the target's certificate was not verified".to_owned());
    }
    let reference = manifest.as_ref().map_or_else(ManifestRef::none, manifest_ref);
    if plan.manifest.as_ref().is_some_and(|digest| *digest != reference.digest) {
        limitations.push("the trace was recorded on other data than it was replayed on".to_owned());
    }
    let accepted = |name: &String| choices.scenario.as_ref()?.statuses.get(name).cloned();
    let checks = choices.scenario.as_ref().map_or(&[][..], |scenario| &scenario.checks);
    let settings = Settings {
        load: choices.load.clone(),
        seed: input.seed,
        connect_timeout: choices.connect_timeout,
        request_timeout: choices.request_timeout,
        grace: choices.grace,
        fidelity: choices.fidelity,
        excuses_recorded: false,
        max_queue: choices.max_queue,
        error_samples: ERROR_SAMPLES,
        login_rate: choices.login_rate,
        budget: None,
        accepted: plan.endpoints.iter().map(accepted).collect(),
        checks: checks_by_endpoint(checks, &plan.endpoints),
        marking: choices.audit().and_then(|audit| marking(audit, &plan.endpoints)),
        check_names: checks.iter().map(|check| check.name.clone()).collect(),
        secrets,
        host: host.clone(),
        secure,
        started: Utc::now(),
        accounts: Vec::new(),
    };
    let seeded = manifest.as_ref().map(|manifest| Seeded::from(&manifest.header));
    let accounts = manifest.map(|manifest| manifest.accounts);
    let accounts = config::accounts(&plan, accounts)?;
    Ok(Ready {
        plan: Arc::new(plan),
        stream,
        http: Http { destination: Arc::new(destination) },
        settings: Settings { accounts, ..settings },
        target: url,
        manifest: reference,
        seeded,
        is_local,
        limitations,
        notices,
    })
}

/// Has connections made from these addresses.
fn from_sources(destination: Destination, sources: &[IpAddr]) -> Result<Destination, ConfigError> {
    let option = |message| Err(ConfigError::Option { option: "--source-ip", message });
    for source in sources {
        if let Err(error) = std::net::TcpListener::bind((*source, 0)) {
            return option(format!("{source} is not an address of this machine: {error}"));
        }
    }
    let first = destination.addresses()[0];
    if !sources.is_empty() && sources.iter().all(|ip| ip.is_ipv4() != first.is_ipv4()) {
        return option(format!("none is of the same family as the target's {}", first.ip()));
    }
    let distinct: BTreeSet<IpAddr> = sources.iter().copied().collect();
    Ok(destination.from_sources(distinct.into_iter().collect()))
}

/// What of the bindings is not sure, in words.
fn ambiguous(plan: &Prepared) -> Option<String> {
    let count = plan.bindings.counts.get("ambiguous")?;
    Some(format!("values that may come from elsewhere than they are taken from: {count}"))
}

/// What was not taken from the trace, in words.
fn left_out(plan: &Prepared) -> Option<String> {
    let LeftOut { unsafe_methods, truncated, dependent, dropped, answered, .. } = plan.left_out;
    let parts: Vec<String> = [
        (unsafe_methods, "that are not GET or HEAD, logins among them (--read-only)"),
        (truncated, "whose body was not kept (--skip-truncated)"),
        (dropped, "that a rewrite drops"),
        (answered, "that are answered from the recording, and in no figure"),
        (dependent, "that need the answer of one that was left out"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    (!parts.is_empty()).then(|| format!("requests of the trace left out: {}", parts.join(", ")))
}

/// `NAME=VALUE` options.
pub(super) fn pairs(
    option: &'static str,
    typed: &[String],
) -> Result<BTreeMap<String, String>, ConfigError> {
    typed
        .iter()
        .map(|pair| match pair.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(ConfigError::Option {
                option,
                message: format!("{pair:?} is not of the form NAME=VALUE"),
            }),
        })
        .collect()
}

/// What a rule does, to how many requests, and what that means.
fn in_words(Rewritten { rewrite, requests }: &Rewritten) -> String {
    let count = requests.map_or_else(
        || "when it was recorded".to_owned(),
        |requests| format!("{requests} requests of the trace"),
    );
    let means = rewrite.means.as_ref().map_or_else(String::new, |means| format!("; {means}"));
    format!("rewritten by {}: {} ({count}){means}", rewrite.file, rewrite.rule)
}

/// The values of the trace's secret slots, and of those that rewrites make, from the environment.
fn secrets(
    input: &Input,
    plan: &Prepared,
    rewrites: Option<&Rewrites>,
) -> Result<BTreeMap<String, Secret>, ConfigError> {
    let option = "--slot";
    let mut values = rewrites.map(|of| of.secrets().clone()).unwrap_or_default();
    for (name, variable) in pairs(option, &input.slot)? {
        let value = std::env::var(&variable).map_err(|_| ConfigError::Option {
            option,
            message: format!("the environment has no variable {variable}"),
        })?;
        values.insert(name, value.into());
    }
    match plan.bindings.secrets.iter().find(|name| !values.contains_key(*name)) {
        None => Ok(values),
        Some(name) => {
            let message =
                format!("the trace needs a value for {name}; give it with --slot {name}=VARIABLE");
            Err(ConfigError::Option { option, message })
        }
    }
}

fn manifest_ref(manifest: &Manifest) -> ManifestRef {
    let header = &manifest.header;
    ManifestRef {
        digest: header.digest.clone(),
        plan: header.plan.name.clone(),
        plan_digest: header.plan.digest.clone(),
        seed: header.seed,
        scale: header.scale,
        bcrypt_costs: header.bcrypt_costs.clone(),
        rows: header.tables.iter().map(|table| (table.table.clone(), table.rows)).collect(),
        database: header.database.to_string(),
    }
}
