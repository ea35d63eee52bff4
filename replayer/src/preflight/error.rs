//! What ends a preflight, and with it what was to come.

use crate::engine::EngineError;
use crate::observe::DatabaseError;

#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    #[error("no answer from {target}: {outcome}; is the target up?")]
    NoAnswer { target: String, outcome: String },
    #[error("persona {persona} (account {account}) cannot log in: {endpoint} answered {answer}")]
    LoginRefused { persona: String, account: String, endpoint: String, answer: String },
    #[error("cannot set up a timer")]
    Timer(#[source] std::io::Error),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}
