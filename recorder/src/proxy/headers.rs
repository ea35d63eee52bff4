//! Which headers an intermediary passes on (RFC 9110 7.6.1).

use bytes::Bytes;
use hyper::header::{
    CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    TE, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::uri::Authority;
use hyper::{Request, Uri, Version};

/// Hop-by-hop headers, whether or not `Connection` names them.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Removes what concerns only this connection.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    // What is not a valid header name removes nothing.
    let named: Vec<HeaderName> = tokens(headers, &CONNECTION)
        .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Whether the body has no transfer coding but chunked. Any other would be passed on undecoded
/// and unnamed (RFC 9112, 6.1: what is not understood is answered 501).
pub(super) fn is_only_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).into_iter();
    codings.next().is_none_or(|coding| {
        coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") && codings.next().is_none()
    })
}

/// Whether a request says which host it is for, once and in a way that all read alike
/// (RFC 9112, 3.2). HTTP/1.0 need not say it.
pub(super) fn has_one_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).into_iter();
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => false,
        (Some(host), None) => {
            let host = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
            host.is_some_and(|host| {
                let has_good_port = host.host() == host.as_str() || host.port_u16().is_some();
                !host.host().is_empty() && !host.as_str().contains('@') && has_good_port
            })
        }
        (None, None) => match request.version() {
            Version::HTTP_2 => request.uri().authority().is_some(),
            version => version == Version::HTTP_10,
        },
    }
}

/// Whether the sender takes trailers (`TE: trailers`).
pub(super) fn takes_trailers(headers: &HeaderMap) -> bool {
    tokens(headers, &TE).any(|token| token.eq_ignore_ascii_case("trailers"))
}

/// The protocol that the client wants to switch to. `h2c` is not passed on, because requests
/// after it could not be recorded.
pub(super) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"));
    let to = headers.get(UPGRADE).filter(|_| asked)?;
    (!to.as_bytes().eq_ignore_ascii_case(b"h2c")).then(|| to.clone())
}

/// The host that a request names: in a header, or as HTTP/2 has it in the URL.
pub(super) fn host(headers: &HeaderMap, uri: &Uri) -> Option<HeaderValue> {
    headers.get(HOST).cloned().or_else(|| HeaderValue::try_from(uri.authority()?.as_str()).ok())
}

/// Those of a request, its host among them.
pub(super) fn seen_of<B>(request: &Request<B>) -> Vec<(String, Bytes)> {
    let mut seen = seen(request.headers());
    if !request.headers().contains_key(HOST)
        && let Some(host) = host(request.headers(), request.uri())
    {
        seen.push(("host".to_owned(), Bytes::copy_from_slice(host.as_bytes())));
    }
    seen
}

/// The headers to record: in order, without what concerns only the connection.
pub(super) fn seen(headers: &HeaderMap) -> Vec<(String, Bytes)> {
    let named: Vec<&str> = tokens(headers, &CONNECTION).collect();
    let passed_on = |name: &HeaderName| {
        !HOP_BY_HOP.contains(name)
            && !named.iter().any(|named| named.eq_ignore_ascii_case(name.as_str()))
    };
    headers
        .iter()
        .filter(|(name, _)| passed_on(name))
        .map(|(name, value)| (name.as_str().to_owned(), Bytes::copy_from_slice(value.as_bytes())))
        .collect()
}

/// The elements of a header that is a list of tokens.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(pair).collect()
    }

    #[test]
    fn what_connection_names_is_neither_passed_on_nor_recorded() {
        let mut headers = map(&[
            ("host", "a"),
            ("connection", "keep-alive, X-Mine ,te"),
            ("keep-alive", "timeout=5"),
            ("x-mine", "1"),
            ("te", "trailers"),
            ("accept", "b"),
            ("transfer-encoding", "chunked"),
        ]);
        let names = |seen: Vec<(String, Bytes)>| seen.into_iter().map(|(name, _)| name).collect();
        let recorded: Vec<String> = names(seen(&headers));
        assert_eq!(recorded, ["host", "accept"]);
        remove_hop_by_hop(&mut headers);
        assert_eq!(headers, map(&[("host", "a"), ("accept", "b")]));
    }

    #[test]
    fn an_upgrade_needs_both_headers_and_is_not_to_http_2() {
        let asked = |connection, to| upgrade(&map(&[("connection", connection), ("upgrade", to)]));
        assert_eq!(asked("keep-alive, Upgrade", "websocket").unwrap(), "websocket");
        assert_eq!(asked("keep-alive", "websocket"), None);
        assert_eq!(asked("Upgrade, HTTP2-Settings", "h2c"), None);
    }
}
