//! Who may look, and who may do something.
//!
//! On loopback everybody of this machine may look. Doing something takes the token, and beyond
//! loopback so does looking. A page of another site that a browser of this machine shows may send
//! requests here, too: it cannot read the answers as long as it is another origin, and by a name
//! that it makes to lead here (DNS rebinding) it would be none. So no name but `localhost` is answered.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::secret::Secret;
use rand::TryRng as _;
use rand::rngs::{SysError, SysRng};

/// Where to serve, as it is typed: an address of this machine and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveAddress(pub SocketAddr);

#[derive(Debug, thiserror::Error)]
#[error("expected an address of this machine and a port, such as 127.0.0.1:8089")]
pub struct LiveAddressError;

impl FromStr for LiveAddress {
    type Err = LiveAddressError;

    fn from_str(text: &str) -> Result<Self, LiveAddressError> {
        let of_name = text.strip_prefix("localhost:").map(|port| {
            let port = port.parse().map_err(|_| LiveAddressError)?;
            Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        });
        let address = of_name.unwrap_or_else(|| text.parse().map_err(|_| LiveAddressError))?;
        Ok(Self(address))
    }
}

impl fmt::Display for LiveAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a token is made of, in bytes.
const TOKEN: usize = 16;

pub(super) struct Guard {
    token: Secret,
    /// Cookies are of a host, whatever its port.
    cookie: String,
    is_loopback: bool,
}

/// Why a request is refused, and by which status.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub StatusCode, pub &'static str);

const HOST: Refusal = Refusal(
    StatusCode::FORBIDDEN,
    "this is reached by its address or as localhost, by no other name",
);
const UNKNOWN: Refusal = Refusal(
    StatusCode::FORBIDDEN,
    "this takes the token that the replayer printed at its start: Authorization: Bearer TOKEN",
);

/// What becomes of a request that may pass.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pass {
    Through,
    /// It has the token in its address: from now on in a cookie, which pages cannot read.
    ByCookie {
        set: String,
        to: String,
    },
}

impl Guard {
    /// # Errors
    /// When the system has no random bytes.
    pub(super) fn of(address: SocketAddr) -> Result<Self, SysError> {
        let mut bytes = [0; TOKEN];
        SysRng.try_fill_bytes(&mut bytes)?;
        Ok(Self {
            token: Secret::from(URL_SAFE_NO_PAD.encode(bytes)),
            cookie: format!("replayer-live-{}", address.port()),
            is_loopback: address.ip().is_loopback(),
        })
    }

    /// What a browser is to open. The part behind `#` is sent nowhere.
    pub(super) fn url(&self, address: SocketAddr) -> String {
        let token = self.token.expose();
        match self.is_loopback {
            true => format!("http://{address}/#token={token}"),
            false => format!("http://{address}/?token={token}"),
        }
    }

    /// # Errors
    /// Why it may not pass.
    pub(super) fn pass(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Pass, Refusal> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        if !host.is_some_and(is_no_name) {
            return Err(HOST);
        }
        let text = |name| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let mut by_header = text(header::AUTHORIZATION).filter_map(|v| v.strip_prefix("Bearer "));
        if by_header.any(|token| self.is_token(token)) {
            return Ok(Pass::Through);
        }
        if method != Method::GET && method != Method::HEAD {
            return Err(UNKNOWN);
        }
        let mut by_query =
            uri.query().unwrap_or("").split('&').filter_map(|of| of.strip_prefix("token="));
        if let Some(token) = by_query.find(|token| self.is_token(token)) {
            let set = format!("{}={token}; Path=/; HttpOnly; SameSite=Strict", self.cookie);
            return Ok(Pass::ByCookie { set, to: format!("/#token={token}") });
        }
        let cookies = text(header::COOKIE).flat_map(|all| all.split(';'));
        let mut named = cookies.filter_map(|of| of.trim().split_once('='));
        let is_known = named.any(|(name, token)| name == self.cookie && self.is_token(token));
        if is_known || self.is_loopback { Ok(Pass::Through) } else { Err(UNKNOWN) }
    }

    /// Takes as long wherever they differ.
    fn is_token(&self, typed: &str) -> bool {
        let (token, typed) = (self.token.expose().as_bytes(), typed.as_bytes());
        let differ = token.iter().zip(typed).fold(0, |differ, (a, b)| differ | (a ^ b));
        token.len() == typed.len() && std::hint::black_box(differ) == 0
    }
}

