//! Keys that the plan's columns make, and that others may have, too: their rows stay as they are,
//! or nothing is done and what would help is named.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use cluster::testing::TestServer;

use crate::support::Vigilia;

/// People are known by their names.
const PLAN: &str = "name = 'town'\nepoch = 2026-01-01T00:00:00Z\n\
    [[table]]\nname = 'people'\nrows = 5\n\
    columns = { name = \"'person ' ~ n\", city = \"'Bern'\" }\n";
const PEOPLE: &str = "CREATE TABLE people (name text PRIMARY KEY, city text NOT NULL, \
                      since timestamptz NOT NULL DEFAULT now());";

struct Town<'a> {
    database: Vigilia<'a>,
    plan: PathBuf,
}

impl<'a> Town<'a> {
    fn new(server: &'a TestServer, tables: &str, plan: &str) -> Self {
        let database = Vigilia::empty(server);
        database.execute(tables);
        let plan = database.plan(plan);
        Self { database, plan }
    }

    fn people(server: &'a TestServer) -> Self {
        Self::new(server, PEOPLE, PLAN)
    }

    fn run(&self, command: &str, more: &[&str]) -> crate::support::Output {
        self.database.on_plan(command, &self.plan, more)
    }

    /// Each of these changes nothing and says why.
    fn is_refused(&self, commands: &[(&str, &[&str])], expected: &[&str]) {
        let before = self.database.checksums();
        let manifest = std::fs::read(self.database.manifest()).ok();
        for (command, more) in commands {
            let refused = self.run(command, more).fails(3);
            for expected in expected {
                assert!(refused.stderr.contains(expected), "{expected}: {refused:?}");
            }
            assert_eq!(self.database.checksums(), before, "{command} {more:?}");
            assert_eq!(std::fs::read(self.database.manifest()).ok(), manifest);
        }
    }

    fn lose_the_manifest(&self) {
        std::fs::remove_file(self.database.manifest()).unwrap();
    }
}

const EVERYTHING: [(&str, &[&str]); 9] = [
    ("apply", &[]),
    ("apply", &["--json"]),
    ("apply", &["--dry-run"]),
    ("apply", &["--repair"]),
    ("apply", &["--replace"]),
    ("apply", &["--reset"]),
    ("apply", &["--reset", "--dry-run"]),
    ("clean", &[]),
    ("clean", &["--dry-run"]),
];
const APPLIES: [(&str, &[&str]); 4] =
    [("apply", &[]), ("apply", &["--dry-run"]), ("apply", &["--repair"]), ("apply", &["--reset"])];
const ADOPT: &str = "at the top of the plan: adopt = [\"people\"]";

#[test]
fn rows_of_others_under_the_plans_keys_are_not_taken_for_its_own() {
    let server = TestServer::start().unwrap();
    let town = Town::people(&server);
    town.database.execute(
        "INSERT INTO people VALUES ('person 2', 'Rome'), ('person 3', 'Bern'), ('person 7', 'Oslo')",
    );
    town.is_refused(
        &EVERYTHING,
        &["2 rows of people ", "(name) = (person 2), (person 3)", "no manifest", ADOPT],
    );
    town.is_refused(&APPLIES, &["nothing is inserted: ", "other keys", "shared = true"]);
    town.is_refused(&[("clean", &[])], &["nothing is removed: "]);
    assert!(!town.database.manifest().exists());

    // Other keys, as it says.
    let before = town.database.checksums();
    town.database.plan(&PLAN.replace("'person '", "'citizen '"));
    town.run("apply", &[]).succeeds();
    assert_eq!(town.database.count("people"), 8);
    town.run("clean", &[]).succeeds();
    assert_eq!(town.database.checksums(), before);
    // Rows that are used and stay, as it says.
    town.database.plan(&PLAN.replace("rows = 5", "rows = 5\nshared = true"));
    town.run("apply", &[]).succeeds();
    assert_eq!(town.database.rows("SELECT city FROM people WHERE name = 'person 2'"), ["Rome"]);
    town.run("clean", &[]).succeeds();
    assert_eq!(town.database.count("people"), 6, "nothing of a shared table is known to be ours");
}

#[test]
fn rows_that_the_plan_adopts_are_its_own() {
    let server = TestServer::start().unwrap();
    let town = Town::people(&server);
    town.database.execute("INSERT INTO people VALUES ('person 2', 'Rome'), ('person 7', 'Oslo')");
    town.database.plan(&format!("adopt = ['people']\n{PLAN}"));
    let told = town.run("apply", &["--dry-run"]).succeeds();
    assert!(told.stdout.contains("people: 5 rows"), "{told:?}");
    let told = town.run("apply", &["--repair"]).succeeds();
    assert!(told.stdout.contains("people: 1 present, 1 put right"), "{told:?}");
    town.run("clean", &[]).succeeds();
    assert_eq!(town.database.rows("SELECT name FROM people"), ["person 7"]);

    town.database.plan(&format!("adopt = [\n'poeple']\n{PLAN}"));
    let failed = town.run("apply", &[]).fails(2);
    assert!(failed.stderr.contains("line 2"), "{failed:?}");
    assert!(failed.stderr.contains("did you mean people?"), "{failed:?}");
}

