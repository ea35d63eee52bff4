//! Rows of others that refer to the plan's in every way that there is: they stay as they are, or
//! nothing is removed and the lines that would allow it are named.

use std::path::PathBuf;

use cluster::testing::TestServer;
use serde_json::Value;

use crate::support::{Vigilia, repository};

/// Articles are seeded, all else is other people's.
const PRESS: &str = "
    CREATE TABLE articles (id uuid PRIMARY KEY, title text NOT NULL, UNIQUE (id, title));
    INSERT INTO articles SELECT gen_random_uuid(), 'theirs ' || n FROM generate_series(1, 3) n;";
const PLAN: &str = "name = 'press'\nepoch = 2026-01-01T00:00:00Z\n\
    [[table]]\nname = 'articles'\nrows = 5\ncolumns = { title = \"'ours ' ~ n\" }\n";

/// A database with some tables more, and the plan applied to it.
struct Press<'a> {
    database: Vigilia<'a>,
    plan: PathBuf,
}

impl<'a> Press<'a> {
    fn new(server: &'a TestServer, tables: &str) -> Self {
        let database = Vigilia::empty(server);
        database.execute(PRESS);
        database.execute(tables);
        let plan = database.plan(PLAN);
        database.apply_plan(&plan, &[]).succeeds();
        Self { database, plan }
    }

    /// With lines more at the plan's top and its end; changes no row.
    fn plan(&self, top: &str, end: &str) {
        self.database.plan(&format!("{top}\n{PLAN}{end}"));
    }

    /// Everything that removes says the same, and changes nothing.
    fn is_refused(&self, expected: &[&str]) {
        let before = self.database.checksums();
        for (command, more) in [
            ("clean", &["--dry-run"][..]),
            ("clean", &[]),
            ("apply", &["--reset"]),
            ("apply", &["--reset", "--dry-run"]),
        ] {
            let refused = self.database.on_plan(command, &self.plan, more).fails(3);
            for expected in expected {
                assert!(refused.stderr.contains(expected), "{expected}: {refused:?}");
            }
            assert_eq!(self.database.checksums(), before, "{command} {more:?}");
        }
        assert!(self.database.manifest().exists());
    }

    /// What a table's part of a removal is, by `clean --dry-run` and by `clean` the same.
    fn is_cleaned(&self) -> Value {
        let before = self.database.checksums();
        let clean = |more: &[&str]| {
            let done = self.database.on_plan("clean", &self.plan, more).succeeds();
            serde_json::from_str::<Value>(&done.stdout).unwrap()["removed"].clone()
        };
        let dry = clean(&["--json", "--dry-run"]);
        assert_eq!(self.database.checksums(), before);
        let done = clean(&["--json"]);
        assert_eq!(dry, done);
        assert_eq!(self.database.count("articles WHERE title LIKE 'ours%'"), 0);
        assert_eq!(self.database.count("articles WHERE title LIKE 'theirs%'"), 3);
        done
    }
}

fn part(removed: &Value, table: &str, what: &str) -> u64 {
    let tables = removed.as_array().unwrap();
    let found = tables.iter().find(|entry| entry["table"] == table);
    found.unwrap_or_else(|| panic!("no {table} in {removed}"))[what].as_u64().unwrap()
}

