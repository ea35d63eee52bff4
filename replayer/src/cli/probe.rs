//! `replayer probe`.

use std::time::Duration;

use clap::Args as ClapArgs;
use common::exit::Exit;
use common::say::{print, print_json};
use common::secret::Secret;
use common_net::runtime;
use tokio::runtime::Builder;

use super::input::{Choices, Input, prepare_all};
use super::preflight::observed;
use crate::engine::FidelityMode;
use crate::error::Error;
use crate::preflight::{Extent, Preflight, preflight};
use scenario::Load;

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    /// Send all of the session, what writes and what registers among it
    #[arg(long)]
    full: bool,
    /// The database behind the target, to compare it with the manifest
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<Secret>,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    let choices = Choices {
        load: Load::as_recorded(),
        scenario: None,
        database: args.database_url.clone(),
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
    let extent = if args.full { Extent::Full } else { Extent::Safe };
    let database = observed(choices.database.as_ref(), &args.input.allow_host);
    let found = runtime.block_on(preflight(ready.subject(extent, None, database)));
    let Preflight { rows, sent, failed, failures, not_tried, .. } = &found;
    if args.json {
        let json = serde_json::json!({
            "sent": sent, "failed": failed, "failures": failures, "not_tried": not_tried,
            "checks": rows,
        });
        print_json(&format!("{json}\n"))
    } else {
        print(&format!("{}{sent} requests sent, {failed} failed\n", found.text(false)))
    }
    .map_err(Error::stdout)?;
    match found {
        Preflight { stopped_by: Some(error), .. } => Err(error.into()),
        Preflight { failed: 0, is_limited: false, .. } => Ok(Exit::Good),
        _ => Ok(Exit::Threshold),
    }
}
