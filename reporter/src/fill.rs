//! Fills a report: everything is checked before the first run is read, and
//! nothing is written before all of it is ready.

use std::fmt;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use common::exit::Exit;
use manifest::Manifest;
use rewrites::Traps;
use serde::Serialize;

use crate::chart;
use crate::error::Error;
use crate::load;
use crate::render::Template;
use crate::report::{ChartRef, Inputs, Report};
use crate::write::{self, Document};

/// What to fill, from what.
pub struct Config {
    /// None for the template that is built in.
    pub template: Option<PathBuf>,
    /// None where each run stands for itself.
    pub scenarios: Option<PathBuf>,
    pub runs: PathBuf,
    pub manifest: Option<PathBuf>,
    /// Known faults of the system.
    pub traps: Option<PathBuf>,
    pub out: PathBuf,
    pub json: PathBuf,
    pub charts: PathBuf,
    /// None for the date of the newest run.
    pub date: Option<NaiveDate>,
}

/// What was written.
#[derive(Serialize)]
pub struct Filled {
    pub status: String,
    pub report: PathBuf,
    pub figures: PathBuf,
    pub charts: Vec<PathBuf>,
    pub scenarios: Vec<ScenarioOutcome>,
    pub next_steps: Vec<String>,
    pub unused_runs: Vec<String>,
    #[serde(skip)]
    pub exit: Exit,
}

/// What a scenario came to.
#[derive(Serialize)]
pub struct ScenarioOutcome {
    pub scenario: String,
    pub outcome: &'static str,
    pub reason: Option<String>,
    /// What has to be seen before any figure, such as that most requests failed.
    pub marks: Vec<String>,
}

/// Reads, judges, draws and writes.
///
/// # Errors
/// When input is damaged or output cannot be written; then nothing is replaced.
pub fn fill(config: &Config) -> Result<Filled, Error> {
    let template = Template::load(config.template.as_deref())?;
    let manifest = config.manifest.as_deref().map(Manifest::read).transpose()?;
    let traps = config.traps.as_deref().map(Traps::read).transpose()?.unwrap_or_default();
    let out = Document::create(&config.out)?;
    let json = Document::create(&config.json)?;
    let loaded = load::load(config.scenarios.as_deref(), &config.runs)?;

    let inputs = Inputs {
        runs: &config.runs.display().to_string(),
        manifest: manifest.as_ref().map(|manifest| &manifest.header),
        date: config.date,
        traps,
    };
    let mut report = Report::new(&loaded, &inputs);
    let mut charts = Vec::new();
    for (entry, scenario) in loaded.entries.iter().zip(&mut report.scenarios) {
        let Some(run) = &mut scenario.run else { continue };
        for chart in chart::draw(entry)? {
            let path = config.charts.join(&chart.file);
            run.charts.push(ChartRef { title: chart.title, file: link(&config.out, &path) });
            charts.push((path, chart.svg));
        }
    }
    let text = template.render(&report)?;

    if !charts.is_empty() {
        write::folder(&config.charts)?;
    }
    for (path, svg) in &charts {
        Document::create(path)?.finish(svg)?;
    }
    json.finish(&report.to_json())?;
    out.finish(&text)?;
    Ok(Filled {
        status: report.status,
        report: config.out.clone(),
        figures: config.json.clone(),
        charts: charts.into_iter().map(|(path, _)| path).collect(),
        scenarios: report
            .scenarios
            .into_iter()
            .map(|of| ScenarioOutcome {
                scenario: of.title,
                outcome: of.outcome,
                reason: of.reason,
                marks: of.marks,
            })
            .collect(),
        next_steps: report.findings.next_steps,
        unused_runs: report.unused_runs,
        exit: report.exit,
    })
}

/// A chart's path as seen from the report.
fn link(report: &Path, chart: &Path) -> String {
    let folder = report.parent().unwrap_or(Path::new(""));
    let near = chart.strip_prefix(folder).unwrap_or(chart);
    near.display().to_string().replace(' ', "%20")
}

impl Filled {
    /// One JSON document.
    pub fn to_json(&self) -> String {
        // Strings, lists and paths that were typed as text: nothing that JSON lacks.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

impl fmt::Display for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "status  {}", self.status)?;
        for result in &self.scenarios {
            write!(f, "        {}: {}", result.scenario, result.outcome)?;
            match &result.reason {
                Some(reason) => writeln!(f, " ({reason})")?,
                None => writeln!(f)?,
            }
            for mark in &result.marks {
                writeln!(f, "        ! {mark}")?;
            }
        }
        writeln!(f, "report  {}", self.report.display())?;
        write!(f, "figures {}", self.figures.display())?;
        if let Some(folder) = self.charts.first().and_then(|chart| chart.parent()) {
            write!(f, "\ncharts  {} ({} files)", folder.display(), self.charts.len())?;
        }
        for step in &self.next_steps {
            write!(f, "\nnext    {step}")?;
        }
        Ok(())
    }
}