#[test]
fn what_would_go_by_cascades_of_any_depth_is_counted_and_stops_it_until_the_plan_names_it() {
    let server = TestServer::start().unwrap();
    let press = Press::new(
        &server,
        "CREATE TABLE comments (
             id int PRIMARY KEY, article uuid, title text, answers int REFERENCES comments ON DELETE CASCADE,
             FOREIGN KEY (article, title) REFERENCES articles (id, title) ON DELETE CASCADE);
         CREATE SCHEMA other;
         -- By two keys to one table, one of which is partitioned.
         CREATE TABLE other.likes (
             comment int REFERENCES comments ON DELETE CASCADE,
             instead_of int REFERENCES comments ON DELETE CASCADE, day int) PARTITION BY LIST (day);
         CREATE TABLE other.likes_1 PARTITION OF other.likes FOR VALUES IN (1);
         CREATE TABLE other.likes_2 PARTITION OF other.likes DEFAULT;
         CREATE TABLE favourites (article uuid REFERENCES articles ON DELETE CASCADE)",
    );
    press.database.execute(
        "-- A chain of answers of which the first is on an article of ours, and one that is not.
         INSERT INTO comments SELECT 1, id, title FROM articles WHERE title = 'ours 1';
         INSERT INTO comments SELECT n, NULL, NULL, n - 1 FROM generate_series(2, 40) n;
         INSERT INTO comments SELECT 100, id, title FROM articles WHERE title = 'theirs 1';
         INSERT INTO comments VALUES (101, NULL, NULL, 100);
         INSERT INTO other.likes VALUES (40, 100, 1), (100, 39, 2), (38, 38, 2), (100, 101, 1), (101, NULL, 2);
         INSERT INTO favourites SELECT id FROM articles",
    );
    press.is_refused(&[
        "40 rows of comments, of others",
        "3 rows of other.likes, of others",
        "5 rows of favourites, of others",
        "cascade = [\"comments\", \"favourites\", \"other.likes\"]",
        "[[load]] table = \"favourites\", refers_to = \"articles\"",
    ]);
    // Some of them named: the rest is still in the way, and the line is whole.
    press.plan("cascade = ['favourites', 'comments']", "");
    press.is_refused(&["cascade = [\"favourites\", \"comments\", \"other.likes\"]"]);
    press.plan("cascade = ['favourites', 'comments', 'other.likes']", "");
    let removed = press.is_cleaned();
    assert_eq!(part(&removed, "articles", "planned"), 5);
    assert_eq!(part(&removed, "comments", "cascaded"), 40);
    assert_eq!(part(&removed, "other.likes", "cascaded"), 3);
    assert_eq!(part(&removed, "favourites", "cascaded"), 5);
    assert_eq!(press.database.rows("SELECT id::text FROM comments ORDER BY id"), ["100", "101"]);
    assert_eq!(press.database.count("other.likes"), 2);
    assert_eq!(press.database.count("favourites"), 3);
}

#[test]
fn what_a_load_made_goes_by_its_rule_and_needs_no_other_line() {
    let server = TestServer::start().unwrap();
    let press = Press::new(
        &server,
        "CREATE TABLE comments (id int, article uuid REFERENCES articles ON DELETE CASCADE)",
    );
    let before = press.database.checksums();
    press
        .database
        .execute("INSERT INTO comments SELECT 1, id FROM articles WHERE title LIKE 'ours%'");
    press.plan("", "[[load]]\ntable = 'comments'\nrefers_to = 'articles'\n");
    let removed = press.is_cleaned();
    assert_eq!(
        [part(&removed, "comments", "load"), part(&removed, "comments", "cascaded")],
        [5, 0]
    );
    assert_ne!(press.database.checksums(), before, "without the plan's own");
    press.database.apply_plan(&press.plan, &[]).succeeds();
    assert_eq!(press.database.checksums(), before);
}

#[test]
fn references_that_are_set_to_null_or_their_default_are_told() {
    let server = TestServer::start().unwrap();
    let press = Press::new(
        &server,
        "CREATE TABLE notes (
             id int PRIMARY KEY, first uuid REFERENCES articles ON DELETE SET NULL,
             second uuid REFERENCES articles ON DELETE SET NULL);
         CREATE TABLE links (
             id int PRIMARY KEY, article uuid REFERENCES articles ON DELETE SET DEFAULT);
         INSERT INTO notes SELECT n FROM generate_series(1, 6) n;
         INSERT INTO links SELECT n FROM generate_series(1, 4) n",
    );
    let before = press.database.rows("SELECT t::text FROM notes t ORDER BY id");
    let links = press.database.rows("SELECT t::text FROM links t ORDER BY id");
    press.database.execute(
        "UPDATE notes SET first = (SELECT id FROM articles WHERE title = 'ours 1') WHERE id <= 3;
         UPDATE notes SET second = (SELECT id FROM articles WHERE title = 'ours 2') WHERE id = 3;
         UPDATE links SET article = (SELECT id FROM articles WHERE title = 'ours 3') WHERE id <= 2",
    );
    let removed = press.is_cleaned();
    assert_eq!(part(&removed, "notes", "set_null"), 4);
    assert_eq!(part(&removed, "links", "set_default"), 2);
    assert_eq!(press.database.rows("SELECT t::text FROM notes t ORDER BY id"), before);
    assert_eq!(press.database.rows("SELECT t::text FROM links t ORDER BY id"), links);

    press.database.apply_plan(&press.plan, &[]).succeeds();
    press
        .database
        .execute("UPDATE notes SET first = (SELECT id FROM articles WHERE title = 'ours 1')");
    let told = press.database.on_plan("clean", &press.plan, &["--dry-run"]).succeeds();
    assert!(told.stdout.contains("6 references of others set to null"), "{told:?}");
}

