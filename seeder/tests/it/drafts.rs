//! What a draft knows of an application from its schema.

use cluster::testing::TestServer;

use crate::support::{Output, Vigilia};

impl Vigilia<'_> {
    /// Drafts a plan of all tables into `drafted.toml`.
    pub(crate) fn draft(&self, more: &[&str]) -> (Output, String) {
        let arguments =
            ["draft", "--database-url", self.url(), "--plan", "drafted.toml", "--force"];
        let output = self.seeder("plan", arguments.iter().chain(more).map(Into::into));
        let text = std::fs::read_to_string(self.folder().join("drafted.toml")).unwrap_or_default();
        (output, text)
    }
}

const APPLICATION: &str = "
    CREATE TABLE schema_migrations (version text PRIMARY KEY);
    CREATE TABLE django_content_type (id int PRIMARY KEY, model text NOT NULL);
    CREATE TABLE auth_permission (id int PRIMARY KEY,
        content_type_id int NOT NULL REFERENCES django_content_type);
    CREATE TABLE sessions (sid text PRIMARY KEY, sess json NOT NULL);
    CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(100) NOT NULL, username text NOT NULL,
        password_hash varchar(255) NOT NULL, is_active boolean NOT NULL, is_admin boolean NOT NULL,
        state text NOT NULL CHECK (state IN ('blocked', 'active')),
        failed_attempts int NOT NULL, reset_password_token text, confirmed_at timestamptz,
        locked_until timestamptz, deleted_at timestamptz, \"lastLoginAt\" timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
    CREATE UNIQUE INDEX ON users (lower(email));
    CREATE TABLE friendships (user_id bigint NOT NULL REFERENCES users,
        friend_id bigint NOT NULL REFERENCES users, closed_at timestamptz,
        PRIMARY KEY (user_id, friend_id), CHECK (user_id <> friend_id));
    CREATE TABLE transfers (id uuid PRIMARY KEY, payer bigint NOT NULL REFERENCES users,
        payee bigint NOT NULL REFERENCES users, CONSTRAINT two CHECK (payer <> payee));
    CREATE TABLE roles_users (role int, user_id bigint NOT NULL REFERENCES users);
    INSERT INTO users (email, username, password_hash, is_active, is_admin, state, failed_attempts)
    VALUES ('real@x.example', 'real', HASH, true, true, 'active', 0)";

#[test]
fn a_draft_has_accounts_that_can_log_in_and_leaves_states_empty() {
    let server = TestServer::start().unwrap();
    for (hash, expected) in [
        (
            "'$argon2id$v=19$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$mHVN6Lbgw7CJWDVGKIKtGU1Z4vGhBzAXiyXHsYzYDV4'",
            "argon2id, m=64, t=2, p=1: as in a row that is there",
        ),
        (
            "'pbkdf2_sha256$20$abcdefghijklmnop$wBRJ4XDYWlvwDDpZvBVxu0MDx+hGe28HKHQ8TKpd4Ws='",
            "pbkdf2, sha256, 20 iterations, as Django writes it: as in a row that is there",
        ),
        ("''", "bcrypt, cost 4: a guess"),
    ] {
        let one = Vigilia::empty(&server);
        one.execute(&APPLICATION.replace("HASH", hash));
        let (output, text) = one.draft(&[]);
        let output = output.succeeds();
        assert!(text.contains(expected), "{text}");
        assert!(output.stderr.contains("users.password_hash: "), "{output:?}");
        assert_eq!(one.count("users"), 1, "what was tried is gone again");
        for gone in ["schema_migrations", "django_content_type", "auth_permission", "sessions"] {
            assert!(!text.contains(&format!("name = \"{gone}\"")), "{text}");
            assert!(text.contains(&format!("\n# {gone} (")), "{text}");
        }
        let plan = one.folder().join("drafted.toml");
        one.on_plan("apply", &plan, &[]).succeeds();
        let ours = "users WHERE email LIKE 'users%@example.com'";
        for (query, count) in [
            (ours.to_owned(), 100),
            (format!("{ours} AND is_active AND NOT is_admin AND state = 'active'"), 100),
            (format!("{ours} AND failed_attempts = 0 AND reset_password_token IS NULL"), 100),
            (format!("{ours} AND num_nulls(locked_until, deleted_at, \"lastLoginAt\") = 3"), 100),
            (format!("{ours} AND confirmed_at IS NOT NULL AND updated_at = created_at"), 100),
            (format!("(SELECT DISTINCT created_at FROM {ours})"), 100),
            ("friendships WHERE closed_at IS NULL".to_owned(), 100),
            ("transfers".to_owned(), 100),
            ("roles_users".to_owned(), 100),
        ] {
            assert_eq!(one.count(&query), count, "{query}\n{text}");
        }
        // Names that nothing keeps apart may be alike, as people's are.
        let names = one.count(&format!("(SELECT DISTINCT username FROM {ours})"));
        assert!(names > 90, "{names}\n{text}");
        let verified = one.on_plan("verify", &plan, &[]).succeeds();
        assert!(verified.stdout.contains("User: 6 of 6 can log in"), "{verified:?}");
        one.on_plan("clean", &plan, &[]).succeeds();
        assert_eq!((one.count("users"), one.count("roles_users")), (1, 0));
    }
}

