//! `replayer probe`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::Args as ClapArgs;
use common::exit::Exit;
use common::say::{print, print_json};
use common_net::runtime;
use tokio::runtime::Builder;

use super::input::{Choices, Input, prepare_all};
use super::summary::answer;
use crate::engine::FidelityMode;
use crate::error::Error;
use crate::probe::{Extent, Probed, probe};
use run_log::format::ErrorSample;
use scenario::Load;

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    /// Send all of the session, what writes and what registers among it
    #[arg(long)]
    full: bool,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    let choices = Choices {
        load: Load::as_recorded(),
        scenario: None,
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(60),
        grace: Duration::from_secs(10),
        fidelity: FidelityMode::Status,
        max_queue: 1000,
        login_rate: 20.0,
    };
    let ready = prepare_all(&args.input, &choices)?;
    ready.say_notices();
    let runtime = runtime::build(Builder::new_current_thread()).map_err(Error::Runtime)?;
    let probed = runtime.block_on(tokio::task::LocalSet::new().run_until(probe(
        &ready.plan,
        &ready.settings,
        &ready.http,
        if args.full { Extent::Full } else { Extent::Safe },
    )))?;
    show_probed(&probed);
    let Probed { sent, failed, samples, not_tried } = &probed;
    if args.json {
        let json = serde_json::json!({
            "sent": sent, "failed": failed, "failures": samples, "not_tried": not_tried,
        });
        print_json(&format!("{json}\n"))
    } else {
        print(&format!("{sent} requests sent, {failed} failed\n"))
    }
    .map_err(Error::stdout)?;
    Ok(if probed.failed == 0 { Exit::Good } else { Exit::Threshold })
}

/// Shows what failed, what is the same once, and what was not tried.
pub(super) fn show_probed(probed: &Probed) {
    let mut alike: BTreeMap<Alike<'_>, Vec<&ErrorSample>> = BTreeMap::new();
    for sample in &probed.samples {
        alike.entry(Alike::of(sample)).or_default().push(sample);
    }
    for (Alike { endpoint, persona, .. }, samples) in &alike {
        let answer = answer(samples[0]);
        let bodies: BTreeSet<_> = samples.iter().map(|sample| sample.body.as_deref()).collect();
        let times = match (samples.len(), bodies.len()) {
            (1, _) => String::new(),
            (times, 1) => format!(" ({times} times)"),
            (times, texts) => format!(" ({times} times, with {texts} different texts)"),
        };
        common::say!("replayer: probe: {endpoint} of {persona}: {answer}{times}");
    }
    if !probed.not_tried.is_empty() {
        let names = probed.not_tried.iter().map(|(name, count)| format!("{name} ({count})"));
        let names = names.collect::<Vec<_>>().join(", ");
        common::say!(
            "replayer: probe: not tried, since they write or need what a write gives: {names}"
        );
    }
}

/// What failures have in common that are shown as one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Alike<'a> {
    endpoint: &'a str,
    persona: &'a str,
    outcome: &'a str,
    status: Option<u16>,
}

impl<'a> Alike<'a> {
    fn of(sample: &'a ErrorSample) -> Self {
        let ErrorSample { endpoint, persona, outcome, status, .. } = sample;
        Self { endpoint, persona, outcome, status: *status }
    }
}
