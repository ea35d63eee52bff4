//! Writing a manifest: accounts are streamed, and the file appears whole.
//!
//! A manifest belongs to the transaction that inserted its rows. It is on the disk as *pending*
//! before that is committed, under a name that says which transaction it was, and gets its own
//! name after. What a killed seeder left pending can so be completed or dropped: the database
//! knows what became of the transaction.

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use common::output::{self, Output, OutputError, folder};
use serde::Serialize;

use super::format::{Account, Header};
use super::reader::ManifestError;

/// A manifest being written to a temporary file beside its destination.
///
/// Dropped before [`ManifestWriter::seal`], it leaves an earlier manifest as it was.
#[derive(Debug)]
pub struct ManifestWriter {
    /// Mode 0600, as the file will be: it holds passwords.
    file: BufWriter<Output>,
    path: PathBuf,
    accounts: u64,
}

/// A manifest that is complete and on disk as pending, but not yet at its destination.
#[derive(Debug)]
#[must_use = "a manifest that is not published stays pending"]
pub struct SealedManifest {
    pending: Pending,
    accounts: u64,
}

/// Refuses to replace what is there and no manifest. One of another version may be replaced, as
/// it is told to be made anew, and so may a file with nothing in it.
fn check_place(path: &Path) -> Result<(), ManifestError> {
    output::check(path, true)?;
    if std::fs::metadata(path).is_ok_and(|found| found.len() > 0)
        && let Err(ManifestError::OtherFormat { .. } | ManifestError::Parse { .. }) =
            Header::read(path)
    {
        return Err(ManifestError::Foreign { path: path.to_owned() });
    }
    Ok(())
}

impl ManifestWriter {
    /// Begins a manifest, so that an unwritable destination is known
    /// before any work is done. Makes the folder if it is missing.
    ///
    /// # Errors
    /// When the folder cannot be written, or something else than a manifest is there.
    pub fn create(path: &Path) -> Result<Self, ManifestError> {
        check_place(path)?;
        std::fs::create_dir_all(folder(path))
            .map_err(|source| OutputError::Io { path: path.to_owned(), source })?;
        let file = BufWriter::new(Output::create(path)?);
        Ok(Self { file, path: path.to_owned(), accounts: 0 })
    }

    /// Writes everything but the accounts; comes first, and once.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn header(&mut self, header: &Header) -> Result<(), OutputError> {
        let written = serde_json::to_string_pretty(header).map_err(io::Error::from);
        let written = written.and_then(|text| {
            // Left open for the list of accounts.
            let open = text.trim_end().trim_end_matches('}').trim_end();
            write!(self.file, "{open},\n  \"accounts\": [")
        });
        written.map_err(|source| self.failed(source))
    }

    /// Adds an account.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn account(&mut self, account: &Account) -> Result<(), OutputError> {
        let separator = if self.accounts == 0 { "\n    " } else { ",\n    " };
        let written = self.file.write_all(separator.as_bytes()).and_then(|()| {
            Ok(account.serialize(&mut serde_json::Serializer::new(&mut self.file))?)
        });
        self.accounts += 1;
        written.map_err(|source| self.failed(source))
    }

    /// Ends the document and hands it to the disk, as pending until the transaction of this
    /// number is committed.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn seal(self, transaction: &str) -> Result<SealedManifest, OutputError> {
        let Self { file, path, accounts } = self;
        let output = end(file, &path)?;
        let place = Pending::path_of(&path, transaction);
        output.publish_at(&place)?;
        let transaction = transaction.to_owned();
        Ok(SealedManifest { pending: Pending { place, path, transaction }, accounts })
    }

    /// Ends a document that belongs to no transaction; returns the number of accounts.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn finish(self) -> Result<u64, OutputError> {
        let Self { file, path, accounts } = self;
        end(file, &path)?.publish()?;
        Ok(accounts)
    }

    fn failed(&self, source: io::Error) -> OutputError {
        OutputError::Io { path: self.path.clone(), source }
    }
}

/// Closes the list of accounts and the document.
fn end(mut file: BufWriter<Output>, path: &Path) -> Result<Output, OutputError> {
    let failed = |source| OutputError::Io { path: path.to_owned(), source };
    file.write_all(b"\n  ]\n}\n").map_err(failed)?;
    file.into_inner().map_err(|error| failed(error.into_error()))
}

impl SealedManifest {
    /// Moves it to its destination in one step; returns the number of accounts.
    ///
    /// # Errors
    /// When the folder has gone or its rights have changed.
    pub fn publish(self) -> Result<u64, OutputError> {
        self.pending.complete()?;
        Ok(self.accounts)
    }
}

/// A manifest of a transaction of which its seeder did not say what became of it.
#[derive(Debug)]
pub struct Pending {
    place: PathBuf,
    path: PathBuf,
    /// Number of the transaction, as the database has it.
    pub transaction: String,
}

impl Pending {
    const INFIX: &str = ".pending-";

