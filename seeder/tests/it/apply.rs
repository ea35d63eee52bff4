//! `seeder apply` with the shipped plan, on the reference target's schema.

use std::path::{Path, PathBuf};

use cluster::testing::TestServer;
use common::exit::Exit;
use manifest::Manifest;
use seeder::apply::{Before, Config, Present, Progress, apply};
use seeder::database::Database;
use tokio_util::sync::CancellationToken;

use crate::support::{Vigilia, repository};

#[test]
fn the_shipped_plan_inserts_what_the_system_under_test_needs() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    vigilia.apply(&[]).succeeds();
    for (query, count) in [
        ("agencies WHERE code = 'LOADTEST' AND is_active", 1),
        ("roles", 7),
        ("users", 350),
        (
            "users WHERE role = 'dispatcher' AND email ~ '^dispatcher[0-9]+@test.eriop.example$'",
            100,
        ),
        ("users WHERE role = 'responder' AND badge_number ~ '^R0[0-9]{3}$'", 200),
        ("users WHERE role = 'public_user' AND email ~ '^alertsystem[0-9]+@test'", 50),
        ("users WHERE is_active AND is_verified AND NOT mfa_enabled", 350),
        ("users JOIN agencies ON agencies.id = agency_id", 350),
        ("buildings", 50),
        ("resources WHERE resource_type = 'personnel' AND status = 'available'", 30),
        ("resources WHERE resource_type = 'personnel' AND status = 'off_duty'", 10),
        ("resources WHERE resource_type = 'vehicle' AND status = 'available'", 30),
        ("resources WHERE resource_type = 'vehicle' AND status = 'out_of_service'", 10),
        ("resources WHERE resource_type = 'equipment' AND status = 'available'", 15),
        ("resources WHERE resource_type = 'equipment' AND status = 'out_of_service'", 5),
        ("personnel JOIN resources USING (id) WHERE resource_type = 'personnel'", 40),
        ("vehicles JOIN resources USING (id) WHERE resource_type = 'vehicle'", 40),
        ("equipment JOIN resources USING (id) WHERE resource_type = 'equipment'", 20),
        ("incidents WHERE incident_number ~ '^INC-LOAD-00[0-9]{2}$'", 50),
        ("incidents WHERE status IN ('new', 'assigned', 'en_route', 'on_scene')", 50),
        ("(SELECT DISTINCT category FROM incidents)", 7),
        ("alerts WHERE status = 'pending' AND acknowledged_by_id IS NULL", 50),
        ("alerts WHERE status = 'acknowledged' AND acknowledged_by_id IS NOT NULL", 50),
        ("(SELECT DISTINCT received_at FROM alerts WHERE status = 'pending')", 50),
        ("audit_logs", 0),
    ] {
        assert_eq!(vigilia.count(query), count, "{query}");
    }
}

#[test]
fn every_account_of_the_manifest_can_log_in_with_its_password() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    vigilia.apply(&[]).succeeds();
    let manifest = Manifest::read(&vigilia.manifest()).unwrap();
    assert_eq!(manifest.header.bcrypt_costs, [4]);
    assert_eq!(manifest.accounts.len(), 350);
    let stored =
        vigilia.rows("SELECT id::text || ' ' || email || ' ' || hashed_password FROM users");
    let mut personas = std::collections::BTreeMap::new();
    let mut verified = std::collections::BTreeMap::new();
    for account in &manifest.accounts {
        *personas.entry(account.persona.as_str()).or_insert(0) += 1;
        let [id, email, password] = ["id", "email", "password"].map(|name| &account.fields[name]);
        assert!(email.starts_with(&format!("{}@", account.name)), "{email}");
        let row = stored.iter().find(|row| row.starts_with(&format!("{id} {email} ")));
        let hash = row.unwrap_or_else(|| panic!("no row for {email}")).rsplit(' ').next().unwrap();
        // One hash for all, so that it need not be verified 350 times.
        let fits = verified.entry((hash.to_owned(), password.clone()));
        assert!(*fits.or_insert_with(|| bcrypt::verify(password, hash).unwrap()), "{email}");
    }
    let expected = [("AlertIngestion", 50), ("ERIOPDispatcher", 100), ("ERIOPResponder", 200)];
    assert_eq!(personas.into_iter().collect::<Vec<_>>(), expected);
    let badges = manifest.accounts.iter().filter(|a| a.fields.contains_key("badge_number"));
    assert_eq!(badges.count(), 200);
}

