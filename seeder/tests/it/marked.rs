//! What a load left goes by the marks of its run, and nothing else does.

use std::fmt::Write as _;
use std::path::PathBuf;

use cluster::testing::TestServer;
use serde_json::{Value, json};

use crate::support::{Output, Vigilia, repository};

const TABLES: &str = "
    CREATE TABLE devices (id uuid PRIMARY KEY, name text NOT NULL);
    CREATE TABLE alerts (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), device text,
        payload jsonb, created_at timestamptz NOT NULL DEFAULT now());
    CREATE TABLE notes (alert uuid REFERENCES alerts, text text);";

const PLAN: &str = "name = 'devices'\nepoch = 2026-01-01T00:00:00Z\n\
    [[table]]\nname = 'devices'\nrows = 3\ncolumns = { name = \"'device ' ~ n\" }\n";

const OF_PAYLOAD: &str = "[[load]]\ntable = 'alerts'\nmarked = 'payload.of.mark'\n";

/// A database with devices that the plan has put there and alerts that it has not, and the folder
/// of a run.
struct Marked<'a> {
    database: Vigilia<'a>,
    plan: PathBuf,
}

impl<'a> Marked<'a> {
    fn new(server: &'a TestServer, top: &str, rules: &str) -> Self {
        let database = Vigilia::empty(server);
        database.execute(TABLES);
        let plan = database.plan(&format!("{top}{PLAN}{rules}"));
        database.apply_plan(&plan, &[]).succeeds();
        Self { database, plan }
    }

    fn run(&self) -> PathBuf {
        self.database.folder().join("run")
    }

    /// A run that was audited so, and that noted these marks.
    fn ran(&self, stored: &Value, marks: &[&str]) {
        let golden = repository("fixtures/runs/01-baseline/run.json");
        let mut run: Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
        run["started"] = json!(self.database.rows("SELECT to_json(now()) #>> '{}'")[0]);
        run["audit"] = json!({"endpoint": "POST /alerts", "mark": "/of/mark of the payload",
            "place": "/of/mark of alerts.payload", "settle_s": 0.0, "not_done": "it was not"});
        if !stored.is_null() {
            run["audit"]["stored"] = stored.clone();
        }
        std::fs::create_dir_all(self.run()).unwrap();
        std::fs::write(self.run().join("run.json"), run.to_string()).unwrap();
        let mut table = "second,mark,outcome\n".to_owned();
        for mark in marks {
            writeln!(table, "1,\"{}\",acknowledged", mark.replace('"', "\"\"")).unwrap();
        }
        std::fs::write(self.run().join("marks.csv"), table).unwrap();
    }

    fn clean(&self, more: &[&str]) -> Output {
        let mut arguments: Vec<PathBuf> = vec!["--database-url".into(), self.database.url().into()];
        arguments.extend(["--plan".into(), self.plan.clone(), "--marks".into(), self.run()]);
        arguments.extend(more.iter().map(PathBuf::from));
        self.database.seeder("clean", arguments)
    }

    /// In one line with code and words, and nothing is changed.
    fn is_refused(&self, code: i32, words: &[&str]) {
        let before = self.database.checksums();
        for more in [&[][..], &["--dry-run"]] {
            let refused = self.clean(more).fails(code);
            for words in words {
                assert!(refused.stderr.contains(words), "{words}: {refused:?}");
            }
            assert_eq!(self.database.checksums(), before);
        }
    }

    fn devices_of_alerts(&self) -> Vec<String> {
        self.database.rows("SELECT device FROM alerts ORDER BY device COLLATE \"C\"")
    }
}

fn of_payload() -> Value {
    json!({"table": "public.alerts", "column": "payload", "path": ["of", "mark"], "made_by": "run"})
}

fn of_answer() -> Value {
    json!({"table": "alerts", "column": "id", "made_by": "target"})
}

