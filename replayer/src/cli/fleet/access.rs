//! Where NATS is, and what a run may be called.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use common::secret::Secret;

use crate::fleet::{Access, FleetError, Nats, is_run};

#[derive(Debug, ClapArgs)]
pub(super) struct NatsArgs {
    /// Where NATS is, such as nats://127.0.0.1:4222 or tls://user:password@nats.example:4222
    #[arg(long, value_name = "URL", env = "NATS_URL", hide_env_values = true)]
    nats: Secret,
    /// Certificates of whoever signs the server's, instead of the system's
    #[arg(long, value_name = "FILE")]
    nats_ca: Option<PathBuf>,
}

impl NatsArgs {
    pub(super) async fn connect(
        &self,
        allowed: &[String],
        patience: Duration,
    ) -> Result<Nats, FleetError> {
        let Self { nats, nats_ca } = self;
        Nats::connect(Access { url: nats, ca: nats_ca.clone(), allowed, patience }).await
    }
}

/// A run's name, as typed.
pub(super) fn run_name(text: &str) -> Result<String, FleetError> {
    match is_run(text) {
        true => Ok(text.to_owned()),
        false => Err(FleetError::Name(text.to_owned())),
    }
}
