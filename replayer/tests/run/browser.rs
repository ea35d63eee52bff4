//! Cookies and redirects, through the whole tool.

use crate::support::trace::{answer, at, gives, request, takes};
use crate::support::{Answer, Server, TraceBuilder, Workplace};
use run_log::outcome::Outcome;

fn raw(head: &str) -> Answer {
    Answer::RawThenClose(format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n").into_bytes())
}

#[test]
fn each_user_has_cookies_of_its_own_that_go_where_they_belong() {
    let steps = [
        (0, "GET", "/enter"),
        (30, "GET", "/shop/cart"),
        (60, "GET", "/about"),
        (90, "GET", "/leave"),
        (120, "GET", "/shop/cart"),
    ];
    let entered = std::sync::atomic::AtomicU64::new(0);
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/enter" => {
            let user = entered.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            raw(&format!(
                "200 OK\r\nSet-Cookie: user={user}; Path=/\r\nSet-Cookie: cart=c{user}; Path=/shop"
            ))
        }
        "/leave" => raw("200 OK\r\nSet-Cookie: user=; Path=/; Max-Age=0"),
        _ => Answer::Json(200, "{}".into()),
    });
    let trace = TraceBuilder::default().session("s", &steps);
    let place = Workplace::new(&trace, 0);
    let run = place.run(&server.url(), &["--no-probe", "--clones", "3"]).checked();
    assert_eq!(run.totals.outcomes[Outcome::Completed], 15);
    let asked = server.asked();
    let cookies = |path: &str| {
        let of = asked.iter().filter(|asked| asked.path == path);
        let mut cookies: Vec<String> =
            of.map(|asked| asked.header("cookie").unwrap_or_default().to_owned()).collect();
        cookies.sort();
        cookies
    };
    assert_eq!(cookies("/enter"), ["", "", ""]);
    assert_eq!(cookies("/about"), ["user=0", "user=1", "user=2"]);
    // The longer path first (RFC 6265, section 5.4); after leaving the cart alone.
    let cart =
        ["cart=c0", "cart=c0; user=0", "cart=c1", "cart=c1; user=1", "cart=c2", "cart=c2; user=2"];
    assert_eq!(cookies("/shop/cart"), cart);
}

#[test]
fn a_user_without_a_login_stays_the_same_from_session_to_session() {
    let trace = TraceBuilder::default().session("s", &[(0, "GET", "/a"), (20, "GET", "/b")]);
    let run_with = |answer: fn() -> Answer, options: &[&str]| {
        let server = Server::start(move |_| answer());
        let load = ["--no-probe", "--users", "1", "--duration", "1s", "--pacing", "closed"];
        let place = Workplace::new(&trace, 0);
        let run = place.run(&server.url(), &[&load[..], options].concat()).checked();
        let asked = server.asked();
        assert!(asked.len() > 6, "several sessions, not {}", asked.len());
        let strangers = asked.iter().filter(|asked| asked.header("cookie").is_none()).count();
        (run.totals.connections_opened, strangers, asked.len())
    };
    let greeting = || raw("200 OK\r\nSet-Cookie: user=1; Path=/");
    let plain = || Answer::Json(200, "{}".into());
    assert_eq!(run_with(greeting, &[]).1, 1, "the user's first request");
    assert_eq!(run_with(plain, &[]).0, 1, "one connection");
    let (_, strangers, asked) = run_with(greeting, &["--restart", "new-user"]);
    assert!(strangers >= asked / 2, "{strangers} of {asked}: each session's first");
}

#[test]
fn a_redirect_is_not_followed_but_replayed_as_the_client_did() {
    let mut first = request("r0", "s", 0, "GET", "/old");
    answer(&mut first).status = 307;
    let trace = TraceBuilder {
        requests: vec![first, request("r1", "s", 20, "GET", "/new")],
        ..TraceBuilder::default()
    };
    let server = Server::start(|asked| match asked.path.as_str() {
        "/old" => raw("307 Temporary Redirect\r\nLocation: /elsewhere"),
        _ => Answer::Json(200, "{}".into()),
    });
    let run = Workplace::new(&trace, 0).run(&server.url(), &["--no-probe"]).checked();
    let paths: Vec<String> = server.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths, ["/old", "/new"]);
    assert_eq!((run.totals.planned, run.totals.failed_status), (2, 0));
    assert_eq!(run.fidelity.same_status, 2);
}

#[test]
fn a_cookie_without_a_path_belongs_to_the_one_that_was_sent() {
    let mut create = request("create", "s", 0, "GET", "/carts");
    gives(&mut create, "id", at("/id"));
    let in_cart = |id: &str, at_ms: u64, path: &str| {
        let mut line = request(id, "s", at_ms, "GET", path);
        takes(&mut line, 7..15, "create", "id");
        line
    };
    let enter = in_cart("enter", 50, "/carts/recorded/enter?x=/1");
    let pay = in_cart("pay", 100, "/carts/recorded/pay");
    let other = request("other", "s", 150, "GET", "/carts/recorded/pay");
    let trace = TraceBuilder { requests: vec![create, enter, pay, other], ..Default::default() };
    let server = Server::start(|asked| match asked.path.as_str() {
        "/carts" => Answer::Json(200, r#"{"id":"live-7"}"#.into()),
        "/carts/live-7/enter?x=/1" => Answer::RawThenClose(
            "HTTP/1.1 200 OK\r\nSet-Cookie: in=1\r\nContent-Length: 0\r\n\r\n".into(),
        ),
        _ => Answer::Json(200, "{}".into()),
    });
    Workplace::new(&trace, 0).run(&server.url(), &["--no-probe", "--quiet"]).checked();
    let cookie = |path: &str| {
        let asked = server.asked();
        let asked = asked.iter().find(|asked| asked.path == path).unwrap();
        asked.header("cookie").map(str::to_owned)
    };
    assert_eq!(cookie("/carts/live-7/pay").as_deref(), Some("in=1"));
    assert_eq!(cookie("/carts/recorded/pay"), None);
}
