//! `verify --target`: logins as the plan says, at a server that takes them so.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;

use cluster::testing::TestServer;

use crate::support::{Output, Vigilia};

/// One request, as far as logins need it.
struct Request {
    /// `POST /login`.
    line: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Answers each request by itself, on a port of its own; ends with the test's process.
fn serve(answer: fn(&Request) -> (u16, String, String)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = read(&stream);
            let (status, headers, body) = answer(&request);
            let head = format!(
                "HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes()).unwrap();
        }
    });
    place
}

fn read(stream: &TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let headers: BTreeMap<String, String> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let line = lines[0].rsplit_once(' ').unwrap().0.to_owned();
    Request { line, headers, body: String::from_utf8(body).unwrap() }
}

/// Four accounts with a password of their own.
fn plan(one: &Vigilia<'_>, login: &str) -> PathBuf {
    let text = r#"
        name = "p"
        epoch = 2026-01-01T00:00:00Z
        [[table]]
        name = "people"
        rows = 4
        [table.columns]
        email = "'person' ~ n ~ '+x@p.example'"
        stored = "bcrypt('secret & ' ~ n, 4)"
        [[accounts]]
        persona = "Person"
        of = "people"
        name = "'person' ~ n"
        fields = { id = "id", email = "email", password = "'secret & ' ~ n" }
    "#;
    one.plan(&format!("{text}\n{login}"))
}

/// A database with their rows, and a manifest.
fn people(server: &TestServer) -> Vigilia<'_> {
    let one = Vigilia::empty(server);
    one.execute(
        "CREATE TABLE people (id int PRIMARY KEY, email text NOT NULL, stored text NOT NULL)",
    );
    let plan = plan(&one, "");
    one.on_plan("apply", &plan, &[]).succeeds();
    one
}

impl Vigilia<'_> {
    /// Whether they can log in so: `[login]` is the plan's of now, not the manifest's.
    fn verify(&self, login: &str, target: &str, more: &[&str]) -> Output {
        self.on_plan("verify", &plan(self, login), &[&["--target", target], more].concat())
    }
}

fn is_good(email: &str, password: &str) -> bool {
    let number = email.strip_prefix("person").and_then(|rest| rest.strip_suffix("+x@p.example"));
    number.is_some_and(|number| password == format!("secret & {number}"))
}

#[test]
fn a_json_login_is_where_the_plan_says_and_its_token_too() {
    let server = TestServer::start().unwrap();
    let people = people(&server);
    let target = serve(|request| {
        let Ok(body) = serde_json::from_str::<serde_json::Value>(&request.body) else {
            return (400, String::new(), String::new());
        };
        let text = |pointer| body.pointer(pointer).and_then(|v| v.as_str()).unwrap_or_default();
        match request.line.as_str() {
            "POST /session" if is_good(text("/user/mail"), text("/user/pass")) => {
                (201, String::new(), r#"{"data": {"jwt": "a.b.c"}}"#.to_owned())
            }
            "POST /session" => (401, String::new(), String::new()),
            _ => (404, String::new(), String::new()),
        }
    });
    let login = |pass: &str, pointer: &str| {
        format!(
            "[login]\nrequest = 'POST /session'\n\
             body = {{ user = {{ mail = '{{{{ account.email }}}}', pass = '{pass}' }} }}\n\
             capture = {{ token = '{pointer}' }}"
        )
    };
    let good =
        people.verify(&login("{{ account.password }}", "/data/jwt"), &target, &[]).succeeds();
    assert!(good.stdout.contains("Person: 4 of 4 can log in"), "{good:?}");
    for (pass, pointer, expected) in [
        ("wrong", "/data/jwt", "answered 401 to POST /session"),
        (
            "{{ account.password }}",
            "/token",
            "answered 201 to POST /session without a value at /token",
        ),
    ] {
        let refused = people.verify(&login(pass, pointer), &target, &[]);
        assert_eq!(refused.code, Some(4), "{refused:?}");
        assert!(refused.stdout.contains(expected), "{refused:?}");
        assert!(!refused.stdout.contains("secret &") && !refused.stdout.contains("a.b.c"));
    }
    let elsewhere = people.verify(
        &login("{{ account.password }}", "/data/jwt"),
        &target,
        &["--login-path", "/nowhere"],
    );
    assert!(elsewhere.stdout.contains("answered 404 to POST /nowhere"), "{elsewhere:?}");
}

/// A page with a hidden token that belongs to its cookie, as Django and Rails have it.
fn form(request: &Request) -> (u16, String, String) {
    let page = "<form action='/search'><input type=hidden name=csrf value=wrong></form>
        <form method=post><input type='hidden' name='csrf' value='t&quot;1'>
        <input name=user><input type=password name=pw></form>";
    let cookie = request.headers.get("cookie").cloned().unwrap_or_default();
    match request.line.as_str() {
        "GET /login" => (302, "Location: /accounts/login?next=/\r\n".to_owned(), String::new()),
        "GET /accounts/login?next=/" => {
            (200, "Set-Cookie: pre=p1; Path=/; HttpOnly\r\n".to_owned(), page.to_owned())
        }
        "POST /login" => {
            let fields: BTreeMap<String, String> = request
                .body
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| {
                    (name.to_owned(), common::encoding::percent_decoded(value, true).into_owned())
                })
                .collect();
            let of = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
            if of("csrf") != "t\"1"
                || cookie != "pre=p1"
                || !request.headers.contains_key("referer")
            {
                return (403, String::new(), String::new());
            }
            match is_good(of("user"), of("pw")) {
                true => (302, "Set-Cookie: sid=s1\r\nLocation: /\r\n".to_owned(), String::new()),
                // As applications do: the form again, with a 200.
                false => (200, String::new(), page.to_owned()),
            }
        }
        _ => (404, String::new(), String::new()),
    }
}

