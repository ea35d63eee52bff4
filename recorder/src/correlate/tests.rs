//! The correlator against traffic of which the right bindings are known.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use manifest::format::Account;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::*;
use crate::exchange::SeenBody;
use trace::format::{Binding, Body, Encoding, FreshId, Origin};

mod made;
mod secrets;
mod sessions;
mod sources;

const PASSWORD: &str = "TestPass \"1/2!";
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9.c2lnbmF0dXJlLTEyMw";
const ID: &str = "8c1d2f00-0000-4000-8000-0123456789ab";
const OTHER: &str = "11112222-3333-4444-8555-666677778888";

fn started() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-24T04:00:00Z").unwrap().to_utc()
}

fn correlator() -> Correlator {
    let fields = [("email", "a@example.org"), ("id", OTHER), ("password", PASSWORD)];
    let fields: BTreeMap<_, _> = fields.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let account = Account { persona: "visitor".into(), name: "visitor1".into(), fields };
    Correlator {
        logins: [("a@example.org".to_owned(), 0)].into(),
        accounts: vec![Arc::new(account)],
        ..Correlator::new(Config {
            manifest: None,
            session_by: SessionBy::Auto,
            rules: Rules::default(),
            started: started(),
            keep_bodies: false,
            prefix: "p".into(),
        })
    }
}

/// One client on one connection at a time, a request every 10 ms that takes 5 ms.
struct Client {
    correlator: Correlator,
    connection: u64,
    sent: u64,
    /// The line and the captures of each request.
    lines: Vec<Correlated>,
}

impl Client {
    fn new() -> Self {
        Self { correlator: correlator(), connection: 1, sent: 0, lines: Vec::new() }
    }

    fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
        answer_headers: &[(&str, &str)],
        answer: &str,
    ) -> &Request {
        self.send_bytes(method, path, headers, body.as_bytes(), answer_headers, answer)
    }

    fn send_bytes(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        answer_headers: &[(&str, &str)],
        answer: &str,
    ) -> &Request {
        self.sent += 1;
        let headers_of = |headers: &[(&str, &str)]| {
            let own = |&(name, value): &(&str, &str)| {
                (name.to_owned(), Bytes::copy_from_slice(value.as_bytes()))
            };
            headers.iter().map(own).collect()
        };
        let exchange = Exchange {
            id: format!("r{}", self.sent),
            connection: self.connection,
            at: self.sent * 10_000,
            http: "1.1",
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers_of(headers),
            body: SeenBody::Whole(Bytes::copy_from_slice(body)),
            result: Ok(SeenAnswer {
                status: 200,
                headers: headers_of(answer_headers),
                header_us: 4_000,
                total_us: 5_000,
                body: SeenBody::Whole(Bytes::copy_from_slice(answer.as_bytes())),
            }),
        };
        self.lines.push(self.correlator.take(exchange));
        &self.lines.last().unwrap().request
    }

    fn get(&mut self, path: &str, answer: &str) -> &Request {
        self.send("GET", path, &[], "", &[], answer)
    }

    fn log_in(&mut self) -> &Request {
        let body = json!({"email": "a@example.org", "password": PASSWORD}).to_string();
        let answer = json!({"access_token": TOKEN, "user": {"id": OTHER}}).to_string();
        self.send("POST", "/login", &[("content-type", "application/json")], &body, &[], &answer)
    }

    fn captures(&self) -> Vec<(String, String, bool)> {
        let captures = self.lines.iter().flat_map(|line| &line.captures);
        captures.map(|c| (c.of.clone(), c.capture.name.clone(), c.capture.secret)).collect()
    }

    fn stored(&self) -> String {
        let lines = self.lines.iter().map(|line| {
            let captures: Vec<_> = line.captures.iter().map(|c| format!("{c:?}")).collect();
            format!("{}\n{captures:?}\n", serde_json::to_string(&line.request).unwrap())
        });
        lines.collect()
    }
}

fn origins(request: &Request) -> Vec<&Origin> {
    request.bind.iter().map(|binding| &binding.from).collect()
}

fn capture(of: &str, name: &str) -> Origin {
    Origin::Capture { of: of.to_owned(), name: name.to_owned() }
}

