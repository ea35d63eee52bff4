//! What is marked as a secret is in no line, and what only looks like it is as it was sent.

use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::*;

/// A secret of no shape, and how it would be looked for in a line.
const SECRET: &str = "Zq7/k\"ärz+3 x9";
const PLAIN: &str = "zq7krz3x9plm2w";

fn json_escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

fn base64_within(text: &str) -> Vec<String> {
    (0..3)
        .map(|before| {
            let encoded = BASE64_STANDARD.encode(["", "a", "ab"][before].to_owned() + text);
            encoded[4..(before + text.len()) * 8 / 6].to_owned()
        })
        .collect()
}

/// How the secret would stand in a line of the trace, were it left in.
fn traces(secret: &str) -> Vec<String> {
    let utf_16: String = secret.chars().flat_map(|c| [c, '\0']).collect();
    let mut all = vec![
        secret.to_owned(),
        json_escaped(secret),
        json_escaped(&json_escaped(secret)),
        percent(secret),
        percent(secret).replace("%20", "+"),
        percent(secret).to_lowercase(),
        xml(secret),
        common::digest::hex(secret.as_bytes()),
        json_escaped(&utf_16),
    ];
    all.extend(base64_within(secret));
    all
}

fn assert_not_in(stored: &str, secret: &str, what: &str) {
    for trace in traces(secret) {
        assert!(!stored.contains(&trace), "{what}: {trace} in {stored}");
    }
    // A body that is kept as base64.
    for body in stored.split("\"base64\":\"").skip(1) {
        let body = BASE64_STANDARD.decode(body.split('"').next().unwrap()).unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        assert!(traces(secret).iter().all(|trace| !body.contains(trace)), "{what}: in {body}");
    }
}

/// Bodies with a secret in them, by the type that they are sent with.
fn bodies(name: &str, secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let (json, percent, xml) = (json_escaped(secret), percent(secret), xml(secret));
    let object = json!({name: secret}).to_string();
    let text = |kind: &'static str, body: String| (kind, body.into_bytes());
    let part = |head: &str, content: &str, end: &str| {
        format!("--B{end}Content-Disposition: form-data; {head}{end}{end}{content}{end}--B--{end}")
    };
    let mut all = vec![
        text("application/json", object.clone()),
        text("text/plain", object.clone()),
        text("", format!("\u{feff}{object}")),
        text("application/json", format!(")]}}',\n{object}")),
        text("application/json", format!("{{\"{name}\":\"{json}\",}}")),
        text("application/json", format!("{object};")),
        text("application/json", format!("{{\"x\":\"\\ud800\",\"{name}\":\"{json}\"}}")),
        text("application/json", json!({"body": json!({"x": object}).to_string()}).to_string()),
        text("application/json", json!([{name: {"a": [1, {"b": secret}]}}]).to_string()),
        text("application/x-ndjson", format!("{{\"a\":1}}\n{object}\n")),
        text(
            "application/json",
            json!({"query": format!("mutation {{ login(email: \"a\", {name}: \"{json}\") }}")})
                .to_string(),
        ),
        text(
            "application/json",
            json!({"query": "mutation($x: String!) {}", "variables": {name: secret}}).to_string(),
        ),
        text(
            "application/graphql",
            format!("mutation {{ login(email: \"a\", {name}: \"{json}\") }}"),
        ),
        text("application/x-www-form-urlencoded", format!("a=1&{name}={percent}&b=2")),
        text("application/json", format!("a=1&{name}={percent}&b=2")),
        text("", format!("a=1;{name}={percent};b=2")),
        text("text/plain", format!("user[{name}]={percent}")),
        text("multipart/form-data; boundary=B", part(&format!("name=\"{name}\""), secret, "\r\n")),
        text("multipart/form-data; Boundary=B", part(&format!("name={name}"), secret, "\r\n")),
        text("multipart/form-data", part(&format!("name={name}"), secret, "\n")),
        text("multipart/form-data; boundary=B", part("name=j", &object, "\r\n")),
        text("application/xml", format!("<login><{name} a=\"1\">{xml}</{name}></login>")),
        text(
            "text/xml",
            format!("<s:Envelope><s:Body><x:{name}>{xml}</x:{name}></s:Body></s:Envelope>"),
        ),
        text("application/xml", format!("<login {name}=\"{xml}\" b='2'/>")),
        text("application/xml", format!("<a><{name}><![CDATA[{secret}]]></{name}></a>")),
        text("application/yaml", format!("a: 1\n{name}: \"{json}\"\nb: 2\n")),
        text("application/yaml", format!("{name}:\n  - x: \"{json}\"\nb: 2\n")),
        text("text/plain", format!("the {name}=\"{json}\" was wrong")),
        text("text/plain", BASE64_STANDARD.encode(&object)),
        text(
            "application/json",
            json!({"data": BASE64_URL_SAFE_NO_PAD.encode(&object)}).to_string(),
        ),
        text(
            "application/json",
            json!({"url": format!("https://a.b/c?{name}={percent}&d=1")}).to_string(),
        ),
    ];
    let mut binary = b"--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n\xff\xfe\x00\x89\r\n".to_vec();
    binary.extend(part(&format!("name=\"{name}\""), secret, "\r\n").into_bytes());
    all.push(("multipart/form-data; boundary=B", binary));
    let mut latin = b"{\"n\":\"M\xfcller\",\"".to_vec();
    latin.extend(format!("{name}\":\"{json}\"}}").into_bytes());
    all.push(("application/json; charset=latin-1", latin));
    all.push(("application/json", [&b"\xff\xfe"[..], &utf_16(&object)].concat()));
    let mut form = b"n=M\xfcller&".to_vec();
    form.extend(format!("{name}={percent}").into_bytes());
    all.push(("application/x-www-form-urlencoded", form));
    all
}

