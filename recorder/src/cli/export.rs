//! `recorder export`.

use std::path::PathBuf;

use common::exit::Exit;
use common::target::Typed;

use super::bar::Watched;
use super::files::new_trace;
use super::output::print;
use crate::Error;
use crate::edit::export;
use crate::proxy::UpstreamUrl;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// HAR 1.2, without secrets
    #[command(after_help = "\
Example:
  recorder export har app.trace.jsonl.zst --out app.har \\
    --origin http://127.0.0.1:8080")]
    Har(Args),
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The trace
    #[arg(value_name = "FILE")]
    trace: PathBuf,

    /// The HAR
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// What URLs begin with; the trace has only paths
    #[arg(long, value_name = "URL", default_value = "http://localhost")]
    origin: Typed<UpstreamUrl>,

    /// Replace a file that is there already
    #[arg(long)]
    force: bool,
}

impl Command {
    pub(super) fn run(self) -> Result<Exit, Error> {
        let Self::Har(args) = self;
        let origin = args.origin.value("--origin")?.to_string();
        new_trace(&args.out, args.force)?;
        let watched = Watched::new([&*args.trace], 1);
        let count = export::har(&args.trace, &args.out, &origin)?;
        drop(watched);
        print(&format!("{}: {count} entries", args.out.display()))?;
        Ok(Exit::Good)
    }
}
