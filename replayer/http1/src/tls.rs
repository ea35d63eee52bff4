//! How connections to a target are encrypted.

use std::sync::Arc;

use common_net::trust::{self, Trust, TrustError};
use rustls::ClientConfig;
use rustls::client::Resumption;

/// A configuration for all connections to a target. Sessions are never
/// resumed: every connect pays for a whole handshake, as that of a new user
/// does, and no connection holds tickets.
///
/// # Errors
/// When there is no root to trust, or one of them is damaged.
pub fn client_config(trust: &Trust) -> Result<Arc<ClientConfig>, TrustError> {
    let mut config = trust::client_config(trust)?;
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}
