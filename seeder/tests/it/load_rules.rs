//! What a load hung on the plan's rows is told from what was there before it.

use cluster::testing::TestServer;
use manifest::Manifest;
use serde_json::Value;

use crate::support::{Vigilia, repository};

fn shipped() -> String {
    std::fs::read_to_string(repository("fixtures/plans/vigilia.toml")).unwrap()
}

/// An alert that looks like those that a load posts.
fn alert(title: &str) -> String {
    format!(
        "INSERT INTO alerts (id, source, source_id, severity, status, alert_type, title, received_at)
         VALUES (gen_random_uuid(), 'alarm_system', 'device_1234', 'high', 'pending', 'scream', '{title}', now())"
    )
}

/// A login of nobody, as the real backend notes one that failed.
fn failed_login(email: &str) -> String {
    format!(
        "INSERT INTO audit_logs (id, timestamp, action, details)
         VALUES (gen_random_uuid(), now(), 'login_failed', '{{\"attempt\": {{\"email\": \"{email}\"}}}}')"
    )
}

#[test]
fn what_was_there_before_the_first_apply_stays_however_much_it_looks_like_a_loads() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    vigilia.execute(&alert("Other"));
    // Somebody tried the name before.
    vigilia.execute(&failed_login("dispatcher1@test.eriop.example"));
    vigilia.execute("DELETE FROM roles");
    let before = vigilia.checksums();
    // With `--reset` from the first time on, as the steps of a load test have it.
    vigilia.apply(&["--reset"]).succeeds();
    vigilia.execute(&alert("Load"));
    vigilia.apply(&["--reset"]).succeeds();
    assert_eq!(vigilia.rows("SELECT title FROM alerts WHERE title !~ '^Base'"), ["Other"]);
    // A second apply is not the first.
    vigilia.execute(&alert("Load"));
    vigilia.apply(&[]).succeeds();
    let since = Manifest::read(&vigilia.manifest()).unwrap().header.since.unwrap();
    vigilia.apply(&[]).succeeds();
    assert_eq!(Manifest::read(&vigilia.manifest()).unwrap().header.since.unwrap(), since);
    vigilia.shipped("clean", &[]).succeeds();
    assert_eq!(vigilia.checksums(), before);
}

#[test]
fn failed_logins_of_our_accounts_are_told_by_their_email_and_go_with_a_load() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    vigilia.apply(&[]).succeeds();
    for email in ["dispatcher1@test.eriop.example", "Responder7@Test.eriop.example"] {
        vigilia.execute(&failed_login(email));
    }
    vigilia.execute(&failed_login("somebody@example.org"));
    vigilia.execute(
        "INSERT INTO audit_logs (id, timestamp, action) VALUES (gen_random_uuid(), now(), 'login')",
    );
    vigilia.apply(&["--reset"]).succeeds();
    assert_eq!(vigilia.count("audit_logs"), 2);
    assert_eq!(vigilia.count("audit_logs WHERE details::text LIKE '%somebody%'"), 1);
}

#[test]
fn a_rule_by_a_value_needs_a_time_or_to_mean_older_rows_too() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    vigilia.execute(&alert("Other"));
    let timed = "pattern = 'device\\_%' }\nsince = \"created_at\"";
    assert!(shipped().contains(timed));
    let with = |rule: &str| vigilia.plan(&shipped().replacen(timed, rule, 1));
    let bare = with("pattern = 'device\\_%' }");
    for (command, more) in [("apply", &[][..]), ("apply", &["--reset"]), ("clean", &[])] {
        let refused = vigilia.on_plan(command, &bare, more).fails(3);
        for expected in ["line ", "alerts", "since = ", "also = \"older\""] {
            assert!(refused.stderr.contains(expected), "{refused:?}");
        }
    }
    assert_eq!(vigilia.count("users"), 0);
    for (rule, expected) in [
        ("pattern = 'device\\_%' }\nsince = \"creatde_at\"", "did you mean created_at?"),
        (
            "pattern = 'device\\_%' }\nsince = \"title\"",
            "alerts.title is a character varying(200), and no time",
        ),
        ("pattern = 'device\\_%' }\nsince = \"created_at\"\nalso = \"older\"", "not with since"),
        ("pattern = 'device\\_%' }\nalso = \"all\"", "older"),
    ] {
        let failed = vigilia.on_plan("clean", &with(rule), &[]).fails(2);
        assert!(failed.stderr.contains(expected), "{rule}: {failed:?}");
    }
    let older = with("pattern = 'device\\_%' }\nalso = \"older\"");
    vigilia.apply_plan(&older, &["--reset"]).succeeds();
    assert_eq!(vigilia.count("alerts WHERE title = 'Other'"), 0, "it was meant");
}

