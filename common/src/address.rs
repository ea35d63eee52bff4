//! Where load and deletion may go.
//!
//! Loopback addresses and Unix sockets are free. Any other address, private
//! ones too, must be named by the user with `--allow-host`. A name is resolved
//! once, and what it resolved to is what is used from then on, so that a
//! changed answer of the name server cannot move the load elsewhere.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use crate::exit::Exit;

#[derive(Debug, thiserror::Error)]
pub enum SafetyError {
    #[error(
        "{host} is {address}, not a loopback address; add --allow-host {host} if it is yours to load"
    )]
    NotAllowed { host: String, address: IpAddr },
    #[error("cannot resolve {host}")]
    Resolve { host: String, source: std::io::Error },
    #[error("{host} resolves to no address")]
    NoAddress { host: String },
}

impl SafetyError {
    /// Refused where the address is not allowed, environment where it could not be resolved.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotAllowed { .. } => Exit::Refused,
            Self::Resolve { .. } | Self::NoAddress { .. } => Exit::Environment,
        }
    }
}

/// Resolves `host` once and checks every address it has.
///
/// # Errors
/// When an address is not loopback and `host` is not in `allowed`, or when the
/// name does not resolve. Nothing is sent to the address either way.
pub fn pin(host: &str, port: u16, allowed: &[String]) -> Result<Vec<SocketAddr>, SafetyError> {
    pin_by(host, port, allowed, |host, port| Ok((host, port).to_socket_addrs()?.collect()))
}

/// As [`pin`], asking `resolver` for the addresses of a name: once, or never for an address.
///
/// # Errors
/// As [`pin`].
pub fn pin_by(
    host: &str,
    port: u16,
    allowed: &[String],
    resolver: impl FnOnce(&str, u16) -> std::io::Result<Vec<SocketAddr>>,
) -> Result<Vec<SocketAddr>, SafetyError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let addresses = match bare.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => resolver(bare, port)
            .map_err(|source| SafetyError::Resolve { host: bare.to_owned(), source })?,
    };
    if addresses.is_empty() {
        return Err(SafetyError::NoAddress { host: bare.to_owned() });
    }
    let named = allowed.iter().any(|name| name.eq_ignore_ascii_case(bare));
    match addresses.iter().find(|address| !address.ip().is_loopback()) {
        Some(outside) if !named => {
            return Err(SafetyError::NotAllowed { host: bare.to_owned(), address: outside.ip() });
        }
        _ => {}
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_free() {
        for host in ["127.0.0.1", "127.9.8.7", "::1", "[::1]", "localhost"] {
            assert!(pin(host, 80, &[]).is_ok(), "{host}");
        }
    }

    #[test]
    fn a_name_is_as_safe_as_the_worst_of_its_addresses() {
        let answer = |_: &str, port| {
            let addresses = ["127.0.0.1", "203.0.113.7"].map(|ip| ip.parse::<IpAddr>().unwrap());
            Ok(addresses.map(|ip| SocketAddr::new(ip, port)).to_vec())
        };
        let refused = pin_by("db.example", 5432, &[], answer).unwrap_err();
        assert!(refused.to_string().contains("203.0.113.7"), "{refused}");
        assert_eq!(pin_by("db.example", 5432, &["db.example".into()], answer).unwrap().len(), 2);
        let nothing = pin_by("db.example", 5432, &[], |_, _| Ok(Vec::new()));
        assert!(matches!(nothing, Err(SafetyError::NoAddress { .. })));
        assert!(pin_by("127.0.0.1", 1, &[], |_, _| panic!("it is an address")).is_ok());
    }

    #[test]
    fn private_and_public_addresses_need_to_be_allowed_by_name() {
        for host in ["10.0.0.1", "192.168.1.1", "0.0.0.0", "203.0.113.7", "fe80::1"] {
            assert!(matches!(pin(host, 80, &[]), Err(SafetyError::NotAllowed { .. })), "{host}");
            assert!(pin(host, 80, &[host.to_owned()]).is_ok(), "{host}");
        }
    }
}