#[test]
fn what_a_database_refuses_is_left_null_or_named_with_its_line() {
    let server = TestServer::start().unwrap();
    let one = Vigilia::empty(&server);
    one.execute(
        "CREATE TABLE parts (id uuid PRIMARY KEY, ean text CHECK (ean ~ '^[0-9]{13}$'),
            weight int NOT NULL, CONSTRAINT even CHECK (weight % 2 = 0 AND weight < 0));
         CREATE TABLE of_parts (id uuid PRIMARY KEY, part_id uuid NOT NULL REFERENCES parts);
         CREATE TABLE guarded (id uuid PRIMARY KEY, name text NOT NULL);
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'names come from the registry'; END $$;
         CREATE TRIGGER guard BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    let (drafted, text) = one.draft(&["--check"]);
    assert_eq!(drafted.code, Some(13), "{drafted:?}");
    assert!(text.contains("# ean = ") && text.contains("left NULL: "), "{text}");
    let place = |line: &str| text.lines().position(|known| known.starts_with(line)).unwrap() + 1;
    for (line, why) in
        [("weight = ", "CHECK"), ("name = \"guarded\"", "names come from the registry")]
    {
        let named = format!("line {}: ", place(line));
        let told = drafted.stderr.lines().find(|told| told.starts_with(&named));
        assert!(told.is_some_and(|told| told.contains(why)), "{named}\n{drafted:?}");
    }
    assert!(!drafted.stderr.contains("of_parts"), "{drafted:?}");
    assert_eq!(one.count("parts"), 0);

    // With the named line changed, and the table that takes nothing left out, it holds.
    let changed = text.lines().map(|line| match line.starts_with("weight = ") {
        true => "weight = \"-2 * n\"",
        false => line,
    });
    let changed = changed.collect::<Vec<_>>().join("\n");
    let at = changed.find("\n[[table]]\nname = \"guarded\"").unwrap();
    let end = changed[at + 1..].find("\n[[table]]").map_or(changed.len(), |end| at + 1 + end);
    let plan = one.plan(&format!("{}{}", &changed[..at], &changed[end..]));
    one.on_plan("apply", &plan, &[]).succeeds();
    assert_eq!(one.count("of_parts JOIN parts ON parts.id = part_id"), 100);
}