#[test]
fn a_second_apply_inserts_nothing_and_puts_back_what_was_deleted() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    vigilia.apply(&[]).succeeds();
    let first = Manifest::read(&vigilia.manifest()).unwrap();
    let again = vigilia.apply(&[]).succeeds();
    assert!(again.stdout.contains("nothing to insert: all 758 rows are there"), "{again:?}");
    assert_eq!(Manifest::read(&vigilia.manifest()).unwrap(), first);
    vigilia.execute("DELETE FROM alerts WHERE status = 'pending'");
    let again = vigilia.apply(&[]).succeeds();
    assert!(again.stdout.contains("50 of 758 rows inserted"), "{again:?}");
    assert_eq!(vigilia.count("alerts WHERE status = 'pending'"), 50);
}

#[test]
fn reset_takes_away_what_a_load_left_and_nothing_of_others() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    vigilia.execute(OTHERS);
    let others = vigilia.rows(OTHERS_NOW);
    vigilia.apply(&[]).succeeds();
    let fresh = vigilia.state();
    vigilia.execute(LOAD);
    assert_ne!(vigilia.state(), fresh);

    let reset = vigilia.apply(&["--reset", "--json"]).succeeds();
    assert_eq!(vigilia.state(), fresh);
    assert_eq!(vigilia.rows(OTHERS_NOW), others);
    assert_eq!(vigilia.count("audit_logs"), 1, "of the user who is not the plan's");
    assert_eq!(vigilia.count("incidents"), 51);
    assert_eq!(vigilia.count("alerts"), 102);
    let summary: serde_json::Value = serde_json::from_str(&reset.stdout).unwrap();
    let removed = |table: &str, what: &str| {
        let tables = summary["removed"].as_array().unwrap();
        tables.iter().find(|entry| entry["table"] == table).unwrap()[what].as_u64().unwrap()
    };
    assert_eq!([removed("alerts", "planned"), removed("alerts", "load")], [100, 500]);
    assert_eq!(removed("alerts", "detached"), 1, "another's alert, acknowledged by a dispatcher");
    assert_eq!([removed("incidents", "planned"), removed("incidents", "load")], [50, 40]);
    assert_eq!(removed("audit_logs", "load"), 350);
    assert!(summary["removed"].as_array().unwrap().iter().all(|t| t["table"] != "roles"));
}

/// Rows that are there before and are nobody's business.
const OTHERS: &str = "
    INSERT INTO agencies (id, name, code, is_active) VALUES
        ('a0000000-0000-4000-8000-000000000000', 'Other', 'OTHER', true);
    INSERT INTO users (id, email, hashed_password, full_name, role, is_active, is_verified,
        mfa_enabled, failed_login_attempts, agency_id)
    VALUES ('b0000000-0000-4000-8000-000000000000', 'other@example.org', 'x', 'Other', 'commander',
        true, true, false, 0, 'a0000000-0000-4000-8000-000000000000');
    INSERT INTO alerts (id, source, source_id, severity, status, alert_type, title, received_at)
    VALUES ('c0000000-0000-4000-8000-000000000000', 'manual', 'desk', 'high', 'pending', 'scream', 'Other', now()),
        ('c1000000-0000-4000-8000-000000000000', 'manual', NULL, 'high', 'pending', 'scream', 'Other', now());
    INSERT INTO incidents (id, incident_number, category, priority, status, title, latitude,
        longitude, reported_at, agency_id)
    VALUES ('d0000000-0000-4000-8000-000000000000', 'INC-1', 'fire', 1, 'new', 'Other', 0, 0, now(),
        'a0000000-0000-4000-8000-000000000000');
    INSERT INTO audit_logs (id, timestamp, action, user_id) VALUES
        (gen_random_uuid(), now(), 'login', 'b0000000-0000-4000-8000-000000000000')";