#[test]
fn a_login_is_the_prologue_and_its_secrets_stay_in_memory() {
    let mut client = Client::new();
    let login = client.log_in();
    assert!(login.prologue);
    assert_eq!(
        (login.persona.as_deref(), login.account.as_deref()),
        (Some("visitor"), Some("visitor1"))
    );
    let expected = [Origin::Account("email".into()), Origin::Account("password".into())];
    assert_eq!(origins(login), expected.iter().collect::<Vec<_>>());
    assert_eq!(client.captures(), [("r1".to_owned(), "access_token".to_owned(), true)]);

    let bearer = format!("Bearer {TOKEN}");
    let next = client.send("GET", "/me", &[("authorization", &bearer)], "", &[], "{}");
    assert!(!next.prologue);
    assert_eq!(next.headers, [("Authorization".to_owned(), "Bearer ".to_owned())]);
    let bound = Binding {
        part: Part::Header(0),
        start: 7,
        end: 7,
        from: capture("r1", "access_token"),
        encode: Encoding::Raw,
        ambiguous: false,
    };
    assert_eq!(next.bind, [bound]);
    assert_eq!(client.captures().len(), 1, "it was journaled with the login");
}

#[test]
fn an_id_from_a_list_is_bound_wherever_it_is_sent() {
    let mut client = Client::new();
    client.get("/alerts", &json!([{"id": OTHER}, {"id": ID}]).to_string());
    let acknowledge = client.get(&format!("/alerts/{ID}/acknowledge?x=1"), "{}");
    assert_eq!(acknowledge.name, "GET /alerts/{id}/acknowledge");
    assert_eq!(origins(acknowledge), [&capture("r1", "1.id")]);
    let json = [("content-type", "application/json")];
    let body = json!({"alert": ID, "note": format!("see /alerts/{ID}, please")}).to_string();
    let posted = client.send("POST", "/notes", &json, &body, &[], "{}");
    assert_eq!(origins(posted), [&capture("r1", "1.id"), &capture("r1", "1.id")]);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let posted = client.send("POST", "/notes", &form, &format!("a=b&c={ID}"), &[], "{}");
    assert_eq!(posted.bind[0].encode, Encoding::Form);
    assert_eq!(client.captures(), [("r1".to_owned(), "1.id".to_owned(), false)]);
}

/// Browsers leave `/` and `:` in a query as they are, and other clients do not.
#[test]
fn a_value_is_bound_the_way_its_client_wrote_it() {
    let mut client = Client::new();
    let given = [("Set-Cookie", "tz=America/Montreal; Path=/")];
    client.send("GET", "/", &[], "", &given, "");
    for (written, encode) in
        [("America/Montreal", Encoding::Raw), ("America%2FMontreal", Encoding::Percent)]
    {
        let bound = &client.get(&format!("/find?tz={written}"), "{}").bind[0];
        assert_eq!((&bound.from, bound.encode), (&capture("r1", "cookie:tz"), encode));
    }
}