#[test]
fn rows_with_marks_of_the_run_go_and_no_others() {
    let server = TestServer::start().unwrap();
    let marked = Marked::new(&server, "", OF_PAYLOAD);
    let odd = "a\\b\t\"c\",\né";
    marked.ran(&of_payload(), &["m1", "m2", odd, "m2", "", "nowhere"]);
    marked.database.execute(
        r#"INSERT INTO alerts (device, payload) VALUES
            ('load 1', '{"of": {"mark": "m1"}}'), ('load 2', '{"of": {"mark": "m2"}}'),
            ('load 2 again', '{"of": {"mark": "m2"}}'),
            ('load odd', '{"of": {"mark": "a\\b\t\"c\",\né"}}'),
            ('another run', '{"of": {"mark": "m3"}}'), ('M1', '{"of": {"mark": "M1"}}'),
            ('elsewhere', '{"mark": "m1", "of": "m1"}'), ('m1', NULL), ('empty', '{"of": {"mark": ""}}');
         INSERT INTO notes VALUES (NULL, 'm1')"#,
    );
    let before = marked.database.checksums();
    let dry = marked.clean(&["--dry-run"]).succeeds();
    assert!(dry.stdout.ends_with("4 rows would be removed\n"), "{dry:?}");
    assert_eq!(marked.database.checksums(), before);
    let done = marked.clean(&["--json"]).succeeds();
    let done: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(done["removed"][0]["table"], "alerts");
    assert_eq!(
        (&done["removed"][0]["load"], &done["removed"][0]["planned"]),
        (&json!(4), &json!(0))
    );
    assert_eq!(marked.devices_of_alerts(), ["M1", "another run", "elsewhere", "empty", "m1"]);
    // The plan's rows and its manifest are no load's.
    assert_eq!((marked.database.count("devices"), marked.database.count("notes")), (3, 1));
    assert!(marked.database.manifest().exists());
    assert_eq!(marked.clean(&[]).succeeds().stdout, "nothing to remove\n");
    // Without a run nothing is known of marks.
    marked.database.execute(
        r#"INSERT INTO alerts (device, payload) VALUES ('load', '{"of": {"mark": "m1"}}')"#,
    );
    marked.database.on_plan("clean", &marked.plan, &[]).succeeds();
    assert_eq!((marked.database.count("devices"), marked.database.count("alerts")), (0, 6));
}

#[test]
fn a_run_without_marks_or_with_marks_elsewhere_is_refused() {
    let server = TestServer::start().unwrap();
    let marked = Marked::new(&server, "", OF_PAYLOAD);
    marked
        .database
        .execute(r#"INSERT INTO alerts (device, payload) VALUES ('m1', '{"of": {"mark": "m1"}}')"#);
    marked.is_refused(2, &["no run.json in", "is not a run directory"]);
    marked.ran(&Value::Null, &["m1"]);
    marked.is_refused(2, &["does not say where its marks are stored"]);
    for (stored, table, rule) in [
        (json!({"table": "alerts", "column": "device", "made_by": "run"}), "alerts", "device"),
        (json!({"table": "alerts", "column": "payload", "made_by": "run"}), "alerts", "payload"),
        (json!({"table": "notes", "column": "text", "made_by": "run"}), "notes", "text"),
        (json!({"table": "devices", "column": "name", "made_by": "run"}), "devices", "name"),
        (
            json!({"table": "not\"there", "column": "a", "path": ["b"], "made_by": "run"}),
            "not\\\"there",
            "a.b",
        ),
    ] {
        marked.ran(&stored, &["m1", "device 1"]);
        let add = format!("[[load]] table = \"{table}\", marked = \"{rule}\"");
        marked.is_refused(3, &["the marks of ", "plan devices does not say that a load", &add]);
    }
    std::fs::remove_file(marked.run().join("marks.csv")).unwrap();
    marked.is_refused(1, &["cannot read", "marks.csv"]);
    std::fs::copy(repository("fixtures/runs/01-baseline/run.json"), marked.run().join("run.json"))
        .unwrap();
    marked.is_refused(2, &["has no marks: its scenario has no [audit]"]);
    for more in [
        ["--seed", "1"],
        ["--since", "2026-01-01T00:00:00Z"],
        ["--scale", "2"],
        ["--manifest", "m"],
    ] {
        let refused = marked.clean(&more);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains("cannot be used with"), "{refused:?}");
    }
    // A rule that the schema does not bear is one of the plan, with or without marks.
    for (rule, told) in [
        ("payloads", "table alerts has no column payloads"),
        ("device.mark", "alerts.device is no JSON"),
    ] {
        marked.database.plan(&format!("{PLAN}[[load]]\ntable = 'alerts'\nmarked = '{rule}'\n"));
        let refused = marked.database.on_plan("clean", &marked.plan, &["--dry-run"]).fails(2);
        assert!(refused.stderr.contains(told), "{refused:?}");
    }
}