/// Without what a load may do to an alert that is not its own.
const OTHERS_NOW: &str = "
    SELECT to_jsonb(t)::text FROM (
        SELECT to_jsonb(agencies) FROM agencies WHERE code = 'OTHER'
        UNION ALL SELECT to_jsonb(users) FROM users WHERE email = 'other@example.org'
        UNION ALL SELECT to_jsonb(incidents) FROM incidents WHERE title = 'Other'
        UNION ALL SELECT to_jsonb(alerts) - 'status' - 'acknowledged_at' FROM alerts WHERE title = 'Other'
    ) t ORDER BY 1";

/// What a load leaves: logins, incidents (on its own alerts, and each other),
/// ingested alerts, acknowledged ones, locked accounts.
const LOAD: &str = "
    INSERT INTO audit_logs (id, timestamp, action, user_id)
        SELECT gen_random_uuid(), now(), 'login', id FROM users WHERE email LIKE '%@test.eriop.example';
    INSERT INTO alerts (id, source, source_id, severity, status, alert_type, title, received_at)
        SELECT gen_random_uuid(), 'alarm_system', 'device_' || (1000 + i), 'high', 'pending', 'scream', 'Load', now()
        FROM generate_series(1, 500) i;
    INSERT INTO incidents (id, incident_number, category, priority, status, title, latitude,
            longitude, reported_at, agency_id, source_alert_id, parent_incident_id)
        SELECT gen_random_uuid(), 'INC-20260101-' || i, 'fire', 1, 'new', 'Load', 0, 0, now(),
            (SELECT id FROM agencies WHERE code = 'LOADTEST'),
            (SELECT id FROM alerts WHERE title = 'Load' LIMIT 1),
            (SELECT id FROM incidents WHERE incident_number = 'INC-LOAD-0001')
        FROM generate_series(1, 40) i;
    UPDATE alerts SET status = 'acknowledged', acknowledged_at = now(),
            acknowledged_by_id = (SELECT id FROM users WHERE email LIKE 'dispatcher1@%')
        WHERE status = 'pending' AND title <> 'Load' AND source_id IS NOT NULL;
    UPDATE users SET failed_login_attempts = 5, locked_until = 'tomorrow' WHERE email LIKE 'responder1%';
    UPDATE incidents SET status = 'closed' WHERE incident_number = 'INC-LOAD-0002';
    UPDATE resources SET status = 'on_scene' WHERE call_sign = 'V-001'";

#[test]
fn reset_removes_what_an_earlier_apply_put_there_at_a_larger_scale() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    vigilia.apply(&[]).succeeds();
    let fresh = vigilia.state();
    vigilia.apply(&["--scale", "3"]).succeeds();
    assert_eq!(vigilia.count("users"), 1050);
    assert_eq!(
        [vigilia.count("agencies"), vigilia.count("roles")],
        [1, 7],
        "these do not multiply"
    );
    vigilia.apply(&["--reset"]).succeeds();
    assert_eq!(vigilia.count("users"), 350);
    assert_eq!(vigilia.state(), fresh);
}

#[test]
fn two_seeders_at_the_same_time_insert_every_row_once() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    let inserted: Vec<u64> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..2).map(|_| scope.spawn(|| vigilia.apply(&["--json"]))).collect();
        let summaries = runs.into_iter().map(|run| run.join().unwrap().succeeds().stdout);
        summaries
            .map(|summary| {
                let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
                let tables = summary["tables"].as_array().unwrap().iter();
                tables.map(|table| table["inserted"].as_u64().unwrap()).sum()
            })
            .collect()
    });
    assert_eq!(inserted.iter().sum::<u64>(), 751);
    assert!(inserted.contains(&0), "the second finds all rows: {inserted:?}");
}

