//! A report filled in a folder of its own.

use std::path::{Path, PathBuf};

use common::exit::Exit;
use reporter::error::Error;
use reporter::fill::{Config, Filled, Sources, fill};
use serde_json::Value;
use tempfile::TempDir;

/// The repository's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A folder for runs and a report.
pub(crate) struct Folder {
    pub(crate) dir: TempDir,
    pub(crate) config: Config,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = Config {
            template: Some(root().join("templates/vigilia/load-test-report.md.j2")),
            sources: Sources {
                scenarios: Some(root().join("reporter/tests/golden/scenarios")),
                runs: dir.path().join("runs"),
                ..Sources::default()
            },
            out: dir.path().join("report.md"),
            charts: dir.path().join("report-charts"),
            ..Config::default()
        };
        Self { dir, config }
    }

    pub(crate) fn runs(&self) -> &Path {
        &self.config.sources.runs
    }

    pub(crate) fn fill(&self) -> Filled {
        fill(&self.config).unwrap()
    }

    /// The error, as it is shown.
    pub(crate) fn fail(&self) -> (String, Error) {
        let Err(error) = fill(&self.config) else { panic!("it was filled") };
        (common::exit::one_line("reporter", &error), error)
    }

    /// Why the one run that cannot be used cannot.
    pub(crate) fn unusable(&self) -> String {
        let filled = self.fill();
        assert_eq!(filled.exit, Exit::Incomplete);
        let [line] = &filled.unusable_runs[..] else { panic!("{:?}", filled.unusable_runs) };
        line.clone()
    }

    pub(crate) fn page(&self) -> String {
        std::fs::read_to_string(self.config.out.with_extension("html")).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(&self.config.out).unwrap()
    }

    pub(crate) fn figures(&self) -> Value {
        let json = self.config.out.with_extension("json");
        serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap()
    }

    /// The lines of the report that contain all of these.
    pub(crate) fn lines(&self, parts: &[&str]) -> Vec<String> {
        let text = self.text();
        let lines = text.lines().filter(|line| parts.iter().all(|part| line.contains(part)));
        lines.map(str::to_owned).collect()
    }
}