#[test]
fn rows_of_others_that_came_later_are_not_what_a_larger_plan_has_put_there() {
    let server = TestServer::start().unwrap();
    let town = Town::people(&server);
    town.run("apply", &[]).succeeds();
    town.database.execute("INSERT INTO people VALUES ('person 7', 'Oslo'), ('guest 1', 'Rome')");
    let with_guests = town.database.checksums();
    town.run("apply", &[]).succeeds();
    assert_eq!(town.database.checksums(), with_guests);
    town.is_refused(
        &[
            ("apply", &["--scale", "2"]),
            ("apply", &["--scale", "2", "--dry-run"]),
            ("apply", &["--scale", "2", "--repair"]),
            ("apply", &["--scale", "2", "--reset"]),
            ("apply", &["--scale", "2", "--reset", "--dry-run"]),
            ("clean", &["--scale", "2"]),
        ],
        &["1 rows of people ", "(name) = (person 7)", ADOPT],
    );
    // A larger table, a new table, another key.
    town.database.plan(&PLAN.replace("rows = 5", "rows = 7"));
    town.is_refused(&[("apply", &["--replace"])], &[]);
    town.database.execute("CREATE TABLE guests (name text PRIMARY KEY)");
    town.database.execute("INSERT INTO guests VALUES ('guest 1')");
    let guests = "[[table]]\nname = 'guests'\nrows = 1\ncolumns = { name = \"'guest ' ~ n\" }\n";
    town.database.plan(&format!("{PLAN}{guests}"));
    town.is_refused(
        &[("apply", &["--replace"]), ("apply", &["--replace", "--dry-run"])],
        &["rows of guests "],
    );
    town.database.execute("DROP TABLE guests");
    // What was put there goes, and nothing else.
    town.database.plan(PLAN);
    town.run("apply", &["--reset"]).succeeds();
    assert_eq!(town.database.count("people"), 7);
    town.run("clean", &[]).succeeds();
    let left = town.database.rows("SELECT name FROM people ORDER BY 1");
    assert_eq!(left, ["guest 1", "person 7"]);
}

#[test]
fn a_larger_scale_without_rows_in_its_way_is_what_it_was() {
    let server = TestServer::start().unwrap();
    let town = Town::people(&server);
    town.run("apply", &[]).succeeds();
    town.run("apply", &["--scale", "3"]).succeeds();
    assert_eq!(town.database.count("people"), 15);
    town.run("apply", &["--reset"]).succeeds();
    assert_eq!(town.database.count("people"), 5);
    town.run("clean", &["--scale", "3"]).succeeds();
    assert_eq!(town.database.count("people"), 0);
}

#[test]
fn where_the_manifest_is_lost_the_rows_may_be_anybodys_until_the_plan_adopts_them() {
    let server = TestServer::start().unwrap();
    let town = Town::people(&server);
    town.run("apply", &[]).succeeds();
    let applied = town.database.checksums();
    let elsewhere = town.database.folder().join("elsewhere.json");
    std::fs::rename(town.database.manifest(), &elsewhere).unwrap();
    town.is_refused(&EVERYTHING, &["5 rows of people ", "--manifest", ADOPT]);
    // With it all is well, whatever minor version the server has come to.
    let text = std::fs::read_to_string(&elsewhere).unwrap();
    let newer = text.replacen("\"server_version\": \"", "\"server_version\": \"1", 1);
    assert_ne!(newer, text);
    std::fs::write(town.database.manifest(), newer).unwrap();
    town.run("apply", &[]).succeeds();
    town.lose_the_manifest();
    town.database.plan(&format!("adopt = ['people']\n{PLAN}"));
    let again = town.run("apply", &[]).succeeds();
    assert!(again.stdout.contains("all 5 rows are there"), "{again:?}");
    assert_eq!(town.database.checksums(), applied);
    // Once there is a manifest, the line has done its work.
    town.database.plan(PLAN);
    town.run("apply", &["--reset"]).succeeds();
    town.lose_the_manifest();
    town.database.plan(&format!("adopt = ['people']\n{PLAN}"));
    town.run("clean", &[]).succeeds();
    assert_eq!(town.database.count("people"), 0);
    town.run("clean", &[]).succeeds();
}