#[test]
fn rows_that_the_plan_does_not_know_of_stop_a_reset_and_are_named() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    vigilia.apply(&[]).succeeds();
    vigilia.execute(
        "CREATE TABLE notes (id int PRIMARY KEY, author uuid REFERENCES users);
         INSERT INTO notes SELECT 1, id FROM users LIMIT 1",
    );
    let before = vigilia.state();
    let failed = vigilia.apply(&["--reset"]).fails(3);
    assert!(failed.stderr.contains("table = \"notes\", refers_to = \"users\""), "{failed:?}");
    assert_eq!(vigilia.state(), before);
}

#[test]
fn on_another_machine_a_reset_counts_and_removes_nothing_until_it_is_confirmed() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    vigilia.apply(&[]).succeeds();
    let before = vigilia.state();
    let run = |confirmed| {
        let mut database = Database::pin(vigilia.url(), &[]).unwrap();
        database.local = false;
        let config = Config {
            plan: repository("fixtures/plans/vigilia.toml"),
            database,
            manifest: vigilia.manifest(),
            seed: Some(43),
            now: None,
            scale: 1,
            before: Before::Reset,
            present: Present::Keep,
            confirmed,
            progress: Progress::Silent,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(apply(&config, &CancellationToken::new()))
    };
    let refused = seeder::Error::from(run(false).unwrap_err());
    assert_eq!(refused.exit(), Exit::Refused);
    let message = refused.to_string();
    assert!(message.contains("350 rows of users") && message.contains("--yes"), "{message}");
    assert_eq!(vigilia.state(), before);
    assert_eq!(run(true).unwrap().inserted(), 751);
    assert_ne!(vigilia.state(), before);
}

#[test]
fn the_same_plan_and_seed_give_the_same_data_in_any_database() {
    let server = TestServer::start().unwrap();
    let (one, two) = (Vigilia::new(&server), Vigilia::new(&server));
    one.apply(&[]).succeeds();
    two.apply(&[]).succeeds();
    assert_eq!(one.state(), two.state());
    let digest = |vigilia: &Vigilia<'_>| Manifest::read(&vigilia.manifest()).unwrap().header.digest;
    assert_eq!(digest(&one), digest(&two));
    two.apply(&["--reset", "--seed", "43"]).succeeds();
    assert_ne!(one.state(), two.state());
    assert_ne!(digest(&one), digest(&two));
    assert_eq!(two.count("users WHERE email = 'dispatcher1@test.eriop.example'"), 1);
}

#[test]
fn a_failure_at_any_row_leaves_everything_as_it_was() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    vigilia.execute(OTHERS);
    // The table that is loaded last has a row of another that stands in the way.
    vigilia.execute("UPDATE incidents SET incident_number = 'INC-LOAD-0007'");
    let failed = vigilia.apply(&["--json"]).fails(4);
    for expected in ["incidents", "incidents_incident_number_key", "INC-LOAD-0007"] {
        assert!(failed.stderr.contains(expected), "{failed:?}");
    }
    assert_eq!(vigilia.count("users"), 1);
    assert!(!vigilia.manifest().exists());
}

