//! A scenario file, read and checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::audit::{self, Audit};
use super::check::{self, Check};
use super::expectation::Expectation;
use super::load::{self, Load, Pacing, Profile};
use super::observed::Observed;

/// A scenario file, checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its place in the report, from 1.
    pub number: u32,
    pub name: String,
    pub title: String,
    pub objective: String,
    pub expect: Vec<Expectation>,
    /// Statuses that count as success, by endpoint name, where they are not
    /// those below 400.
    pub statuses: BTreeMap<String, Vec<u16>>,
    /// What an answer must be beside its status.
    pub checks: Vec<Check>,
    /// Whose answers are held against the target's database after the run.
    pub audit: Option<Audit>,
    /// What is looked at beside the target, in both profiles, with what is named elsewhere.
    pub observe: Vec<Observed>,
    /// What is replayed, and the accounts that it is replayed with, where no other are given.
    /// These paths and the next are from the scenario's folder, unless they are absolute.
    pub trace: Option<PathBuf>,
    pub manifest: Option<PathBuf>,
    /// A file of what is sent in the place of what was recorded.
    pub rewrites: Option<PathBuf>,
    /// Whether a suite puts the data back before it.
    pub put_back: bool,
    pub full: Load,
    pub quick: Load,
    /// `sha256:…` of the file's bytes.
    pub digest: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    #[error("cannot read scenario {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("scenario {}: {message}", path.display())]
    Parse { path: PathBuf, message: String },
    #[error("no scenario (*.toml) in {}", path.display())]
    Empty { path: PathBuf },
    #[error("scenarios {} and {} both have number {number}", first.display(), second.display())]
    SameNumber { number: u32, first: PathBuf, second: PathBuf },
}

/// The file as it is typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    number: u32,
    name: String,
    title: String,
    objective: String,
    #[serde(default)]
    expect: Vec<Expectation>,
    #[serde(default)]
    statuses: BTreeMap<String, Vec<u16>>,
    #[serde(default)]
    check: Vec<check::Typed>,
    audit: Option<audit::Typed>,
    #[serde(default)]
    observe: Vec<String>,
    trace: Option<PathBuf>,
    manifest: Option<PathBuf>,
    rewrites: Option<PathBuf>,
    #[serde(default = "yes")]
    put_back: bool,
    load: load::Typed,
    #[serde(default)]
    quick: load::Typed,
}

fn yes() -> bool {
    true
}

impl Scenario {
    /// Reads and checks a scenario file.
    ///
    /// # Errors
    /// With file, line and what would be right, when it cannot be read, has an
    /// unknown key or unit, or asks for two loads at once.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text = common::input::text(path)
            .map_err(|source| ScenarioError::Read { path: path.to_owned(), source })?;
        let mut scenario = Self::parse(&text)
            .map_err(|message| ScenarioError::Parse { path: path.to_owned(), message })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for path in [&mut scenario.trace, &mut scenario.manifest, &mut scenario.rewrites] {
            *path = path.take().map(|path| folder.join(path));
        }
        Ok(scenario)
    }

    /// Reads these files, and all `*.toml` of those that are folders; by number, each with its
    /// file.
    ///
    /// # Errors
    /// As [`Scenario::read`], and when a folder has none or two share a number.
    pub fn read_all(paths: &[impl AsRef<Path>]) -> Result<Vec<(PathBuf, Self)>, ScenarioError> {
        let mut files = Vec::new();
        for path in paths.iter().map(AsRef::as_ref) {
            if path.is_dir() { files.extend(in_folder(path)?) } else { files.push(path.to_owned()) }
        }
        let mut found = files
            .into_iter()
            .map(|path| Self::read(&path).map(|scenario| (path, scenario)))
            .collect::<Result<Vec<_>, _>>()?;
        found.sort_by_key(|(_, scenario)| scenario.number);
        for pair in found.windows(2) {
            if pair[0].1.number == pair[1].1.number {
                return Err(ScenarioError::SameNumber {
                    number: pair[0].1.number,
                    first: pair[0].0.clone(),
                    second: pair[1].0.clone(),
                });
            }
        }
        Ok(found)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let typed: Typed = toml::from_str(text).map_err(|error| on_one_line(text, &error))?;
        let full = typed.load.clone().resolve().map_err(|error| format!("[load]: {error}"))?;
        let quick =
            typed.quick.or(typed.load).resolve().map_err(|error| format!("[quick]: {error}"))?;
        is_of_load("expect", &full, &typed.expect)?;
        is_of_load("[load]: stop_on", &full, &full.stop_on)?;
        is_of_load("[quick]: stop_on", &quick, &quick.stop_on)?;
        is_known_in_time("[load]: stop_on", &full)?;
        is_known_in_time("[quick]: stop_on", &quick)?;
        Ok(Self {
            number: typed.number,
            name: typed.name,
            title: typed.title,
            objective: typed.objective,
            expect: typed.expect,
            statuses: typed.statuses,
            checks: check::resolve(typed.check)?,
            audit: typed.audit.map(audit::Typed::resolve).transpose()?,
            observe: Observed::all(&typed.observe)?,
            trace: typed.trace,
            manifest: typed.manifest,
            rewrites: typed.rewrites,
            put_back: typed.put_back,
            full,
            quick,
            digest: common::digest::of(text.as_bytes()),
        })
    }

    /// The load of a profile.
    pub fn load(&self, profile: Profile) -> &Load {
        match profile {
            Profile::Full => &self.full,
            Profile::Quick => &self.quick,
        }
    }
}

