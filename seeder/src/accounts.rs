//! `accounts import`: a manifest of logins that somebody has already, from a table of them.
//!
//! No database is asked and nothing is inserted: the manifest says who may log in, and no more.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use csv::{ReaderBuilder, StringRecord};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use common::{digest, input};
use manifest::format::{DatabaseId, FORMAT, Header, MINOR, PlanRef, SECRET_FIELDS, VERSION};
use manifest::{Account, MAX_BYTES, ManifestError, ManifestWriter};

/// Columns that may hold the accounts' names, the first that is there.
pub const NAME_COLUMNS: [&str; 4] = ["name", "username", "login", "email"];
/// The column that says whose accounts they are, where no option does.
pub const PERSONA_COLUMN: &str = "persona";

/// What to import.
#[derive(Debug)]
pub struct Config {
    pub table: PathBuf,
    /// None where a column says it.
    pub persona: Option<String>,
    /// The column with the names; none for the first of [`NAME_COLUMNS`].
    pub name: Option<String>,
    pub manifest: PathBuf,
}

/// What was imported.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Accounts of each persona.
    pub accounts: BTreeMap<String, u64>,
    /// What personas may name of an account.
    pub fields: Vec<String>,
    pub manifest: String,
    /// Whether others than its owner can read the table.
    pub open_to_others: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} line {line}: {message}", path.display())]
    At { path: PathBuf, line: u64, message: String },
    #[error(
        "manifest {} says what seeder apply inserted, which clean needs to know; name another file with --manifest",
        path.display()
    )]
    OfApply { path: PathBuf },
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// Writes the manifest of a CSV table's accounts, a line each, its columns by the names in the
/// first line.
///
/// Held are the table, of 16 MiB at most, and 16 bytes a name.
///
/// # Errors
/// With file and line, and without any value of the table.
pub fn import(config: &Config) -> Result<Summary, ImportError> {
    let Config { table: path, manifest, .. } = config;
    let read = |source| ImportError::Read { path: path.clone(), source };
    let mode = input::open(path).and_then(|file| file.metadata()).map_err(read)?;
    let mode = mode.permissions().mode();
    let table = Table { config, text: input::text(path).map_err(read)? };
    let Survey { header, fields, accounts } = table.survey()?;
    if let Ok(there) = Header::read(manifest)
        && !there.tables.is_empty()
    {
        return Err(ImportError::OfApply { path: manifest.clone() });
    }
    let mut writer = ManifestWriter::create(manifest)?;
    let failed = |error| ImportError::Manifest(ManifestError::Output(error));
    writer.header(&header).map_err(failed)?;
    table.each(|_, account| writer.account(account).map_err(failed))?;
    writer.finish().map_err(failed)?;
    Ok(Summary {
        accounts,
        fields,
        manifest: manifest.display().to_string(),
        open_to_others: mode & 0o077 != 0 && !path.starts_with("/dev"),
    })
}

/// What is known once all of it was read.
struct Survey {
    header: Header,
    fields: Vec<String>,
    /// How many each persona has.
    accounts: BTreeMap<String, u64>,
}

/// It holds passwords, hence no `Debug`.
struct Table<'a> {
    config: &'a Config,
    text: String,
}

