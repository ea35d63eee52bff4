//! Rewrites of personas, what a failing recording says, and the mock, against a small server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use recorder::edit::check::check;
use trace::format::Mostly;
use trace::format::{Body, Origin};
use trace::reader::TraceReader;

use crate::world::{Folder, PERSONAS, Server, good, read, recorder, run, signal, text};

const SHORT: [&str; 4] = ["--max-requests", "40", "--duration", "60s"];

fn with_rewrites(folder: &Folder, url: &str, rewrites: &str) -> std::process::Output {
    let path = folder.path("r.toml");
    std::fs::write(&path, rewrites).unwrap();
    let given = [&SHORT[..], &["--rewrites", path.to_str().unwrap()]].concat();
    run(folder.personas(url, &given))
}

#[tokio::test(flavor = "multi_thread")]
async fn personas_send_what_rewrites_say_and_the_log_has_it_as_it_was_sent() {
    let server = Server::start().await;
    let folder = Folder::new(PERSONAS);
    // Every test runner has it.
    let output = with_rewrites(
        &folder,
        &server.url,
        "base = '/api'\n[[rewrite]]\nmatch = 'POST /items/{id}/take'\nsend = 'POST /items/other/take'\n\
         body = \"{'told': body.note, 'of': body.at}\"\nheaders = { X-Key = '{{ env.PATH }}' }\nmeans = 'all take one'\n\
         [[rewrite]]\nmatch = 'GET /empty'\ndrop = true\n",
    );
    good(&output);
    let taken: Vec<_> =
        server.seen.requests().into_iter().filter(|seen| seen.starts_with("take")).collect();
    assert!(!taken.is_empty() && taken.iter().all(|seen| seen == "take other"), "{taken:?}");
    let requests = read(&folder.trace());
    assert!(!requests.iter().any(|request| request.name == "GET /empty"), "dropped");
    let takes: Vec<_> = requests.iter().filter(|r| r.name == "POST /items/{id}/take").collect();
    assert_eq!(takes.len(), taken.len());
    for take in takes {
        assert_eq!(take.path, "/api/items/other/take");
        let Some(Body::Text(body)) = &take.body else { panic!("{take:?}") };
        assert!(serde_json::from_str::<serde_json::Value>(body).unwrap()["of"].is_u64(), "{body}");
        let slots: Vec<_> =
            take.bind.iter().filter(|b| matches!(b.from, Origin::Slot(_))).collect();
        assert_eq!((slots.len(), slots[0].start, slots[0].end), (1, 0, 0));
        assert!(take.headers.contains(&("X-Key".into(), String::new())), "{:?}", take.headers);
        assert!(take.bind.iter().any(|b| b.from == Origin::Account("email".into())), "{take:?}");
    }
    let header = TraceReader::open(&folder.trace()).unwrap().header().clone();
    let rules: Vec<_> = header.sources[0].rewrites.iter().map(|of| of.rule.as_str()).collect();
    assert_eq!(
        rules,
        [
            "POST /items/{id}/take: sent as POST /items/other/take, another body, X-Key set",
            "GET /empty: not sent"
        ]
    );
    assert_eq!(header.minor, 2);
    let mut problems = Vec::new();
    check(&folder.trace(), |problem| problems.push(format!("{problem:?}"))).unwrap();
    assert_eq!(problems, [""; 0]);
    let said = text(&run(recorder(&["inspect", folder.trace().to_str().unwrap()])).stdout);
    assert!(said.contains("rewritten by r.toml: GET /empty: not sent"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_end_early_are_counted_with_what_was_missing() {
    let server = Server::start().await;
    let folder = Folder::new(PERSONAS);
    let output = run(folder.personas(&server.url, &SHORT));
    good(&output);
    let empty = read(&folder.trace()).iter().filter(|r| r.name == "GET /empty").count();
    let said = text(&output.stdout);
    let expected =
        format!("Taker, take what is not there: 0 of {empty} ran: GET /empty gave no item");
    assert!(empty > 0 && said.contains(&expected), "{expected}: {said}");
    assert!(!said.contains("take the second item:"), "{said}");
}

const BROKEN: &str = "traps = 'traps.toml'\n";

fn broken() -> Folder {
    let personas = PERSONAS.replace("GET /items?page={{ integer(1, 9) }}", "GET /broken");
    let folder = Folder::new(&format!("{BROKEN}{personas}"));
    let traps = "[[trap]]\nnumber = 7\nmatch = 'GET /broken'\nstatus = 500\nsays = 'it is broken'\nhelp = 'mend it'\n";
    std::fs::write(folder.path("traps.toml"), traps).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_fails_says_what_was_answered_what_that_is_and_what_helps() {
    let server = Server::start().await;
    let folder = broken();
    let output = run(folder.personas(&server.url, &["--duration", "60s"]));
    assert_eq!(output.status.code(), Some(4));
    let told = text(&output.stderr);
    let last = told.trim_end().lines().last().unwrap();
    for words in [
        "of persona Looker failed, more than 20 %: mostly GET /broken,",
        "times answered 500 broken; trap 7: it is broken; mend it",
        "--allow-failures records them all the same",
    ] {
        assert!(last.contains(words), "{words}: {last}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_of_failures_says_so_in_header_summary_and_inspection() {
    let server = Server::start().await;
    let folder = broken();
    let output = run(folder.personas(&server.url, &[&SHORT[..], &["--allow-failures"]].concat()));
    good(&output);
    let requests = read(&folder.trace());
    let failed = requests.iter().filter(|request| request.name == "GET /broken").count() as u64;
    let header = TraceReader::open(&folder.trace()).unwrap().header().clone();
    let failures = header.failures.unwrap();
    assert_eq!((failures.requests, failures.failed), (40, failed));
    let mostly = Mostly { name: "GET /broken".into(), status: Some(500), failed };
    assert_eq!(failures.mostly, mostly);
    let sentence = "of this recording were failures already, mostly GET /broken 500";
    let inspected = run(recorder(&["inspect", folder.trace().to_str().unwrap()]));
    for said in [&output.stdout, &inspected.stdout] {
        assert!(text(said).contains(sentence), "{}", text(said));
    }
    assert!(text(&output.stdout).contains("trap 7: it is broken; mend it"));
}

/// Asks once on a connection of its own: status and body.
fn ask(address: &str, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mock_answers_chosen_routes_as_recorded_and_passes_on_all_else() {
    let server = Server::start().await;
    let folder = Folder::new(PERSONAS);
    good(&run(folder.personas(&server.url, &SHORT)));
    let before = server.seen.requests().len();
    let trace = folder.trace();
    let trace = trace.to_str().unwrap();
    let mut child =
        recorder(&["mock", "--trace", trace, "--routes", "GET /items", "--upstream", &server.url])
            .spawn()
            .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let address = line.split("http://").nth(1).unwrap().split(',').next().unwrap().to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        let close = "Host: x\r\nConnection: close\r\n\r\n";
        let items = ask(&address, &format!("GET /api/items?page=1 HTTP/1.1\r\n{close}"));
        // Passed on, with its body: the server refuses the password.
        let body = "{\"password\":\"no\"}";
        let login = format!(
            "POST /api/login HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{close}{body}",
            body.len()
        );
        (items, ask(&address, &login))
    });
    let (items, login) = asked.await.unwrap();
    assert_eq!(items.0, 200);
    // What later requests take from it is there.
    let json: serde_json::Value = serde_json::from_str(&items.1).unwrap();
    assert!(json["items"][1]["id"].is_string(), "{json}");
    assert_eq!((login.0, login.1.contains("Invalid credentials")), (401, true));
    assert_eq!(server.seen.requests().len(), before, "the server saw no items");
    signal(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stdout), "1 answered as recorded, 1 passed on\n");

    let output = run(recorder(&[
        "mock",
        "--trace",
        trace,
        "--routes",
        "GET /nothing",
        "--upstream",
        &server.url,
    ]));
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("has no answer to GET /nothing; it has"));
}
