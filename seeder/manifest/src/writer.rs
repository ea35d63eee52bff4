//! Writing a manifest: accounts are streamed, and the file appears whole.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::NamedTempFile;

use super::format::{Account, Header};

/// A manifest being written to a temporary file beside its destination.
///
/// Dropped before [`SealedManifest::publish`], it leaves an earlier manifest as it was.
#[derive(Debug)]
pub struct ManifestWriter {
    /// Mode 0600, as the file will be: it holds passwords.
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
    accounts: u64,
}

/// A manifest that is complete and on disk, but not yet at its destination.
#[derive(Debug)]
#[must_use = "a manifest that is not published is deleted"]
pub struct SealedManifest {
    file: NamedTempFile,
    path: PathBuf,
    accounts: u64,
}

impl ManifestWriter {
    /// Begins a manifest, so that an unwritable destination is known
    /// before any work is done. Makes the folder if it is missing.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(folder)?;
        let file = tempfile::Builder::new().prefix(".manifest-").tempfile_in(folder)?;
        Ok(Self { file: BufWriter::new(file), path: path.to_owned(), accounts: 0 })
    }

    /// Writes everything but the accounts; comes first, and once.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn header(&mut self, header: &Header) -> std::io::Result<()> {
        let text = serde_json::to_string_pretty(header)?;
        // Left open for the list of accounts.
        let open = text.trim_end().trim_end_matches('}').trim_end();
        write!(self.file, "{open},\n  \"accounts\": [")
    }

    /// Adds an account.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn account(&mut self, account: &Account) -> std::io::Result<()> {
        let separator = if self.accounts == 0 { "\n    " } else { ",\n    " };
        self.file.write_all(separator.as_bytes())?;
        account.serialize(&mut serde_json::Serializer::new(&mut self.file))?;
        self.accounts += 1;
        Ok(())
    }

    /// Ends the document and hands it to the disk.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn seal(mut self) -> std::io::Result<SealedManifest> {
        self.file.write_all(b"\n  ]\n}\n")?;
        let file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        Ok(SealedManifest { file, path: self.path, accounts: self.accounts })
    }
}

impl SealedManifest {
    /// Moves it to its destination in one step; returns the number of accounts.
    ///
    /// # Errors
    /// When the folder has gone or its rights have changed.
    pub fn publish(self) -> std::io::Result<u64> {
        self.file.persist(&self.path)?;
        Ok(self.accounts)
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
        assert_eq!(writer.seal().unwrap().publish().unwrap(), accounts.len() as u64);
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
        let sealed = writer.seal().unwrap();
        drop(sealed);
        assert_eq!(Manifest::read(&path).unwrap().header.plan.name, "old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
    }
}