    /// Those that belong to the manifest at `path`.
    pub fn of(path: &Path) -> Vec<Self> {
        let (Some(name), Ok(entries)) = (path.file_name(), std::fs::read_dir(folder(path))) else {
            return Vec::new();
        };
        let prefix = format!("{}{}", name.to_string_lossy(), Self::INFIX);
        let pending = entries.flatten().filter_map(|entry| {
            let transaction = entry.file_name().to_str()?.strip_prefix(&prefix)?.to_owned();
            let is_number = transaction.parse::<u64>().is_ok();
            (is_number && entry.file_type().is_ok_and(|kind| kind.is_file())).then(|| Self {
                place: entry.path(),
                path: path.to_owned(),
                transaction,
            })
        });
        let mut pending: Vec<Self> = pending.collect();
        // A later transaction's manifest replaces an earlier one's.
        pending.sort_by_key(|pending| pending.transaction.parse().unwrap_or(u64::MAX));
        pending
    }

    fn path_of(path: &Path, transaction: &str) -> PathBuf {
        let mut name: OsString = path.into();
        name.push(format!("{}{transaction}", Self::INFIX));
        name.into()
    }

    /// What it says, accounts aside.
    ///
    /// # Errors
    /// As [`Header::read`].
    pub fn header(&self) -> Result<Header, ManifestError> {
        Header::read(&self.place)
    }

    /// Makes it the manifest.
    ///
    /// # Errors
    /// When the folder has gone or its rights have changed.
    pub fn complete(self) -> Result<(), OutputError> {
        output::check(&self.path, true)?;
        match std::fs::rename(&self.place, &self.path) {
            // Another seeder saw it pending and was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.path.exists() => Ok(()),
            done => done.map_err(|source| OutputError::Io { path: self.path, source }),
        }
    }

    /// Removes it.
    ///
    /// # Errors
    /// When the folder's rights have changed.
    pub fn discard(self) -> Result<(), OutputError> {
        std::fs::remove_file(&self.place)
            .map_err(|source| OutputError::Io { path: self.place, source })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::super::format::*;
    use super::*;

    fn header(name: &str, seed: u64, rows: u64) -> Header {
        Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            minor: MINOR,
            tool: "seeder 0.1.0".to_owned(),
            plan: PlanRef { name: name.to_owned(), digest: "sha256:00".to_owned() },
            source: Some(PlanSource { epoch: "2026".to_owned(), text: name.to_owned() }),
            seed,
            scale: 1,
            database: DatabaseId {
                system_identifier: "7".to_owned(),
                name: name.to_owned(),
                server_version: "15".to_owned(),
            },
            by_triggers: vec!["history".to_owned()],
            since: Some("2026-01-01T00:00:00.000000Z".to_owned()),
            bcrypt_costs: vec![4],
            tables: vec![TableRows {
                table: name.to_owned(),
                rows,
                digest: "sha256:01".to_owned(),
                filled_by_database: vec![],
            }],
            digest: "sha256:02".to_owned(),
        }
    }

    fn write(path: &Path, header: &Header, accounts: &[Account]) {
        let mut writer = ManifestWriter::create(path).unwrap();
        writer.header(header).unwrap();
        for account in accounts {
            writer.account(account).unwrap();
        }
        assert_eq!(writer.seal("7").unwrap().publish().unwrap(), accounts.len() as u64);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            name in ".*", seed: u64, rows: u64,
            fields in prop::collection::vec((".*", ".*"), 0..4)
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("new/manifest.json");
            let header = header(&name, seed, rows);
            let accounts: Vec<_> = fields.into_iter().enumerate().map(|(n, (persona, value))| {
                Account {
                    persona,
                    name: format!("{n}"),
                    fields: BTreeMap::from([("password".to_owned(), value)]),
                }
            }).collect();
            write(&path, &header, &accounts);
            let read = Manifest::read(&path).unwrap();
            prop_assert_eq!(read, Manifest { header, accounts });
        }
    }

    #[test]
    fn only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest.json");
        write(&path, &header("x", 1, 1), &[]);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn the_old_file_stays_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest.json");
        write(&path, &header("old", 1, 1), &[]);
        let mut writer = ManifestWriter::create(&path).unwrap();
        writer.header(&header("new", 1, 1)).unwrap();
        let sealed = writer.seal("7").unwrap();
        drop(sealed);
        assert_eq!(Manifest::read(&path).unwrap().header.plan.name, "old");
        // As a seeder leaves it that is killed here.
        let [pending] = &Pending::of(&path)[..] else { panic!("it is pending") };
        assert_eq!(
            (&*pending.transaction, pending.header().unwrap().plan.name),
            ("7", "new".to_owned())
        );
        Pending::of(&path).remove(0).complete().unwrap();
        assert_eq!(Manifest::read(&path).unwrap().header.plan.name, "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
    }

    #[test]
    fn only_a_manifest_is_replaced_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest.json");
        std::fs::write(&path, "").unwrap();
        write(&path, &header("x", 1, 1), &[]);
        write(&path, &header("x", 1, 1), &[]);
        std::fs::write(&path, "dear diary").unwrap();
        let refused = ManifestWriter::create(&path).unwrap_err().to_string();
        assert!(refused.contains("is no manifest and is not replaced"), "{refused}");
        assert!(ManifestWriter::create(Path::new("/dev/null")).is_err());
    }
}
