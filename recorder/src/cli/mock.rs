//! `recorder mock`.

use std::net::SocketAddr;
use std::path::PathBuf;

use common::exit::Exit;
use common::target::Typed;
use common_net::signals::Shutdown;
use rewrites::Route;

use super::output::print;
use crate::Error;
use crate::mock::{Config, serve};
use crate::proxy::UpstreamUrl;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  recorder mock --trace vigilia.trace.jsonl.zst --routes 'POST /alerts/ingest' \\
    --upstream http://127.0.0.1:8000 --listen 127.0.0.1:8082

Requests of the routes are read and answered in turn as the recording has it: status, time, and
the body where it was kept (recorder proxy --keep-bodies), else one that has what later requests
take from it. All else is passed on, and answers come from the upstream alone.")]
pub(super) struct Args {
    /// The recording that answers
    #[arg(long, value_name = "FILE")]
    trace: PathBuf,

    /// What it answers, such as 'POST /alerts/ingest' or 'GET /alerts/{id}'; can be given more than
    /// once. A path is known by its end
    #[arg(long, value_name = "ROUTE", required = true)]
    routes: Vec<Route>,

    /// Who answers all else
    #[arg(long, value_name = "URL")]
    upstream: Typed<UpstreamUrl>,

    /// Where clients connect to; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// A host beside loopback that may be the upstream; can be given more than once
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
}

impl Args {
    pub(super) async fn run(self, listen: impl FnOnce() -> Shutdown) -> Result<Exit, Error> {
        let upstream = self.upstream.value("--upstream")?;
        let routes: Vec<String> = self.routes.iter().map(Route::to_string).collect();
        let config = Config {
            trace: self.trace,
            routes: self.routes,
            upstream,
            allowed_hosts: self.allow_host,
            listen: self.listen,
        };
        let served = serve(config, listen(), |address| {
            common::say!("listening on http://{address}, answering {}", routes.join(", "));
        });
        let served = served.await?;
        print(&format!(
            "{} answered as recorded, {} passed on",
            served.answered, served.passed_on
        ))?;
        Ok(Exit::Good)
    }
}