#[test]
fn references_that_stop_it_are_counted_with_both_lines_that_help() {
    let server = TestServer::start().unwrap();
    let press = Press::new(
        &server,
        "CREATE TABLE reviews (id int PRIMARY KEY, article uuid NOT NULL REFERENCES articles ON DELETE RESTRICT);
         CREATE TABLE prints (review int REFERENCES reviews);
         CREATE TABLE orders (article uuid REFERENCES articles DEFERRABLE INITIALLY DEFERRED)",
    );
    press.database.execute(
        "INSERT INTO reviews SELECT 1, id FROM articles WHERE title = 'ours 1';
         INSERT INTO reviews SELECT 2, id FROM articles WHERE title = 'theirs 1';
         INSERT INTO prints VALUES (1), (1), (2);
         INSERT INTO orders SELECT id FROM articles",
    );
    press.is_refused(&[
        "1 rows of reviews, of others, still refer to articles (RESTRICT)",
        "5 rows of orders, of others, still refer to articles (NO ACTION)",
        "cascade = [\"orders\", \"reviews\"]",
        "[[load]] table = \"reviews\", refers_to = \"articles\"",
    ]);
    press.plan("cascade = ['orders', 'reviews']", "");
    press.is_refused(&[
        "2 rows of prints, of others, still refer to reviews",
        "cascade = [\"orders\", \"reviews\", \"prints\"]",
    ]);
    press.plan("cascade = ['orders', 'reviews', 'prints']", "");
    let removed = press.is_cleaned();
    let cascaded = ["orders", "reviews", "prints"].map(|table| part(&removed, table, "cascaded"));
    assert_eq!(cascaded, [5, 1, 2]);
    assert_eq!(["orders", "reviews", "prints"].map(|table| press.database.count(table)), [3, 1, 1]);
}

#[test]
fn a_reference_that_cannot_be_emptied_is_a_refusal_of_the_database() {
    let server = TestServer::start().unwrap();
    let press = Press::new(
        &server,
        "CREATE TABLE notes (article uuid NOT NULL REFERENCES articles ON DELETE SET NULL)",
    );
    press.database.execute("INSERT INTO notes SELECT id FROM articles");
    press.is_refused(&["nothing is removed: the database refuses it", "notes"]);
}

#[test]
fn what_triggers_do_elsewhere_is_counted_and_stops_it_until_the_plan_names_it() {
    let server = TestServer::start().unwrap();
    let press = Press::new(
        &server,
        "CREATE TABLE history (what text);
         CREATE TABLE totals (articles int, note text DEFAULT '');
         INSERT INTO totals VALUES (0), (0);
         CREATE FUNCTION count_articles() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO history VALUES (OLD.title);
             UPDATE totals SET articles = articles - 1;
             RETURN OLD;
         END $$;
         CREATE TRIGGER counting AFTER DELETE ON articles FOR EACH ROW EXECUTE FUNCTION count_articles();
         -- It changes nothing, and one is not in force.
         CREATE TRIGGER harmless BEFORE UPDATE ON articles FOR EACH ROW EXECUTE FUNCTION count_articles();
         CREATE TRIGGER asleep AFTER DELETE ON articles FOR EACH ROW EXECUTE FUNCTION count_articles();
         ALTER TABLE articles DISABLE TRIGGER asleep",
    );
    press.is_refused(&[
        "triggers (counting of articles) would change rows of history: 5 inserted",
        "rows of totals: 10 changed",
        "triggers = [\"history\", \"totals\"]",
    ]);
    press.plan("triggers = ['history', 'totals']", "");
    let removed = press.is_cleaned();
    let by_triggers = |table: &str| {
        removed.as_array().unwrap().iter().find(|entry| entry["table"] == table).unwrap()
            ["by_triggers"]
            .clone()
    };
    assert_eq!(by_triggers("history")["inserted"], 5);
    assert_eq!(by_triggers("totals")["changed"], 10);
    let articles = removed.as_array().unwrap().iter().find(|entry| entry["table"] == "articles");
    assert_eq!(articles.unwrap()["triggers"], serde_json::json!(["counting"]));
}

