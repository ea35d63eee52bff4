//! Hashes of passwords in the database, and accounts that came from elsewhere.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use cluster::testing::TestServer;
use manifest::Manifest;

use crate::support::{Output, Vigilia, repository};

/// Passwords of each kind, another one a row.
const PLAN: &str = r#"
    name = "hashes"
    epoch = 2026-01-01T00:00:00Z
    [[table]]
    name = "logins"
    [table.columns]
    kind = "group"
    [[table.group]]
    name = "bcrypt"
    rows = 8
    [table.group.columns]
    stored = "bcrypt('bcrypt ' ~ n, 4)"
    [[table.group]]
    name = "argon2"
    rows = 8
    [table.group.columns]
    stored = "argon2('argon2 ' ~ n, m=64, t=1, p=1)"
    [[table.group]]
    name = "scrypt"
    rows = 8
    [table.group.columns]
    stored = "scrypt('scrypt ' ~ n, n=16, form='werkzeug')"
    [[table.group]]
    name = "pbkdf2"
    rows = 8
    [table.group.columns]
    stored = "pbkdf2('pbkdf2 ' ~ n, 10)"
"#;

fn logins(server: &TestServer) -> (Vigilia<'_>, PathBuf) {
    let one = Vigilia::empty(server);
    one.execute(
        "CREATE TABLE logins (id int PRIMARY KEY, kind text NOT NULL, stored text NOT NULL)",
    );
    let mut text = PLAN.to_owned();
    for kind in ["bcrypt", "argon2", "scrypt", "pbkdf2"] {
        text += &format!(
            "[[accounts]]\npersona = '{kind}'\nof = 'logins.{kind}'\nname = \"'{kind}' ~ n\"\n\
             fields = {{ id = \"id\", password = \"'{kind} ' ~ n\" }}\n"
        );
    }
    let plan = one.plan(&text);
    (one, plan)
}

#[test]
fn each_kind_of_hash_is_verified_and_each_row_has_its_own() {
    let server = TestServer::start().unwrap();
    let (one, plan) = logins(&server);
    one.on_plan("apply", &plan, &[]).succeeds();
    assert_eq!(one.count("(SELECT DISTINCT stored FROM logins)"), 32);
    for (kind, form) in [
        ("bcrypt", "$2b$04$%"),
        ("argon2", "$argon2id$v=19$m=64,t=1,p=1$%"),
        ("scrypt", "scrypt:16:8:1$%"),
        ("pbkdf2", "pbkdf2\\_sha256$10$%"),
    ] {
        assert_eq!(one.count(&format!("logins WHERE kind = '{kind}' AND stored LIKE '{form}'")), 8);
    }
    one.on_plan("verify", &plan, &[]).succeeds();
    let again = one.on_plan("apply", &plan, &[]).succeeds();
    assert!(again.stdout.contains("all 32 rows are there") && !again.stdout.contains("changed"));

    // Rows of one kind change places: each has a hash, and none its own.
    one.execute(
        "UPDATE logins t SET stored = s.stored FROM logins s
         WHERE s.kind = t.kind AND s.id = t.id + 4",
    );
    let swapped = one.on_plan("verify", &plan, &[]);
    assert_eq!(swapped.code, Some(4), "{swapped:?}");
    assert!(swapped.stdout.contains("is of another password"), "{swapped:?}");
    one.execute("UPDATE logins SET stored = md5(stored)");
    let none = one.on_plan("verify", &plan, &[]);
    assert!(
        none.stdout.contains("is no bcrypt hash, nor one of argon2, scrypt or pbkdf2"),
        "{none:?}"
    );
}

#[test]
fn what_hashing_will_take_is_said_before() {
    let server = TestServer::start().unwrap();
    let one = Vigilia::empty(&server);
    one.execute("CREATE TABLE logins (id int PRIMARY KEY, stored text NOT NULL)");
    let plan = one.plan(
        "name = 'slow'
         epoch = 2026-01-01T00:00:00Z
         [[table]]
         name = 'logins'
         rows = 20
         [table.columns]
         stored = \"bcrypt('a' ~ n, 12)\"",
    );
    let applied = one.on_plan("apply", &plan, &[]).succeeds();
    let told = "hashing 20 passwords (bcrypt, cost 12): about ";
    let first = applied.stderr.lines().next().unwrap_or_default();
    assert!(first.starts_with(told) && first.contains(" ms each"), "{applied:?}");
}