fn utf_16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn a_body_is_looked_into_by_what_it_is() {
    for name in ["password", "api_key", "mfa_code", "contraseña", "パスワード"] {
        for secret in [SECRET, PLAIN] {
            for (kind, body) in bodies(name, secret) {
                let mut client = Client::new();
                client.send_bytes("POST", "/x", &[("content-type", kind)], &body, &[], "{}");
                let shown = String::from_utf8_lossy(&body).into_owned();
                assert_not_in(&client.stored(), secret, &shown);
            }
        }
    }
}

#[test]
fn heads_and_paths_are_looked_into() {
    let percent = percent(SECRET);
    for (path, headers) in [
        (format!("/x?a=1&api_key={percent}"), vec![]),
        (format!("/x?next=%2Fy%3Ftoken%3D{}", self::percent(&percent)), vec![]),
        (format!("/x;jsessionid={percent}/y"), vec![]),
        ("/reset/dQw4w9WgXcQ0R7rJ1a2b".to_owned(), vec![]),
        (format!("/oauth/callback?code={percent}&state={percent}"), vec![]),
        ("/x".to_owned(), vec![("Referer", format!("https://a.b/c?access_token={percent}"))]),
        ("/x".to_owned(), vec![("Referer", "https://a.b/reset/dQw4w9WgXcQ0R7rJ1a2b".to_owned())]),
        ("/x".to_owned(), vec![("X-Api-Key", PLAIN.to_owned())]),
        ("/x".to_owned(), vec![("X-Context", json!({"password": PLAIN}).to_string())]),
        ("/x".to_owned(), vec![("X-Url", format!("postgres://app:{PLAIN}@db/x"))]),
    ] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut client = Client::new();
        client.send("GET", &path, &headers, "", &[], "{}");
        for secret in [SECRET, PLAIN, "dQw4w9WgXcQ0R7rJ1a2b"] {
            assert_not_in(&client.stored(), secret, &path);
        }
    }
}

#[test]
fn the_route_is_named_after_redaction() {
    let mut client = Client::new();
    assert_eq!(client.get("/a;jsessionid=A1B2C3/b", "{}").name, "GET /a/b");
    assert_eq!(client.get("/reset/dQw4w9WgXcQ0R7rJ1a2b", "{}").name, "GET /reset/{id}");
    client.log_in();
    let path = format!("/x/{}/y", percent(PASSWORD));
    assert_eq!(client.get(&path, "{}").name, "GET /x/{id}/y");
    assert_not_in(&client.stored(), PASSWORD, "the path");
}

