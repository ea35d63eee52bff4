//! The cookie jar of a user.

use chrono::{DateTime, TimeDelta, Utc};
use http1::cookies::{Asked, Jar, name_and_value};
use proptest::collection::vec;
use proptest::prelude::*;

fn now() -> DateTime<Utc> {
    "2026-11-23T22:00:00Z".parse().unwrap()
}

/// The jar after `https://api.example.com/a/b?q=/x` set these.
fn jar(set_cookies: &[&str]) -> Jar {
    let mut jar = Jar::default();
    for set_cookie in set_cookies {
        let asked = Asked { host: "api.example.com", path: "/a/b?q=/x" };
        jar.store(set_cookie.as_bytes(), asked, now());
    }
    jar
}

fn sent_at(jar: &Jar, path: &str, secure: bool, now: DateTime<Utc>) -> Option<String> {
    let mut out = b"Cookie: ".to_vec();
    let any = jar.write(path, secure, now, &mut out);
    let out = String::from_utf8(out).unwrap();
    let value = out.strip_prefix("Cookie: ").unwrap();
    assert_eq!(any, !value.is_empty());
    any.then(|| value.to_owned())
}

fn sent(jar: &Jar, path: &str) -> Option<String> {
    sent_at(jar, path, true, now())
}

#[test]
fn a_cookie_goes_back_under_the_path_it_came_from() {
    let jar = jar(&["sid=31d4d96e; HttpOnly; SameSite=Lax"]);
    for path in ["/a", "/a/", "/a/c", "/a?x=1"] {
        assert_eq!(sent(&jar, path).as_deref(), Some("sid=31d4d96e"), "{path}");
    }
    for path in ["/", "/b", "/ab", "/A"] {
        assert_eq!(sent(&jar, path), None, "{path}");
    }
}

#[test]
fn its_path_attribute_replaces_that() {
    let jar = jar(&["root=1; Path=/", "deep=2; path=/x/y/", "odd=3; Path=x"]);
    assert_eq!(sent(&jar, "/").as_deref(), Some("root=1"));
    assert_eq!(sent(&jar, "/x/y/z").as_deref(), Some("deep=2; root=1"));
    assert_eq!(sent(&jar, "/x/y").as_deref(), Some("root=1"));
    // No path: as if the attribute were not there.
    assert_eq!(sent(&jar, "/a").as_deref(), Some("odd=3; root=1"));
}

#[test]
fn longer_paths_go_first_and_then_older_cookies() {
    let mut jar = jar(&["a=1; Path=/", "b=2; Path=/", "c=3; Path=/p", "a=4; Path=/p"]);
    assert_eq!(sent(&jar, "/p").as_deref(), Some("c=3; a=4; a=1; b=2"));
    // A new value keeps its place.
    let asked = Asked { host: "api.example.com", path: "/" };
    jar.store(b"a=5; Path=/", asked, now());
    assert_eq!(sent(&jar, "/p").as_deref(), Some("c=3; a=4; a=5; b=2"));
}

#[test]
fn secure_cookies_need_tls() {
    let jar = jar(&["open=1; Path=/", "shut=2; Path=/; Secure"]);
    assert_eq!(sent_at(&jar, "/", false, now()).as_deref(), Some("open=1"));
    assert_eq!(sent_at(&jar, "/", true, now()).as_deref(), Some("open=1; shut=2"));
}

#[test]
fn cookies_end_with_their_age() {
    let jar = jar(&[
        "session=1; Path=/",
        "minute=2; Path=/; Max-Age=60",
        "hour=3; Path=/; Expires=Mon, 23 Nov 2026 23:00:00 GMT",
        // Max-Age wins, before and after.
        "both=4; Path=/; Max-Age=60; Expires=Mon, 23 Nov 2026 23:00:00 GMT",
        "odd=5; Path=/; Max-Age=soon; Expires=never",
        "long=6; Path=/; Max-Age=99999999999999999999",
    ]);
    let after = |seconds| sent_at(&jar, "/", true, now() + TimeDelta::seconds(seconds)).unwrap();
    assert_eq!(after(0), "session=1; minute=2; hour=3; both=4; odd=5; long=6");
    assert_eq!(after(59), after(0));
    assert_eq!(after(60), "session=1; hour=3; odd=5; long=6");
    assert_eq!(after(3600), "session=1; odd=5; long=6");
}