impl Table<'_> {
    fn at(&self, line: u64, message: impl Into<String>) -> ImportError {
        ImportError::At { path: self.config.table.clone(), line, message: message.into() }
    }

    /// Calls `each` with every account and its line; returns which columns there are.
    fn each(
        &self,
        mut each: impl FnMut(u64, &Account) -> Result<(), ImportError>,
    ) -> Result<Columns, ImportError> {
        // Text was UTF-8 when it was read: nothing is left to go wrong, whose words could quote it.
        let text = self.text.as_bytes();
        let mut reader =
            ReaderBuilder::new().delimiter(delimiter(text)).flexible(true).from_reader(text);
        let unreadable = |error: csv::Error| {
            self.at(error.position().map_or(1, csv::Position::line), "it is no CSV")
        };
        let first = reader.headers().map_err(unreadable)?.clone();
        let columns = Columns::of(self.config, &first).map_err(|message| self.at(1, message))?;
        let mut record = StringRecord::new();
        while reader.read_record(&mut record).map_err(unreadable)? {
            let line = record.position().map_or(1, csv::Position::line);
            let account = columns.account(self.config, &record);
            each(line, &account.map_err(|message| self.at(line, message))?)?;
        }
        Ok(columns)
    }

    /// Digests go into traces and reports, where a weak password could be guessed by them: they
    /// say who there is and what is known of each, not what the fields hold.
    fn survey(&self) -> Result<Survey, ImportError> {
        let (mut who, mut bytes) = (Sha256::new(), 0);
        let (mut names, mut accounts) = (HashSet::new(), BTreeMap::new());
        let columns = self.each(|line, account| {
            let Account { persona, name, .. } = account;
            for part in [persona, name] {
                who.update((part.len() as u64).to_le_bytes());
                who.update(part.as_bytes());
            }
            let mut short = [0; 16];
            short.copy_from_slice(&Sha256::digest(name.as_bytes())[..16]);
            if !names.insert(short) {
                return Err(self.at(line, "its account is called as that of an earlier line is"));
            }
            bytes += serde_json::to_vec(account).map_or(0, |json| json.len() as u64 + 8);
            if bytes > MAX_BYTES {
                let most = MAX_BYTES >> 20;
                let message = format!("the manifest of so many would be over {most} MiB");
                return Err(self.at(line, message));
            }
            match accounts.get_mut(persona) {
                Some(count) => *count += 1,
                None => drop(accounts.insert(persona.clone(), 1)),
            }
            Ok(())
        })?;
        if accounts.is_empty() {
            return Err(self.at(1, "it has no line of an account"));
        }
        let fields = columns.fields();
        who.update(fields.join("\t").as_bytes());
        let digest = digest::text(&who.finalize());
        let path = &self.config.table;
        let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let header = Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            minor: MINOR,
            tool: concat!("seeder ", env!("CARGO_PKG_VERSION")).to_owned(),
            plan: PlanRef { name: format!("accounts of {file}"), digest: digest.clone() },
            source: None,
            seed: 0,
            scale: 1,
            database: DatabaseId::unknown(),
            since: None,
            by_triggers: Vec::new(),
            bcrypt_costs: Vec::new(),
            tables: Vec::new(),
            digest,
        };
        Ok(Survey { header, fields, accounts })
    }
}

/// Which columns have a part to play.
struct Columns {
    names: Vec<String>,
    persona: Option<usize>,
    name: usize,
}

impl Columns {
    /// What personas may name.
    fn fields(&self) -> Vec<String> {
        let names = self.names.iter().enumerate();
        let names = names.filter(|(place, _)| Some(*place) != self.persona);
        names.map(|(_, name)| name.clone()).collect()
    }

    fn of(config: &Config, first: &StringRecord) -> Result<Self, String> {
        let names: Vec<String> = first.iter().map(|name| name.trim().to_owned()).collect();
        let is_name = |name: &String| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if names.is_empty() {
            return Err("it is empty; the first line names the columns".to_owned());
        }
        if let Some(place) = names.iter().position(|name| !is_name(name)) {
            // A table without names begins with an account, which is not shown.
            let number = place + 1;
            return Err(format!(
                "the first line names the columns, by letters, digits and _ alone, such as email,password; column {number} is named otherwise"
            ));
        }
        let distinct: BTreeSet<&String> = names.iter().collect();
        if distinct.len() < names.len() {
            return Err("two columns have one name".to_owned());
        }
        let place = |wanted: &str| names.iter().position(|name| name == wanted);
        let persona = match (place(PERSONA_COLUMN), &config.persona) {
            (Some(_), Some(_)) => {
                return Err(format!(
                    "a column {PERSONA_COLUMN} says whose accounts they are; leave --persona out"
                ));
            }
            (None, None) => {
                return Err(format!(
                    "nothing says whose accounts they are; add --persona NAME, or a column {PERSONA_COLUMN}"
                ));
            }
            (column, _) => column,
        };
        let name = match &config.name {
            Some(wanted) => place(wanted).ok_or_else(|| {
                let hint = common::nearest::hint(wanted, names.iter().map(String::as_str));
                format!("there is no column {wanted}{hint}")
            })?,
            None => NAME_COLUMNS.iter().find_map(|known| place(known)).ok_or_else(|| {
                let known = NAME_COLUMNS.join(", ");
                format!("no column is called {known}; say which has the names with --name COLUMN")
            })?,
        };
        Ok(Self { names, persona, name })
    }