#[test]
fn headers_cookies_and_form_fields_give_values_too() {
    let mut client = Client::new();
    let given =
        [("Location", "/orders/A-20261124-77"), ("Set-Cookie", "xsrf=0123456789abcdef; Path=/")];
    client.send("POST", "/orders", &[], "", &given, "");
    let next = client.get("/orders/A-20261124-77", "<form><input name=csrf_token value=aGVsbG8x>");
    assert_eq!(origins(next), [&capture("r1", "header:location:0")]);
    let page = [("Content-Type", "text/html")];
    client.send(
        "GET",
        "/form",
        &[],
        "",
        &page,
        "<input type=hidden name=csrf_token value=aGVsbG8x>",
    );
    let headers = [
        ("X-XSRF-Token", "0123456789abcdef"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let posted = client.send("POST", "/f", &headers, "csrf_token=aGVsbG8x&t=hi", &[], "");
    assert_eq!(origins(posted), [&capture("r1", "cookie:xsrf"), &capture("r3", "form:csrf_token")]);
    assert_eq!(posted.body, Some(Body::Text("csrf_token=&t=hi".into())));
}

#[test]
fn what_the_client_makes_itself_is_made_anew() {
    let mut client = Client::new();
    let json = [("content-type", "application/json"), ("x-request-id", OTHER)];
    let body = json!({"id": ID, "sent": "2026-11-24T04:00:01.000Z", "n": 1795492801_u64});
    let answer = json!({"id": ID, "number": "INC-1"}).to_string();
    let posted = client.send("POST", "/things", &json, &body.to_string(), &[], &answer);
    let fresh = |key: &str| Origin::Fresh { key: key.into(), like: FreshId::Uuid };
    use trace::format::ClockFormat::{Rfc3339Millis, UnixSeconds};
    let found = origins(posted);
    assert!(
        found.contains(&&Origin::Clock(Rfc3339Millis))
            && found.contains(&&Origin::Clock(UnixSeconds))
    );
    assert!(found.contains(&&fresh("f1")) && found.contains(&&fresh("f2")), "{found:?}");
    // The answer echoed the client's own id, which stays the client's.
    let read = client.get(&format!("/things/{ID}"), "{}");
    assert_eq!(origins(read), [&fresh("f2")]);
}

#[test]
fn a_value_is_never_bound_to_an_answer_that_was_not_there_yet() {
    let mut client = Client::new();
    client.get("/alerts", &json!([{"id": ID}]).to_string());
    // Sent before that answer came, and done after it.
    client.sent = 0;
    let early = client.get(&format!("/alerts/{ID}"), "{}");
    assert_eq!(origins(early), Vec::<&Origin>::new());
}

#[test]
fn a_secret_from_nowhere_becomes_a_slot() {
    let mut client = Client::new();
    let headers = [
        ("X-Api-Key", "k-123"),
        ("Authorization", "Basic dTpwdw=="),
        ("content-type", "application/json"),
    ];
    let sent =
        client.send("POST", "/x?api_key=abc&b=1", &headers, r#"{"client_secret":"s"}"#, &[], "");
    assert_eq!(sent.path, "/x?api_key=&b=1");
    assert_eq!(sent.headers[1].1, "Basic ");
    assert_eq!(sent.body, Some(Body::Text(r#"{"client_secret":""}"#.into())));
    let slots =
        ["api_key", "x_api_key", "authorization", "client_secret"].map(|s| Origin::Slot(s.into()));
    assert_eq!(origins(sent), slots.iter().collect::<Vec<_>>());
}

#[test]
fn two_who_share_a_connection_are_two_sessions() {
    let mut client = Client::new();
    let first = client.log_in().session.clone();
    let answer = json!({"access_token": format!("{TOKEN}2")}).to_string();
    let body = json!({"email": "b@example.org", "password": "other"}).to_string();
    let json = [("content-type", "application/json")];
    let second = client.send("POST", "/login", &json, &body, &[], &answer);
    assert!(second.prologue && second.session != first);
    let second = second.session.clone();
    for (token, session) in [(TOKEN.to_owned(), first), (format!("{TOKEN}2"), second)] {
        let bearer = format!("Bearer {token}");
        let sent = client.send("GET", "/me", &[("authorization", &bearer)], "", &[], "");
        assert_eq!(sent.session, session);
    }
}

/// A number below another, again and again. A linear congruence is random enough, and the same
/// everywhere.
fn drawing(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut draw = seed;
    move |below| {
        draw = draw.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (draw >> 33) % below
    }
}

/// What a client does that takes ids from lists, among decoys: counters, enums, page numbers,
/// values that several answers have, and its own words. At least 99 % of what it took has to be
/// bound, and of what is bound at most 1 % may be wrong.
#[test]
fn nearly_all_values_that_a_client_takes_are_bound_and_hardly_another() {
    let mut tally = Tally::default();
    for seed in 0..40_u64 {
        let mut client = Client::new();
        client.log_in();
        let bearer = format!("Bearer {TOKEN}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let mut next = drawing(seed);
        let uuid = |n: u64| format!("{n:08x}-0000-4000-8000-{:012x}", n * 7919);
        let words = ["fire", "medical", "police", "low", "high"];
        for step in 0..60 {
            let items: Vec<_> = (0..next(20) + 1)
                .map(|_| {
                    let n = next(1000);
                    json!({
                        "id": uuid(n), "number": format!("INC-20261124-{n:04}"), "priority": n % 5,
                        "category": words[n as usize % 5], "count": n, "agency_id": OTHER,
                        "device": format!("device_{n}"), "created_at": "2026-11-20T01:02:03Z",
                    })
                })
                .collect();
            let list = json!({"items": items, "page": step, "total": items.len()}).to_string();
            client.send("GET", "/incidents?page=1&size=50", &headers, "", &[], &list);
            let picked = &items[next(items.len() as u64) as usize];
            let (id, number) = (picked["id"].as_str().unwrap(), picked["number"].as_str().unwrap());
            let wanted: Vec<&str> = match next(4) {
                0 => {
                    client.send(
                        "GET",
                        &format!("/incidents/{id}"),
                        &headers,
                        "",
                        &[],
                        &picked.to_string(),
                    );
                    vec![id]
                }
                1 => {
                    let body = json!({"incident_id": id, "category": words[step % 5], "priority": 3,
                        "note": "fire on floor 3", "device": format!("device_{}", next(1000))});
                    client.send("POST", "/notes", &headers, &body.to_string(), &[], "{}");
                    vec![id]
                }
                2 => {
                    client.send(
                        "GET",
                        &format!("/search?q={number}&page=3"),
                        &headers,
                        "",
                        &[],
                        "[]",
                    );
                    vec![number]
                }
                _ => {
                    let body =
                        json!({"text": format!("about {number}: see /incidents/{id}"), "count": 7});
                    client.send("POST", "/notes", &headers, &body.to_string(), &[], "{}");
                    vec![number, id]
                }
            };
            tally.add(&wanted, &captured(&client.lines.last().unwrap().request));
        }
    }
    tally.judge();
}

/// How much of what a client took from answers is bound, and what else.
#[derive(Default)]
struct Tally {
    taken: usize,
    found: usize,
    bound: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn add(&mut self, wanted: &[&str], values: &[&str]) {
        self.taken += wanted.len();
        self.bound += values.len();
        self.found += wanted.iter().filter(|wanted| values.contains(wanted)).count();
        let wrong = values.iter().filter(|value| !wanted.contains(value));
        self.wrong.extend(wrong.map(|value| format!("{value} of {wanted:?}")));
    }

    fn judge(&self) {
        let Self { taken, found, bound, wrong } = self;
        println!("taken {taken}, found {found}; bound {bound}, wrong {wrong:?}");
        assert!(found * 100 >= taken * 99, "{found} of {taken}");
        assert!(wrong.len() * 100 <= *bound, "{} of {bound}", wrong.len());
    }
}

/// The values of the request that are bound to an answer, and no secrets.
fn captured(request: &Request) -> Vec<&str> {
    let is_captured = |binding: &&Binding| {
        matches!(binding.from, Origin::Capture { .. }) && binding.start < binding.end
    };
    let text = |binding: &Binding| {
        let text = match (&binding.part, &request.body) {
            (Part::Path, _) => request.path.as_str(),
            (Part::Body, Some(Body::Text(text))) => text.as_str(),
            (Part::Header(index), _) => request.headers[*index].1.as_str(),
            _ => unreachable!(),
        };
        &text[binding.start..binding.end]
    };
    request.bind.iter().filter(is_captured).map(text).collect()
}

fn secret_placed() -> impl Strategy<Value = (String, String, String)> {
    let secret = select(vec![PASSWORD, TOKEN]);
    let form = |text: &str| {
        text.replace('%', "%25")
            .replace(' ', "+")
            .replace('"', "%22")
            .replace('/', "%2F")
            .replace('!', "%21")
    };
    (secret, 0..7_usize, "[a-z]{0,9}").prop_map(move |(secret, way, word)| {
        let json = "application/json".to_owned();
        let encoded = BASE64_STANDARD.encode(format!("{word}:{secret}"));
        match way {
            0 => (json, "/x".into(), json!({&word: {"a": [1, {"deep": secret}]}}).to_string()),
            1 => (json, "/x".into(), json!({"note": format!("{word} {secret} {word}")}).to_string()),
            2 => (json, format!("/x?{word}={}", form(secret)), String::new()),
            3 => ("application/x-www-form-urlencoded".into(), "/x".into(), format!("{word}={}", form(secret))),
            4 => ("text/plain".into(), "/x".into(), format!("{word}{secret}{word}")),
            5 => ("text/plain".into(), "/x".into(), encoded),
            _ => ("multipart/form-data; boundary=B".into(), "/x".into(),
                format!("--B\r\nContent-Disposition: form-data; name=\"{word}\"\r\n\r\n{secret}\r\n--B--\r\n")),
        }
    })
}

#[test]
fn answers_have_the_shape_that_a_replay_will_see() {
    let whole = |body: &str| SeenBody::Whole(Bytes::copy_from_slice(body.as_bytes()));
    let json = r#"{"a":[1]}"#;
    let cases = [
        (200, "application/json", whole(json), Some(json)),
        (200, "text/plain", whole(json), Some(json)),
        (200, "text/html", whole(json), None),
        (200, "text/plain", whole("42"), None),
        (200, "application/json", whole("42"), Some("42")),
        (304, "application/json", whole(""), Some("")),
        (304, "application/json", whole(json), Some("")),
        // Not known: it agrees with all.
        (200, "application/json", SeenBody::TooLarge { size: 9, sha256: "x".into() }, Some("null")),
    ];
    for (status, content_type, body, expected) in cases {
        let said = format!("{status} {content_type}");
        let exchange = Exchange {
            id: "r".into(),
            connection: 1,
            at: 0,
            http: "1.1",
            method: "GET".into(),
            path: "/".into(),
            headers: Vec::new(),
            body: whole(""),
            result: Ok(SeenAnswer {
                status,
                headers: vec![("Content-Type".into(), Bytes::from_static(content_type.as_bytes()))],
                header_us: 1,
                total_us: 1,
                body,
            }),
        };
        let shape = correlator().take(exchange).shape;
        let expected = expected
            .and_then(|body| Shape::of_body(status, "application/json", Some(body.as_bytes())));
        assert_eq!(shape, expected, "{said}");
    }
}

proptest! {
    #[test]
    fn a_secret_never_reaches_the_disk_however_it_is_sent(placed in vec(secret_placed(), 1..4)) {
        let mut client = Client::new();
        client.log_in();
        for (kind, path, body) in placed {
            client.send("POST", &path, &[("content-type", &kind)], &body, &[], "{}");
        }
        let stored = client.stored();
        let json = json!(PASSWORD).to_string();
        for secret in [PASSWORD, TOKEN, &json[1..json.len() - 1], "TestPass+%22", "TestPass%20%22"] {
            prop_assert!(!stored.contains(secret), "{secret} in {stored}");
        }
        // In base64, by any twelve of its letters.
        for before in ["", "a", "ab"] {
            for secret in [PASSWORD, TOKEN] {
                let text = BASE64_STANDARD.encode(format!("{before}{secret}"));
                prop_assert!(!stored.contains(&text[4..16]), "{stored}");
            }
        }
    }

    /// With the recorded values in its ranges a line is the request as it was sent.
    #[test]
    fn a_line_with_its_values_is_the_request_again(
        word in "[a-zé%+&=\" /]{0,12}",
        ids in vec(0..3_usize, 0..5),
    ) {
        let known = [ID, "INC-20261124-0007", OTHER];
        let mut client = Client::new();
        client.get("/l", &json!({"a_id": known[0], "b_id": known[1], "c_id": known[2]}).to_string());
        let mut text = word.clone();
        for id in ids {
            text.push_str(&format!(" {} {word}", known[id]));
        }
        let body = json!({"a": {"b": [text.clone(), 7]}, "id": known[0]}).to_string();
        let json = [("content-type", "application/json")];
        let request = client.send("POST", "/p", &json, &body, &[], "{}");
        prop_assert_eq!(&request.body, &Some(Body::Text(body.clone())), "no secret was in it");
        for binding in &request.bind {
            prop_assert!(known.contains(&&body[binding.start..binding.end]));
        }
    }

    #[test]
    fn any_exchange_is_taken(
        path in any::<String>(),
        header in vec(any::<u8>(), 0..60),
        body in vec(any::<u8>(), 0..200),
        answer in vec(any::<u8>(), 0..200),
        kind in select(vec!["application/json", "text/html", "multipart/form-data; boundary=", "application/x-www-form-urlencoded", ""]),
        coding in select(vec!["", "gzip", "br", "deflate", "zstd", "x"]),
        at in any::<u64>(),
    ) {
        let mut correlator = correlator();
        let headers = |value: &Vec<u8>| vec![
            ("content-type".to_owned(), Bytes::from_static(kind.as_bytes())),
            ("content-encoding".to_owned(), Bytes::from_static(coding.as_bytes())),
            ("set-cookie".to_owned(), Bytes::from(value.clone())),
            ("location".to_owned(), Bytes::from(value.clone())),
            ("authorization".to_owned(), Bytes::from(value.clone())),
        ];
        for number in 0..2 {
            correlator.take(Exchange {
                id: format!("r{number}"), connection: 1, at: at / 2, http: "1.1",
                method: "POST".into(), path: path.clone(), headers: headers(&header),
                body: SeenBody::Whole(body.clone().into()),
                result: Ok(SeenAnswer {
                    status: 200, headers: headers(&header), header_us: 1, total_us: 1,
                    body: SeenBody::Whole(answer.clone().into()),
                }),
            });
        }
    }
}
