//! Headers that name the site itself: `Origin` and `Referer`.
//!
//! A server compares them with where it is, and a replay sends them to another place. So where
//! they name the host of the request, a trace has them without it: `Referer` from the path on (a
//! partial URI, RFC 9110, section 10.1.3), `Origin` as `/`. Replay writes its target before them.

/// What is left of a header that names the site itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// The path and what follows.
    Url,
    /// Nothing: scheme, host and port were all of it.
    Origin,
}

/// The value as a trace has it, of a request to this `Host`.
pub fn stored<'a>(name: &str, value: &'a str, host: &str) -> &'a str {
    let (is_origin, is_referer) =
        (name.eq_ignore_ascii_case("origin"), name.eq_ignore_ascii_case("referer"));
    if !is_origin && !is_referer {
        return value;
    }
    let Some((scheme, rest)) = value.split_once("://") else { return value };
    let follows = match scheme {
        "http" => behind(rest, false, host),
        "https" => behind(rest, true, host),
        _ => None,
    };
    match follows {
        Some("") => "/",
        Some(path) if is_referer && path.starts_with('/') && !path.starts_with("//") => path,
        _ => value,
    }
}

/// What follows the authority of a URL, which is given from there on; none where it is another
/// one. Either of them may leave out the port that is the scheme's own.
pub fn behind<'a>(url: &'a str, https: bool, authority: &str) -> Option<&'a str> {
    let end = url.find(['/', '?', '#']).unwrap_or(url.len());
    let (own, follows) = url.split_at(end);
    let port = if https { ":443" } else { ":80" };
    let bare = |authority| str::strip_suffix(authority, port).unwrap_or(authority);
    bare(own).eq_ignore_ascii_case(bare(authority)).then_some(follows)
}

/// What a header of a trace says of the target itself; none where it names another site.
pub fn of_target(name: &str, value: &str) -> Option<Own> {
    match value {
        "/" if name.eq_ignore_ascii_case("origin") => Some(Own::Origin),
        url if url.starts_with('/') && name.eq_ignore_ascii_case("referer") => Some(Own::Url),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_itself_is_not_named() {
        let stored = |name, value| stored(name, value, "app.example:8080");
        for (name, value, left) in [
            ("Referer", "http://app.example:8080/a?b=http://x", "/a?b=http://x"),
            ("referer", "https://APP.example:8080", "/"),
            ("Origin", "http://app.example:8080", "/"),
            ("Origin", "null", "null"),
            ("Origin", "http://app.example:8080/a", "http://app.example:8080/a"),
            ("Referer", "http://app.example/a", "http://app.example/a"),
            ("Referer", "http://app.example:8080//a", "http://app.example:8080//a"),
            ("Referer", "ftp://app.example:8080/a", "ftp://app.example:8080/a"),
            ("X-From", "http://app.example:8080/a", "http://app.example:8080/a"),
        ] {
            assert_eq!(stored(name, value), left, "{name}: {value}");
        }
        assert_eq!(super::stored("Origin", "https://a.example", "a.example:443"), "/");
        assert_eq!(super::stored("Origin", "https://a.example:443", "a.example"), "/");
    }

    #[test]
    fn what_is_left_is_known_again() {
        assert_eq!(of_target("origin", "/"), Some(Own::Origin));
        assert_eq!(of_target("REFERER", "/a"), Some(Own::Url));
        for (name, value) in [("Origin", "/a"), ("Referer", "http://a/b"), ("X-A", "/")] {
            assert_eq!(of_target(name, value), None);
        }
    }
}
