//! Reading a manifest, with distrust.

use std::collections::BTreeSet;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use common::input;
use common::output::OutputError;
use serde::Deserialize;

use super::format::{FORMAT, Header, Manifest, VERSION};

/// More accounts than a load test has fit in: the shipped plan's manifest at scale 1000 does.
pub const MAX_BYTES: u64 = 128 << 20;

#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("cannot read manifest {}; make it with: seeder apply --manifest {}", path.display(), path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("manifest {} is larger than {MAX_BYTES} bytes", path.display())]
    TooLarge { path: PathBuf },
    #[error("{} is not a manifest; make one with: seeder apply --manifest {}", path.display(), path.display())]
    Parse { path: PathBuf, source: serde_json::Error },
    #[error("{} is not a manifest but a {found:?}", path.display())]
    OtherFormat { path: PathBuf, found: String },
    #[error(
        "manifest {} has version {found}, newer than {VERSION}, which this tool reads; use the version of the tools that wrote it",
        path.display()
    )]
    TooNew { path: PathBuf, found: u32 },
    #[error(
        "manifest {} has version {found}, older than {VERSION}, which this tool reads; make it anew with: seeder apply",
        path.display()
    )]
    TooOld { path: PathBuf, found: u32 },
    #[error("{} is no manifest and is not replaced; name another file with --manifest", path.display())]
    Foreign { path: PathBuf },
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("manifest {} has two accounts named {name:?}", path.display())]
    SameName { path: PathBuf, name: String },
}

/// What every version has, so that another one is told as such.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

impl Header {
    /// Reads everything but the accounts, however many there are, in little memory.
    ///
    /// # Errors
    /// When it cannot be read, is damaged or of another version.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let open = |source| ManifestError::Read { path: path.into(), source };
        let parse = |source| ManifestError::Parse { path: path.into(), source };
        let file = || -> Result<_, ManifestError> {
            Ok(BufReader::new(input::open(path).map_err(open)?.take(MAX_BYTES)))
        };
        let head: Head = serde_json::from_reader(file()?).map_err(parse)?;
        head.check(path)?;
        serde_json::from_reader(file()?).map_err(parse)
    }
}

impl Head {
    fn check(self, path: &Path) -> Result<(), ManifestError> {
        let path = path.to_owned();
        match self {
            Self { format, .. } if format != FORMAT => {
                Err(ManifestError::OtherFormat { path, found: format })
            }
            Self { version, .. } if version > VERSION => {
                Err(ManifestError::TooNew { path, found: version })
            }
            Self { version, .. } if version < VERSION => {
                Err(ManifestError::TooOld { path, found: version })
            }
            Self { .. } => Ok(()),
        }
    }
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// When it cannot be read, is damaged or of another version, or has two
    /// accounts of one name.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        Self::read_capped(path, MAX_BYTES)
    }

    /// Not as a text first, so that what is no manifest ends where that shows.
    fn read_capped(path: &Path, cap: u64) -> Result<Self, ManifestError> {
        let read = |source| ManifestError::Read { path: path.into(), source };
        let parse = |source| ManifestError::Parse { path: path.into(), source };
        let file = input::open(path).map_err(read)?;
        // Of a pipe nobody knows the length: it ends at the cap, as if it were cut off.
        if file.metadata().map_err(read)?.len() > cap {
            return Err(ManifestError::TooLarge { path: path.into() });
        }
        let parsed = serde_json::from_reader(BufReader::new(file.take(cap)));
        let manifest: Self = parsed.map_err(|source| {
            // Of another version it may be, rather than damaged.
            let file = input::open(path).map(|file| BufReader::new(file.take(cap)));
            let head = file.ok().and_then(|file| serde_json::from_reader::<_, Head>(file).ok());
            match head.map(|head| head.check(path)) {
                Some(Err(other)) => other,
                _ => parse(source),
            }
        })?;
        let Header { format, version, .. } = &manifest.header;
        Head { format: format.clone(), version: *version }.check(path)?;
        let mut names = BTreeSet::new();
        for account in &manifest.accounts {
            if !names.insert(&account.name) {
                let name = account.name.clone();
                return Err(ManifestError::SameName { path: path.into(), name });
            }
        }
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Manifest, ManifestError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest.json");
        std::fs::write(&path, text).unwrap();
        Manifest::read(&path)
    }

    const GOOD: &str = include_str!("../tests/golden/manifest-1.json");

    /// A file that an earlier build wrote.
    #[test]
    fn version_1_is_read() {
        let manifest = read(GOOD).unwrap();
        assert_eq!(manifest.header.tables[0].rows, 2);
        assert_eq!(manifest.accounts[0].fields["email"], "dispatcher1@test.eriop.example");
    }

    /// Of a later minor, which has more fields everywhere.
    #[test]
    fn fields_of_a_later_minor_are_passed_over() {
        let field = r#""colour": {"red": [1]},"#;
        let newer = GOOD
            .replacen("\"version\": 1,", &format!("\"version\": 1, \"minor\": 3, {field}"), 1)
            .replacen("\"table\":", &format!("{field} \"table\":"), 1)
            .replace("{\"persona\":", &format!("{{{field} \"persona\":"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest.json");
        std::fs::write(&path, &newer).unwrap();
        let expected = read(GOOD).unwrap();
        let read = Manifest::read(&path).unwrap();
        assert_eq!(read.header, Header { minor: 3, ..expected.header });
        assert_eq!(read.accounts, expected.accounts);
        assert_eq!(Header::read(&path).unwrap(), read.header);
        let mut accounts = Vec::new();
        crate::each_account(&path, |account| accounts.push(account)).unwrap();
        assert_eq!(accounts, expected.accounts);
    }

    #[test]
    fn what_is_wrong_is_told_in_one_line_with_the_remedy() {
        let twice = GOOD.replace("dispatcher2", "dispatcher1");
        for (text, expected) in [
            (GOOD.replace("\"version\": 1", "\"version\": 2"), "version 2, newer than 1"),
            (GOOD.replace("\"version\": 1", "\"version\": 0"), "version 0, older than 1"),
            (GOOD.replace("seeder-manifest", "replay-run"), "not a manifest but a \"replay-run\""),
            (GOOD[..GOOD.len() / 2].to_owned(), "is not a manifest"),
            (GOOD.replace("\"seed\"", "\"sede\""), "missing field `seed`"),
            (twice, "two accounts named \"dispatcher1\""),
            (String::new(), "is not a manifest"),
        ] {
            let error = common::exit::one_line("seeder", &read(&text).unwrap_err());
            assert!(error.contains(expected) && error.contains("manifest.json"), "{error}");
            assert!(!error.contains("TestPass"), "{error}");
        }
    }

    #[test]
    fn a_file_over_the_cap_is_refused_before_it_is_parsed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest.json");
        std::fs::write(&path, GOOD).unwrap();
        assert!(matches!(Manifest::read_capped(&path, 10), Err(ManifestError::TooLarge { .. })));
    }
}