#[test]
fn columns_that_must_have_a_value_are_filled_by_their_type() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::empty(&server);
    vigilia.execute(
        "CREATE TYPE mood AS ENUM ('good', 'it''s bad');
         CREATE DOMAIN short AS varchar(3) NOT NULL;
         CREATE TABLE parents (id uuid PRIMARY KEY);
         CREATE TABLE things (
             id uuid PRIMARY KEY DEFAULT gen_random_uuid(), parent uuid NOT NULL REFERENCES parents,
             mood mood NOT NULL, small smallint NOT NULL, code varchar(2) NOT NULL, word short,
             document json NOT NULL, at timestamptz NOT NULL, day date NOT NULL,
             price numeric(8, 2) NOT NULL, moods mood[] NOT NULL, yes boolean NOT NULL,
             number int GENERATED ALWAYS AS IDENTITY, double int GENERATED ALWAYS AS (small * 2) STORED,
             note text, made timestamptz NOT NULL DEFAULT now())",
    );
    let plan = vigilia.plan(
        "name = 'p'\nepoch = 2026-01-01T00:00:00Z\n\
         [[table]]\nname = 'things'\nrows = 200\n\
         [[table]]\nname = 'parents'\nrows = 10\n",
    );
    vigilia.apply_plan(&plan, &[]).succeeds();
    assert_eq!(vigilia.count("things JOIN parents ON parents.id = parent WHERE note IS NULL"), 200);
    assert_eq!(vigilia.count("(SELECT DISTINCT parent FROM things)"), 10);
    let again = vigilia.apply_plan(&plan, &[]).succeeds();
    assert!(again.stdout.contains("nothing to insert"), "{again:?}");
    let manifest = Manifest::read(&vigilia.manifest()).unwrap();
    let things = manifest.header.tables.iter().find(|table| table.table == "things").unwrap();
    assert_eq!(things.filled_by_database, ["number", "double", "made"]);

    vigilia.execute("ALTER TABLE things ADD COLUMN address inet NOT NULL DEFAULT '::1'");
    vigilia.execute("ALTER TABLE things ALTER COLUMN address DROP DEFAULT");
    let failed = vigilia.apply_plan(&plan, &[]).fails(2);
    assert!(failed.stderr.contains("things.address must have a value"), "{failed:?}");
    assert!(failed.stderr.contains("address = \"…\" # inet"), "{failed:?}");
}

#[test]
fn mistakes_in_a_plan_are_told_with_line_table_column_and_what_would_be_right() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    let shipped = std::fs::read_to_string(repository("fixtures/plans/vigilia.toml")).unwrap();
    for (from, to, expected) in [
        ("seed = 42", "sede = 42", &["line 13", "unknown field `sede`"][..]),
        ("seed = 42", "seed = ", &["line 13"]),
        ("rows = 1\n", "rows = 'one'\n", &["expected u64"]),
        ("epoch = 2026-01-01T00:00:00Z", "epoch = 2026-01-01", &["epoch is not a time"]),
        (
            "name = \"buildings\"",
            "name = \"bildings\"",
            &["no table bildings", "did you mean buildings?"],
        ),
        (
            "street_name =",
            "street_nmae =",
            &["line ", "buildings", "street_nmae", "did you mean street_name?"],
        ),
        (
            "fake.last_name()",
            "fake.lastname()",
            &["users.full_name, row 1 of dispatcher", "did you mean last_name?"],
        ),
        (
            "chance(0.6)",
            "chanse(0.6)",
            &["buildings.has_sprinkler_system: chanse", "did you mean chance?"],
        ),
        (
            "uniform(80, 120) | round(1)",
            "uniform(80, 120) | ruond(1)",
            &["alerts.peak_level_db", "ruond"],
        ),
        (
            "integer(1890, 2024)",
            "'old'",
            &["buildings.year_built", "a string where a whole number belongs"],
        ),
        (
            "cycle([1, 2, 3, 4, 5], n)",
            "10000000000",
            &["incidents.priority", "is not from -2147483648"],
        ),
        (
            "status = \"'pending'\"",
            "status = \"'pendng'\"",
            &["alerts.status", "did you mean pending?"],
        ),
        (
            "is_verified = true\n\n[[table]]",
            "is_verified = \"none\"\n\n[[table]]",
            &["buildings.is_verified", "NOT NULL"],
        ),
        (
            "ref('users.dispatcher', n)",
            "ref('users.dispatchr', n)",
            &["alerts.acknowledged_by_id", "did you mean users.dispatcher?"],
        ),
        ("bcrypt_cost = 4", "bcrypt_cost = 3", &["users.hashed_password", "from 4 to 31"]),
        (
            "of = \"users.responder\"",
            "of = \"users.responders\"",
            &["no group users.responders", "did you mean users.responder?"],
        ),
        (
            "email = \"email\", password = \"password\" }\n\n[[accounts]]",
            "email = \"emial\", password = \"password\" }\n\n[[accounts]]",
            &["accounts of ERIOPDispatcher, email: emial", "did you mean email?"],
        ),
        (
            "refers_to = \"agencies\"",
            "refers_to = \"agency\"",
            &["no table agency", "did you mean agencies?"],
        ),
        (
            "table = \"audit_logs\"\nrefers_to = \"users\"",
            "table = \"audit_logs\"\nrefers_to = \"buildings\"",
            &["audit_logs has no foreign key to buildings"],
        ),
        (
            "civic_number = \"integer(1, 9999) ~ ''\"",
            "civic_number = \"full_address\"",
            &["needs its own value"],
        ),
        ("'Building ' ~ n", "'Building '.join(", &["buildings.name: "]),
        ("pattern('+1 514 555 01##')", "'0' * 99", &["users.phone", "row 1 of dispatcher"]),
    ] {
        assert!(shipped.contains(from), "{from}");
        let plan = vigilia.plan(&shipped.replacen(from, to, 1));
        let failed = vigilia.apply_plan(&plan, &["--reset"]).fails(2);
        for expected in expected.iter().chain([&"plan.toml line "]) {
            assert!(failed.stderr.contains(expected), "{to}: {failed:?}");
        }
    }
    assert_eq!(vigilia.count("users"), 0);
}

