//! The command line.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, Parser, Subcommand};
use common::exit::Exit;
use common::say::{print, print_json};

use crate::error::Error;
use crate::fill::{Config, Sources, context, fill};

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
    /// Print as JSON what a template may use
    Context(Context),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Writes the report as Markdown, the same as a page (.html) and its figures as JSON beside it,
and the charts. A scenario without a run stays pending, with the command that runs it; a run
that cannot be used is named, and stops nothing.

Examples:
  reporter fill --runs runs
  reporter fill --template templates/vigilia/load-test-report.md.j2 \\
    --scenarios fixtures/scenarios --runs .local/runs --out load-test-report.md
  reporter fill --runs runs --into README.md   # <!-- report:summary --> … <!-- /report -->
  reporter fill --runs runs --junit results.xml --step-summary \"$GITHUB_STEP_SUMMARY\"

Exit codes: 0 filled; 10 a scenario missed what is expected of it, or its run had another
load; 12 a run is not valid; 13 a run is incomplete or cannot be used; pending scenarios,
single shards and the quick profile change nothing.")]
struct Fill {
    /// Template of the report; without it the one for any system, which is built in
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    #[command(flatten)]
    from: From,
    /// The report; its page and its figures get the same name with the endings .html and .json
    #[arg(long, value_name = "FILE", default_value = "load-test-report.md")]
    out: PathBuf,
    /// Folder of the charts; without it, OUT's name with -charts
    #[arg(long, value_name = "DIR")]
    charts: Option<PathBuf>,
    /// A Markdown file by hand, to fill what stands between its markers; may be repeated
    #[arg(long, value_name = "FILE")]
    into: Vec<PathBuf>,
    /// Write the result as JUnit XML: a suite a scenario, a case an expectation
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Append verdict and targets to this file, as CI shows them of a step
    #[arg(long, value_name = "FILE")]
    step_summary: Option<PathBuf>,
    /// Print the result and the paths as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Each figure is the string that the report shows; its raw value is in the report's JSON.
reporter/CONTEXT.md says what each name means.

Example:
  reporter context --runs runs")]
struct Context {
    #[command(flatten)]
    from: From,
}

#[derive(Debug, Args)]
struct From {
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
    /// Date of the report; without it that of the newest run
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<NaiveDate>,
}

impl Cli {
    /// Does what was asked for; data go to stdout, all else to stderr.
    ///
    /// # Errors
    /// When input is damaged or output cannot be written.
    pub fn run(self) -> Result<Exit, Error> {
        match self.command {
            Command::Fill(args) => args.run(),
            Command::Context(args) => args.run(),
        }
    }
}

impl Fill {
    fn run(self) -> Result<Exit, Error> {
        let json = self.json;
        let filled = fill(&self.resolve())?;
        if json { print_json(&(filled.to_json() + "\n")) } else { print(&format!("{filled}\n")) }
            .map_err(Error::Stdout)?;
        for reason in &filled.unused_runs {
            common::say!("not used: {reason}");
        }
        for reason in &filled.unusable_runs {
            common::say!("reporter: cannot be used: {reason}");
        }
        Ok(filled.exit)
    }

    fn resolve(self) -> Config {
        let stem = self.out.file_stem().unwrap_or(self.out.as_os_str()).to_owned();
        let charts = self.charts.unwrap_or_else(|| {
            let mut name = stem;
            name.push("-charts");
            self.out.with_file_name(name)
        });
        Config {
            template: self.template,
            sources: self.from.resolve(),
            out: self.out,
            charts,
            into: self.into,
            junit: self.junit,
            step_summary: self.step_summary,
        }
    }
}

impl Context {
    fn run(self) -> Result<Exit, Error> {
        let context = context(&self.from.resolve())?;
        // Strings, numbers and lists: nothing that JSON lacks.
        let text = serde_json::to_string_pretty(&context).unwrap_or_default();
        print_json(&(text + "\n")).map_err(Error::Stdout)?;
        Ok(Exit::Good)
    }
}

impl From {
    fn resolve(self) -> Sources {
        Sources {
            scenarios: self.scenarios,
            runs: self.runs,
            manifest: self.manifest,
            traps: self.traps,
            date: self.date,
        }
    }
}
