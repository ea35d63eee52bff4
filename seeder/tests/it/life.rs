//! From one apply to the next: changed rows, changed plans, interruption,
//! verification.

use std::process::{Command, Stdio};

use cluster::testing::TestServer;
use manifest::Manifest;

use crate::support::{Vigilia, repository};

fn shipped() -> String {
    std::fs::read_to_string(repository("fixtures/plans/vigilia.toml")).unwrap()
}

#[test]
fn rows_that_others_changed_are_counted_and_put_right_when_asked() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    vigilia.shipped("apply", &[]).succeeds();
    let fresh = vigilia.state();
    vigilia.execute(
        "UPDATE alerts SET status = 'acknowledged', raw_payload = '{}' WHERE id IN
             (SELECT id FROM alerts WHERE status = 'pending' LIMIT 37);
         UPDATE users SET failed_login_attempts = 5 WHERE email LIKE 'responder1@%'",
    );
    let told = vigilia.shipped("apply", &[]).succeeds();
    assert!(told.stdout.contains("alerts: 100 present, 37 changed by others"), "{told:?}");
    assert!(told.stdout.contains("users: 350 present, 1 changed by others"), "{told:?}");
    assert_ne!(vigilia.state(), fresh);
    let repaired = vigilia.shipped("apply", &["--repair"]).succeeds();
    assert!(repaired.stdout.contains("alerts: 100 present, 37 put right"), "{repaired:?}");
    assert_eq!(vigilia.state(), fresh);
    let again = vigilia.shipped("apply", &[]).succeeds();
    assert!(!again.stdout.contains("changed"), "{again:?}");
}

#[test]
fn a_changed_plan_is_told_and_replaces_the_earlier_one_when_asked() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    let plan = vigilia.plan(&shipped());
    vigilia.apply_plan(&plan, &[]).succeeds();
    // A comment changes no row.
    vigilia.plan(&format!("# hello\n{}", shipped()));
    vigilia.apply_plan(&plan, &[]).succeeds();
    let changed = shipped()
        .replacen("name = \"dispatcher\"\nrows = 100", "name = \"dispatcher\"\nrows = 60", 1)
        .replacen("city = \"'Montreal'\"", "city = \"'Laval'\"", 1);
    assert!(changed.contains("rows = 60"));
    vigilia.plan(&changed);
    let before = vigilia.state();
    let asked = vigilia.apply_plan(&plan, &[]).fails(2);
    for expected in ["users.dispatcher: 100 → 60 rows", "buildings: city", "--replace"] {
        assert!(asked.stderr.contains(expected), "{asked:?}");
    }
    assert_eq!(vigilia.state(), before);
    vigilia.apply_plan(&plan, &["--replace"]).succeeds();
    assert_eq!(vigilia.count("users"), 310);
    assert_eq!(vigilia.count("buildings WHERE city = 'Laval'"), 50);
    let seed = vigilia.apply_plan(&plan, &["--seed", "7"]).fails(2);
    assert!(seed.stderr.contains("seed 42 → 7"), "{seed:?}");
}

#[test]
fn times_are_relative_to_the_time_that_is_given() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    let now = ["--now", "2027-03-01T12:00:00Z"];
    vigilia.shipped("apply", &now).succeeds();
    let received = "alerts WHERE received_at BETWEEN '2027-03-01 11:00Z' AND '2027-03-01 12:00Z'";
    assert_eq!(vigilia.count(received), 100);
    let epoch = vigilia.shipped("apply", &[]).fails(2);
    assert!(epoch.stderr.contains("epoch 2027-03-01T12:00:00Z → 2026-01-01"), "{epoch:?}");
    let wrong = vigilia.shipped("apply", &["--now", "soon"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("soon is not a time"), "{wrong:?}");
}

#[test]
fn a_dry_run_shows_rows_and_inserts_none() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    let dry = vigilia.shipped("apply", &["--dry-run"]).succeeds();
    for expected in ["users.dispatcher: 100 rows", "email=\"dispatcher3@test.eriop.example\""] {
        assert!(dry.stdout.contains(expected), "{dry:?}");
    }
    let json = vigilia.shipped("apply", &["--dry-run", "--json"]).succeeds();
    let samples: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(samples[0]["table"], "agencies");
    assert_eq!(vigilia.count("users"), 0);
    assert!(!vigilia.manifest().exists());
}

#[test]
fn an_interrupted_apply_leaves_the_database_as_it_was() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    let run = Command::new(env!("CARGO_BIN_EXE_seeder"))
        .args(["apply", "--scale", "400", "--database-url", vigilia.url(), "--plan"])
        .arg(repository("fixtures/plans/vigilia.toml"))
        .arg("--manifest")
        .arg(vigilia.manifest())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // In the middle of the users.
    let copying = "SELECT count(*)::text FROM pg_stat_progress_copy
                   WHERE tuples_processed > 1000 AND datname = current_database()";
    while vigilia.rows(copying)[0] == "0" {
        std::thread::yield_now();
    }
    let pid = rustix::process::Pid::from_child(&run);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("interrupted; the database is as it was before"), "{told}");
    assert_eq!([vigilia.count("users"), vigilia.count("agencies")], [0, 0]);
    assert!(!vigilia.manifest().exists());
}

