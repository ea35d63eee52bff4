//! Why nobody could log in.

use common::address::SafetyError;
use common::target::OptionError;

#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    #[error(transparent)]
    Target(#[from] OptionError),
    #[error("--login-path is not a path such as /api/v1/auth/login")]
    Path,
    #[error(transparent)]
    Safety(#[from] SafetyError),
    #[error("cannot make an HTTP client")]
    Client(#[source] reqwest::Error),
    #[error("cannot log in at {place}")]
    Unreachable { place: String, source: reqwest::Error },
    /// What the target said: belongs into the report.
    #[error("{0}")]
    Refused(String),
}