/// Uuids of the seeder's are nobody else's: what has one needs no manifest.
#[test]
fn a_uuid_that_the_seeder_made_tells_a_row_whatever_else_its_key_is() {
    let server = TestServer::start().unwrap();
    let town = Town::new(
        &server,
        "CREATE TABLE users (id uuid PRIMARY KEY, email text NOT NULL, name text);
         CREATE TABLE profiles (user_id uuid PRIMARY KEY REFERENCES users, text text);
         CREATE TABLE pictures (profile uuid REFERENCES profiles, number int, PRIMARY KEY (profile, number));
         INSERT INTO users VALUES ('a0000000-0000-4000-8000-000000000000', 'u4@x.example', 'Theirs');
         INSERT INTO profiles VALUES ('a0000000-0000-4000-8000-000000000000', 'Theirs')",
        "name = 'site'\nepoch = 2026-01-01T00:00:00Z\n\
         [[table]]\nname = 'users'\nrows = 3\nkey = ['email']\ncolumns = { email = \"'u' ~ n ~ '@x.example'\" }\n\
         [[table]]\nname = 'profiles'\nrows = 3\ncolumns = { user_id = \"ref('users', n)\" }\n\
         [[table]]\nname = 'pictures'\nrows = 6\n\
         columns = { profile = \"ref('profiles', n)\", number = \"n\" }\n",
    );
    let before = town.database.checksums();
    town.run("apply", &[]).succeeds();
    town.is_refused(
        &[("apply", &["--scale", "2"]), ("apply", &["--scale", "2", "--repair"])],
        &["1 rows of users ", "(email) = (u4@x.example)"],
    );
    let applied = town.database.checksums();
    town.lose_the_manifest();
    town.run("apply", &[]).succeeds();
    assert_eq!(town.database.checksums(), applied);
    town.lose_the_manifest();
    town.run("apply", &["--reset"]).succeeds();
    assert_eq!(town.database.checksums(), applied);
    // One of others that came to have the same address is not told by it.
    town.database.execute("INSERT INTO users VALUES (gen_random_uuid(), 'u1@x.example', 'Theirs')");
    town.is_refused(&APPLIES, &["1 rows of users ", "(email) = (u1@x.example)"]);
    town.lose_the_manifest();
    town.run("clean", &[]).succeeds();
    assert_eq!(town.database.count("users"), 2);
    town.database.execute("DELETE FROM users WHERE email = 'u1@x.example'");
    assert_eq!(town.database.checksums(), before);
}

/// A reference to a row of others makes no key ours.
#[test]
fn a_key_that_refers_to_rows_of_others_is_theirs() {
    let server = TestServer::start().unwrap();
    let town = Town::new(
        &server,
        "CREATE TABLE users (id uuid PRIMARY KEY, name text NOT NULL);
         CREATE TABLE members (user_id uuid REFERENCES users, role text, note text, PRIMARY KEY (user_id, role));
         INSERT INTO users VALUES ('a0000000-0000-4000-8000-000000000000', 'Theirs');
         INSERT INTO members VALUES ('a0000000-0000-4000-8000-000000000000', 'role 1', 'Theirs')",
        "name = 'site'\nepoch = 2026-01-01T00:00:00Z\n\
         [[table]]\nname = 'users'\nrows = 3\ncolumns = { name = \"'user ' ~ n\" }\n\
         [[table]]\nname = 'members'\nrows = 2\n[table.columns]\n\
         user_id = \"'a0000000-0000-4000-8000-000000000000'\"\nrole = \"'role ' ~ n\"\n",
    );
    town.is_refused(
        &EVERYTHING,
        &["(user_id, role) = (a0000000-0000-4000-8000-000000000000, role 1)"],
    );
}

