//! The audit: what the target answered beside what is in its database.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use cluster::testing::{TestDatabase, TestServer};
use reference_target::{IngestFaults, Misdeed, Settings};
use replayer::audit::count;
use replayer::observe::Place;
use run_log::audit::{AuditCounts, AuditRow, Finding, MarkOutcome, MarkRow};
use run_log::format::{Judgement, Run, State};
use run_log::reader::RunReader;
use run_log::writer::Findings;
use rustix::process::{Pid, Signal, kill_process};
use scenario::{Audit, MarkPlace};
use sqlx::{Connection as _, PgConnection};
use trace::shape::Shape;

use super::target::World;
use crate::support::trace::{answer, bears, logs_in, request};
use crate::support::{Answer, Ran, Server, TraceBuilder, Workplace, judged_but_for_lag};

const ENDPOINT: &str = "POST /api/v1/alerts/ingest";

const ALERT: &str = r#"{"source":"axis_microphone","severity":"high","alert_type":"gunshot",
    "title":"Gunshot","raw_payload":{"device":"d1"}}"#;

/// A login, and so many alerts after it.
fn ingesting(alerts: u64) -> TraceBuilder {
    let mut of = TraceBuilder::default();
    of.requests.push(logs_in("l", "s", 0, "/api/v1/auth/login", "access_token"));
    for number in 0..alerts {
        let at_ms = 50 + 5 * number;
        let mut alert = request(&format!("a{number}"), "s", at_ms, "POST", "/api/v1/alerts/ingest");
        alert.headers.push(("Content-Type".into(), "application/json".into()));
        alert.body = Some(trace::format::Body::Text(ALERT.into()));
        answer(&mut alert).status = 201;
        bears(&mut alert, "l", "access_token");
        of.requests.push(alert);
    }
    of.in_order()
}

const OF_PAYLOAD: &str = "payload = \"/raw_payload/mark\"\ntable = \"alerts\"\ncolumn = \"raw_payload\"\npointer = \"/mark\"";

const OF_ANSWER: &str = "mark = \"/id\"\ntable = \"public.alerts\"\ncolumn = \"id\"";

/// The lines of a scenario that expects nothing to be lost.
fn lines(audit: &str, load: &str) -> String {
    format!(
        "expect = [\"lost <= 0\", \"duplicated <= 0\", \"unacknowledged <= 0\", \"failures < 50%\"]\n\
         [audit]\nendpoint = \"{ENDPOINT}\"\n{audit}\nsettle = \"0s\"\n[load]\npacing = \"closed\"\n{load}"
    )
}

/// Runs the tool; the tasks of a target beside it go on meanwhile.
fn run(place: &Workplace, target: &str, scenario: &str, options: &[&str]) -> Ran {
    let all = ["--no-preflight", "--quiet", "--force", "--scenario", scenario];
    let mut command = place.command(target, &[&all[..], options].concat());
    command.env_remove("DATABASE_URL");
    place.ran(tokio::task::block_in_place(|| command.output().unwrap()))
}

fn counts(run: &Run) -> AuditCounts {
    let audit = run.audit.as_ref().unwrap();
    audit.counts.unwrap_or_else(|| panic!("{audit:?}"))
}

/// Marks of a finding.
fn found(ran: &Ran, finding: Finding) -> BTreeSet<String> {
    let rows: Vec<AuditRow> = ran.reader().audit().unwrap().map(Result::unwrap).collect();
    assert!(rows.iter().all(|row| row.endpoint == ENDPOINT));
    let of_it = rows.iter().filter(|row| row.finding == finding);
    of_it.map(|row| row.mark.clone()).collect()
}

/// What the audit's expectations came to, on however busy a machine.
fn judgements(ran: &Ran) -> Vec<(Judgement, String)> {
    let judged = judged_but_for_lag(&ran.reader());
    let records = judged.verdicts.iter().take(3).map(figures::judge::Verdict::record);
    records.map(|record| (record.result, record.measured)).collect()
}

fn results(ran: &Ran) -> Vec<Judgement> {
    judgements(ran).into_iter().map(|(result, _)| result).collect()
}