#[test]
fn no_row_of_a_draft_is_one_that_is_there() {
    let server = TestServer::start().unwrap();
    let one = Vigilia::empty(&server);
    // Numbers as an application gives them, and no key but what the plan finds.
    one.execute(
        "CREATE TABLE stream (stream_id bigint NOT NULL, room text);
         INSERT INTO stream SELECT i, 'real' FROM generate_series(1, 200) i;
         CREATE TABLE days (day date PRIMARY KEY, note text);
         INSERT INTO days SELECT date '2026-01-01' - i, 'real' FROM generate_series(1, 200) i;
         CREATE TABLE grades (grade int PRIMARY KEY CHECK (grade BETWEEN 1 AND 200), note text);
         INSERT INTO grades SELECT i, 'real' FROM generate_series(1, 10) i",
    );
    let sums = || {
        let all = ["stream", "days", "grades"].map(|table| {
            one.rows(&format!(
                "SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {table} t"
            ))
        });
        all.concat()
    };
    let before = sums();
    let (drafted, text) = one.draft(&["--check"]);
    let log = "CREATE TABLE log (at timestamptz);
        CREATE TABLE months (at timestamptz) PARTITION BY RANGE (at);
        CREATE TABLE month PARTITION OF months DEFAULT;
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO log VALUES (now()); INSERT INTO months VALUES (now());
               RETURN NEW; END $$;
        CREATE TRIGGER note AFTER INSERT ON days FOR EACH ROW EXECUTE FUNCTION note()";
    // What has to be one of a few values is some row's already.
    assert_eq!(drafted.code, Some(13), "{drafted:?}");
    assert!(
        drafted.stderr.contains("10 of its rows are there already by their key (grade)"),
        "{drafted:?}"
    );
    assert!(!drafted.stderr.contains("(stream_id)") && !drafted.stderr.contains("(day)"));
    let plan = one.plan(&text.replace("grade = \"n\"", "grade = \"n + 10\""));
    one.on_plan("apply", &plan, &[]).succeeds();
    assert_eq!((one.count("stream"), one.count("days"), one.count("grades")), (300, 300, 110));
    one.on_plan("clean", &plan, &[]).succeeds();
    assert_eq!(sums(), before);

    // What clean would leave behind is said.
    one.execute(log);
    let (logged, _) = one.draft(&["--table", "days", "--table", "stream"]);
    let logged = logged.succeeds();
    for table in ["log", "months"] {
        let told = "triggers (of days) make 100 more rows in it, which clean does not know";
        assert!(logged.stderr.contains(&format!("{table}: {told}")), "{logged:?}");
    }
}

#[test]
fn who_may_only_read_is_told_that_nothing_was_tried() {
    let server = TestServer::start().unwrap();
    let one = Vigilia::empty(&server);
    one.execute("CREATE TABLE things (id uuid PRIMARY KEY, name text NOT NULL)");
    let database = one.url().rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    one.execute(&format!("ALTER DATABASE \"{database}\" SET default_transaction_read_only = on"));
    let (drafted, text) = one.draft(&["--check"]);
    assert_eq!(drafted.code, Some(13), "{drafted:?}");
    assert!(drafted.stderr.contains("the rows could not be tried: "), "{drafted:?}");
    assert!(text.contains("name = \"things\""));
    // A draft is there to be changed: without being asked it is no error.
    assert_eq!(one.draft(&[]).0.succeeds().stderr, drafted.stderr);
    assert!(!one.draft(&["--check=false"]).0.succeeds().stderr.contains("could not be tried"));
}

#[test]
fn each_table_that_makes_no_sense_is_named_and_what_refers_to_it_is_not() {
    let server = TestServer::start().unwrap();
    let one = Vigilia::empty(&server);
    one.execute(
        "CREATE TABLE odd (id uuid PRIMARY KEY, shape polygon NOT NULL);
         CREATE TABLE even (id uuid PRIMARY KEY, path path NOT NULL);
         CREATE TABLE of_odd (id uuid PRIMARY KEY, odd_id uuid NOT NULL REFERENCES odd)",
    );
    let (drafted, _) = one.draft(&["--check"]);
    assert_eq!(drafted.code, Some(13), "{drafted:?}");
    for named in ["shape = \"…\" # polygon", "path = \"…\" # path"] {
        assert!(drafted.stderr.contains(named), "{drafted:?}");
    }
    assert!(!drafted.stderr.contains("of_odd"), "{drafted:?}");
}