    fn account(&self, config: &Config, record: &StringRecord) -> Result<Account, String> {
        if record.len() != self.names.len() {
            let (found, wanted) = (record.len(), self.names.len());
            return Err(format!("{found} fields where the first line names {wanted}"));
        }
        let value = |place: usize| {
            let value = record.get(place).unwrap_or_default();
            match value {
                "" => Err(format!("its {} is empty", self.names[place])),
                value if value.contains('\0') => {
                    Err(format!("its {} holds a NUL character", self.names[place]))
                }
                value => Ok(value.to_owned()),
            }
        };
        let mut fields = BTreeMap::new();
        for (place, name) in self.names.iter().enumerate() {
            let is_needed = SECRET_FIELDS.contains(&name.as_str()) || place == self.name;
            let is_empty = record.get(place).is_none_or(str::is_empty);
            // What an account has not is not there.
            if Some(place) != self.persona && (is_needed || !is_empty) {
                fields.insert(name.clone(), value(place)?);
            }
        }
        let persona = match (self.persona, &config.persona) {
            (Some(place), _) => value(place)?,
            (None, persona) => persona.clone().unwrap_or_default(),
        };
        Ok(Account { persona, name: value(self.name)?, fields })
    }
}

/// Some spreadsheets separate by other signs than commas.
fn delimiter(text: &[u8]) -> u8 {
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let has = |sign| first.contains(sign);
    match (has(&b','), has(&b';'), has(&b'\t')) {
        (false, true, _) => b';',
        (false, false, true) => b'\t',
        _ => b',',
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use manifest::Manifest;

    use super::*;

    fn imported(text: &str, persona: Option<&str>) -> Result<Manifest, String> {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("users.csv");
        std::fs::write(&table, text).unwrap();
        let manifest = folder.path().join("new/manifest.json");
        let persona = persona.map(str::to_owned);
        let config = Config { table, persona, name: None, manifest };
        import(&config).map_err(|error| common::exit::one_line("seeder", &error))?;
        let mode = std::fs::metadata(&config.manifest).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        Ok(Manifest::read(&config.manifest).unwrap())
    }

    #[test]
    fn a_line_is_an_account_and_a_column_a_field() {
        let text = "\u{feff}email,password,id\r\na@x.example,\"s,e\"\"c\",7\r\nb@x.example,t ,\r\n";
        let manifest = imported(text, Some("Buyer")).unwrap();
        let [a, b] = &manifest.accounts[..] else { panic!("two accounts") };
        assert_eq!((&*a.persona, &*a.name), ("Buyer", "a@x.example"));
        assert_eq!(a.fields["password"], "s,e\"c");
        assert_eq!((&*b.fields["password"], b.fields.get("id")), ("t ", None));
        assert!(manifest.header.tables.is_empty());
        let other = imported(&text.replace("s,e", "other"), Some("Buyer")).unwrap();
        assert_eq!(manifest.header.digest, other.header.digest, "no password is in it");
        let by_column = "persona;login;password\nBuyer;a;x\nSeller;b;y\n";
        let manifest = imported(by_column, None).unwrap();
        assert_eq!(manifest.accounts[1].persona, "Seller");
        assert!(!manifest.accounts[1].fields.contains_key("persona"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_without_a_value() {
        for (text, persona, expected) in [
            ("", Some("P"), "line 1: it is empty; the first line names the columns"),
            ("email,password\n", Some("P"), "no line of an account"),
            ("a@x.example,hush\nb@x.example,hush\n", Some("P"), "column 1 is named otherwise"),
            ("email,email\n", Some("P"), "two columns have one name"),
            ("mail,password\na,hush\n", Some("P"), "no column is called name, username"),
            ("email,password\na,hush\n", None, "add --persona NAME"),
            ("email,persona\na,hush\n", Some("P"), "leave --persona out"),
            (
                "email,password\na,hush,c\n",
                Some("P"),
                "line 2: 3 fields where the first line names 2",
            ),
            ("email,password\na,hush\nb\n", Some("P"), "line 3: 1 fields"),
            ("email,password\na,hush\nb,\n", Some("P"), "line 3: its password is empty"),
            (
                "email,password\na,hush\na,hush\n",
                Some("P"),
                "line 3: its account is called as that of an earlier",
            ),
            ("email,persona,password\na,,hush\n", None, "line 2: its persona is empty"),
        ] {
            let error = imported(text, persona).unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("hush") && !error.contains("@x"), "{error}");
        }
    }
}