#[test]
fn triggers_that_change_nothing_are_told_and_stop_nothing() {
    let server = TestServer::start().unwrap();
    let press = Press::new(
        &server,
        "CREATE FUNCTION notify() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             PERFORM pg_notify('articles', OLD.title); RETURN OLD; END $$;
         CREATE TRIGGER announce BEFORE DELETE ON articles FOR EACH ROW EXECUTE FUNCTION notify()",
    );
    let told = press.database.on_plan("clean", &press.plan, &[]).succeeds();
    assert!(told.stdout.contains("its triggers ran: announce"), "{told:?}");
}

#[test]
fn rows_that_a_trigger_keeps_are_said_and_stop_it_until_the_plan_says_soft_delete() {
    let server = TestServer::start().unwrap();
    let press = Press::new(
        &server,
        "ALTER TABLE articles ADD deleted_at timestamptz;
         CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF OLD.title LIKE '%5' THEN RETURN OLD; END IF;
             UPDATE articles SET deleted_at = now() WHERE id = OLD.id;
             RETURN NULL;
         END $$;
         CREATE TRIGGER soft BEFORE DELETE ON articles FOR EACH ROW EXECUTE FUNCTION mark()",
    );
    press.is_refused(&[
        "4 rows of articles would stay, kept by trigger soft (a soft delete)",
        "soft_delete = [\"articles\"]",
    ]);
    press.plan("soft_delete = ['articles']", "");
    let done = press.database.on_plan("clean", &press.plan, &[]).succeeds();
    for expected in ["articles: 1 rows of the plan", "4 kept by a trigger", "1 rows removed"] {
        assert!(done.stdout.contains(expected), "{expected}: {done:?}");
    }
    assert_eq!(press.database.count("articles WHERE deleted_at IS NOT NULL"), 4);
}

#[test]
fn rows_of_others_that_a_trigger_keeps_are_not_counted_as_gone() {
    let server = TestServer::start().unwrap();
    let press = Press::new(
        &server,
        "CREATE TABLE comments (id int, article uuid REFERENCES articles ON DELETE CASCADE);
         CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
         CREATE TRIGGER soft BEFORE DELETE ON comments FOR EACH ROW EXECUTE FUNCTION keep()",
    );
    press.database.execute("INSERT INTO comments SELECT 1, id FROM articles");
    press.plan("cascade = ['comments']", "");
    press.is_refused(&["5 rows of comments would stay", "soft_delete = [\"comments\"]"]);
}

#[test]
fn a_trigger_that_forbids_it_is_a_refusal_of_the_database() {
    let server = TestServer::start().unwrap();
    let press = Press::new(
        &server,
        "CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE 'articles are for ever'; END $$;
         CREATE TRIGGER forbid BEFORE DELETE ON articles FOR EACH ROW EXECUTE FUNCTION forbid()",
    );
    press.is_refused(&["articles are for ever"]);
}

/// Keys in circles among the plan's, the load's and others' rows, by rules that could not be
/// obeyed one table at a time.
#[test]
fn circles_of_restrictions_among_what_goes_are_no_obstacle() {
    let server = TestServer::start().unwrap();
    let press = Press::new(
        &server,
        "CREATE TABLE drafts (id int PRIMARY KEY, article uuid REFERENCES articles ON DELETE RESTRICT);
         CREATE TABLE proofs (id int PRIMARY KEY, draft int NOT NULL REFERENCES drafts ON DELETE RESTRICT);
         ALTER TABLE drafts ADD proof int REFERENCES proofs ON DELETE SET NULL;
         ALTER TABLE articles ADD draft int REFERENCES drafts ON DELETE RESTRICT",
    );
    press.database.execute(
        "INSERT INTO drafts SELECT row_number() OVER (), id FROM articles WHERE title LIKE 'ours%';
         INSERT INTO proofs SELECT id, id FROM drafts;
         UPDATE drafts SET proof = id;
         UPDATE articles a SET draft = d.id FROM drafts d WHERE d.article = a.id",
    );
    press.plan("cascade = ['proofs']", "[[load]]\ntable = 'drafts'\nrefers_to = 'articles'\n");
    let removed = press.is_cleaned();
    assert_eq!([part(&removed, "drafts", "load"), part(&removed, "proofs", "cascaded")], [5, 5]);
}