#[test]
fn a_parameter_that_cannot_be_is_told_with_its_line() {
    let server = TestServer::start().unwrap();
    let one = Vigilia::empty(&server);
    one.execute("CREATE TABLE logins (id int PRIMARY KEY, stored text NOT NULL)");
    for (expression, expected) in [
        ("argon2('a', m=4000000000)", "line 7: logins.stored, row 1: argon2: m=4000000000"),
        ("argon2('a' ~ n, m=1)", "line 7: logins.stored, row 1: argon2: m=1 is not from 32"),
        ("scrypt('a', n=1000)", "n=1000 is not a power of two"),
        ("pbkdf2('a', 0)", "0 iterations"),
        ("pbkdf2('a', 1, form='rails')", "there is no form \"rails\""),
        ("bcrypt('a', 99)", "the cost is from 4 to 31"),
    ] {
        let plan = one.plan(&format!(
            "name = 'p'\nepoch = 2026-01-01T00:00:00Z\n[[table]]\nname = 'logins'\nrows = 2\n[table.columns]\nstored = \"{expression}\""
        ));
        let failed = one.on_plan("apply", &plan, &[]).fails(2);
        assert!(failed.stderr.contains(expected), "{failed:?}");
    }
}

#[test]
fn a_constant_that_is_called_as_a_column_is_refused() {
    let server = TestServer::start().unwrap();
    let one = Vigilia::empty(&server);
    one.execute("CREATE TABLE logins (id int PRIMARY KEY, password text NOT NULL, note text)");
    for (name, expected) in [
        ("password", "line 4: constant password has the name of a column of logins"),
        ("note", "line 4: constant note has the name of a column of logins"),
        ("pad", "line 4: constant pad has the name of a function"),
        ("n", "line 4: constant n has a name that every row has"),
    ] {
        let plan = one.plan(&format!(
            "name = 'p'\nepoch = 2026-01-01T00:00:00Z\n[constants]\n{name} = 'TestPass'\n[[table]]\nname = 'logins'\nrows = 1\n[table.columns]\npassword = \"bcrypt('a', 4)\""
        ));
        for more in [&[][..], &["--dry-run"]] {
            let failed = one.on_plan("apply", &plan, more).fails(2);
            assert!(failed.stderr.contains(expected), "{failed:?}");
            assert!(!failed.stderr.contains("TestPass"), "{failed:?}");
        }
    }
}

impl Vigilia<'_> {
    fn import(&self, table: &str, more: &[&str]) -> Output {
        let path = self.folder().join("users.csv");
        std::fs::write(&path, table).unwrap();
        let arguments = ["import", "users.csv", "--manifest", "manifest.json"];
        self.seeder("accounts", arguments.iter().chain(more).map(PathBuf::from))
    }
}

#[test]
fn accounts_that_are_there_already_become_a_manifest_without_a_database() {
    let server = TestServer::start().unwrap();
    let one = Vigilia::new(&server);
    let table = "email,password,id\na@x.example,first-secret,1\nb@x.example,second-secret,2\n";
    let imported = one.import(table, &["--persona", "Buyer"]).succeeds();
    assert!(imported.stdout.contains("Buyer: 2 accounts"), "{imported:?}");
    assert!(imported.stderr.contains("chmod 600"), "{imported:?}");
    assert!(!format!("{imported:?}").contains("-secret"), "{imported:?}");
    let mode = std::fs::metadata(one.manifest()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let manifest = Manifest::read(&one.manifest()).unwrap();
    assert_eq!(manifest.accounts.len(), 2);

    // It is of no plan, and says nothing of what is in a database.
    let other = one.shipped("clean", &[]).fails(2);
    assert!(other.stderr.contains("is of plan accounts of users.csv"), "{other:?}");
    one.import(table, &["--persona", "Seller", "--json"]).succeeds();
    assert_eq!(Manifest::read(&one.manifest()).unwrap().accounts[0].persona, "Seller");

    // One that says what is to be removed again is not replaced.
    one.apply_plan(&repository("fixtures/plans/vigilia.toml"), &[]).succeeds();
    let refused = one.import(table, &["--persona", "Buyer"]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("what seeder apply inserted"), "{refused:?}");
    assert_eq!(Manifest::read(&one.manifest()).unwrap().accounts.len(), 350);
}
