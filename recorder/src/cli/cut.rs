//! `recorder cut`.

use std::path::PathBuf;

use common::exit::Exit;

use super::bar::Watched;
use super::files::new_trace;
use super::output::print;
use crate::Error;
use crate::edit::cut::{Counts, Selection, cut};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  recorder cut day.trace.jsonl.zst --from 2h --to 2h10m \\
    --out rush.trace.jsonl.zst
  recorder cut app.trace.jsonl.zst --method GET --path /api/v1/alerts \\
    --out alerts.trace.jsonl.zst

What is kept may need the answers of earlier requests, such as a login. Those
are kept too, as a prologue at most 5 s ahead; with --drop-unbound what needs
them is left out instead.")]
pub(super) struct Args {
    /// The trace
    #[arg(value_name = "FILE")]
    trace: PathBuf,

    /// The new trace; compressed if it ends in .zst
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Keep what was sent from this time of the recording on, such as 90s or 1h30m
    #[arg(long, value_name = "TIME", default_value = "0s")]
    from: humantime::Duration,

    /// Keep what was sent before this time of the recording
    #[arg(long, value_name = "TIME")]
    to: Option<humantime::Duration>,

    /// Keep this persona's requests; may be given more than once, as those below
    #[arg(long, value_name = "NAME")]
    persona: Vec<String>,

    /// Keep this session's
    #[arg(long, value_name = "NAME")]
    session: Vec<String>,

    /// Keep those whose path begins like this
    #[arg(long, value_name = "PATH")]
    path: Vec<String>,

    /// Keep those of this method
    #[arg(long, value_name = "METHOD")]
    method: Vec<String>,

    /// Leave out what needs a request that is not kept
    #[arg(long)]
    drop_unbound: bool,

    /// Replace a trace that is there already
    #[arg(long)]
    force: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Error> {
        new_trace(&self.out, self.force)?;
        let us = |time: humantime::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let selection = Selection {
            from_us: us(self.from),
            to_us: self.to.map(us),
            personas: self.persona,
            sessions: self.session,
            paths: self.path,
            methods: self.method,
        };
        let times = if self.drop_unbound { 2 } else { 3 };
        let watched = Watched::new([&*self.trace], times);
        let (end, counts) = cut(&self.trace, &self.out, &selection, self.drop_unbound)?;
        drop(watched);
        let Counts { kept, needed, unbound } = counts;
        print(&format!(
            "{}: {} requests of {} sessions\n{kept} selected, {needed} that they need; {unbound} left out because what they need is\n{}",
            self.out.display(),
            end.requests,
            end.sessions,
            end.digest
        ))?;
        Ok(Exit::Good)
    }
}
