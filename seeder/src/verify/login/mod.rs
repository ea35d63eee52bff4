//! Real logins, as the plan says.

mod error;
mod page;
mod session;

use std::time::Duration;

use reqwest::{Client, Url};

use crate::plan::Login;
use common::address;
use common::target;
pub use error::LoginError;
use manifest::Account;
use session::Session;

/// bcrypt at a high cost takes its time.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where accounts of a plan without `[login]` log in.
const USUAL_PATH: &str = "/api/v1/auth/login";

/// Where accounts log in.
#[derive(Debug)]
pub struct Target {
    client: Client,
    base: Url,
    /// In place of the plan's.
    path: Option<String>,
}

impl Target {
    /// Checks where the URL leads, before anything is sent there.
    ///
    /// # Errors
    /// When the path is none, or the host was not allowed.
    pub fn pin(
        target: &target::Target,
        path: Option<&str>,
        allowed: &[String],
    ) -> Result<Self, LoginError> {
        let base = Url::parse(&target.to_string()).map_err(|_| LoginError::Path)?;
        if let Some(path) = path {
            let login = base.join(path).map_err(|_| LoginError::Path)?;
            // A path may be a whole URL.
            if login.origin() != base.origin() || !login.username().is_empty() {
                return Err(LoginError::Path);
            }
        }
        let host = base.host_str().unwrap_or_default().to_owned();
        let addresses = address::pin(&host, target.port, allowed)?;
        // An error means that there is a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .resolve_to_addrs(&host, &addresses)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .build()
            .map_err(LoginError::Client)?;
        Ok(Self { client, base, path: path.map(str::to_owned) })
    }

    /// The plan's way to log in, or the usual one.
    pub(super) fn login(&self, plan: Option<&Login>) -> Login {
        let login = plan.cloned().unwrap_or_else(|| Login::usual(USUAL_PATH));
        match &self.path {
            Some(path) => login.at(path),
            None => login,
        }
    }

    /// # Errors
    /// [`LoginError::Refused`] when the target answers anything else than the login says.
    pub(super) async fn log_in(&self, login: &Login, account: &Account) -> Result<(), LoginError> {
        let mut session = Session::new(&self.client, &self.base, account);
        for step in &login.steps {
            session.step(step).await?;
        }
        Ok(())
    }
}
