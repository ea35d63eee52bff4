//! `recorder audit`.

use std::fmt::Write as _;
use std::path::PathBuf;

use common::exit::Exit;
use serde::Serialize;

use super::output::{print, print_json};
use crate::Error;
use crate::correlate::Rules;
use crate::edit::audit::{Audit, Left, Why, audit};

/// Places that are shown of a file; `--json` has more.
const SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  recorder audit app.trace.jsonl.zst
  recorder audit app.trace.jsonl.zst.part runs/day/errors.jsonl --strict
  recorder audit *.jsonl --json | jq '.[].left[]'

Traces, journals and any other text are read. No value is shown, only where it stands: by the
rules in force today it is a secret, or it looks drawn at random and neither like an id nor like
a hash. The latter is often harmless; name it with --rules if it is not.")]
pub(super) struct Args {
    /// Traces, journals, files of a run directory
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// What is secret beside the defaults, and what is not, in TOML
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,

    /// Exit 1 where anything was left that looks like a secret
    #[arg(long)]
    strict: bool,

    /// Print as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Audited {
    file: PathBuf,
    #[serde(flatten)]
    audit: Audit,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Error> {
        let rules = self.rules.as_deref().map(Rules::read).transpose()?.unwrap_or_default();
        let audited = |file: PathBuf| match audit(&file, rules.names()) {
            Ok(audit) => Ok(Audited { file, audit }),
            Err(source) => Err(Error::Unreadable { path: file, source }),
        };
        let all = self.files.into_iter().map(audited).collect::<Result<Vec<_>, _>>()?;
        if self.json {
            print_json(&all)?;
        } else {
            print(all.iter().map(Audited::text).collect::<String>().trim_end())?;
        }
        let left = all.iter().map(|audited| audited.audit.left_count).sum();
        if self.strict && left > 0 {
            Err(Error::LooksSecret { count: left })
        } else {
            Ok(Exit::Good)
        }
    }
}

impl Audited {
    fn text(&self) -> String {
        let Self { file, audit } = self;
        let mut text = format!("{}: {} lines\n", file.display(), audit.lines);
        for (what, endpoints) in &audit.taken {
            for (endpoint, count) in endpoints {
                let of = if endpoint.is_empty() { "" } else { " of " };
                let _ = writeln!(text, "  taken for secret: {what}{of}{endpoint}, {count}×");
            }
        }
        for left in audit.left.iter().take(SHOWN) {
            let of = left.request.as_ref().map_or(String::new(), |id| format!(" of request {id}"));
            let why = match left.why {
                Why::Rules => "are secret by the rules in force today",
                Why::Drawn => "look drawn at random",
            };
            let Left { line, place, length, .. } = left;
            let _ = writeln!(text, "  left: line {line}: {place}{of}: {length} characters {why}");
        }
        let more = audit.left_count.saturating_sub(SHOWN as u64);
        if more > 0 {
            let _ = writeln!(text, "  left: {more} more");
        }
        text
    }
}
