//! The command line.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, Parser, Subcommand};
use common::exit::Exit;
use common::say::{print, print_json};

use crate::error::Error;
use crate::fill::{Config, fill};

/// Fills the load test report, with charts, from what was measured.
#[derive(Debug, Parser)]
#[command(name = "reporter", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fill the report from scenarios and run directories
    Fill(Fill),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Writes the report, the same figures as JSON beside it, and the charts.
A scenario without a run stays pending, with the command that runs it.

Examples:
  reporter fill --runs runs
  reporter fill --template templates/vigilia/load-test-report.md.j2 \\
    --scenarios fixtures/scenarios --runs .local/runs --out load-test-report.md

Exit codes: 0 filled; 10 a scenario missed what is expected of it, or its run had another
load; 12 a run is not valid; 13 a run is incomplete; pending scenarios, single shards and
the quick profile change nothing.")]
struct Fill {
    /// Template of the report; without it the one for any system, which is built in
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Folder of the scenario files: the newest run of each; without it every run there is
    #[arg(long, value_name = "DIR")]
    scenarios: Option<PathBuf>,
    /// Folder that holds a run directory for each run; with scenarios it may be empty or missing
    #[arg(long, value_name = "DIR")]
    runs: PathBuf,
    /// Manifest to check the runs against
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Known faults of the system, to name them where failures show them
    #[arg(long, value_name = "FILE")]
    traps: Option<PathBuf>,
    /// The report; its JSON gets the same name with the ending .json
    #[arg(long, value_name = "FILE", default_value = "load-test-report.md")]
    out: PathBuf,
    /// Folder of the charts; without it, OUT's name with -charts
    #[arg(long, value_name = "DIR")]
    charts: Option<PathBuf>,
    /// Date of the report; without it that of the newest run
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<NaiveDate>,
    /// Print the result and the paths as JSON
    #[arg(long)]
    json: bool,
}

impl Cli {
    /// Does what was asked for; data go to stdout, all else to stderr.
    ///
    /// # Errors
    /// When input is damaged or output cannot be written.
    pub fn run(self) -> Result<Exit, Error> {
        let Command::Fill(args) = self.command;
        let json = args.json;
        let filled = fill(&args.resolve())?;
        if json { print_json(&(filled.to_json() + "\n")) } else { print(&format!("{filled}\n")) }
            .map_err(Error::Stdout)?;
        for reason in &filled.unused_runs {
            common::say!("not used: {reason}");
        }
        Ok(filled.exit)
    }
}

impl Fill {
    fn resolve(self) -> Config {
        let stem = self.out.file_stem().unwrap_or(self.out.as_os_str()).to_owned();
        let charts = self.charts.unwrap_or_else(|| {
            let mut name = stem;
            name.push("-charts");
            self.out.with_file_name(name)
        });
        Config {
            template: self.template,
            scenarios: self.scenarios,
            runs: self.runs,
            manifest: self.manifest,
            traps: self.traps,
            json: self.out.with_extension("json"),
            out: self.out,
            charts,
            date: self.date,
        }
    }
}
