//! Fills a report: everything is checked before the first run is read, and
//! nothing is written before all of it is ready.

use std::fmt;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use common::exit::Exit;
use manifest::Manifest;
use rewrites::Traps;
use serde::Serialize;

use crate::chart::{self, Chart};
use crate::error::Error;
use crate::junit;
use crate::load::{self, Loaded};
use crate::markers::Marked;
use crate::page::{self, Drawn};
use crate::render::{self, Rendered, Template};
use crate::report::{ChartRef, Inputs, Report};
use crate::write::{self, Document};

/// What a report is made from.
#[derive(Clone, Default)]
pub struct Sources {
    /// None where each run stands for itself.
    pub scenarios: Option<PathBuf>,
    pub runs: PathBuf,
    pub manifest: Option<PathBuf>,
    /// Known faults of the system.
    pub traps: Option<PathBuf>,
    /// None for the date of the newest run.
    pub date: Option<NaiveDate>,
}

/// What to fill, from what.
#[derive(Clone, Default)]
pub struct Config {
    /// None for the template that is built in.
    pub template: Option<PathBuf>,
    pub sources: Sources,
    /// The report as Markdown; its page and its figures stand beside it.
    pub out: PathBuf,
    pub charts: PathBuf,
    /// Markdown files by hand that have places for parts of the report.
    pub into: Vec<PathBuf>,
    /// The result as JUnit has it.
    pub junit: Option<PathBuf>,
    /// A file that the verdict and the targets are appended to.
    pub step_summary: Option<PathBuf>,
}