/// Ways in which a session may show that something is secret, and show it again elsewhere.
#[test]
fn a_secret_seen_under_one_name_is_left_out_under_every_other() {
    let learned: [fn(&mut Client, &str); 7] = [
        |client, secret| {
            client.get("/t", &json!({"access_token": secret}).to_string());
        },
        |client, secret| {
            client.send("GET", "/t", &[("X-Api-Key", secret)], "", &[], "");
        },
        |client, secret| {
            client.send("GET", "/t", &[("Cookie", &format!("a=b; sid={secret}"))], "", &[], "");
        },
        |client, secret| {
            client.send(
                "GET",
                "/t",
                &[],
                "",
                &[("Set-Cookie", &format!("sid={secret}; Path=/"))],
                "",
            );
        },
        |client, secret| {
            let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("ann:{secret}")));
            client.send("GET", "/t", &[("Authorization", &basic)], "", &[], "");
        },
        |client, secret| {
            client.get("/t", &format!("access_token={secret}&token_type=bearer"));
        },
        |client, secret| {
            client.get("/t", &format!("<a><token>{secret}</token></a>"));
        },
    ];
    for learn in learned {
        let mut client = Client::new();
        learn(&mut client, PLAIN);
        let before = client.lines.len();
        for text in [
            PLAIN.to_owned(),
            format!("x-{PLAIN}"),
            common::digest::hex(PLAIN.as_bytes()),
            BASE64_STANDARD.encode(format!("a{PLAIN} b")),
            BASE64_STANDARD.encode(format!("ab{PLAIN} b")),
            BASE64_STANDARD.encode(format!("abc{PLAIN} b")),
            percent(&format!("{{\"a\":\"{PLAIN}\"}}")),
            PLAIN.chars().map(|c| format!("&#{};", u32::from(c))).collect(),
            PLAIN.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect(),
        ] {
            client.send(
                "POST",
                &format!("/x/{}", text.replace('/', "%2F")),
                &[("X-Any", &text)],
                &text,
                &[],
                "{}",
            );
            client.send_bytes("POST", "/x", &[], &utf_16(&text), &[], "{}");
            client.send_bytes(
                "POST",
                "/x",
                &[],
                &[&b"\x01\xff"[..], &utf_16(PLAIN)].concat(),
                &[],
                "{}",
            );
        }
        client.lines.drain(..before);
        assert_not_in(&client.stored(), PLAIN, "what was learned");
    }
}

#[test]
fn what_one_part_shows_is_left_out_of_the_others() {
    let mut client = Client::new();
    let headers = [("X-Api-Key", PLAIN), ("content-type", "application/json")];
    let body = json!({"note": format!("see {PLAIN}")}).to_string();
    client.send("POST", &format!("/x/{PLAIN}"), &headers, &body, &[], "{}");
    assert_not_in(&client.stored(), PLAIN, "the request");
}

#[test]
fn a_session_may_hold_many_secrets() {
    let mut client = Client::new();
    let secret = |number: u32| format!("k{number:04}x{:08x}", number.wrapping_mul(2_654_435_761));
    for number in 0..300 {
        client.get("/t", &json!({"token": secret(number)}).to_string());
    }
    client.lines.clear();
    for number in 0..300 {
        client.get(&format!("/x/{}", secret(number)), "{}");
    }
    let stored = client.stored();
    assert!((0..300).all(|number| !stored.contains(&secret(number))));
}

#[test]
fn secrets_are_bound_to_where_they_came_from_wherever_they_stand() {
    let mut client = Client::new();
    client.get("/t", &json!({"csrf_token": PLAIN, "id": ID}).to_string());
    let json = [("content-type", "application/json")];
    let inner = json!({"csrf_token": PLAIN}).to_string();
    let sent =
        client.send("POST", "/x", &json, &json!({"inner": inner, "id": ID}).to_string(), &[], "{}");
    assert_eq!(origins(sent), [&capture("r1", "id"), &capture("r1", "csrf_token")]);
    let mixed = [
        &b"--B\r\nContent-Disposition: form-data; name=csrf_token\r\n\r\n"[..],
        PLAIN.as_bytes(),
        b"\r\n--B\r\nContent-Disposition: form-data; name=f\r\n\r\n\xff\r\n--B--\r\n",
    ]
    .concat();
    let sent = client.send_bytes("POST", "/x", &[], &mixed, &[], "{}");
    assert_eq!(origins(sent), [&capture("r1", "csrf_token")]);
    let Some(Body::Base64(stored)) = &sent.body else { panic!("it is no text") };
    let mut stored = BASE64_STANDARD.decode(stored).unwrap();
    let at = sent.bind[0].start;
    stored.splice(at..at, PLAIN.bytes());
    assert_eq!(stored, mixed);
}

