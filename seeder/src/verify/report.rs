//! What `verify` found, and its exit code.

use serde::Serialize;

use common::exit::Exit;

/// What was found.
#[derive(Debug, Serialize)]
pub struct Report {
    pub tables: Vec<TableCount>,
    pub foreign_keys: Vec<ReferenceCount>,
    pub accounts: Vec<LoginCheck>,
}

#[derive(Debug, Serialize)]
pub struct TableCount {
    pub table: String,
    /// Rows of the plan.
    pub planned: u64,
    /// Those of them that exist.
    pub present: u64,
}

#[derive(Debug, Serialize)]
pub struct ReferenceCount {
    pub table: String,
    pub columns: Vec<String>,
    /// Rows, whoever inserted them, that refer to a missing row.
    pub dangling: u64,
}

#[derive(Debug, Serialize)]
pub struct LoginCheck {
    pub persona: String,
    /// A sample: the first and the last.
    pub tried: u64,
    /// Names of those that cannot log in, and why.
    pub refused: Vec<String>,
}

impl Report {
    /// 13 where rows are missing or refer to nothing, else 4 where a login was refused.
    pub fn exit(&self) -> Exit {
        let missing = self.tables.iter().any(|table| table.present < table.planned);
        if missing || self.foreign_keys.iter().any(|key| key.dangling > 0) {
            return Exit::Incomplete;
        }
        if self.accounts.iter().any(|accounts| !accounts.refused.is_empty()) {
            return Exit::Environment;
        }
        Exit::Good
    }
}