fn faults(of: &[&str]) -> (IngestFaults, Settings) {
    let faults = IngestFaults::new(of.iter().map(|text| text.parse().unwrap()).collect());
    let settings = Settings { ingest_faults: faults.clone(), ..Settings::default() };
    (faults, settings)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_stored_twice_or_stored_without_an_answer_is_found_and_nothing_else() {
    let server = TestServer::start().unwrap();
    let place = Workplace::new(&ingesting(40), 25);
    let scenario = place.scenario(&lines(OF_PAYLOAD, "clones = 75"));
    for processes in ["1", "2"] {
        let (faults, settings) = faults(&["lose=100", "twice=70", "reset=90"]);
        let world = World::new(&server, 25, settings).await;
        let database = ["--database-url", world.database.url(), "--processes", processes];
        let ran = run(&place, &world.target.url(), &scenario, &database);
        let run = ran.checked();
        let told = |what: Misdeed| -> BTreeSet<String> {
            let done = faults.done().into_iter().filter(|done| done.what == what);
            let mark = |done: reference_target::Done| {
                let payload: serde_json::Value =
                    serde_json::from_str(done.raw_payload.unwrap().get()).unwrap();
                payload["mark"].as_str().unwrap().to_owned()
            };
            done.map(mark).collect()
        };
        let [lost, twice, reset] = [Misdeed::Lose, Misdeed::Twice, Misdeed::Reset].map(told);
        assert!(lost.len() >= 30 && twice.len() >= 30 && reset.len() >= 25, "{}", ran.stderr);
        assert_eq!(found(&ran, Finding::Lost), lost);
        assert_eq!(found(&ran, Finding::Duplicated), twice);
        assert_eq!(found(&ran, Finding::Unacknowledged), reset);
        let counts = counts(&run);
        let [lost, twice, reset] = [lost, twice, reset].map(|marks| marks.len() as u64);
        assert_eq!((counts.lost, counts.duplicated), (lost, twice));
        assert_eq!(counts.unacknowledged, Some(reset));
        assert_eq!((counts.acknowledged, counts.failed), (3000 - reset, reset));
        // No two requests have one mark, in whatever process they were.
        assert_eq!((counts.marks, counts.unmarked, counts.repeated), (3000, 0, 0));
        assert_eq!(ran.reader().marks().unwrap().count(), 3000);
        assert_eq!(results(&ran), [Judgement::Missed; 3]);
        assert_eq!(judgements(&ran)[0].1, lost.to_string());
        assert_eq!(ran.code_but_for_lag(), Some(10), "{}", ran.stdout);
        assert!(
            ran.stdout.contains(&format!("; {lost} lost, {twice} duplicated, ")),
            "{}",
            ran.stdout
        );
        assert!(!place.path("out.parts").exists());
    }
}

/// A recorded answer whose body has this shape.
fn recorded(trace: &mut TraceBuilder, line: &mut trace::format::Request, body: &str) {
    let shape = Shape::of_body(200, "application/json", Some(body.as_bytes())).unwrap();
    (answer(line).status, answer(line).shape) = (200, Some(shape.digest()));
    trace.shapes.insert(shape.digest(), shape);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_shows_the_runs_own_mark_is_the_recorded_one() {
    let server = TestServer::start().unwrap();
    let world = World::new(&server, 0, Settings::default()).await;
    let mut of = TraceBuilder::default();
    for (number, (method, path, body)) in [
        ("POST", "/api/v1/alerts/ingest", ALERT),
        ("GET", "/api/v1/alerts", r#"[{"raw_payload":{"device":"d1"}}]"#),
        ("GET", "/api/v1/other", r#"{"device":"d1"}"#),
    ]
    .into_iter()
    .enumerate()
    {
        let mut line = request(&format!("r{number}"), "s", number as u64 * 20, method, path);
        line.headers.push(("Content-Type".into(), "application/json".into()));
        line.body = (method == "POST").then(|| trace::format::Body::Text(body.into()));
        recorded(&mut of, &mut line, body);
        of.requests.push(line);
    }
    let place = Workplace::new(&of, 0);
    let scenario = place.scenario(&lines(OF_PAYLOAD, "clones = 3"));
    let target = Server::start(|asked| {
        let body = match asked.path.as_str() {
            "/api/v1/alerts/ingest" => asked.body.clone(),
            "/api/v1/alerts" => r#"[{"raw_payload":{"device":"d1","mark":"of another"}}]"#.into(),
            // Something that the recorded answer has not, and no mark.
            _ => r#"{"device":"d1","marks":"m"}"#.into(),
        };
        Answer::Json(200, body)
    });
    let ran = run(
        &place,
        &target.url(),
        &scenario,
        &["--database-url", world.database.url(), "--verify"],
    );
    let rows = ran.reader().fidelity().unwrap().map(Result::unwrap);
    let same: Vec<(u64, u64)> =
        rows.map(|row| (row.shapes_compared, row.same_status_and_shape)).collect();
    assert_eq!(same, [(3, 3), (3, 3), (3, 0)], "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_mark_of_the_answer_it_is_not_known_what_is_there_without_one() {
    let server = TestServer::start().unwrap();
    let (faults, settings) = faults(&["lose=20", "reset=33"]);
    let world = World::new(&server, 5, settings).await;
    // Read as it is needed, since each session runs once.
    let place = Workplace::new(&ingesting(200), 5);
    let scenario = place.scenario(&lines(OF_ANSWER, "clones = 1"));
    let ran =
        run(&place, &world.target.url(), &scenario, &["--database-url", world.database.url()]);
    let run = ran.checked();
    let done = faults.done();
    let of = |what| done.iter().filter(move |done| done.what == what);
    let lost: BTreeSet<String> = of(Misdeed::Lose).map(|done| done.id.to_string()).collect();
    assert_eq!(lost.len(), 10);
    assert_eq!(found(&ran, Finding::Lost), lost);
    let resets = of(Misdeed::Reset).count() as u64;
    let counts = counts(&run);
    assert_eq!((counts.acknowledged, counts.failed), (200 - resets, resets));
    assert_eq!((counts.lost, counts.duplicated, counts.unacknowledged), (10, 0, None));
    assert_eq!(results(&ran), [Judgement::Missed, Judgement::Met, Judgement::NotJudged]);
    let why = &judgements(&ran)[2].1;
    assert!(why.starts_with("not known: a mark of the answer"), "{why}");
    assert!(ran.stdout.contains("unacknowledged not known"), "{}", ran.stdout);
    assert!(found(&ran, Finding::Unacknowledged).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_is_well_nothing_is_found_and_nothing_is_changed() {
    let server = TestServer::start().unwrap();
    let world = World::new(&server, 5, Settings::default()).await;
    let place = Workplace::new(&ingesting(50), 5);
    let scenario = place.scenario(&lines(OF_PAYLOAD, "clones = 4"));
    let ran =
        run(&place, &world.target.url(), &scenario, &["--database-url", world.database.url()]);
    let run = ran.checked();
    let expected =
        AuditCounts { acknowledged: 200, marks: 200, unacknowledged: Some(0), ..counts(&run) };
    assert_eq!(counts(&run), expected);
    assert_eq!((expected.lost, expected.duplicated, expected.failed), (0, 0, 0));
    assert_eq!(results(&ran), [Judgement::Met; 3], "{}", ran.stdout);
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stdout);
    assert_eq!(fs::read_to_string(place.path("out/audit.csv")).unwrap(), "");
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_class WHERE relname LIKE 'replayer%'")
            .fetch_one(&world.pool)
            .await
            .unwrap();
    assert_eq!(left, 0);
    let alerts: i64 =
        sqlx::query_scalar("SELECT count(*) FROM alerts").fetch_one(&world.pool).await.unwrap();
    assert_eq!(alerts, 200);
    // The next run makes marks of its own, and finds those alone. What is observed is asked, too.
    let again = self::run(
        &place,
        &world.target.url(),
        &scenario,
        &["--observe", &format!("postgres={}", world.database.url())],
    );
    let again = counts(&again.checked());
    assert_eq!((again.marks, again.lost, again.duplicated), (200, 0, 0));
    // So is what the scenario says is observed.
    let scenario = place.scenario(&format!(
        "observe = [\"postgres={{{{ env.AUDITED }}}}\"]\n{}",
        lines(OF_PAYLOAD, "clones = 4")
    ));
    let options = ["--no-preflight", "--quiet", "--force", "--scenario", &scenario];
    let mut command = place.command(&world.target.url(), &options);
    command.env_remove("DATABASE_URL").env("AUDITED", world.database.url());
    let ran = place.ran(tokio::task::block_in_place(|| command.output().unwrap()));
    let named = counts(&ran.checked());
    assert_eq!((named.marks, named.lost, named.duplicated), (200, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_database_does_not_know_ends_the_run_before_its_first_request() {
    let server = TestServer::start().unwrap();
    let world = World::new(&server, 1, Settings::default()).await;
    let place = Workplace::new(&ingesting(2), 1);
    let refuse = |audit: &str| {
        let scenario = place.scenario(&lines(audit, "clones = 1"));
        let ran =
            run(&place, &world.target.url(), &scenario, &["--database-url", world.database.url()]);
        assert_eq!(ran.code, Some(2), "{audit}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        let place = format!("replayer: scenario {scenario}: [audit]");
        assert!(ran.stderr.starts_with(&place), "{}", ran.stderr);
        ran.stderr[place.len()..].to_owned()
    };
    for (from, to, told) in [
        (
            "\"alerts\"",
            "\"alert\"",
            " table: the database has no table \"alert\"; did you mean alerts?",
        ),
        ("\"alerts\"", "\"none\\\".such\"", " table: the database has no table \"none\\\".such\""),
        ("\"alerts\"", "\"alerts; DROP TABLE users\"", " table: the database has no table"),
        ("\"raw_payload\"\n", "\"raw_payloads\"\n", " column: the table \"alerts\" has no column"),
        (
            "\"raw_payload\"\n",
            "\"title\"\n",
            " pointer: the column \"title\" is of type character varying",
        ),
    ] {
        assert!(OF_PAYLOAD.contains(from), "{from}");
        let error = refuse(&OF_PAYLOAD.replace(from, to));
        assert!(error.starts_with(told), "{error}");
    }
    let alerts: i64 =
        sqlx::query_scalar("SELECT count(*) FROM alerts").fetch_one(&world.pool).await.unwrap();
    assert_eq!(alerts, 0);
}

fn scripted() -> Server {
    let asked = std::sync::atomic::AtomicU64::new(0);
    Server::start(move |asked_for| {
        if asked_for.path.ends_with("/login") {
            return Answer::Json(200, r#"{"access_token":"t"}"#.into());
        }
        let number = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Answer::Json(201, format!("{{\"id\":{number}}}"))
    })
}

#[test]
fn a_key_that_is_none_ends_the_run_before_its_first_request() {
    let server = scripted();
    let place = Workplace::new(&ingesting(2), 1);
    for (audit, told) in [
        (OF_ANSWER.replace("/id", "id"), "[audit] mark \"id\": expected a JSON pointer"),
        (
            OF_ANSWER.replace("/id", "/access_token"),
            "[audit] mark: what stands under \"access_token\"",
        ),
        (format!("{OF_ANSWER}\npayload = \"/a\""), "[audit]: expected one of mark and payload"),
        (OF_ANSWER.replace("mark = \"/id\"\n", ""), "[audit]: expected one of mark and payload"),
        (
            OF_PAYLOAD.replace("/raw_payload/mark", "/title/mark"),
            "no object that it could stand in",
        ),
        (
            OF_PAYLOAD.replace("\"/raw_payload/mark\"", "\"/raw_payload\""),
            "is no text, which a mark is",
        ),
    ] {
        let scenario = place.scenario(&lines(&audit, "clones = 1"));
        let ran = run(&place, &server.url(), &scenario, &[]);
        assert_eq!(ran.code, Some(2), "{audit}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
    }
    let other = lines(OF_ANSWER, "clones = 1").replace(ENDPOINT, "POST /api/v1/alerts/ingestt");
    let ran = run(&place, &server.url(), &place.scenario(&other), &[]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("[audit] endpoint: the plan has no endpoint"), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("did you mean {ENDPOINT}?")), "{}", ran.stderr);
    let stops = lines(OF_ANSWER, "clones = 1");
    let ran = run(&place, &server.url(), &place.scenario(&stops), &["--stop-on", "lost > 0"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("--stop-on: it is known after the run alone"), "{}", ran.stderr);
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn without_a_database_there_is_no_audit_and_no_pass() {
    let server = scripted();
    let place = Workplace::new(&ingesting(20), 1);
    let scenario = place.scenario(&lines(OF_ANSWER, "clones = 1"));
    for (options, told) in [
        (&[][..], "no database is given (--database-url)"),
        (
            &["--no-observe", "--database-url", "postgres://u@127.0.0.1:1/d"][..],
            "the database is not to be asked (--no-observe)",
        ),
    ] {
        let ran = run(&place, &server.url(), &scenario, options);
        let run = ran.checked();
        assert!(ran.stderr.contains(&format!("the audit is not done: {told}")), "{}", ran.stderr);
        let audit = run.audit.as_ref().unwrap();
        assert_eq!((audit.not_done.as_deref(), audit.counts), (Some(told), None));
        let none = (Judgement::NotJudged, "there was no audit".to_owned());
        assert_eq!(judgements(&ran), [none.clone(), none.clone(), none]);
        assert_eq!(ran.code_but_for_lag(), Some(10), "{}", ran.stdout);
        assert!(ran.stdout.contains("not done, "), "{}", ran.stdout);
        assert_eq!(ran.reader().marks().unwrap().count(), 20);
        assert!(!place.path("out/audit.csv").exists());
    }
    // A database that is not there is told before the run.
    let gone = ["--database-url", "postgres://u@127.0.0.1:1/d"];
    let ran = run(&place, &server.url(), &scenario, &gone);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
}

#[test]
fn runs_that_are_added_up_keep_their_marks_and_say_that_they_are_not_audited() {
    let server = scripted();
    let place = Workplace::new(&ingesting(10), 8);
    let scenario = place.scenario(&lines(OF_PAYLOAD, "clones = 8"));
    let start = (chrono::Utc::now() + chrono::TimeDelta::seconds(4)).to_rfc3339();
    let options = ["--no-preflight", "--quiet", "--scenario", &scenario, "--start-at", &start];
    let shards = ["1/2", "2/2"].map(|shard| {
        let out = format!("shard{}", &shard[..1]);
        let mut command =
            place.command_into(&out, &server.url(), &[&options[..], &["--shard", shard]].concat());
        command.env_remove("DATABASE_URL").stdout(Stdio::null()).stderr(Stdio::null());
        (place.path(&out), command.spawn().unwrap())
    });
    let mut marks: Vec<MarkRow> = Vec::new();
    let mut merge = std::process::Command::new(env!("CARGO_BIN_EXE_replayer"));
    merge.arg("merge").arg("--out").arg(place.path("out"));
    for (dir, mut child) in shards {
        child.wait().unwrap();
        let reader = RunReader::open(&dir).unwrap();
        let audit = reader.run().audit.clone().unwrap();
        assert_eq!(audit.not_done.as_deref(), Some("a part of the plan is not audited"));
        marks.extend(reader.marks().unwrap().map(Result::unwrap));
        merge.arg(dir);
    }
    let ran = place.ran(merge.output().unwrap());
    let run = ran.checked();
    let kept: Vec<MarkRow> = ran.reader().marks().unwrap().map(Result::unwrap).collect();
    assert_eq!(kept.len(), 80);
    assert_eq!(kept, marks);
    let distinct: BTreeSet<&str> = kept.iter().map(|row| row.mark.as_str()).collect();
    assert_eq!(distinct.len(), 80);
    assert!(kept.iter().all(|row| row.outcome == MarkOutcome::Acknowledged));
    let why = run.audit.as_ref().unwrap().not_done.clone().unwrap();
    assert!(why.contains("not audited: marks.csv"), "{why}");
    assert_eq!(results(&ran), [Judgement::NotJudged; 3]);
    // Each mark was sent as it is noted.
    let sent: BTreeSet<String> = server
        .asked()
        .iter()
        .filter(|asked| asked.path.ends_with("/ingest"))
        .map(|asked| {
            let body: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
            body["raw_payload"]["mark"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(sent, distinct.into_iter().map(str::to_owned).collect::<BTreeSet<String>>());
}

/// Waits until a run has written so many marks.
fn wait_for_marks(path: &Path, least: usize) {
    while fs::read_to_string(path).unwrap_or_default().lines().count() <= least {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A database with a table that marks could be in.
async fn with_alerts(database: &TestDatabase<'_>) {
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    let table = "CREATE TABLE alerts (raw_payload jsonb)";
    sqlx::raw_sql(table).execute(&mut connection).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_run_that_did_not_come_to_its_end_the_marks_are_kept_and_nothing_is_audited() {
    let (server, postgres) = (scripted(), TestServer::start().unwrap());
    let database = postgres.database().unwrap();
    with_alerts(&database).await;
    let place = Workplace::new(&ingesting(20), 1);
    // No test lives as long.
    let lines = lines(OF_PAYLOAD, "users = 3\nduration = \"10m\"").replace("\"0s\"", "\"1h\"");
    let scenario = place.scenario(&lines);
    let options = ["--no-preflight", "--quiet", "--force", "--scenario", &scenario];
    let options = [&options[..], &["--database-url", database.url()]].concat();
    for (signal, told) in [
        (Signal::KILL, "the run did not come to its end"),
        (Signal::TERM, "the run was interrupted"),
    ] {
        let mut command = place.command(&server.url(), &options);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        fs::remove_file(place.path("out/marks.csv")).unwrap_or_default();
        let mut child = command.spawn().unwrap();
        wait_for_marks(&place.path("out/marks.csv"), 20);
        kill_process(Pid::from_raw(child.id().cast_signed()).unwrap(), signal).unwrap();
        let code = child.wait().unwrap().code();
        let reader = RunReader::open(&place.path("out")).unwrap();
        assert!(reader.marks().unwrap().map(Result::unwrap).count() >= 20);
        let run = reader.run();
        let audit = run.audit.as_ref().unwrap();
        assert_eq!((audit.not_done.as_deref(), audit.counts), (Some(told), None));
        match signal {
            Signal::KILL => assert_eq!(run.state, State::Running),
            _ => assert_eq!((run.state, code), (State::Finished, Some(143))),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_the_wait_for_queues_and_what_was_measured_stays() {
    let (server, postgres) = (scripted(), TestServer::start().unwrap());
    let database = postgres.database().unwrap();
    with_alerts(&database).await;
    let place = Workplace::new(&ingesting(5), 1);
    let lines = lines(OF_PAYLOAD, "clones = 4").replace("\"0s\"", "\"1h\"");
    let scenario = place.scenario(&lines);
    for processes in ["1", "2"] {
        let options = ["--no-preflight", "--force", "--scenario", &scenario];
        let more = ["--database-url", database.url(), "--processes", processes];
        let mut command = place.command(&server.url(), &[&options[..], &more].concat());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(told.any(|line| {
            line.unwrap().ends_with("the audit counts in 1h, when queues have drained")
        }));
        kill_process(Pid::from_raw(child.id().cast_signed()).unwrap(), Signal::TERM).unwrap();
        assert!(
            told.any(|line| line.unwrap().ends_with("the audit was not done: it was interrupted"))
        );
        child.wait().unwrap();
        let reader = RunReader::open(&place.path("out")).unwrap();
        let run = reader.run();
        assert_eq!((run.state, run.totals.planned), (State::Finished, 4 + 4 * 5));
        assert_eq!(run.audit.as_ref().unwrap().not_done.as_deref(), Some("it was interrupted"));
    }
}

/// Marks as they were noted, held against a table of them.
async fn counted(url: &str, audit: &Audit, marks: &[(&str, bool)]) -> (AuditCounts, Vec<AuditRow>) {
    let folder = tempfile::tempdir().unwrap();
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/runs/01-baseline/run.json");
    fs::copy(golden, folder.path().join("run.json")).unwrap();
    let mut table = csv::Writer::from_path(folder.path().join("marks.csv")).unwrap();
    for (second, (mark, is_acknowledged)) in (0..).zip(marks) {
        let outcome =
            if *is_acknowledged { MarkOutcome::Acknowledged } else { MarkOutcome::Failed };
        table.serialize(MarkRow { second, mark: (*mark).to_owned(), outcome }).unwrap();
    }
    table.flush().unwrap();
    let reader = RunReader::open(folder.path()).unwrap();
    let (place, findings) = (Place::of(url, &[]), Findings::create(folder.path()));
    let counts = count(place.unwrap(), audit, reader.marks().unwrap(), findings.unwrap()).await;
    (counts.unwrap(), reader.audit().unwrap().map(Result::unwrap).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_is_found_whatever_it_consists_of() {
    let server = TestServer::start().unwrap();
    let database = server.database().unwrap();
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    sqlx::raw_sql(
        r#"CREATE SCHEMA "Odd One";
         CREATE TABLE "Odd One"."t""a" ("the mark" text, id uuid, number bigint, doc json);
         INSERT INTO "Odd One"."t""a" VALUES
            (E'a\tb\\c"d,\n', 'aaaaaaaa-0000-4000-8000-000000000001', 7, '{"a/b":["x","é"]}'),
            ('A', NULL, 8, '{"a/b":["x",12]}'), ('A', NULL, NULL, '[]'), (NULL, NULL, 7, NULL)"#,
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let audit = |column: &str, pointer: Option<&str>| Audit {
        endpoint: ENDPOINT.to_owned(),
        mark: MarkPlace::Payload("/m".to_owned()),
        table: "Odd One.t\"a".to_owned(),
        column: column.to_owned(),
        pointer: pointer.map(str::to_owned),
        settle: Duration::ZERO,
    };
    let texts = [
        ("a\tb\\c\"d,\n", true),
        ("a", true),
        ("A", false),
        ("A", true),
        ("A", true),
        ("\\N", true),
        ("\\.", false),
        ("", true),
        ("", false),
    ];
    let (counts, rows) = counted(database.url(), &audit("the mark", None), &texts).await;
    let expected = AuditCounts {
        acknowledged: 6,
        failed: 3,
        unmarked: 1,
        repeated: 1,
        marks: 5,
        lost: 2,
        duplicated: 1,
        unacknowledged: Some(0),
        took_s: counts.took_s,
    };
    assert_eq!(counts, expected);
    let listed: Vec<(Finding, u64, &str, u64)> =
        rows.iter().map(|row| (row.finding, row.second, row.mark.as_str(), row.rows)).collect();
    let lost = Finding::Lost;
    assert_eq!(listed, [(lost, 1, "a", 0), (lost, 5, "\\N", 0), (Finding::Duplicated, 2, "A", 2)]);
    for (column, pointer, marks, lost) in [
        ("id", None, &[("AAAAAAAA-0000-4000-8000-000000000001", true), ("none", true)][..], 1),
        ("number", None, &[("8", true), ("08", true)][..], 1),
        ("doc", Some("/a~1b/1"), &[("é", true), ("12", true), ("x", true)][..], 1),
    ] {
        let (counts, _) = counted(database.url(), &audit(column, pointer), marks).await;
        assert_eq!(counts.lost, lost, "{column}: {counts:?}");
        assert_eq!(counts.duplicated, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_found_is_listed_by_time() {
    let server = TestServer::start().unwrap();
    let database = server.database().unwrap();
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    sqlx::raw_sql("CREATE TABLE t (m text)").execute(&mut connection).await.unwrap();
    let audit = Audit {
        endpoint: ENDPOINT.to_owned(),
        mark: MarkPlace::Answer("/id".to_owned()),
        table: "t".to_owned(),
        column: "m".to_owned(),
        pointer: None,
        settle: Duration::ZERO,
    };
    let all: Vec<String> = (0..30_000).map(|number| format!("{number:06}")).collect();
    let marks: Vec<(&str, bool)> = all.iter().map(|mark| (mark.as_str(), true)).collect();
    let (counts, rows) = counted(database.url(), &audit, &marks).await;
    assert_eq!((counts.lost, counts.unacknowledged), (30_000, None));
    assert!(rows.iter().all(|row| row.finding == Finding::Lost && row.rows == 0));
    assert!(rows.iter().map(|row| &row.mark).eq(&all));
}