#[test]
fn a_secret_that_is_a_key_is_in_no_shape_and_no_pointer() {
    let mut client = Client::new();
    client.log_in();
    let answer = json!({"sessions": {PLAIN: {"id": ID}}, "token": PLAIN}).to_string();
    client.get("/sessions", &answer);
    client.get(&format!("/things/{ID}"), "{}");
    let body = json!({"tokens": {PLAIN: "x9y8z7w6"}}).to_string();
    client.send("POST", "/x", &[("content-type", "application/json")], &body, &[], "{}");
    let shapes: Vec<_> = client.lines.iter().map(|line| format!("{:?}", line.shape)).collect();
    assert_not_in(&(client.stored() + &shapes.concat()), PLAIN, "keys");
    let sent = &client.lines.last().unwrap().request;
    assert!(origins(sent).contains(&&Origin::Slot("secret".into())), "{:?}", sent.bind);
}

/// Requests in a session that set harmless cookies and holds some secrets.
fn harmless() -> Vec<(String, &'static str, String)> {
    let path = |path: &str| (path.to_owned(), "", String::new());
    let json = |body: serde_json::Value| ("/x".to_owned(), "application/json", body.to_string());
    let text = |kind: &'static str, body: &str| ("/x".to_owned(), kind, body.to_owned());
    vec![
        path("/darkroom"),
        path("/dark/mode"),
        path("/en-US/home?theme=dark"),
        path("/x?accept=true&locale=en-US"),
        path("/agencies?code=NORTH&page=2"),
        path("/x?state=open&status=ok"),
        path("/x?key=PROJ-123&sort_key=name"),
        path("/token/refresh"),
        path("/verify/17"),
        path("/auth/login"),
        path("/keys/status"),
        path("/passengers/3"),
        path("/x?max_tokens=4096&token_type=bearer"),
        path("/x?pass=false&pin=left&auth=basic"),
        path("/files/report-2026.pdf?v=1.2.3"),
        path("/secretary/17"),
        path("/sessions"),
        path("/password/policy"),
        path("/x?q=how+to+reset+a+password&page=2"),
        path("/x?from=2026-11-26&to=2026-11-27"),
        json(json!({"theme": "dark", "locale": "en-US", "consent": true, "darkroom": "dark"})),
        json(
            json!({"code": "NORTH", "state": "open", "status": "active", "key": "status", "pin": "left"}),
        ),
        json(
            json!({"max_tokens": 4096, "tokens": 1532, "mfa": "sms", "signature": "valid", "token_type": "bearer", "expires_in": 3600, "tokenizer": "cl100k"}),
        ),
        json(
            json!({"password": null, "has_password": true, "password_required": false, "pass": true}),
        ),
        json(
            json!({"secretary": "Ann", "author": "Bob", "signal": "green", "design": "x", "keyword": "y"}),
        ),
        json(
            json!({"note": "true is true, false is not", "count": 4711, "page": 17, "ratio": 0.25}),
        ),
        json(
            json!({"card": "4111111111111112", "order": "1234 5678 9012 3456", "number": "4111111111111111"}),
        ),
        json(
            json!({"text": "primary key: 17, boarding pass: A12, time: 10:30", "url": "/a?page=2&size=50"}),
        ),
        json(
            json!({"cursor": "eyJpZCI6MTIzNDU2fQ", "sku": "sk-learn-and-more-words", "name": "heyJude"}),
        ),
        json(
            json!({"enabled": "true", "credentials": "include", "mode": "same-origin", "cookies": "true"}),
        ),
        text("application/x-www-form-urlencoded", "theme=dark&state=open&code=E42&remember=on"),
        text("text/plain", "the token expired, see page=2: state=open"),
        text(
            "text/xml",
            "<a><code>E42</code><state>CA</state><author>Ann</author><pass>true</pass></a>",
        ),
        text("application/yaml", "a: 1\nstate: open\ncode: E42\nkeys:\n  - a\n"),
        text("text/csv", "id,code,state\n1,NORTH,open\n2,SOUTH,closed\n"),
        text("application/graphql", "query { alerts(state: open, first: 10) { id code } }"),
        text("text/html", "<p class=\"dark\">dark, darker &amp; darkest</p>"),
    ]
}

