//! `recorder personas` against a small server.

use std::collections::BTreeMap;

use recorder::edit::check::check;
use trace::format::{
    Body, CaptureFrom, ClockFormat, Encoding, ListStep, Origin, Part, RecordedErrorKind,
    RecordedResult, Request,
};

use crate::world::{
    Folder, PERSONAS, Server, good, read, recorder, run, signal, text, wait_for_lines,
};

fn captures(request: &Request) -> Vec<(&str, &CaptureFrom, bool)> {
    match &request.result {
        RecordedResult::Answer(answer) => {
            answer.capture.iter().map(|c| (c.name.as_str(), &c.from, c.secret)).collect()
        }
        RecordedResult::Error(_) => Vec::new(),
    }
}

fn sessions(requests: &[Request]) -> BTreeMap<String, Vec<&Request>> {
    let mut sessions: BTreeMap<String, Vec<&Request>> = BTreeMap::new();
    for request in requests {
        // Without the recording's own prefix.
        let name = request.session.split_once('-').unwrap().1.to_owned();
        sessions.entry(name).or_default().push(request);
    }
    sessions
}

fn problems(folder: &Folder) -> Vec<String> {
    let mut problems = Vec::new();
    check(&folder.trace(), |problem| problems.push(format!("{problem:?}"))).unwrap();
    problems
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_differs_between_sessions_is_bound() {
    let server = Server::start().await;
    let folder = Folder::new(PERSONAS);
    let output = run(folder.personas(&server.url, &["--duration", "2s"]));
    good(&output);
    assert_eq!(problems(&folder), [""; 0]);

    let requests = read(&folder.trace());
    let sessions = sessions(&requests);
    assert_eq!(sessions.len(), 3);
    let accounts: Vec<_> = sessions.values().map(|s| s[0].account.clone().unwrap()).collect();
    assert_eq!(accounts, ["taker1", "looker1", "taker2"], "each takes an account in turn");
    assert_eq!(server.seen.requests().len(), {
        requests.iter().filter(|r| r.name != "GET /empty").count()
    });

    for session in sessions.values() {
        let login = session[0];
        assert!(login.prologue && session[1..].iter().all(|request| !request.prologue));
        assert_eq!(login.name, "POST /login");
        assert_eq!(login.path, "/api/login");
        let pointer = CaptureFrom::Json { pointer: "/access_token".to_owned(), lists: vec![] };
        assert_eq!(captures(login), [("access_token", &pointer, true)]);
        let Some(Body::Text(body)) = &login.body else { panic!("{login:?}") };
        let email = format!("{}@test.eriop.example", login.account.as_ref().unwrap());
        assert!(body.starts_with(&format!(r#"{{"email":"{email}","password":"","device":""#)));
        let [mail, password, device] = login.bind.as_slice() else { panic!("{:?}", login.bind) };
        assert_eq!(&body[mail.start..mail.end], email);
        assert_eq!(
            (&mail.from, mail.encode),
            (&Origin::Account("email".to_owned()), Encoding::Json)
        );
        assert_eq!(password.from, Origin::Account("password".to_owned()));
        assert_eq!(password.start, password.end);
        assert_eq!(body[device.start..device.end].len(), 36);
        assert!(matches!(device.from, Origin::Fresh { .. }));

        for pair in session.windows(2) {
            let RecordedResult::Answer(answer) = &pair[0].result else { panic!("{:?}", pair[0]) };
            assert!(answer.header_us <= answer.total_us);
            assert!(pair[0].at + answer.total_us <= pair[1].at, "one after the other");
            assert_eq!(pair[1].after, [pair[0].id.clone()]);
        }
        for request in &session[1..] {
            let bearer = request.headers.iter().position(|(name, _)| name == "Authorization");
            let bearer = bearer.unwrap();
            assert_eq!(request.headers[bearer].1, "Bearer ");
            let from = Origin::Capture { of: login.id.clone(), name: "access_token".to_owned() };
            assert!(request.bind.iter().any(|b| {
                b.from == from && b.part == Part::Header(bearer) && (b.start, b.end) == (7, 7)
            }));
        }
    }

    let takes: Vec<_> =
        requests.iter().filter(|request| request.name == "POST /items/{id}/take").collect();
    assert!(!takes.is_empty());
    for take in takes {
        assert_eq!(take.path, "/api/items/item%2F2/take");
        let binding = take.bind.iter().find(|b| b.part == Part::Path).unwrap();
        assert_eq!(&take.path[binding.start..binding.end], "item%2F2");
        assert_eq!(binding.encode, Encoding::Percent);
        let Origin::Capture { of, .. } = &binding.from else { panic!("{binding:?}") };
        let source = requests.iter().find(|request| request.id == *of).unwrap();
        assert_eq!(source.name, "GET /items");
        let lists = vec![ListStep { token: 1, index: 1, length: 3 }];
        let from = CaptureFrom::Json { pointer: "/items/1/id".to_owned(), lists };
        assert_eq!(captures(source), [("item", &from, false)]);
        let Some(Body::Text(body)) = &take.body else { panic!("{take:?}") };
        let clock = take.bind.iter().find(|b| matches!(b.from, Origin::Clock(_))).unwrap();
        assert_eq!(clock.from, Origin::Clock(ClockFormat::UnixMillis));
        assert!(body[clock.start..clock.end].parse::<u64>().is_ok(), "a number, not a string");
    }
    // The list was empty, so there was nothing to take: the task ended there.
    assert!(requests.iter().any(|request| request.name == "GET /empty"));
    assert!(server.seen.requests().iter().all(|r| !r.starts_with("take") || r == "take item/2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_makes_the_same_decisions_and_another_one_others() {
    let server = Server::start().await;
    let mut recorded = Vec::new();
    for seed in ["7", "7", "8"] {
        let folder = Folder::new(PERSONAS);
        let more = ["--duration", "2s", "--seed", seed];
        good(&run(folder.personas(&server.url, &more)));
        recorded.push(read(&folder.trace()));
    }
    let decisions = |requests: &[Request]| -> BTreeMap<String, Vec<String>> {
        let told = |request: &&Request| {
            let mut body = match &request.body {
                Some(Body::Text(body)) => body.clone(),
                _ => String::new(),
            };
            for binding in &request.bind {
                if matches!(binding.from, Origin::Clock(_)) {
                    body.replace_range(binding.start..binding.end, "now");
                }
            }
            format!("{} {} {:?} {body}", request.method, request.path, request.account)
        };
        let sessions = sessions(requests);
        sessions.into_iter().map(|(name, s)| (name, s.iter().map(told).collect())).collect()
    };
    let [first, second, other] = recorded.as_slice() else { unreachable!() };
    let (first, second, other) = (decisions(first), decisions(second), decisions(other));
    // How many fit into the time is not decided by the seed.
    let (mut compared, mut differs) = (0, false);
    for (session, decisions) in &first {
        let (Some(same), Some(others)) = (second.get(session), other.get(session)) else {
            continue;
        };
        let both = decisions.len().min(same.len());
        assert_eq!(decisions[..both], same[..both]);
        let both_others = decisions.len().min(others.len());
        differs |= decisions[..both_others] != others[..both_others];
        compared += both;
    }
    assert!(compared > 10 && differs, "{compared} requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_refused_stops_the_recording_with_the_answer() {
    let server = Server::start().await;
    let folder = Folder::new(PERSONAS);
    let wrong = "not-the-password";
    folder.write_manifest(wrong);
    let output = run(folder.personas(&server.url, &[]));
    assert_eq!(output.status.code(), Some(4));
    let told = text(&output.stderr);
    // Who asks first is not decided.
    let of_any = |name: &&str| told.contains(&format!("cannot log in as {name}"));
    assert!(["taker1", "taker2", "looker1", "looker2"].iter().any(of_any), "{told}");
    assert!(told.contains("POST /login was answered 401"), "{told}");
    assert!(told.contains("Invalid credentials"), "{told}");
    assert!(!told.contains(wrong), "{told}");
    assert!(!folder.trace().exists() && !folder.journal().exists());
    assert_eq!(text(&output.stdout), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_of_failures_stops_unless_it_is_allowed() {
    let server = Server::start().await;
    let personas = PERSONAS.replace("GET /items?page={{ integer(1, 9) }}", "GET /broken");
    let folder = Folder::new(&personas);
    let output = run(folder.personas(&server.url, &[]));
    assert_eq!(output.status.code(), Some(4));
    let told = text(&output.stderr);
    assert!(told.contains("requests of persona Looker failed, more than 20 %"), "{told}");
    assert!(told.contains("failed: Looker GET /broken: 500"), "{told}");
    assert!(!folder.trace().exists() && !folder.journal().exists());

    let more = ["--duration", "1s", "--allow-failures", "--json"];
    let output = run(folder.personas(&server.url, &more));
    good(&output);
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let looker = &summary["personas"][1];
    assert_eq!(looker["name"], "Looker");
    // All but the login failed.
    assert_eq!(looker["failures"].as_u64().unwrap() + 1, looker["requests"].as_u64().unwrap());
    assert_eq!(summary["requests"], read(&folder.trace()).len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_recording_can_be_finished() {
    let server = Server::start().await;
    let folder = Folder::new(PERSONAS);
    let mut child = folder.personas(&server.url, &[]).spawn().unwrap();
    wait_for_lines(&mut child, &folder.journal(), 100);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!folder.trace().exists());

    let output = run(folder.personas(&server.url, &[]));
    assert_eq!(output.status.code(), Some(2), "the journal is not overwritten");
    assert!(text(&output.stderr).contains("recorder finish"), "{}", text(&output.stderr));

    let mut finish = recorder(&["finish"]);
    finish.arg(folder.journal());
    let output = run(finish);
    good(&output);
    assert!(!folder.journal().exists());
    assert_eq!(problems(&folder), [""; 0]);
    let recorded = read(&folder.trace()).len();
    assert!(text(&output.stdout).contains(&format!("{recorded} requests of 3 sessions")));
    assert!(recorded >= 95, "{recorded}: header and shapes aside, what was in the file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_the_recording_and_what_was_in_flight_is_in_it() {
    let server = Server::start().await;
    let personas = PERSONAS.replace("GET /items?page={{ integer(1, 9) }}", "GET /slow");
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let folder = Folder::new(&personas);
        let before = server.seen.requests().len();
        let mut child = folder.personas(&server.url, &[]).spawn().unwrap();
        wait_for_lines(&mut child, &folder.journal(), 20);
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        let requests = read(&folder.trace());
        assert_eq!(problems(&folder), [""; 0]);
        let noted = requests.iter().filter(|request| request.name != "GET /empty").count();
        assert_eq!(noted, server.seen.requests().len() - before, "what the server saw");
        assert!(!requests.iter().any(|request| matches!(
            &request.result,
            RecordedResult::Error(error) if error.kind == RecordedErrorKind::StillOpen
        )));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_ends_at_its_count_of_requests() {
    let server = Server::start().await;
    let folder = Folder::new(PERSONAS);
    let output = run(folder.personas(&server.url, &["--max-requests", "25"]));
    good(&output);
    let requests = read(&folder.trace());
    assert_eq!(requests.len(), 25);
    assert_eq!(problems(&folder), [""; 0]);
    let seen = requests.iter().filter(|request| request.name != "GET /empty").count();
    assert_eq!(
        server.seen.requests().len(),
        seen,
        "what was sent is recorded, and no more is sent"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn inspect_counts_what_was_recorded() {
    let server = Server::start().await;
    let folder = Folder::new(PERSONAS);
    good(&run(folder.personas(&server.url, &["--duration", "1s"])));
    let requests = read(&folder.trace());

    let mut inspect = recorder(&["inspect", "--json"]);
    inspect.arg(folder.trace());
    let output = run(inspect);
    good(&output);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["end"]["requests"], requests.len());
    assert_eq!(found["end"]["sessions"], 3);
    assert_eq!(found["endpoints"]["POST /login"]["statuses"]["200"], 3);
    let bindings: usize = requests.iter().map(|request| request.bind.len()).sum();
    let counted: u64 =
        found["bindings"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(counted, bindings as u64);
    assert_eq!(found["personas"]["Taker"]["weight"], 2.0);
    assert_eq!(found["personas"]["Taker"]["sessions"], 2);
    for (name, endpoint) in found["endpoints"].as_object().unwrap() {
        let mut times: Vec<u64> = requests
            .iter()
            .filter(|request| request.name == *name)
            .filter_map(|request| match &request.result {
                RecordedResult::Answer(answer) => Some(answer.total_us),
                RecordedResult::Error(_) => None,
            })
            .collect();
        times.sort_unstable();
        assert_eq!(endpoint["max_us"], *times.last().unwrap(), "{name}");
        for (key, quantile) in [("p50_us", 0.5), ("p95_us", 0.95)] {
            let rank = (times.len() as f64 * quantile).ceil() as usize;
            let (exact, shown) = (times[rank.max(1) - 1], endpoint[key].as_u64().unwrap());
            assert!(shown.abs_diff(exact) * 100 <= exact, "{name} {key}: {shown}, not {exact}");
        }
    }

    let mut inspect = recorder(&["inspect"]);
    inspect.arg(folder.trace());
    let shown = text(&run(inspect).stdout);
    assert!(shown.contains("POST /items/{id}/take"), "{shown}");
    let mut check = recorder(&["check"]);
    check.arg(folder.trace());
    let output = run(check);
    good(&output);
    assert!(text(&output.stdout).contains("good"));
}