/// The `*.toml` of a folder.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, ScenarioError> {
    let read = |source| ScenarioError::Read { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(ScenarioError::Empty { path: folder.to_owned() });
    }
    Ok(files)
}

/// Makes sure that nothing asks how much of a load was held that is not planned: by closed pacing
/// nothing is due.
fn is_of_load<'a>(
    place: &str,
    load: &Load,
    expectations: impl IntoIterator<Item = &'a Expectation>,
) -> Result<(), String> {
    let mut of_load = expectations.into_iter().filter(|of| of.metric.needs_schedule());
    match of_load.next() {
        Some(of_load) if load.pacing == Pacing::Closed => Err(format!(
            "{place} {:?}: by closed pacing nothing is due, so that no load is held and no time is since due",
            of_load.to_string()
        )),
        _ => Ok(()),
    }
}

/// Makes sure that nothing is to end a run that is known only after it.
fn is_known_in_time(place: &str, load: &Load) -> Result<(), String> {
    match load.stop_on.as_ref().filter(|condition| condition.metric.is_of_audit()) {
        Some(condition) => Err(format!(
            "{place} {:?}: it is known after the run alone, by the audit",
            condition.to_string()
        )),
        None => Ok(()),
    }
}

/// `line 3: unknown field …`, without the picture that the toml crate draws.
fn on_one_line(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().replace('\n', " ");
    match error.span() {
        Some(span) => {
            let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
            format!("line {line}: {message}")
        }
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::axis::Axis;
    use super::*;

    const BASELINE: &str = r#"
        number = 1
        name = "baseline"
        title = "Baseline load"
        objective = "Normal operation."
        expect = ["p95 < 100ms", "failures < 0.1%"]
        [load]
        pacing = "closed"
        users = 1000
        spawn_rate = "50/s"
        duration = "5m"
        [quick]
        users = 100
        duration = "15s"
    "#;

    #[test]
    fn quick_overrides_what_it_names_and_keeps_the_rest() {
        let scenario = Scenario::parse(BASELINE).unwrap();
        assert_eq!(scenario.quick.axis, Axis::Users(100));
        assert_eq!(scenario.quick.duration, Some(Duration::from_secs(15)));
        assert_eq!(scenario.quick.pacing, Pacing::Closed);
        assert_eq!(scenario.full.axis, Axis::Users(1000));
    }

    #[test]
    fn errors_name_the_line_and_what_would_be_right() {
        for (from, to, expected) in [
            ("users = 1000", "userz = 1000", "line 9: unknown field `userz`"),
            ("\"5m\"", "\"5 parsecs\"", "line 11:"),
            ("p95 < 100ms", "p95 < 100", "line 6:"),
            ("users = 1000", "users = 1000\nclones = 2", "[load]: more than one of"),
            ("users = 1000", "users = 0", "line 9:"),
            (
                "users = 1000",
                "users = 1000\norder = \"none\"",
                "[load]: order = \"none\" needs pacing",
            ),
            ("users = 1000", "users = 1000\nrecovery = \"60s\"", "[load]: recovery needs stages"),
            (
                "users = 1000",
                "stages = \"start 1, +1 every 5s, to 9\"\nrecovery = \"5s\"",
                "[load]: recovery is under 6s",
            ),
            (
                "users = 1000",
                "users = 1000\nstop_not_before = \"5s\"",
                "[load]: stop_not_before needs stop_on",
            ),
            (
                "users = 1000",
                "users = 1000\nstop_on = \"phase ramp: p95 > 1s\"",
                "[load]: stop_on is taken over the last ten seconds",
            ),
            ("users = 1000", "users = 1000\norder = \"any\"", "line 10: unknown variant `any`"),
            (
                "users = 1000",
                "users = 1000\nstop_on = \"lost > 0\"",
                "[load]: stop_on \"lost > 0\": it is known after the run alone",
            ),
            ("[load]", "[audit]\nendpoint = \"POST /a\"\n[load]", "missing field"),
            (
                "number = 1",
                "number = 1\nobserve = [\"redis=redis://u:secret@127.0.0.1\"]",
                "observe, entry 1: it holds a password",
            ),
            (
                "[load]",
                "[audit]\nendpoint = \"a\"\ntable = \"t\"\ncolumn = \"c\"\n[load]",
                "[audit]: expected one of mark and payload",
            ),
            ("p95 < 100ms", "load_held >= 98 %", "expect \"load_held >= 98 %\": by closed pacing"),
            (
                "duration = \"15s\"",
                "duration = \"15s\"\nstop_on = \"load_held < 50%\"",
                "[quick]: stop_on \"load_held < 50%\": by closed pacing",
            ),
        ] {
            let error = Scenario::parse(&BASELINE.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
