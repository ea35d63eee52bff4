//! `replayer probe`.

use std::time::Duration;

use clap::Args as ClapArgs;
use common::exit::Exit;
use common::say::{print, print_json};
use common_net::runtime;
use tokio::runtime::Builder;

use super::input::{Choices, Input, prepare_all};
use crate::engine::FidelityMode;
use crate::error::Error;
use crate::probe::{Probed, probe};
use scenario::{Load, Pacing};

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    // Whatever stands before a request in its session is waited for, as a probe sends it.
    let load = Load { pacing: Pacing::Closed, ..Load::as_recorded() };
    let choices = Choices {
        load,
        scenario: None,
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(60),
        grace: Duration::from_secs(10),
        fidelity: FidelityMode::Status,
        max_queue: 1000,
        login_rate: 20.0,
    };
    let ready = prepare_all(&args.input, &choices)?;
    let runtime = runtime::build(Builder::new_current_thread()).map_err(Error::Runtime)?;
    let probed = runtime.block_on(tokio::task::LocalSet::new().run_until(probe(
        &ready.plan,
        &ready.settings,
        &ready.http,
    )))?;
    show_probed(&probed);
    let Probed { sent, failed, samples } = &probed;
    if args.json {
        let json = serde_json::json!({ "sent": sent, "failed": failed, "failures": samples });
        print_json(&format!("{json}\n"))
    } else {
        print(&format!("{sent} requests sent, {failed} failed\n"))
    }
    .map_err(Error::stdout)?;
    Ok(if probed.failed == 0 { Exit::Good } else { Exit::Threshold })
}

pub(super) fn show_probed(probed: &Probed) {
    for sample in &probed.samples {
        let answer = match (sample.status, &sample.body) {
            (Some(status), Some(body)) => format!("{status} {body}"),
            (Some(status), None) => status.to_string(),
            (None, _) => sample.outcome.clone(),
        };
        common::say!("replayer: probe: {} of {}: {answer}", sample.endpoint, sample.persona);
    }
}
