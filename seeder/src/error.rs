//! What can go wrong, and the exit code of each.

use crate::accounts::ImportError;
use crate::apply::{ApplyError, MarksError};
use crate::clean::CleanError;
use crate::database::{DatabaseError, SqlError};
use crate::plan::PlanError;
use crate::schema::SchemaError;
use crate::verify::{LoginError, VerifyError};
use cluster::ClusterError;
use common::address::SafetyError;
use common::exit::Exit;
use common::output::OutputError;
use manifest::ManifestError;
use run_log::reader::ReadError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error(transparent)]
    Clean(#[from] CleanError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("cannot write to stdout")]
    Stdout(#[source] std::io::Error),
}

impl Error {
    /// The exit code that tells a script what kind of failure it was.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Import(error) => import(error),
            Self::Apply(error) => apply(error),
            Self::Cluster(error) => cluster(error),
            Self::Database(error) => database(error),
            Self::Clean(error) => clean(error),
            Self::Verify(VerifyError::Clean(error)) => clean(error),
            Self::Verify(VerifyError::Login(error)) => login(error),
            Self::Verify(VerifyError::NoManifest { .. }) => Exit::Usage,
            Self::Output(error) => error.exit(),
            Self::Stdout(_) => Exit::Internal,
        }
    }
}

fn apply(error: &ApplyError) -> Exit {
    match error {
        ApplyError::Plan(PlanError::Read { .. }) => Exit::Internal,
        ApplyError::Manifest(error) => manifest(error),
        ApplyError::Marks(error) => match error {
            MarksError::Read(ReadError::Io { .. }) => Exit::Internal,
            MarksError::Read(_) | MarksError::NoAudit { .. } | MarksError::NoPlace { .. } => {
                Exit::Usage
            }
            MarksError::NotNamed { .. } | MarksError::MayBeOlder { .. } => Exit::Refused,
        },
        ApplyError::Altered { .. }
        | ApplyError::ManifestAlone { .. }
        | ApplyError::Plan(PlanError::Unsafe { .. })
        | ApplyError::Others { .. }
        | ApplyError::NotInserted { .. }
        | ApplyError::NotKnown { .. }
        | ApplyError::NotRemoved { .. }
        | ApplyError::Uncounted { .. } => Exit::Refused,
        ApplyError::Plan(PlanError::At { .. })
        | ApplyError::NoTime { .. }
        | ApplyError::Cycle(_)
        | ApplyError::Changed { .. } => Exit::Usage,
        ApplyError::Schema(SchemaError::NoTables { .. } | SchemaError::Empty { .. }) => {
            Exit::Environment
        }
        ApplyError::Schema(SchemaError::NoTable { .. }) => Exit::Usage,
        ApplyError::Schema(SchemaError::Sql(source)) => sql(source),
        ApplyError::Database(error) => database(error),
        ApplyError::Rows { source, .. } | ApplyError::Uncertain { source } => sql(source),
        ApplyError::Unpublished { source, .. } => manifest(source),
        ApplyError::Untidy { source, .. } => database(source),
        ApplyError::NotConfirmed { .. } => Exit::Refused,
        ApplyError::Interrupted => Exit::Interrupted,
    }
}

fn import(error: &ImportError) -> Exit {
    match error {
        ImportError::Read { .. } => Exit::Internal,
        ImportError::At { .. } => Exit::Usage,
        ImportError::OfApply { .. } => Exit::Refused,
        ImportError::Manifest(error) => manifest(error),
    }
}

fn clean(error: &CleanError) -> Exit {
    match error {
        CleanError::Apply(error) => apply(error),
        CleanError::Manifest(error) => manifest(error),
        CleanError::Leftover { .. } => Exit::Internal,
        CleanError::OtherPlan { .. } | CleanError::OtherDatabase { .. } => Exit::Usage,
    }
}

fn manifest(error: &ManifestError) -> Exit {
    match error {
        ManifestError::Read { .. } => Exit::Internal,
        ManifestError::Output(error) => error.exit(),
        ManifestError::Foreign { .. } => Exit::Refused,
        _ => Exit::Usage,
    }
}

fn login(error: &LoginError) -> Exit {
    match error {
        LoginError::Target(_) | LoginError::Path => Exit::Usage,
        LoginError::Safety(error) => error.exit(),
        LoginError::Unreachable { .. } | LoginError::Refused(_) => Exit::Environment,
        LoginError::Client(_) => Exit::Internal,
    }
}

fn database(error: &DatabaseError) -> Exit {
    match error {
        DatabaseError::Url => Exit::Usage,
        DatabaseError::Refused(SafetyError::NotAllowed { .. }) => Exit::Refused,
        DatabaseError::Refused(_) | DatabaseError::Connect { .. } | DatabaseError::Left { .. } => {
            Exit::Environment
        }
        DatabaseError::Failed { source, .. } => sql(source),
    }
}

/// By the class of the SQLSTATE: a value that does not fit is the plan's
/// fault, and what the server or other rows refuse is the environment's.
fn sql(error: &SqlError) -> Exit {
    let Some(said) = error.server() else { return Exit::Environment };
    match said.code() {
        // Not-null and check violations come from what the plan says.
        "23502" | "23514" => Exit::Usage,
        code => match &code[..2] {
            // Data exceptions.
            "22" => Exit::Usage,
            // Connections, read-only transactions, logins, missing databases,
            // violated constraints, missing rights, resources, shutdown.
            "08" | "23" | "25" | "28" | "3D" | "42" | "53" | "57" => Exit::Environment,
            _ => Exit::Internal,
        },
    }
}

fn cluster(error: &ClusterError) -> Exit {
    match error {
        ClusterError::Output(error) => error.exit(),
        ClusterError::NoBinaries
        | ClusterError::NoUser
        | ClusterError::NoStart { .. }
        | ClusterError::Absent { .. }
        | ClusterError::Stopped { .. } => Exit::Environment,
        ClusterError::ForeignData { .. } => Exit::Refused,
        ClusterError::File { .. } | ClusterError::Run { .. } | ClusterError::Failed { .. } => {
            Exit::Internal
        }
    }
}