#[test]
fn verification_tells_missing_rows_dangling_references_and_wrong_passwords() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    vigilia.shipped("apply", &[]).succeeds();
    let good = vigilia.shipped("verify", &[]).succeeds();
    assert!(good.stdout.contains("ERIOPDispatcher: 6 of 6 can log in"), "{good:?}");
    vigilia.execute("UPDATE users SET hashed_password = 'x' WHERE email LIKE 'dispatcher1@%'");
    let refused = vigilia.shipped("verify", &[]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(
        refused.stdout.contains("dispatcher1: what is stored is no bcrypt hash"),
        "{refused:?}"
    );
    vigilia.execute(
        "SET session_replication_role = replica;
         DELETE FROM users WHERE email LIKE 'dispatcher2@%'",
    );
    let missing = vigilia.shipped("verify", &[]);
    assert_eq!(missing.code, Some(13), "{missing:?}");
    assert!(missing.stdout.contains("users: 349 of 350 rows"), "{missing:?}");
    assert!(missing.stdout.contains("rows refer to nothing"), "{missing:?}");
    assert!(!missing.stdout.contains("TestPass"));
}

#[test]
fn verification_logs_in_at_a_target() {
    use std::io::{Read, Write};
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    vigilia.shipped("apply", &[]).succeeds();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !request.ends_with(b"}") {
                let read = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..read]);
            }
            let request = String::from_utf8(request).unwrap();
            let known = request.starts_with("POST /api/v1/auth/login ")
                && request.contains("\"password\":\"TestPass123456!\"")
                && !request.contains("responder2@");
            let (status, body) = match known {
                true => ("200 OK", "{\"access_token\":\"t\"}"),
                false => ("401 Unauthorized", "{\"detail\":\"no\"}"),
            };
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            )
            .unwrap();
        }
    });
    let found = vigilia.shipped("verify", &["--target", &target]);
    assert_eq!(found.code, Some(4), "{found:?}");
    assert!(found.stdout.contains("ERIOPDispatcher: 6 of 6 can log in"), "{found:?}");
    assert!(found.stdout.contains("responder2: answered 401"), "{found:?}");
    let outside = vigilia.shipped("verify", &["--target", "http://203.0.113.7"]).fails(3);
    assert!(outside.stderr.contains("--allow-host 203.0.113.7"), "{outside:?}");
}

#[test]
fn a_manifest_of_another_database_or_plan_is_refused() {
    let server = TestServer::start().unwrap();
    let (one, two) = (Vigilia::new(&server), Vigilia::new(&server));
    one.shipped("apply", &[]).succeeds();
    std::fs::copy(one.manifest(), two.manifest()).unwrap();
    for command in ["clean", "verify"] {
        let failed = two.shipped(command, &[]).fails(2);
        assert!(failed.stderr.contains("is of another database (test_"), "{failed:?}");
    }
    let other = one.plan(&shipped().replacen("name = \"vigilia\"", "name = \"other\"", 1));
    let failed = one.on_plan("clean", &other, &[]).fails(2);
    assert!(failed.stderr.contains("is of plan vigilia, not of other"), "{failed:?}");
    assert_eq!(one.count("users"), 350);
}

#[test]
fn rows_do_not_depend_on_locale_or_time_zone_of_the_machine() {
    let server = TestServer::start().unwrap();
    let (one, two) = (Vigilia::new(&server), Vigilia::new(&server));
    one.shipped("apply", &[]).succeeds();
    let run = Command::new(env!("CARGO_BIN_EXE_seeder"))
        .env("TZ", "Pacific/Chatham")
        .env("LC_ALL", "tr_TR.UTF-8")
        .args(["apply", "--database-url", two.url(), "--plan"])
        .arg(repository("fixtures/plans/vigilia.toml"))
        .arg("--manifest")
        .arg(two.manifest())
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
    assert_eq!(one.state(), two.state());
    let digest = |of: &Vigilia<'_>| Manifest::read(&of.manifest()).unwrap().header.digest;
    assert_eq!(digest(&one), digest(&two));
}

/// The peak that the kernel has for the tool, in KiB.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_rows() {
    let server = TestServer::start().unwrap();
    let peak = |scale: &str| -> u64 {
        let vigilia = Vigilia::new(&server);
        let script = "import os, subprocess, sys\n\
                      child = subprocess.Popen(sys.argv[1:], stdout=2, stderr=subprocess.DEVNULL)\n\
                      _, status, usage = os.wait4(child.pid, 0)\n\
                      assert status == 0\n\
                      print(usage.ru_maxrss)";
        let output = Command::new("python3")
            .args(["-c", script, env!("CARGO_BIN_EXE_seeder"), "apply", "--scale", scale])
            .args(["--database-url", vigilia.url(), "--plan"])
            .arg(repository("fixtures/plans/vigilia.toml"))
            .arg("--manifest")
            .arg(vigilia.manifest())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    };
    let (small, large) = (peak("4"), peak("40"));
    assert!(large < small * 6 / 5, "{small} KiB at scale 4, {large} KiB at scale 40");
}
