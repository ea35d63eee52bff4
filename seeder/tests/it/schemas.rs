//! Schemas that nobody wrote a plan for, and the shipped plan on both forms of
//! Vigilia's.

use cluster::testing::TestServer;
use manifest::Manifest;

use crate::support::{Output, Vigilia, repository};

impl Vigilia<'_> {
    /// Any of the tool's commands with a plan on this database.
    pub(crate) fn on_plan(&self, command: &str, plan: &std::path::Path, more: &[&str]) -> Output {
        let mut arguments: Vec<std::path::PathBuf> =
            vec!["--database-url".into(), self.url().into(), "--plan".into(), plan.into()];
        arguments.extend(["--manifest".into(), self.manifest()]);
        arguments.extend(more.iter().map(std::path::PathBuf::from));
        self.seeder(command, arguments)
    }

    pub(crate) fn shipped(&self, command: &str, more: &[&str]) -> Output {
        self.on_plan(command, &repository("fixtures/plans/vigilia.toml"), more)
    }
}

#[test]
fn a_drafted_plan_runs_without_an_edit_on_any_schema() {
    let server = TestServer::start().unwrap();
    for (schema, rows, probes) in [
        (
            "shop",
            700,
            &[
                // Both columns of the key are of one product.
                ("order_lines JOIN products USING (tenant_code, sku)", 100),
                ("products WHERE cardinality(sizes) = 2 AND price > 0", 100),
                ("customers WHERE tags = '{}' AND email LIKE 'customers%@example.com'", 100),
                ("(SELECT DISTINCT order_id FROM invoices)", 100),
            ][..],
        ),
        (
            "circular",
            600,
            &[
                ("departments WHERE head_id IS NOT NULL", 100),
                ("employees WHERE manager_id IS NULL", 1),
                ("pages WHERE parent_id = id", 1),
                ("accounts WHERE closing_entry IS NOT NULL", 100),
                ("revisions JOIN pages ON pages.id = page_id", 100),
            ],
        ),
        (
            "measurements",
            400,
            &[
                ("readings_2026_01", 50),
                ("readings_2026_02", 50),
                ("readings WHERE doubled = value * 2 AND quality = 'good'", 100),
                (
                    "stations WHERE kind IN ('air', 'water', 'noise') AND nickname = upper(kind)",
                    100,
                ),
                ("events JOIN event_notes ON event_id = id", 100),
            ],
        ),
    ] {
        let one = Vigilia::empty(&server);
        let file = repository(&format!("fixtures/schemas/{schema}.sql"));
        one.run_file(&file);
        let plan = one.folder().join("drafted.toml");
        let arguments =
            || ["draft", "--database-url", one.url(), "--plan", "drafted.toml"].map(Into::into);
        one.seeder("plan", arguments()).succeeds();
        let there = one.seeder("plan", arguments()).fails(2);
        assert!(there.stderr.contains("--force"), "{there:?}");

        one.on_plan("apply", &plan, &[]).succeeds();
        for (query, count) in probes {
            assert_eq!(one.count(query), *count, "{schema}: {query}");
        }
        let again = one.on_plan("apply", &plan, &[]).succeeds();
        assert!(again.stdout.contains(&format!("all {rows} rows are there")), "{again:?}");
        assert!(!again.stdout.contains("changed"), "{again:?}");
        one.on_plan("verify", &plan, &[]).succeeds();

        // The same plan on another database: the same rows.
        let two = Vigilia::empty(&server);
        two.run_file(&file);
        two.on_plan("apply", &plan, &["--json"]).succeeds();
        let digest = |of: &Vigilia<'_>| Manifest::read(&of.manifest()).unwrap().header.digest;
        assert_eq!(digest(&one), digest(&two), "{schema}");

        let cleaned = one.on_plan("clean", &plan, &[]).succeeds();
        assert!(cleaned.stdout.contains(&format!("{rows} rows removed")), "{cleaned:?}");
        assert!(!one.manifest().exists());
        let left = one.seeder("verify", [plan_option(&plan), url_option(one.url())].concat());
        let left = left.fails(2);
        assert!(left.stderr.contains("no manifest"), "{left:?}");
    }
}

fn plan_option(plan: &std::path::Path) -> Vec<std::path::PathBuf> {
    vec!["--plan".into(), plan.into()]
}

fn url_option(url: &str) -> Vec<std::path::PathBuf> {
    vec!["--database-url".into(), url.into()]
}

#[test]
fn a_column_that_only_its_owner_knows_is_named_with_the_line_to_add() {
    let server = TestServer::start().unwrap();
    let one = Vigilia::empty(&server);
    one.execute("CREATE TABLE odd (id uuid PRIMARY KEY, shape polygon NOT NULL)");
    let arguments = ["draft", "--database-url", one.url(), "--plan", "odd.toml"].map(Into::into);
    one.seeder("plan", arguments).succeeds();
    let failed = one.on_plan("apply", &one.folder().join("odd.toml"), &[]).fails(2);
    assert!(failed.stderr.contains("shape = \"…\" # polygon"), "{failed:?}");
}