#[test]
fn what_is_harmless_is_stored_as_it_was_sent() {
    let mut client = Client::new();
    client.log_in();
    let given = [
        ("Set-Cookie", "theme=dark; Path=/"),
        ("Set-Cookie", "locale=en-US"),
        ("Set-Cookie", "consent=true"),
        ("Set-Cookie", "page=17"),
        ("Set-Cookie", "state=open"),
        ("Access-Control-Allow-Credentials", "true"),
        ("Set-Cookie", "sid=open"),
        ("Set-Cookie", "session=active; HttpOnly"),
    ];
    client.send(
        "GET",
        "/",
        &[("Cookie", "sort=name; theme=dark; token=status")],
        "",
        &given,
        r#"{"token":"true","pin":"4711","secret":"name"}"#,
    );
    let headers = [
        ("Access-Control-Request-Headers", "authorization,content-type"),
        ("Accept", "text/html;q=0.9,*/*;q=0.8"),
        ("Accept-Language", "en-US,en;q=0.5"),
        ("Cache-Control", "max-age=0"),
        ("X-Theme", "dark"),
        ("Referer", "https://a.b/darkroom?state=open&page=2"),
        ("Origin", "https://a.b"),
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0"),
    ];
    for (path, kind, body) in harmless() {
        let mut all = headers.to_vec();
        all.push(("Content-Type", kind));
        let sent = client.send("POST", &path, &all, &body, &[], "{}");
        assert_eq!(sent.path, path);
        let stored: Vec<_> = sent.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(stored, all, "{path}");
        let stored = match &sent.body {
            Some(Body::Text(text)) => text.as_str(),
            None => "",
            other => panic!("{other:?}"),
        };
        assert_eq!(stored, body);
    }
}

#[test]
fn ids_and_hashes_of_things_stay() {
    let mut client = Client::new();
    client.log_in();
    let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    for path in [
        format!("/things/{ID}"),
        format!("/confirm/{ID}"),
        format!("/files/{hash}"),
        format!("/x?digest={hash}&id={ID}"),
        format!("/x?etag={hash}&commit={}", &hash[..40]),
    ] {
        assert_eq!(client.get(&path, "{}").path, path);
    }
    let body =
        json!({"id": ID, "sha256": hash, "parent": {"id": ID, "number": "INC-20261124-0001"}})
            .to_string();
    let json = [("content-type", "application/json"), ("If-None-Match", hash)];
    let sent = client.send("POST", "/x", &json, &body, &[], "{}");
    assert_eq!((&sent.body, sent.headers[1].1.as_str()), (&Some(Body::Text(body)), hash));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Names, nestings and encodings drawn at random.
    #[test]
    fn a_marked_secret_is_in_no_line(
        // Without what would end a section of XML or a quoted text before its time.
        secret in r"[a-zA-Z]{3}[0-9]{2}[ -&(-\[\^_a-~]{3,20}[a-z][0-9]",
        name in select(vec![
            "password", "newPassword", "user_pwd", "kennwort", "senha", "пароль", "密码", "비밀번호", "otp", "cardCvc",
            "client_secret", "x-api-key", "csrf_token", "session_id", "jwt", "private-key", "iban",
        ]),
        way in any::<prop::sample::Index>(),
    ) {
        let bodies = bodies(name, &secret);
        let (kind, body) = &bodies[way.index(bodies.len())];
        let mut client = Client::new();
        client.send_bytes("POST", "/x", &[("content-type", kind)], body, &[], "{}");
        let stored = client.stored();
        prop_assert!(!stored.contains(&json_escaped(&secret)), "{secret} in {stored}");
        prop_assert!(!stored.contains(&json_escaped(&json_escaped(&secret))), "{secret} in {stored}");
    }
}