#[test]
fn an_environment_that_does_not_fit_is_told_in_one_line_with_its_exit_code() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    let empty = Vigilia::empty(&server);
    let in_the_way = vigilia.folder().join("file");
    std::fs::write(&in_the_way, "").unwrap();
    let plan = repository("fixtures/plans/vigilia.toml");
    let arguments = |url: &str, plan: &Path, manifest: PathBuf| {
        [
            "--database-url".into(),
            url.into(),
            "--plan".into(),
            plan.into(),
            "--manifest".into(),
            manifest,
        ]
    };
    let separator = if vigilia.url().contains('?') { '&' } else { '?' };
    let read_only =
        format!("{}{separator}options=-c%20default_transaction_read_only=on", vigilia.url());
    let missing_database = format!("{}_gone", vigilia.url());
    let closed = "postgres://u:TestSecret1!@127.0.0.1:1/x";
    let elsewhere = "postgres://u:TestSecret1!@203.0.113.7/x";
    let private = "postgres://u:TestSecret1!@10.1.2.3/x";
    // Trust is not asked for a password, so the role is what the server refuses.
    let (_, server_part) = vigilia.url().split_once('@').unwrap();
    let refused = format!("postgres://nobody_here:TestSecret1!@{server_part}");
    for (url, plan, manifest, code, expected) in [
        (closed, &*plan, vigilia.manifest(), 4, "cannot connect to the database at 127.0.0.1:1"),
        (elsewhere, &plan, vigilia.manifest(), 3, "--allow-host 203.0.113.7"),
        (private, &plan, vigilia.manifest(), 3, "--allow-host 10.1.2.3"),
        (&refused, &plan, vigilia.manifest(), 4, "nobody_here"),
        ("TestSecret1!", &plan, vigilia.manifest(), 2, "postgres://user:password@host"),
        (&missing_database, &plan, vigilia.manifest(), 4, "does not exist"),
        (&read_only, &plan, vigilia.manifest(), 4, "read-only"),
        (empty.url(), &plan, vigilia.manifest(), 4, "agencies, roles, users"),
        (
            vigilia.url(),
            Path::new("none.toml"),
            vigilia.manifest(),
            1,
            "cannot read plan none.toml",
        ),
        (vigilia.url(), &plan, in_the_way.join("manifest.json"), 1, "file/manifest.json"),
    ] {
        let failed = vigilia.seeder("apply", arguments(url, plan, manifest)).fails(code);
        assert!(failed.stderr.contains(expected), "{failed:?}");
        assert!(!failed.stderr.contains("TestSecret1!"), "{failed:?}");
    }
    // Neither a URL nor a private cluster in this folder.
    let failed = vigilia.seeder("apply", ["--plan".into(), plan]).fails(4);
    assert!(failed.stderr.contains("seeder cluster up"), "{failed:?}");
    assert_eq!(vigilia.count("users"), 0);
}
