//! `recorder diff`.

use std::path::PathBuf;

use common::exit::Exit;
use common::shown;
use serde::Serialize;

use super::bar::Watched;
use super::output::{print, print_json};
use crate::Error;
use crate::edit::diff::{Difference, LikelySource, Rule, Varying, diff};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  recorder diff monday.trace.jsonl.zst tuesday.trace.jsonl.zst
  recorder diff a.trace.jsonl.zst b.trace.jsonl.zst --rules > rules.toml
  recorder diff a.trace.jsonl.zst b.trace.jsonl.zst --json | jq '.values[].rule'

Record both with --keep-bodies: answers then show where a value comes from.

Exit codes: 0 nothing varies that is neither bound nor fresh, 10 something does")]
pub(super) struct Args {
    /// A recording
    #[arg(value_name = "A")]
    one: PathBuf,

    /// Another one of the same client
    #[arg(value_name = "B")]
    other: PathBuf,

    /// Print the rules alone, as a rules file has them
    #[arg(long, conflicts_with = "json")]
    rules: bool,

    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// With the rules as they are pasted.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    difference: &'a Difference,
    rules: String,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Error> {
        let watched = Watched::new([&*self.one, &*self.other], 1);
        let found = diff(&self.one, &self.other)?;
        drop(watched);
        if self.json {
            print_json(&Shown { difference: &found, rules: found.rules() })?;
        } else if self.rules {
            print(found.rules().trim_end())?;
        } else {
            print(&text(&found))?;
        }
        Ok(if found.values.is_empty() { Exit::Good } else { Exit::Threshold })
    }
}

fn text(found: &Difference) -> String {
    let mut lines: Vec<String> = found.values.iter().map(described).collect();
    let [mine, theirs] = found.alone;
    lines.push(format!(
        "{} requests compared, {mine} of A and {theirs} of B have no counterpart; {} values vary \
         that are neither bound nor fresh",
        found.compared,
        found.values.len()
    ));
    let rules = found.rules();
    if !rules.is_empty() {
        lines.push(format!("\nFor the rules file:\n{}", rules.trim_end()));
    }
    lines.join("\n")
}

fn described(value: &Varying) -> String {
    let Varying { route, part, name, values, times, source, rule, .. } = value;
    let source = match source {
        LikelySource::Answer { route, pointer } => {
            format!("from the answer of {route} at {pointer}")
        }
        LikelySource::Client => "made by the client".to_owned(),
        LikelySource::Chosen => "one of several that both recordings have".to_owned(),
        LikelySource::Unknown => "from nowhere that the traces show".to_owned(),
    };
    let rule = match rule {
        Some(Rule::Fresh(name)) => format!("; fresh = [{name:?}]"),
        Some(Rule::Same(one, other)) => format!("; same = [[{one:?}, {other:?}]]"),
        None => String::new(),
    };
    let [one, other] = values.each_ref().map(|value| shown::line(value));
    format!(
        "{} {part} {}: {one:?} and {other:?}, {times} times\n  {source}{rule}",
        shown::line(route),
        shown::line(name)
    )
}