#[test]
fn rows_of_others_that_refer_to_marked_ones_stop_it_unless_the_plan_allows_it() {
    let server = TestServer::start().unwrap();
    let marked = Marked::new(&server, "", OF_PAYLOAD);
    marked.ran(&of_payload(), &["m1"]);
    marked.database.execute(
        r#"INSERT INTO alerts (device, payload) VALUES ('m1', '{"of": {"mark": "m1"}}'), ('other', NULL);
         INSERT INTO notes SELECT id, device FROM alerts, generate_series(1, 2)"#,
    );
    marked.is_refused(
        3,
        &["2 rows of notes, of others, still refer to alerts (NO ACTION)", "cascade = [\"notes\"]"],
    );
    marked.database.plan(&format!("cascade = ['notes']\n{PLAN}{OF_PAYLOAD}"));
    let done = marked.clean(&[]).succeeds();
    assert!(done.stdout.ends_with("3 rows removed\n"), "{done:?}");
    assert_eq!(marked.devices_of_alerts(), ["other"]);
    assert_eq!(marked.database.rows("SELECT text FROM notes"), ["other", "other"]);
}

#[test]
fn of_what_the_target_answered_only_rows_since_the_run_began_go() {
    let server = TestServer::start().unwrap();
    let rule = "[[load]]\ntable = 'alerts'\nmarked = 'id'\n";
    let marked = Marked::new(&server, "", rule);
    let ids = [1, 2, 3].map(|n| format!("aaaaaaaa-0000-4000-8000-00000000000{n}"));
    // Postgres writes them in small letters.
    let answered = [ids[0].clone(), ids[1].to_ascii_uppercase()];
    marked.ran(&of_answer(), &answered.each_ref().map(String::as_str));
    marked.database.execute(&format!(
        "INSERT INTO alerts (id, device, created_at) VALUES
            ('{}', 'was there', now() - interval '1 hour'), ('{}', 'of the load', now()),
            ('{}', 'of somebody else', now())",
        ids[0], ids[1], ids[2]
    ));
    marked.is_refused(3, &["may be of rows that were there before", "add since = ", "on line 8"]);
    marked.database.plan(&format!("{PLAN}{rule}since = 'created_at'\n"));
    assert!(marked.clean(&[]).succeeds().stdout.ends_with("1 rows removed\n"));
    assert_eq!(marked.devices_of_alerts(), ["of somebody else", "was there"]);
}

#[test]
fn several_runs_are_cleaned_at_once() {
    let server = TestServer::start().unwrap();
    let marked = Marked::new(&server, "", OF_PAYLOAD);
    marked.database.execute(
        r#"INSERT INTO alerts (device, payload)
           SELECT n::text, jsonb_build_object('of', jsonb_build_object('mark', 'm' || n)) FROM generate_series(1, 40000) n"#,
    );
    let marks: Vec<String> = (1..=39_999).map(|n| format!("m{n}")).collect();
    let marks: Vec<&str> = marks.iter().map(String::as_str).collect();
    marked.ran(&of_payload(), &marks[20_000..]);
    let other = marked.database.folder().join("other");
    std::fs::rename(marked.run(), &other).unwrap();
    marked.ran(&of_payload(), &marks[..20_001]);
    let done = marked.clean(&["--marks", other.to_str().unwrap()]).succeeds();
    assert!(done.stdout.ends_with("39999 rows removed\n"), "{done:?}");
    assert_eq!(marked.devices_of_alerts(), ["40000"]);
}