#[test]
fn a_past_date_or_no_age_deletes() {
    for delete in [
        "a=; Path=/; Max-Age=0",
        "a=; Path=/; Max-Age=-5",
        "a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    ] {
        let jar = jar(&["a=1; Path=/", delete]);
        assert_eq!(sent(&jar, "/"), None, "{delete}");
        assert!(jar.is_empty(), "{delete}");
    }
    let other_path = jar(&["a=1; Path=/", "a=; Path=/x; Max-Age=0"]);
    assert_eq!(sent(&other_path, "/").as_deref(), Some("a=1"));
}

#[test]
fn only_the_host_and_its_parents_can_be_the_domain() {
    for (domain, taken) in [
        ("api.example.com", true),
        (".API.example.com", true),
        ("example.com", true),
        ("", true),
        ("other.com", false),
        ("xample.com", false),
        ("v1.api.example.com", false),
    ] {
        let jar = jar(&[&format!("a=1; Path=/; Domain={domain}")]);
        assert_eq!(!jar.is_empty(), taken, "{domain}");
    }
    let mut by_address = Jar::default();
    let asked = Asked { host: "127.0.0.1", path: "/" };
    by_address.store(b"a=1; Domain=0.0.1", asked, now());
    assert!(by_address.is_empty());
    by_address.store(b"a=1; Domain=127.0.0.1", asked, now());
    assert!(!by_address.is_empty());
}

#[test]
fn the_same_name_for_another_domain_is_another_cookie() {
    let jar = jar(&[
        "a=1; Path=/",
        "a=2; Path=/; Domain=example.com",
        "a=3; Path=/; Domain=api.example.com",
    ]);
    assert_eq!(sent(&jar, "/").as_deref(), Some("a=3; a=2"));
}

#[test]
fn what_is_no_cookie_is_ignored() {
    for odd in ["", "=1", " =1", "a", ";a=1", "a; b=1"] {
        assert!(jar(&[odd]).is_empty(), "{odd:?}");
        assert_eq!(name_and_value(odd.as_bytes()), None, "{odd:?}");
    }
    let large = format!("a={}", "x".repeat(5000));
    assert!(jar(&[&large]).is_empty());
}

#[test]
fn names_and_values_are_trimmed_and_otherwise_as_sent() {
    for (set_cookie, name, value) in [
        ("a=1", "a", "1"),
        (" a = 1 ; Path=/", "a", "1"),
        ("a=", "a", ""),
        ("a=\"b c\"", "a", "\"b c\""),
        ("a=b=c==", "a", "b=c=="),
    ] {
        let expected = Some((name.as_bytes(), value.as_bytes()));
        assert_eq!(name_and_value(set_cookie.as_bytes()), expected, "{set_cookie}");
    }
}

#[test]
fn the_oldest_makes_room() {
    let many: Vec<_> = (0..60).map(|number| format!("c{number}={number}; Path=/")).collect();
    let jar = jar(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let sent = sent(&jar, "/").unwrap();
    assert_eq!(sent.split("; ").count(), 50);
    assert!(sent.starts_with("c10=10; ") && sent.ends_with("; c59=59"), "{sent}");
}

#[test]
fn values_are_not_shown_and_are_all_there_for_those_who_look_for_them() {
    let jar = jar(&["sid=hunter2; Path=/", "other=hunter3; Path=/elsewhere"]);
    let shown = format!("{jar:?}");
    assert!(shown.contains("sid") && !shown.contains("hunter"), "{shown}");
    let mut values: Vec<_> = jar.values().collect();
    values.sort_unstable();
    assert_eq!(values, [b"hunter2", b"hunter3"]);
}

proptest! {
    #[test]
    fn any_bytes_leave_the_jar_usable(lines in vec(vec(any::<u8>(), 0..60), 0..80)) {
        let mut jar = Jar::default();
        for line in &lines {
            jar.store(line, Asked { host: "h", path: "/" }, now());
        }
        let mut out = Vec::new();
        prop_assert_eq!(jar.write("/", true, now(), &mut out), !out.is_empty());
    }
}
