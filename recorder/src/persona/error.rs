//! Why nothing was recorded.

use common::address::SafetyError;
use tokio::task::JoinError;

use trace::journal::JournalError;
use trace::writer::WriteError;

#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("the manifest has no account of persona {persona:?}, which persona {by:?} uses")]
    NoAccounts { persona: String, by: String },
    #[error(
        "account {account} of the manifest has no field {field:?}, which persona {persona} uses"
    )]
    NoField { persona: String, account: String, field: String },
    #[error("the personas file has no persona {persona:?}; it has {known}")]
    NoPersona { persona: String, known: String },
    #[error("persona {persona} has no login")]
    NoLogin { persona: String },
    #[error(transparent)]
    Refused(#[from] SafetyError),
    #[error("cannot reach {target}")]
    Unreachable { target: String, source: std::io::Error },
    #[error("cannot set up an HTTP client")]
    Client(#[source] reqwest::Error),
    #[error("persona {persona} cannot log in as {account} of the manifest: {request} {why}")]
    Login { persona: String, account: String, request: String, why: String },
    #[error("cannot make the request {request}: {why}")]
    Request { request: String, why: String },
    #[error(
        "{failures} of {requests} requests of persona {persona} failed, more than 20 %: mostly {mostly}; \
         --allow-failures records them all the same"
    )]
    Failures { persona: String, failures: u64, requests: u64, mostly: String },
    #[error(
        "{file} has requests answered from a recording, which is still to be made: answer for them \
         with recorder mock"
    )]
    Answers { file: String },
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("a task of the recording failed")]
    Task(#[from] JoinError),
}