#[test]
fn tables_that_a_plan_allows_and_that_are_not_there_are_named_with_their_line() {
    let server = TestServer::start().unwrap();
    let press = Press::new(&server, "CREATE TABLE comments (id int)");
    press.plan("cascade = [\n'coments']", "");
    let failed = press.database.on_plan("clean", &press.plan, &[]).fails(2);
    assert!(failed.stderr.contains("line 2"), "{failed:?}");
    assert!(failed.stderr.contains("did you mean comments?"), "{failed:?}");
}

#[test]
fn what_triggers_did_while_the_plan_was_applied_is_told_and_not_left_behind_unsaid() {
    let server = TestServer::start().unwrap();
    let database = Vigilia::empty(&server);
    database.execute(PRESS);
    database.execute(
        "CREATE TABLE history (id uuid, at timestamptz DEFAULT now());
         CREATE TABLE totals (articles int);
         INSERT INTO totals VALUES (3);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO history VALUES (NEW.id);
             UPDATE totals SET articles = articles + 1;
             RETURN NEW; END $$;
         CREATE TRIGGER note AFTER INSERT ON articles FOR EACH ROW EXECUTE FUNCTION note()",
    );
    let plan = database.plan(PLAN);
    let applied = database.apply_plan(&plan, &[]).succeeds();
    assert!(applied.stdout.contains("history: 5 inserted by triggers"), "{applied:?}");
    assert!(applied.stdout.contains("totals: 5 changed by triggers"), "{applied:?}");
    // Another apply, which does nothing, forgets nothing.
    let press = Press { database, plan };
    press.database.apply_plan(&press.plan, &[]).succeeds();
    press.is_refused(&["history, totals", "triggers = [\"history\", \"totals\"]"]);
    press.plan(
        "triggers = ['totals']",
        "[[load]]\ntable = 'history'\nequals = { column = 'id', of = 'articles.id' }\nalso = 'older'\n",
    );
    press
        .database
        .execute("INSERT INTO history SELECT id FROM articles WHERE title LIKE 'theirs%'");
    let left = press.is_cleaned();
    assert_eq!(part(&left, "history", "load"), 5);
    assert_eq!(press.database.count("history"), 3);
}

