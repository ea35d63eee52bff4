//! `manifest.json`, version 1: what `seeder apply` put into the database.
//!
//! One JSON document. Fields that a reader does not know are passed over, as a later minor
//! version may have more of them. `accounts` stands last, so that a writer can stream it.
//! The file holds test passwords: mode 0600, never committed, and `Debug`
//! output of an [`Account`] leaves the secret fields out.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub const FORMAT: &str = "seeder-manifest";
/// Major version: a reader refuses any other.
pub const VERSION: u32 = 1;
/// Minor version, of additions that a reader of an earlier one may pass over. It is what a
/// writer says, as all that it writes has been there since then. 1: `since` and
/// `by_triggers`.
pub const MINOR: u32 = 1;

/// Fields of an [`Account`] that must never leave the manifest.
pub const SECRET_FIELDS: [&str; 1] = ["password"];

/// Everything but the accounts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    pub format: String,
    pub version: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub minor: u32,
    /// Name and version of the writer, such as `seeder 0.1.0`.
    pub tool: String,
    pub plan: PlanRef,
    /// The plan itself: what was inserted can be told, and removed, after the
    /// file has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<PlanSource>,
    pub seed: u64,
    pub scale: u32,
    pub database: DatabaseId,
    /// When the rows were first inserted, by the database's clock (RFC 3339): what is older is no
    /// load's. Since minor 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Tables in which triggers did something while the rows were inserted. Since minor 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_triggers: Vec<String>,
    /// bcrypt costs of the stored password hashes, ascending: they decide the login rate.
    pub bcrypt_costs: Vec<u32>,
    pub tables: Vec<TableRows>,
    /// SHA-256 over plan digest, seed, scale and the tables' digests: equal for
    /// equal data, whatever database it is in. Traces and runs refer to it.
    pub digest: String,
}

fn is_zero(minor: &u32) -> bool {
    *minor == 0
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRef {
    pub name: String,
    /// `sha256:…` of the plan file's bytes.
    pub digest: String,
}

/// A plan as it was applied. It names passwords, which `Debug` leaves out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanSource {
    /// RFC 3339: what `now()` was.
    pub epoch: String,
    /// The plan file's content.
    pub text: String,
}

impl fmt::Debug for PlanSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanSource").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// Which database was seeded, without credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseId {
    /// `pg_control_system().system_identifier`: one value a cluster, for its life.
    pub system_identifier: String,
    pub name: String,
    pub server_version: String,
}

impl DatabaseId {
    /// Whether both are one database, whatever version its server has come to.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.system_identifier, &self.name) == (&other.system_identifier, &other.name)
    }

    /// Of accounts that no seeder put anywhere.
    pub fn unknown() -> Self {
        let unknown = || "unknown".to_owned();
        Self { system_identifier: "0".to_owned(), name: unknown(), server_version: unknown() }
    }
}

/// `vigilia, PostgreSQL 17.2`.
impl fmt::Display for DatabaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.system_identifier.as_str() {
            "0" => f.write_str("unknown"),
            _ => write!(f, "{}, PostgreSQL {}", self.name, self.server_version),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRows {
    pub table: String,
    pub rows: u64,
    /// `sha256:…` of the rows as they were sent to COPY.
    pub digest: String,
    /// Columns that the database filled (defaults, identity): not in the digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filled_by_database: Vec<String>,
}

/// One account that may log in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub persona: String,
    /// Unique in the manifest; what traces refer to, such as `dispatcher1`.
    pub name: String,
    /// What a binding to the account may name: `id`, `email`, `password` and
    /// whatever else the plan lists.
    pub fields: BTreeMap<String, String>,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("persona", &self.persona)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The whole document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    #[serde(flatten)]
    pub header: Header,
    pub accounts: Vec<Account>,
}