#[test]
fn a_form_is_sent_with_the_hidden_token_and_the_cookie_of_its_page() {
    let server = TestServer::start().unwrap();
    let people = people(&server);
    let target = serve(form);
    let login = |pw: &str, more: &str| {
        format!(
            "[login]\nrequest = 'POST /login'\nform = {{ user = '{{{{ account.email }}}}', pw = '{pw}' }}\n{more}"
        )
    };
    for more in ["", "cookie = 'sid'", "page = '/accounts/login?next=/'"] {
        people.verify(&login("{{ account.password }}", more), &target, &[]).succeeds();
    }
    for (pw, more, expected) in [
        ("wrong", "", "answered 200 to POST /login with the form again"),
        ("wrong", "cookie = 'sid'", "answered 200 to POST /login and set no cookie sid"),
        (
            "{{ account.password }}",
            "cookie = 'token'",
            "answered 302 to POST /login and set no cookie token",
        ),
        ("{{ account.password }}", "page = '/none'", "answered 404 to GET /none"),
    ] {
        let refused = people.verify(&login(pw, more), &target, &[]);
        assert_eq!(refused.code, Some(4), "{refused:?}");
        assert!(refused.stdout.contains(expected), "{refused:?}");
    }
}

#[test]
fn a_login_of_several_requests_takes_values_from_one_to_the_next() {
    let server = TestServer::start().unwrap();
    let people = people(&server);
    let target = serve(|request| match request.line.as_str() {
        "GET /csrf" => (200, "Set-Cookie: xsrf=x1\r\n".to_owned(), r#"{"token": 17}"#.to_owned()),
        "POST /login/17" => {
            let sent = (request.headers.get("x-csrf"), request.headers.get("x-xsrf"));
            let good = sent == (Some(&"17".to_owned()), Some(&"x1".to_owned()));
            (if good { 204 } else { 403 }, "Set-Cookie: sid=1\r\n".to_owned(), String::new())
        }
        _ => (404, String::new(), String::new()),
    });
    let login = "[[login]]
        request = 'GET /csrf'
        capture = { csrf = '/token' }
        [[login]]
        request = 'POST /login/{{ session.csrf }}'
        headers = { X-CSRF = '{{ session.csrf }}', X-XSRF = '{{ cookie.xsrf }}' }
        body = { email = '{{ account.email }}' }
        cookie = 'sid'";
    people.verify(login, &target, &[]).succeeds();
}

#[test]
fn a_login_that_makes_no_sense_is_told_with_its_line() {
    let server = TestServer::start().unwrap();
    let one = Vigilia::empty(&server);
    one.execute(
        "CREATE TABLE people (id int PRIMARY KEY, email text NOT NULL, stored text NOT NULL)",
    );
    for (login, expected) in [
        (
            "[login]\nrequest = 'POST /l'\nbody = { a = '{{ account.nick }}' }",
            "Person have no field nick",
        ),
        ("[login]\nrequest = 'POST http://other.example/'", "is not a request such as"),
        ("[login]\nrequest = 'POST /l'\ntoken = 'x'", "unknown field `token`"),
    ] {
        let failed = one.on_plan("apply", &plan(&one, login), &[]).fails(2);
        assert!(
            failed.stderr.contains(expected) && failed.stderr.contains(" line 16: login: "),
            "{failed:?}"
        );
    }
}