/// One who comes to refer to a row of the plan's while it is being removed waits, or is seen.
#[test]
fn a_reference_that_is_made_at_the_same_time_is_seen() {
    use sqlx::{Connection, PgConnection};
    let server = TestServer::start().unwrap();
    let press = Press::new(
        &server,
        "CREATE TABLE comments (id int, article uuid REFERENCES articles ON DELETE CASCADE)",
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut other = runtime.block_on(PgConnection::connect(press.database.url())).unwrap();
    let insert = "INSERT INTO comments SELECT 1, id FROM articles WHERE title = 'ours 1'";
    let mut transaction = runtime.block_on(other.begin()).unwrap();
    runtime.block_on(sqlx::raw_sql(insert).execute(&mut *transaction)).unwrap();
    let refused = std::thread::scope(|scope| {
        let cleaning = scope.spawn(|| press.database.on_plan("clean", &press.plan, &[]));
        let waits = "SELECT count(*)::text FROM pg_stat_activity
                     WHERE datname = current_database() AND application_name = 'seeder' AND wait_event_type = 'Lock'";
        while press.database.rows(waits)[0] == "0" {
            assert!(!cleaning.is_finished(), "it did not wait");
            std::thread::yield_now();
        }
        runtime.block_on(transaction.commit()).unwrap();
        cleaning.join().unwrap()
    });
    let refused = refused.fails(3);
    assert!(refused.stderr.contains("1 rows of comments, of others"), "{refused:?}");
    assert_eq!(press.database.count("comments"), 1);
}

/// Rows that the database hides from whoever asks cannot be counted.
#[test]
fn rows_that_are_hidden_are_not_taken_for_none() {
    let server = TestServer::start().unwrap();
    // Roles are the whole server's.
    let role = format!("seeding_{}", std::process::id());
    let press = Press::new(
        &server,
        &format!(
            "CREATE TABLE comments (id int, article uuid REFERENCES articles ON DELETE CASCADE);
         ALTER TABLE comments ENABLE ROW LEVEL SECURITY;
         CREATE ROLE {role} NOINHERIT;
         GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};
         GRANT EXECUTE ON FUNCTION pg_control_system TO {role}"
        ),
    );
    press
        .database
        .execute("INSERT INTO comments SELECT 1, id FROM articles WHERE title = 'ours 1'");
    let separator = if press.database.url().contains('?') { '&' } else { '?' };
    let url = format!("{}{separator}options=-c%20role%3D{role}", press.database.url());
    let arguments = [
        "--database-url".into(),
        url.into(),
        "--plan".into(),
        press.plan.clone(),
        "--manifest".into(),
        press.database.manifest(),
    ];
    let refused = press.database.seeder("clean", arguments).fails(4);
    assert!(refused.stderr.contains("row-level security policy"), "{refused:?}");
    assert_eq!(press.database.count("comments"), 1);
    press.database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// What others have in the schemas that nobody wrote a plan for; how that comes to refer to the
/// plan's rows, and back.
const FOREIGN_SCHEMAS: [(&str, &str, &str, &str); 3] = [
    (
        "shop",
        "INSERT INTO tenants VALUES ('zz', 'Foreign', '{en}', NULL);
         INSERT INTO customers (id, email, first_name, last_name, address)
             VALUES (1, 'f@example.org', 'F', 'F', '{}');
         INSERT INTO products VALUES ('zz', 's1', 'Foreign', 1, '{1}', '{}');
         INSERT INTO orders VALUES ('a0000000-0000-4000-8000-000000000000', 1, 'new', '{}', now());
         INSERT INTO order_lines VALUES ('a0000000-0000-4000-8000-000000000000', 1, 'zz', 's1', 1);
         INSERT INTO favourites VALUES (1, 'zz', '2026-01-01')",
        "UPDATE orders SET customer_id = (SELECT max(id) FROM customers)
             WHERE id = 'a0000000-0000-4000-8000-000000000000';
         UPDATE order_lines SET (tenant_code, sku) =
                 (SELECT tenant_code, sku FROM products WHERE tenant_code <> 'zz' LIMIT 1)
             WHERE order_id = 'a0000000-0000-4000-8000-000000000000'",
        "UPDATE orders SET customer_id = 1 WHERE id = 'a0000000-0000-4000-8000-000000000000';
         UPDATE order_lines SET (tenant_code, sku) = ('zz', 's1')
             WHERE order_id = 'a0000000-0000-4000-8000-000000000000'",
    ),
    (
        "circular",
        "INSERT INTO departments VALUES (1, 'Foreign', NULL);
         INSERT INTO employees VALUES ('a0000000-0000-4000-8000-000000000000', 1, NULL, 'F');
         UPDATE departments SET head_id = 'a0000000-0000-4000-8000-000000000000';
         INSERT INTO accounts VALUES ('zz', 'zz', NULL);
         INSERT INTO entries OVERRIDING SYSTEM VALUE VALUES (1, 'zz', 1);
         UPDATE accounts SET closing_entry = 1",
        "UPDATE employees SET manager_id = (SELECT id FROM employees WHERE full_name <> 'F' LIMIT 1)
             WHERE full_name = 'F';
         UPDATE accounts SET closing_entry = (SELECT max(id) FROM entries) WHERE code = 'zz'",
        "UPDATE employees SET manager_id = NULL WHERE full_name = 'F';
         UPDATE accounts SET closing_entry = 1 WHERE code = 'zz'",
    ),
    (
        "measurements",
        "INSERT INTO stations (id, label, kind, latitude, longitude, address, opens, every)
             OVERRIDING SYSTEM VALUE VALUES (1, 'foreign', 'air', 0, 0, '::1', '8:00', '1 day');
         INSERT INTO readings (station_id, taken_at, value, confidence)
             VALUES (1, '2026-01-05 00:00Z', 1, 1), (1, '2026-02-05 00:00Z', 1, 1);
         INSERT INTO events VALUES ('a0000000-0000-4000-8000-000000000000', 'east', 2010, 1, '{}');
         INSERT INTO event_notes VALUES ('a0000000-0000-4000-8000-000000000000', 'east', 2010, 'F')",
        "UPDATE readings SET station_id = (SELECT max(id) FROM stations) WHERE station_id = 1",
        "UPDATE readings SET station_id = 1 WHERE value = 1 AND confidence = 1",
    ),
];

#[test]
fn in_schemas_that_nobody_wrote_a_plan_for_all_is_as_it_was_or_refused() {
    let server = TestServer::start().unwrap();
    for (schema, theirs, refer, back) in FOREIGN_SCHEMAS {
        let one = Vigilia::empty(&server);
        one.run_file(&repository(&format!("fixtures/schemas/{schema}.sql")));
        one.execute(theirs);
        let before = one.checksums();
        let arguments =
            ["draft", "--database-url", one.url(), "--plan", "drafted.toml"].map(Into::into);
        one.seeder("plan", arguments).succeeds();
        let plan = one.folder().join("drafted.toml");
        one.on_plan("apply", &plan, &[]).succeeds();
        one.execute(refer);
        let referring = one.checksums();
        let refused = one.on_plan("clean", &plan, &[]).fails(3);
        assert!(refused.stderr.contains("of others, still refer to"), "{refused:?}");
        assert!(refused.stderr.contains("cascade = ["), "{refused:?}");
        assert_eq!(one.checksums(), referring, "{schema}");
        // What it names helps, also where no uuid tells the plan's rows.
        let drafted = std::fs::read_to_string(&plan).unwrap();
        let mut refused = refused;
        for _ in 0..4 {
            let (_, line) = refused.stderr.split_once("at the top of the plan: ").unwrap();
            let line = &line[..=line.find(']').unwrap()];
            std::fs::write(&plan, format!("{line}\n{drafted}")).unwrap();
            refused = one.on_plan("clean", &plan, &["--dry-run"]);
            if refused.code == Some(0) {
                break;
            }
        }
        assert!(refused.stdout.contains("of others went with them"), "{refused:?}");
        one.execute(back);
        one.on_plan("clean", &plan, &[]).succeeds();
        assert_eq!(one.checksums(), before, "{schema}");
    }
}

/// A role that may read what others have, and no more.
#[test]
fn without_the_right_to_change_rows_of_others_they_are_counted_all_the_same() {
    let server = TestServer::start().unwrap();
    let role = format!("reading_{}", std::process::id());
    let press = Press::new(
        &server,
        &format!(
            "CREATE TABLE comments (id int, article uuid REFERENCES articles ON DELETE CASCADE);
             CREATE ROLE {role} NOINHERIT;
             GRANT ALL ON articles TO {role};
             GRANT SELECT ON comments TO {role};
             GRANT EXECUTE ON FUNCTION pg_control_system TO {role}"
        ),
    );
    press.database.execute("INSERT INTO comments SELECT 1, id FROM articles");
    let separator = if press.database.url().contains('?') { '&' } else { '?' };
    let url = format!("{}{separator}options=-c%20role%3D{role}", press.database.url());
    let clean = || {
        let arguments = [
            "--database-url".into(),
            url.clone().into(),
            "--plan".into(),
            press.plan.clone(),
            "--manifest".into(),
            press.database.manifest(),
        ];
        press.database.seeder("clean", arguments)
    };
    let refused = clean().fails(3);
    assert!(refused.stderr.contains("5 rows of comments, of others"), "{refused:?}");
    press.database.execute(
        "DELETE FROM comments WHERE article IN (SELECT id FROM articles WHERE title LIKE 'ours%')",
    );
    clean().succeeds();
    assert_eq!(press.database.count("comments"), 3);
    press.database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// Totals of orders, kept by a trigger: the orders are the plan's.
#[test]
fn what_triggers_change_in_the_plans_own_rows_is_nobodys_business() {
    let server = TestServer::start().unwrap();
    let press = Press::new(
        &server,
        "ALTER TABLE articles ADD revision int DEFAULT 0;
         CREATE FUNCTION revise() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             UPDATE articles SET revision = 1 WHERE id = NEW.id;
             UPDATE articles SET revision = revision + 1 WHERE title = NEW.title || '!';
             RETURN NEW; END $$;
         CREATE TRIGGER revise AFTER INSERT ON articles FOR EACH ROW EXECUTE FUNCTION revise()",
    );
    assert_eq!(press.database.count("articles WHERE revision = 1"), 5);
    press.is_cleaned();
    // One row of others in the same table makes it somebody's.
    press.database.execute("INSERT INTO articles VALUES (gen_random_uuid(), 'ours 1!')");
    let told = press.database.apply_plan(&press.plan, &[]).succeeds();
    assert!(told.stdout.contains("articles: 6 changed by triggers"), "{told:?}");
    let refused = press.database.on_plan("clean", &press.plan, &[]).fails(3);
    assert!(refused.stderr.contains("triggers = [\"articles\"]"), "{refused:?}");
}