/// Whether a `Host` is an address, or `localhost`.
fn is_no_name(host: &str) -> bool {
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => bare,
        _ => host,
    };
    let inner = bare.strip_prefix('[').and_then(|bare| bare.strip_suffix(']'));
    bare.eq_ignore_ascii_case("localhost")
        || inner.map_or_else(
            || bare.parse().is_ok_and(|ip: IpAddr| ip.is_ipv4()),
            |v6| v6.parse().is_ok_and(|ip: IpAddr| ip.is_ipv6()),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(address: &str) -> Guard {
        let LiveAddress(address) = address.parse().unwrap();
        Guard::of(address).unwrap()
    }

    fn pass(guard: &Guard, method: &Method, uri: &str, of: &[(&str, &str)]) -> Result<Pass, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "127.0.0.1:8089".parse().unwrap());
        for (name, value) in of {
            let name: header::HeaderName = name.parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        let passed = guard.pass(method, &uri.parse().unwrap(), &headers);
        passed.map_err(|Refusal(status, _)| status.as_u16())
    }

    #[test]
    fn an_address_is_typed_and_no_name_but_localhost() {
        for text in ["127.0.0.1:8089", "[::1]:0", "0.0.0.0:80", "localhost:8089"] {
            assert!(text.parse::<LiveAddress>().is_ok(), "{text}");
        }
        for text in ["", "8089", ":8089", "127.0.0.1", "example.org:80", "localhost:x"] {
            assert!(text.parse::<LiveAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_name_that_leads_here_is_answered() {
        let guard = guard("127.0.0.1:8089");
        for host in ["localhost:8089", "LOCALHOST", "127.0.0.1", "[::1]:9000", "10.0.0.5:1"] {
            assert_eq!(
                pass(&guard, &Method::GET, "/", &[("host", host)]),
                Ok(Pass::Through),
                "{host}"
            );
        }
        for host in ["evil.example:8089", "127.0.0.1.evil.example", "localhost.evil", "", "::1"] {
            assert_eq!(pass(&guard, &Method::GET, "/", &[("host", host)]), Err(403), "{host}");
        }
    }

    #[test]
    fn what_is_done_takes_the_token_in_a_header() {
        let guard = guard("127.0.0.1:8089");
        let token = guard.token.expose().to_owned();
        let bearer = format!("Bearer {token}");
        let cookie = format!("replayer-live-8089={token}");
        let post = |of: &[(&str, &str)]| pass(&guard, &Method::POST, "/stop", of);
        assert_eq!(post(&[("authorization", &bearer)]), Ok(Pass::Through));
        assert_eq!(post(&[]), Err(403));
        assert_eq!(post(&[("cookie", &cookie)]), Err(403), "a browser sends it by itself");
        assert_eq!(post(&[("authorization", "Bearer ")]), Err(403));
        assert_eq!(post(&[("authorization", &bearer[..bearer.len() - 1])]), Err(403));
        assert_eq!(post(&[("authorization", &format!("{bearer}x"))]), Err(403));
        assert_eq!(post(&[("authorization", &bearer), ("host", "evil.example")]), Err(403));
    }

    #[test]
    fn beyond_loopback_nothing_is_shown_without_the_token() {
        let guard = guard("0.0.0.0:8089");
        let token = guard.token.expose().to_owned();
        let get = |uri: &str, of: &[(&str, &str)]| pass(&guard, &Method::GET, uri, of);
        for path in ["/", "/events", "/metrics", "/live.js"] {
            assert_eq!(get(path, &[]), Err(403), "{path}");
            assert_eq!(get(path, &[("cookie", "replayer-live-8089=x")]), Err(403), "{path}");
            let cookie = format!("a=b; replayer-live-8089={token}");
            assert_eq!(get(path, &[("cookie", &cookie)]), Ok(Pass::Through), "{path}");
        }
        let set = format!("replayer-live-8089={token}; Path=/; HttpOnly; SameSite=Strict");
        let by_cookie = Pass::ByCookie { set, to: format!("/#token={token}") };
        assert_eq!(get(&format!("/?token={token}"), &[]), Ok(by_cookie));
        assert_eq!(get("/?token=x", &[]), Err(403));
        assert!(!format!("{:?}", guard.token).contains(&token));
    }

    #[test]
    fn no_two_tokens_are_the_same() {
        let (one, other) = (guard("127.0.0.1:1"), guard("127.0.0.1:1"));
        assert_ne!(one.token.expose(), other.token.expose());
        assert!(!one.is_token(other.token.expose()) && one.token.expose().len() >= 22);
    }
}
