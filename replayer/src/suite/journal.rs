//! `suite.json`: what a suite is of, and how far it came.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use common::output::{Output, OutputError};
use serde::{Deserialize, Serialize};

use super::figures::RunFigures;
use run_log::format::Profile;

pub const FILE: &str = "suite.json";
const FORMAT: &str = "replayer-suite";
const VERSION: u32 = 1;

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    format: String,
    version: u32,
    /// Name and version of the writer, such as `replayer 0.1.0`.
    pub tool: String,
    pub started: DateTime<Utc>,
    /// None while it goes on, and where it was cut off.
    pub ended: Option<DateTime<Utc>>,
    pub of: Subject,
    /// In their order.
    pub scenarios: Vec<Entry>,
}

/// What a suite is of: another one is not gone on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    pub target: String,
    pub profile: Profile,
    pub seed: u64,
    /// Digests of the scenarios' files, by name.
    pub scenarios: BTreeMap<String, String>,
    /// Digests of their traces, by name.
    pub traces: BTreeMap<String, String>,
}

/// A scenario, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Also of its run directory.
    pub name: String,
    pub state: State,
    /// Of its run, or of what kept it from being run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<u8>,
    /// What kept it from being run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What has to be known of how it was run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<RunFigures>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Waiting,
    /// Under way, or cut off.
    Begun,
    Done,
}

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is no journal of a suite: {message}; name another folder", path.display())]
    Damaged { path: PathBuf, message: String },
    #[error("the suite in {} came to its end; --force replaces it", dir.display())]
    Ended { dir: PathBuf },
    #[error("the suite in {} was cut off and is another one: {what}; --force replaces it", dir.display())]
    Other { dir: PathBuf, what: String },
    #[error(transparent)]
    Write(#[from] OutputError),
}

impl Journal {
    pub fn new(of: Subject, names: impl IntoIterator<Item = String>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            tool: concat!("replayer ", env!("CARGO_PKG_VERSION")).to_owned(),
            started: Utc::now(),
            ended: None,
            of,
            scenarios: names.into_iter().map(Entry::waiting).collect(),
        }
    }

    /// The suite in the folder that is to be gone on with, if there is one of this subject that
    /// was cut off.
    ///
    /// # Errors
    /// When there is another one, or one that ended, and it is not to be replaced.
    pub fn cut_off(dir: &Path, of: &Subject, force: bool) -> Result<Option<Self>, JournalError> {
        let path = dir.join(FILE);
        let text = match common::input::text(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|source| JournalError::Read { path: path.clone(), source })?,
        };
        let found = match Self::parse(&text) {
            Ok(found) => found,
            Err(_) if force => return Ok(None),
            Err(message) => return Err(JournalError::Damaged { path, message }),
        };
        let dir = dir.to_owned();
        match (found.ended, found.of.other_than(of)) {
            (None, None) => Ok(Some(found)),
            _ if force => Ok(None),
            (Some(_), _) => Err(JournalError::Ended { dir }),
            (None, Some(what)) => Err(JournalError::Other { dir, what }),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let found: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if found.format != FORMAT || found.version != VERSION {
            return Err(format!("its format is {:?}, version {}", found.format, found.version));
        }
        let names: Vec<&String> = found.scenarios.iter().map(|entry| &entry.name).collect();
        if names.iter().any(|name| !found.of.scenarios.contains_key(*name)) {
            return Err("it lists a scenario that it is not of".to_owned());
        }
        Ok(found)
    }

    /// Writes it anew: the disk has the old one or this one, and nothing between.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn write(&self, dir: &Path) -> Result<(), JournalError> {
        Ok(write_json(&dir.join(FILE), self)?)
    }
}

/// Writes a journal, replacing what is there: the disk has the old file or this one, and nothing
/// between.
///
/// # Errors
/// When the disk refuses it.
pub fn write_json(path: &Path, journal: &impl Serialize) -> Result<(), OutputError> {
    let mut out = Output::create(path)?;
    let failed = |source| OutputError::Io { path: path.to_owned(), source };
    let text = serde_json::to_string_pretty(journal).map_err(|error| failed(error.into()))?;
    writeln!(out, "{text}").map_err(failed)?;
    out.publish()
}

impl Entry {
    pub fn waiting(name: String) -> Self {
        let state = State::Waiting;
        Self { name, state, exit: None, error: None, notes: Vec::new(), figures: None }
    }

    pub fn begun(name: String) -> Self {
        Self { state: State::Begun, ..Self::waiting(name) }
    }
}

impl Subject {
    /// What of this one is not as in the other, in words.
    fn other_than(&self, other: &Self) -> Option<String> {
        let parts = [
            ("the target", self.target == other.target),
            ("the profile", self.profile == other.profile),
            ("the seed", self.seed == other.seed),
            ("a scenario", self.scenarios == other.scenarios),
            ("the trace", self.traces == other.traces),
        ];
        let others: Vec<&str> =
            parts.iter().filter(|(_, same)| !same).map(|(what, _)| *what).collect();
        (!others.is_empty()).then(|| format!("{} differs", others.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        let one = |digest: &str| BTreeMap::from([("01-a".to_owned(), digest.to_owned())]);
        Subject {
            target: "http://127.0.0.1:1".to_owned(),
            profile: Profile::Full,
            seed: 1,
            scenarios: one("sha256:1"),
            traces: one("sha256:2"),
        }
    }

    #[test]
    fn a_suite_that_was_cut_off_is_gone_on_with_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        assert_eq!(Journal::cut_off(dir, &subject(), false).unwrap(), None);
        let mut journal = Journal::new(subject(), ["01-a".to_owned()]);
        journal.write(dir).unwrap();
        assert_eq!(Journal::cut_off(dir, &subject(), false).unwrap(), Some(journal.clone()));
        assert_eq!(Journal::cut_off(dir, &subject(), true).unwrap(), Some(journal.clone()));
        let other = Subject { seed: 2, target: "http://127.0.0.1:2".to_owned(), ..subject() };
        let error = Journal::cut_off(dir, &other, false).unwrap_err().to_string();
        assert!(error.contains("another one: the target, the seed differs"), "{error}");
        assert_eq!(Journal::cut_off(dir, &other, true).unwrap(), None);
        journal.ended = Some(Utc::now());
        journal.write(dir).unwrap();
        let error = Journal::cut_off(dir, &subject(), false).unwrap_err().to_string();
        assert!(error.contains("came to its end; --force"), "{error}");
        assert_eq!(Journal::cut_off(dir, &subject(), true).unwrap(), None);
    }

    #[test]
    fn what_is_no_journal_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let mut journal = Journal::new(subject(), ["02-b".to_owned()]);
        journal.write(folder.path()).unwrap();
        let strange = std::fs::read_to_string(&path).unwrap();
        journal.version = 9;
        journal.write(folder.path()).unwrap();
        let newer = std::fs::read_to_string(&path).unwrap();
        for (text, expected) in
            [("", "EOF"), ("[1]", "expected"), (&*newer, "version 9"), (&*strange, "is not of")]
        {
            std::fs::write(&path, text).unwrap();
            let error = Journal::cut_off(folder.path(), &subject(), false).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains(FILE), "{error}");
            assert_eq!(Journal::cut_off(folder.path(), &subject(), true).unwrap(), None);
        }
    }
}