#[test]
fn both_forms_of_the_real_schema_take_the_shipped_plan_and_are_left_as_they_were() {
    let server = TestServer::start().unwrap();
    for (form, roles) in [("migrations", 7), ("models", 0)] {
        let vigilia = Vigilia::empty(&server);
        vigilia.run_file(&repository(&format!("fixtures/schemas/vigilia-{form}.sql")));
        vigilia.execute(FOREIGN);
        let before = vigilia.checksums();
        vigilia.shipped("apply", &[]).succeeds();
        for (query, count) in [
            ("agencies WHERE code = 'LOADTEST'", 1),
            ("users WHERE email LIKE '%@test.eriop.example'", 350),
            ("(SELECT DISTINCT role FROM users WHERE email LIKE '%@test.eriop.example')", 3),
            ("buildings", 50),
            ("resources", 100),
            ("personnel JOIN resources USING (id)", 40),
            ("vehicles JOIN resources USING (id)", 40),
            ("equipment JOIN resources USING (id)", 20),
            ("incidents WHERE incident_number LIKE 'INC-LOAD-%'", 50),
            ("alerts WHERE title LIKE 'Baseline%'", 100),
            ("alerts WHERE title LIKE 'Baseline%' AND status = 'pending'", 50),
            ("roles", 7),
        ] {
            assert_eq!(vigilia.count(query), count, "{form}: {query}");
        }
        let again = vigilia.shipped("apply", &[]).succeeds();
        assert!(again.stdout.contains("nothing to insert"), "{again:?}");
        assert!(!again.stdout.contains("changed"), "{again:?}");
        vigilia.shipped("verify", &[]).succeeds();

        vigilia.execute(LOADED);
        let dry = vigilia.shipped("clean", &["--dry-run"]).succeeds();
        assert!(
            dry.stdout.contains("audit_logs: 0 rows of the plan and 350 of the load"),
            "{dry:?}"
        );
        assert_eq!(vigilia.count("users"), 351);
        vigilia.shipped("clean", &[]).succeeds();
        assert_eq!(vigilia.checksums(), before, "{form}");
        assert_eq!(vigilia.count("roles"), roles, "{form}");
        let nothing = vigilia.shipped("clean", &[]).succeeds();
        assert!(nothing.stdout.contains("nothing to remove"), "{nothing:?}");
    }
}

#[test]
fn roles_that_someone_came_to_need_stay() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::empty(&server);
    vigilia.run_file(&repository("fixtures/schemas/vigilia-models.sql"));
    vigilia.execute(FOREIGN);
    vigilia.shipped("apply", &[]).succeeds();
    vigilia.execute(
        "UPDATE users SET role_id = (SELECT id FROM roles WHERE name = 'commander')
         WHERE email = 'foreign@example.org'",
    );
    vigilia.shipped("clean", &[]).succeeds();
    assert_eq!(vigilia.rows("SELECT name FROM roles"), ["commander"]);
}

/// Rows of someone else, in every table that the plan has.
const FOREIGN: &str = "
    INSERT INTO agencies (id, name, code, is_active)
    VALUES ('a0000000-0000-4000-8000-000000000000', 'Foreign', 'FOREIGN', true);
    INSERT INTO users (id, email, hashed_password, full_name, role, is_active, is_verified,
        mfa_enabled, failed_login_attempts, agency_id)
    VALUES ('b0000000-0000-4000-8000-000000000000', 'foreign@example.org', 'x', 'Foreign',
        'commander', true, true, false, 0, 'a0000000-0000-4000-8000-000000000000');
    INSERT INTO alerts (id, source, source_id, severity, status, alert_type, title, received_at,
        occurrence_count)
    VALUES ('c0000000-0000-4000-8000-000000000000', 'manual', 'desk', 'high', 'pending', 'scream',
        'Foreign', now(), 1);
    INSERT INTO incidents (id, incident_number, category, priority, status, title, latitude,
        longitude, reported_at, agency_id)
    VALUES ('d0000000-0000-4000-8000-000000000000', 'INC-1', 'fire', 1, 'new', 'Foreign', 0, 0,
        now(), 'a0000000-0000-4000-8000-000000000000');
    INSERT INTO audit_logs (id, timestamp, action, user_id)
    VALUES (gen_random_uuid(), now(), 'login', 'b0000000-0000-4000-8000-000000000000')";

/// Logins, posted incidents, ingested alerts.
const LOADED: &str = "
    INSERT INTO audit_logs (id, timestamp, action, user_id)
        SELECT gen_random_uuid(), now(), 'login', id FROM users
        WHERE email LIKE '%@test.eriop.example';
    INSERT INTO incidents (id, incident_number, category, priority, status, title, latitude,
        longitude, reported_at, agency_id)
        SELECT gen_random_uuid(), 'INC-20260101-' || i, 'fire', 1, 'new', 'Load', 0, 0, now(),
            (SELECT id FROM agencies WHERE code = 'LOADTEST') FROM generate_series(1, 40) i;
    INSERT INTO alerts (id, source, source_id, severity, status, alert_type, title, received_at,
        occurrence_count)
        SELECT gen_random_uuid(), 'alarm_system', 'device_' || (1000 + i), 'high', 'pending',
            'scream', 'Load', now(), 1 FROM generate_series(1, 60) i";