#[test]
fn where_the_manifest_is_lost_the_time_is_the_databases_or_has_to_be_said() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    vigilia.execute(&alert("Other"));
    vigilia.apply(&[]).succeeds();
    vigilia.execute(&alert("Load"));
    // The database itself stamped the users and the agency.
    std::fs::remove_file(vigilia.manifest()).unwrap();
    vigilia.apply(&["--reset"]).succeeds();
    assert_eq!(vigilia.rows("SELECT title FROM alerts WHERE title !~ '^Base'"), ["Other"]);
    vigilia.execute(&alert("Load"));
    std::fs::remove_file(vigilia.manifest()).unwrap();
    vigilia.apply(&[]).succeeds();
    vigilia.apply(&["--reset"]).succeeds();
    assert_eq!(vigilia.rows("SELECT title FROM alerts WHERE title !~ '^Base'"), ["Other"]);

    // Nothing there says when it was made.
    let bare = Vigilia::empty(&server);
    bare.execute(
        "CREATE TABLE things (id uuid PRIMARY KEY, name text NOT NULL);
         CREATE TABLE events (name text, at timestamp DEFAULT (now() AT TIME ZONE 'UTC'));
         INSERT INTO events VALUES ('thing 1')",
    );
    let plan = bare.plan(
        "name = 'things'\nepoch = 2026-01-01T00:00:00Z\n\
         [[table]]\nname = 'things'\nrows = 2\ncolumns = { name = \"'thing ' ~ n\" }\n\
         [[load]]\ntable = 'events'\nequals = { column = 'name', of = 'things.name' }\nsince = 'at'\n",
    );
    // Before the first apply there is nothing that a load could have hung on anything.
    bare.on_plan("clean", &plan, &[]).succeeds();
    let mut time =
        bare.rows("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
    bare.apply_plan(&plan, &[]).succeeds();
    bare.execute("INSERT INTO events VALUES ('Thing 2'), ('else')");
    std::fs::remove_file(bare.manifest()).unwrap();
    for (command, more) in [("clean", &[][..]), ("apply", &["--reset"])] {
        let failed = bare.on_plan(command, &plan, more).fails(2);
        assert!(
            failed.stderr.contains("the rule of events") && failed.stderr.contains("--since"),
            "{failed:?}"
        );
    }
    bare.on_plan("clean", &plan, &["--since", &time.remove(0)]).succeeds();
    assert_eq!(bare.rows("SELECT name FROM events ORDER BY 1"), ["else", "thing 1"]);
    assert_eq!(bare.count("things"), 0);
}

/// A manifest is a file.
#[test]
fn an_earlier_time_than_the_databases_own_is_not_believed() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    vigilia.execute(&alert("Other"));
    vigilia.apply(&[]).succeeds();
    vigilia.execute(&alert("Load"));
    for (time, code) in [("1970-01-01T00:00:00Z", 0), ("yesterday", 3)] {
        let text = std::fs::read_to_string(vigilia.manifest()).unwrap();
        let mut manifest: Value = serde_json::from_str(&text).unwrap();
        manifest["since"] = time.into();
        std::fs::write(vigilia.manifest(), manifest.to_string()).unwrap();
        let done = vigilia.apply(&["--reset"]);
        assert_eq!(done.code, Some(code), "{done:?}");
        assert_eq!(vigilia.rows("SELECT title FROM alerts WHERE title !~ '^Base'"), ["Other"]);
    }
}

/// Of the manifests of before there is no time to be had.
#[test]
fn a_manifest_without_a_time_is_as_good_as_the_databases_own() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    vigilia.execute(&alert("Other"));
    vigilia.apply(&[]).succeeds();
    let text = std::fs::read_to_string(vigilia.manifest()).unwrap();
    let mut manifest: Value = serde_json::from_str(&text).unwrap();
    manifest.as_object_mut().unwrap().remove("since").unwrap();
    manifest.as_object_mut().unwrap().remove("minor").unwrap();
    std::fs::write(vigilia.manifest(), manifest.to_string()).unwrap();
    vigilia.execute(&alert("Load"));
    vigilia.apply(&["--reset"]).succeeds();
    assert_eq!(vigilia.rows("SELECT title FROM alerts WHERE title !~ '^Base'"), ["Other"]);
}

/// Statistics are gathered when all is done.
#[test]
fn a_failure_after_the_commit_says_that_the_rows_are_there() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    vigilia.execute(
        "CREATE FUNCTION odd(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
             IF (SELECT query LIKE 'ANALYZE%' FROM pg_stat_activity WHERE pid = pg_backend_pid()) THEN
                 RAISE 'no statistics here';
             END IF;
             RETURN $1; END $$;
         CREATE INDEX ON users (odd(email))",
    );
    let failed = vigilia.apply(&[]);
    assert!(matches!(failed.code, Some(1 | 4)), "{failed:?}");
    for expected in ["the rows are in the database and manifest ", "no statistics here"] {
        assert!(failed.stderr.contains(expected), "{failed:?}");
    }
    assert_eq!(vigilia.count("users"), 350);
    assert!(vigilia.manifest().exists());
}

/// Eight tables of the real schema hang on buildings like this.
#[test]
fn a_procedure_of_others_on_a_seeded_building_stops_it() {
    let server = TestServer::start().unwrap();
    for form in ["migrations", "models"] {
        let vigilia = Vigilia::empty(&server);
        vigilia.run_file(&repository(&format!("fixtures/schemas/vigilia-{form}.sql")));
        vigilia.execute(
            "CREATE TABLE emergency_procedures (id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
                 building_id uuid NOT NULL REFERENCES buildings ON DELETE CASCADE, name text)",
        );
        vigilia.shipped("apply", &[]).succeeds();
        vigilia.execute(
            "INSERT INTO emergency_procedures (building_id) SELECT id FROM buildings LIMIT 7",
        );
        let before = vigilia.checksums();
        for (command, more) in [("clean", "--dry-run"), ("clean", "--json"), ("apply", "--reset")] {
            let refused = vigilia.shipped(command, &[more]).fails(3);
            for expected in
                ["7 rows of emergency_procedures", "cascade = [\"emergency_procedures\"]"]
            {
                assert!(refused.stderr.contains(expected), "{refused:?}");
            }
            assert_eq!(vigilia.checksums(), before);
        }
        let plan = vigilia.plan(&format!("cascade = ['emergency_procedures']\n{}", shipped()));
        let done = vigilia.on_plan("clean", &plan, &[]).succeeds();
        assert!(done.stdout.contains("7 of others went with them"), "{done:?}");
    }
}
