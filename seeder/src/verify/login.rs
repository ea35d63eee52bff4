//! Real logins.

use std::time::Duration;

use reqwest::{Client, StatusCode, Url};
use serde_json::json;

use common::address::{self, SafetyError};
use common::target::{self, OptionError};
use manifest::Account;

/// bcrypt at a high cost takes its time.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where accounts log in.
#[derive(Debug)]
pub struct Target {
    client: Client,
    login: Url,
}

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

impl Target {
    /// Checks where the URL leads, before anything is sent there.
    ///
    /// # Errors
    /// When the path is none, or the host was not allowed.
    pub fn pin(
        target: &target::Target,
        path: &str,
        allowed: &[String],
    ) -> Result<Self, LoginError> {
        let base = Url::parse(&target.to_string()).map_err(|_| LoginError::Path)?;
        let login = base.join(path).map_err(|_| LoginError::Path)?;
        // A path may be a whole URL.
        if login.origin() != base.origin() || !login.username().is_empty() {
            return Err(LoginError::Path);
        }
        let host = login.host_str().unwrap_or_default().to_owned();
        let port = target.port;
        let addresses = address::pin(&host, port, allowed)?;
        // An error means that there is a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .resolve_to_addrs(&host, &addresses)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .build()
            .map_err(LoginError::Client)?;
        Ok(Self { client, login })
    }

    /// # Errors
    /// [`LoginError::Refused`] when the target answers anything but a token.
    pub(super) async fn log_in(&self, account: &Account) -> Result<(), LoginError> {
        let field = |name: &str| account.fields.get(name).map(String::as_str).unwrap_or_default();
        let credentials = json!({ "email": field("email"), "password": field("password") });
        let answer = self.client.post(self.login.clone()).json(&credentials).send().await;
        let answer = answer.map_err(|error| LoginError::Unreachable {
            place: self.login.to_string(),
            source: error.without_url(),
        })?;
        match answer.status() {
            StatusCode::OK => match answer.json::<serde_json::Value>().await {
                Ok(body) if body["access_token"].is_string() => Ok(()),
                _ => Err(LoginError::Refused("200 without an access_token".to_owned())),
            },
            status => Err(LoginError::Refused(format!("answered {}", status.as_u16()))),
        }
    }
}