/// A whole number may be another's, however far from where sequences begin.
#[test]
fn numbers_that_the_seeder_made_are_ours_where_a_manifest_says_so() {
    let server = TestServer::start().unwrap();
    let plan = "name = 'shelf'\nepoch = 2026-01-01T00:00:00Z\n\
        [[table]]\nname = 'books'\nrows = 3\nkey = ['title']\ncolumns = { title = \"'book ' ~ n\" }\n\
        [[table]]\nname = 'words'\nrows = 2\nshared = true\ncolumns = { word = \"'word ' ~ n\" }\n";
    let town = Town::new(
        &server,
        "CREATE TABLE books (id smallint PRIMARY KEY, title text NOT NULL);
         CREATE TABLE words (id smallint PRIMARY KEY, word text NOT NULL);
         INSERT INTO books VALUES (1, 'theirs');
         INSERT INTO words VALUES (10001, 'theirs')",
        plan,
    );
    town.is_refused(&EVERYTHING, &["(id) = (10001)", "adopt = [\"words\"]"]);
    town.database.execute("UPDATE words SET id = 7");
    let before = town.database.checksums();
    town.run("apply", &[]).succeeds();
    let applied = town.database.checksums();
    town.run("apply", &[]).succeeds();
    assert_eq!(town.database.checksums(), applied);
    // A row of others with another number, by a title of ours.
    town.database.execute("INSERT INTO books VALUES (2, 'book 4'), (3, 'book 1')");
    town.is_refused(&APPLIES, &["1 rows of books ", "(title) = (book 1)"]);
    town.database.execute("DELETE FROM books WHERE id = 3");
    town.is_refused(&[("apply", &["--scale", "2"])], &["(title) = (book 4)"]);
    town.database.execute("DELETE FROM books WHERE id = 2");
    let text = std::fs::read(town.database.manifest()).unwrap();
    town.lose_the_manifest();
    town.is_refused(&EVERYTHING, &["3 rows of books ", "2 rows of words "]);
    std::fs::write(town.database.manifest(), text).unwrap();
    town.run("clean", &[]).succeeds();
    assert_eq!(town.database.checksums(), before);
}

/// Columns that tell the plan's rows apart need not tell others'.
#[test]
fn rows_that_share_a_key_with_the_plans_stop_what_would_touch_them() {
    let server = TestServer::start().unwrap();
    let town = Town::new(
        &server,
        "CREATE TABLE notes (id bigserial PRIMARY KEY, name text NOT NULL, text text)",
        "name = 'notes'\nepoch = 2026-01-01T00:00:00Z\n\
         [[table]]\nname = 'notes'\nrows = 3\nkey = ['name']\n\
         columns = { name = \"'note ' ~ n\", text = \"'ours'\" }\n",
    );
    town.run("apply", &[]).succeeds();
    let applied = town.database.checksums();
    town.database.execute("INSERT INTO notes (name, text) VALUES ('note 2', 'theirs')");
    town.run("apply", &[]).succeeds();
    town.is_refused(
        &[
            ("apply", &["--repair"]),
            ("apply", &["--reset"]),
            ("apply", &["--reset", "--dry-run"]),
            ("clean", &[]),
            ("clean", &["--dry-run"]),
        ],
        &["1 rows of notes ", "(name) = (note 2)", "adopt = [\"notes\"]"],
    );
    town.database.execute("DELETE FROM notes WHERE text = 'theirs'");
    assert_eq!(town.database.checksums(), applied);
    town.run("clean", &[]).succeeds();
    assert_eq!(town.database.count("notes"), 0);
}

#[test]
fn what_may_be_a_secret_is_no_example() {
    let server = TestServer::start().unwrap();
    let town = Town::new(
        &server,
        "CREATE TABLE sessions (token text PRIMARY KEY); INSERT INTO sessions VALUES ('hush1')",
        "name = 'hush'\nepoch = 2026-01-01T00:00:00Z\n\
         [[table]]\nname = 'sessions'\nrows = 3\ncolumns = { token = \"'hush' ~ n\" }\n",
    );
    town.is_refused(&EVERYTHING, &["1 rows of sessions "]);
    let refused = town.run("apply", &[]);
    assert!(!refused.stderr.contains("hush1"), "{refused:?}");
}

/// Production costs take minutes, in which others go on.
#[test]
fn a_row_that_comes_while_passwords_are_hashed_is_seen() {
    let server = TestServer::start().unwrap();
    let town = Town::new(
        &server,
        "CREATE TABLE logins (name text PRIMARY KEY, stored text NOT NULL); INSERT INTO logins VALUES ('x', 'x')",
        "name = 'logins'\nepoch = 2026-01-01T00:00:00Z\n\
         [[table]]\nname = 'logins'\nrows = 40\n\
         columns = { name = \"'login ' ~ n\", stored = \"bcrypt('secret' ~ n, 10)\" }\n",
    );
    let mut run = Command::new(env!("CARGO_BIN_EXE_seeder"))
        .args(["apply", "--repair", "--database-url", town.database.url(), "--plan"])
        .arg(&town.plan)
        .arg("--manifest")
        .arg(town.database.manifest())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(run.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.starts_with("hashing 40 passwords"), "{line}");
    town.database.execute("INSERT INTO logins VALUES ('login 3', 'theirs')");
    let mut told = String::new();
    stderr.read_to_string(&mut told).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(3), "{told}");
    assert!(told.contains("(name) = (login 3)"), "{told}");
    assert_eq!(town.database.rows("SELECT stored FROM logins ORDER BY 1"), ["theirs", "x"]);
}
