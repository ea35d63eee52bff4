//! Replaces the origin in headers that name it, so that a browser stays on the proxy.

use hyper::header::{COOKIE, HOST, HeaderMap, HeaderValue, LOCATION, ORIGIN, REFERER, SET_COOKIE};
use trace::own_site;

/// Where the upstream is, as its answers name it.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) https: bool,
    /// Host, and port where it is not the scheme's own.
    pub(super) authority: String,
}

/// One side as a URL names it; for the client's side, as the client addressed it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site<'a> {
    pub(super) https: bool,
    /// The client's `Host`.
    pub(super) authority: &'a str,
}

/// Names the upstream where the client named the proxy, because servers compare the two.
pub(super) fn request(headers: &mut HeaderMap, upstream: &Origin, front: Site<'_>) {
    // An authority contains only what a header may.
    if let Ok(host) = HeaderValue::try_from(&*upstream.authority) {
        headers.insert(HOST, host);
    }
    for name in [ORIGIN, REFERER] {
        if let Some(value) = headers.get_mut(name)
            && let Some(there) = move_url(value, front, upstream.site())
        {
            *value = there;
        }
    }
}

/// HTTP/2 may send cookies one by one, HTTP/1.1 sends them in one header (RFC 9113 8.2.3).
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

/// Makes redirects to the upstream ones to the proxy, and cookies those of the proxy's host.
pub(super) fn answer(headers: &mut HeaderMap, upstream: &Origin, front: Site<'_>) {
    if let Some(location) = headers.get_mut(LOCATION)
        && let Some(here) = move_url(location, upstream.site(), front)
    {
        *location = here;
    }
    if let hyper::header::Entry::Occupied(mut cookies) = headers.entry(SET_COOKIE) {
        for cookie in cookies.iter_mut() {
            if let Some(here) = self::cookie(cookie, upstream.https && !front.https) {
                *cookie = here;
            }
        }
    }
}

/// A URL below one origin as one below another; none where it leads elsewhere, or is a path.
fn move_url(value: &HeaderValue, from: Site<'_>, to: Site<'_>) -> Option<HeaderValue> {
    let value = value.to_str().ok()?;
    let (scheme, rest) = match value.split_once("//")? {
        ("", rest) => ("", rest),
        (scheme, rest) if scheme.eq_ignore_ascii_case(from.scheme()) => (to.scheme(), rest),
        _ => return None,
    };
    let path = own_site::behind(rest, from.https, from.authority)?;
    // A client that named no host cannot be led back to it.
    if to.authority.is_empty() {
        return None;
    }
    HeaderValue::try_from(format!("{scheme}//{}{path}", to.authority)).ok()
}

/// Without `Domain`, which names the upstream's; where the client came in plain text and the
/// upstream did not, also without `Secure`, and without `SameSite=None`, which needs it. None
/// where nothing changes.
fn cookie(value: &HeaderValue, plain: bool) -> Option<HeaderValue> {
    let bytes = value.as_bytes();
    let leaves = |attribute: &&[u8]| {
        let attribute = attribute.trim_ascii();
        let split = attribute.iter().position(|byte| *byte == b'=').unwrap_or(attribute.len());
        let (name, value) = attribute.split_at(split);
        let name = name.trim_ascii();
        name.eq_ignore_ascii_case(b"domain")
            || (plain
                && (name.eq_ignore_ascii_case(b"secure")
                    || (name.eq_ignore_ascii_case(b"samesite")
                        && value[1.min(value.len())..].trim_ascii().eq_ignore_ascii_case(b"none"))))
    };
    let mut parts = bytes.split(|byte| *byte == b';');
    let pair = parts.next().unwrap_or_default();
    let kept: Vec<&[u8]> = parts.filter(|attribute| !leaves(attribute)).collect();
    let here = [&[pair][..], &kept].concat().join(&b';');
    (here.len() != bytes.len()).then(|| HeaderValue::from_bytes(&here).ok())?
}

impl Origin {
    fn site(&self) -> Site<'_> {
        Site { https: self.https, authority: &self.authority }
    }
}

impl Site<'_> {
    fn scheme(self) -> &'static str {
        if self.https { "https:" } else { "http:" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_to_the_upstream_leads_to_the_proxy() {
        let upstream = Origin { https: true, authority: "api.example".to_owned() };
        let front = Site { https: false, authority: "127.0.0.1:8080" };
        for (from, to) in [
            ("https://api.example/a?b#c", Some("http://127.0.0.1:8080/a?b#c")),
            ("HTTPS://API.example:443", Some("http://127.0.0.1:8080")),
            ("//api.example/a", Some("//127.0.0.1:8080/a")),
            ("http://api.example/a", None),
            ("https://api.example.org/a", None),
            ("https://api.example:8443/", None),
            ("https://u@api.example/", None),
            ("/a//api.example/", None),
            ("/a", None),
            ("a", None),
        ] {
            let found = move_url(&HeaderValue::from_static(from), upstream.site(), front);
            assert_eq!(found.as_ref().map(|found| found.to_str().unwrap()), to, "{from}");
        }
    }

    #[test]
    fn a_cookie_becomes_one_of_the_proxy() {
        for (plain, from, to) in [
            (true, "a=b; Domain=x.y; Path=/; Secure", Some("a=b; Path=/")),
            (false, "a=b; domain = .x.y; Secure", Some("a=b; Secure")),
            (true, "a=b; SameSite=None; secure", Some("a=b")),
            (true, "Secure=1; SameSite=Lax; HttpOnly", None),
            (true, "a=\"domain=x\"", None),
            (true, "", None),
        ] {
            let found = cookie(&HeaderValue::from_static(from), plain);
            assert_eq!(found.as_ref().map(|found| found.to_str().unwrap()), to, "{from}");
        }
    }
}