/// What was written.
#[derive(Serialize)]
pub struct Filled {
    pub status: String,
    pub report: PathBuf,
    pub page: PathBuf,
    pub figures: PathBuf,
    pub charts: Vec<PathBuf>,
    /// Files by hand whose places were filled.
    pub into: Vec<PathBuf>,
    pub scenarios: Vec<ScenarioOutcome>,
    pub next_steps: Vec<String>,
    pub unused_runs: Vec<String>,
    pub unusable_runs: Vec<String>,
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

/// The parts of the report that a step's summary has.
const IN_SUMMARY: [&str; 3] = ["verdict", "summary", "targets"];

/// Reads, judges, draws and writes.
///
/// # Errors
/// When input is damaged or output cannot be written; then nothing is replaced.
pub fn fill(config: &Config) -> Result<Filled, Error> {
    let (page, figures) = beside(&config.out)?;
    let template = Template::load(config.template.as_deref())?;
    let marked: Vec<Marked> =
        config.into.iter().map(|path| Marked::read(path)).collect::<Result<_, _>>()?;
    write::folder_of(&config.out)?;
    let out = Document::create(&config.out)?;
    let mut others = vec![Document::create(&page)?, Document::create(&figures)?];
    for path in config.into.iter().chain(&config.junit) {
        others.push(Document::create(path)?);
    }
    let (loaded, mut report) = assemble(&config.sources)?;
    for of in &marked {
        of.check(&report)?;
    }
    let charts = draw(&loaded, &config.charts)?;

    let mut texts = Vec::new();
    report.link(&charts, &config.out);
    let mut rendered = template.render(&report)?;
    let text = rendered.text().to_owned();
    let summary = match &config.step_summary {
        Some(path) => Some((path, summary(&mut rendered)?)),
        None => None,
    };
    texts.push(page::page(&text, &drawn(&report, &charts))?);
    texts.push(report.to_json());
    for of in &marked {
        report.link(&charts, &of.path);
        texts.push(of.filled(&template, &report)?);
    }
    if config.junit.is_some() {
        texts.push(junit::document(&report, &loaded)?);
    }

    if !charts.is_empty() {
        write::folder(&config.charts)?;
    }
    for drawn in &charts {
        Document::create(&drawn.path)?.finish(&drawn.chart.svg)?;
    }
    for (document, text) in others.into_iter().zip(&texts) {
        document.finish(text)?;
    }
    if let Some((path, text)) = summary {
        write::append(path, &text)?;
    }
    out.finish(&text)?;
    Ok(Filled {
        status: report.status,
        report: config.out.clone(),
        page,
        figures,
        charts: charts.into_iter().map(|drawn| drawn.path).collect(),
        into: config.into.clone(),
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
        unusable_runs: report.unusable_runs,
        exit: report.exit,
    })
}

/// What a template may use, the charts' links as a report in this folder has them.
///
/// # Errors
/// When input is damaged.
pub fn context(sources: &Sources) -> Result<minijinja::Value, Error> {
    let (loaded, mut report) = assemble(sources)?;
    let charts = draw(&loaded, Path::new("charts"))?;
    report.link(&charts, Path::new("report.md"));
    Ok(render::context(&report))
}

/// Reads and judges, and assembles the report without its charts.
fn assemble(sources: &Sources) -> Result<(Loaded, Report), Error> {
    let manifest = sources.manifest.as_deref().map(Manifest::read).transpose()?;
    let traps = sources.traps.as_deref().map(Traps::read).transpose()?.unwrap_or_default();
    let loaded = load::load(sources.scenarios.as_deref(), &sources.runs)?;
    let inputs = Inputs {
        runs: &sources.runs.display().to_string(),
        manifest: manifest.as_ref().map(|manifest| &manifest.header),
        date: sources.date,
        traps,
    };
    let report = Report::new(&loaded, &inputs);
    Ok((loaded, report))
}

/// The page and the figures beside a report.
fn beside(out: &Path) -> Result<(PathBuf, PathBuf), Error> {
    let (page, figures) = (out.with_extension("html"), out.with_extension("json"));
    if *out == page || *out == figures {
        return Err(Error::Out { path: out.to_owned() });
    }
    Ok((page, figures))
}

/// A chart with the scenario that it is of, and where it is written.
struct Placed {
    scenario: usize,
    path: PathBuf,
    chart: Chart,
}

fn draw(loaded: &Loaded, folder: &Path) -> Result<Vec<Placed>, Error> {
    let mut charts = Vec::new();
    for (scenario, entry) in loaded.entries.iter().enumerate() {
        for chart in chart::draw(entry)? {
            charts.push(Placed { scenario, path: folder.join(&chart.file), chart });
        }
    }
    Ok(charts)
}

impl Report {
    /// Sets the links to charts as a file has them that stands there.
    fn link(&mut self, charts: &[Placed], from: &Path) {
        for (index, scenario) in self.scenarios.iter_mut().enumerate() {
            let Some(run) = &mut scenario.run else { continue };
            let mine = charts.iter().filter(|of| of.scenario == index);
            let link = |of: &Placed| ChartRef {
                name: of.chart.name,
                title: of.chart.title.clone(),
                file: relative(from, &of.path),
            };
            run.charts = mine.map(link).collect();
        }
    }
}

/// The charts as the page finds them by the links of its Markdown.
fn drawn<'a>(report: &'a Report, charts: &'a [Placed]) -> Vec<Drawn<'a>> {
    let linked = report.scenarios.iter().flat_map(|of| {
        of.run.iter().flat_map(move |run| run.charts.iter().map(|chart| (of.name.as_str(), chart)))
    });
    linked
        .zip(charts)
        .map(|((group, of), placed)| Drawn {
            link: crate::markdown::link(&of.file),
            group,
            chart: &placed.chart,
        })
        .collect()
}

fn summary(rendered: &mut Rendered<'_>) -> Result<String, Error> {
    let parts = IN_SUMMARY.map(|block| rendered.block(block));
    let parts = parts.into_iter().collect::<Result<Vec<_>, _>>()?;
    let parts: Vec<&str> = parts.iter().map(|part| part.trim()).collect();
    Ok(parts.join("\n\n") + "\n")
}

/// A chart's path as seen from a file.
fn relative(from: &Path, chart: &Path) -> String {
    let absolute = |path: &Path| std::path::absolute(path).ok();
    let folder = absolute(from).and_then(|path| Some(path.parent()?.to_owned()));
    let near =
        folder.zip(absolute(chart)).and_then(|(folder, path)| pathdiff::diff_paths(path, folder));
    near.unwrap_or_else(|| chart.to_owned()).display().to_string()
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
        writeln!(f, "page    {}", self.page.display())?;
        write!(f, "figures {}", self.figures.display())?;
        if let Some(folder) = self.charts.first().and_then(|chart| chart.parent()) {
            write!(f, "\ncharts  {} ({} files)", folder.display(), self.charts.len())?;
        }
        for path in &self.into {
            write!(f, "\ninto    {}", path.display())?;
        }
        for step in &self.next_steps {
            write!(f, "\nnext    {step}")?;
        }
        Ok(())
    }
}
