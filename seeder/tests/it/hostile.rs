//! Manifests that somebody changed, seeders that were killed, places that are not ours.

use std::os::unix::fs::symlink;
use std::path::Path;

use cluster::testing::TestServer;
use common::digest;
use serde_json::Value;

use crate::support::{Vigilia, repository};

fn shipped() -> String {
    std::fs::read_to_string(repository("fixtures/plans/vigilia.toml")).unwrap()
}

fn change(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut manifest: Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    change(&mut manifest);
    std::fs::write(path, manifest.to_string()).unwrap();
}

/// Ten users that no plan made.
const OTHERS: &str = "INSERT INTO users
    SELECT (jsonb_populate_record(NULL::users, to_jsonb(u) || jsonb_build_object(
        'id', gen_random_uuid(), 'email', 'person' || n || '@corp.example',
        'badge_number', NULL, 'agency_id', NULL))).*
    FROM (SELECT * FROM users LIMIT 1) u, generate_series(1, 10) n";
const COUNT_OTHERS: &str = "users WHERE email LIKE '%@corp.example'";

#[test]
fn a_crafted_manifest_removes_nothing_of_others() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    let plan = vigilia.plan(&shipped());
    vigilia.apply_plan(&plan, &[]).succeeds();
    vigilia.execute(OTHERS);
    let good = std::fs::read_to_string(vigilia.manifest()).unwrap();
    let pattern = "\n[[load]]\ntable = \"users\"\nlike = { column = \"email\", pattern = \"%@corp.example\" }\n";
    let own_key =
        shipped().replacen("name = \"users\"\n", "name = \"users\"\nkey = [\"email\"]\n", 1);
    let other_name = shipped().replacen("name = \"vigilia\"", "name = \"other\"", 1);
    assert!(own_key != shipped() && other_name != shipped());
    for (text, fits, code) in [
        // Its text is not what its digest says.
        (shipped() + pattern, false, 3),
        // Whoever writes patterns can write digests.
        (shipped() + pattern, true, 0),
        (own_key, true, 0),
        (other_name, true, 3),
    ] {
        std::fs::write(vigilia.manifest(), &good).unwrap();
        change(&vigilia.manifest(), |manifest| {
            manifest["source"]["text"] = text.clone().into();
            if fits {
                manifest["plan"]["digest"] = digest::of(text.as_bytes()).into();
            }
        });
        for command in ["clean", "apply"] {
            let more: &[&str] = if command == "apply" { &["--reset"] } else { &[] };
            let done = vigilia.on_plan(command, &plan, more);
            assert_eq!(done.code, Some(code), "{command}: {done:?}");
            assert_eq!(vigilia.count(COUNT_OTHERS), 10, "{command} {text}");
            if command == "clean" && code == 0 {
                assert_eq!(vigilia.count("users"), 10, "the plan's own rows went");
                std::fs::write(vigilia.manifest(), &good).unwrap();
            }
        }
    }
}

/// Rows that are told by what stands in them could be anybody's.
#[test]
fn rows_without_generated_ids_need_the_plan_that_made_them() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::empty(&server);
    vigilia.execute("CREATE TABLE things (name text PRIMARY KEY, note text)");
    let text = "name = \"things\"\nepoch = 2026-01-01T00:00:00Z\n[[table]]\nname = \"things\"\nrows = 3\ncolumns = { name = \"'thing ' ~ n\", note = \"'a'\" }\n";
    let plan = vigilia.plan(text);
    vigilia.apply_plan(&plan, &[]).succeeds();
    vigilia.plan(&text.replace("'a'", "'b'"));
    for (command, more) in [("clean", ""), ("apply", "--replace")] {
        let more: Vec<&str> = more.split_whitespace().collect();
        let refused = vigilia.on_plan(command, &plan, &more).fails(3);
        assert!(refused.stderr.contains(&digest::of(text.as_bytes())), "{refused:?}");
    }
    assert_eq!(vigilia.count("things"), 3);
    vigilia.plan(text);
    vigilia.on_plan("clean", &plan, &[]).succeeds();
    assert_eq!(vigilia.count("things"), 0);
}

/// Between the commit and the renaming, and before the commit.
#[test]
fn what_a_killed_seeder_left_pending_is_completed_or_dropped() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    vigilia.shipped("apply", &[]).succeeds();
    let committed =
        vigilia.rows("SELECT xmin::text FROM agencies WHERE code = 'LOADTEST'").remove(0);
    let pending = |transaction: &str| {
        vigilia.manifest().with_file_name(format!("manifest.json.pending-{transaction}"))
    };
    let good = std::fs::read_to_string(vigilia.manifest()).unwrap();
    // Killed after the commit: the next command has the manifest.
    for command in ["verify", "apply", "clean"] {
        std::fs::rename(vigilia.manifest(), pending(&committed)).unwrap();
        vigilia.shipped(command, &[]).succeeds();
        assert!(!pending(&committed).exists(), "{command}");
    }
    assert_eq!(vigilia.count("users"), 0, "clean knew what was there");
    // Killed before it: the rows never came.
    let aborted = vigilia
        .rows("BEGIN; CREATE TEMPORARY TABLE t AS SELECT pg_current_xact_id()::text AS x; SELECT x FROM t; ROLLBACK")
        .remove(0);
    std::fs::write(pending(&aborted), &good).unwrap();
    // Not begun yet, as far as this server knows; and of another database.
    std::fs::write(pending("4000000000"), &good).unwrap();
    let foreign = good.replace("\"name\": \"test_", "\"name\": \"best_");
    assert_ne!(foreign, good);
    std::fs::write(pending(&committed), foreign).unwrap();
    vigilia.shipped("clean", &[]).succeeds();
    assert!(!pending(&aborted).exists() && !vigilia.manifest().exists());
    assert!(pending("4000000000").exists() && pending(&committed).exists());
}

#[test]
fn a_manifest_replaces_nothing_but_a_manifest() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server);
    let diary = vigilia.folder().join("diary");
    std::fs::write(&diary, "dear diary").unwrap();
    symlink(&diary, vigilia.manifest()).unwrap();
    let refused = vigilia.shipped("apply", &[]).fails(3);
    assert!(refused.stderr.contains("is a symbolic link"), "{refused:?}");
    std::fs::remove_file(vigilia.manifest()).unwrap();
    std::fs::rename(&diary, vigilia.manifest()).unwrap();
    let refused = vigilia.shipped("apply", &[]).fails(3);
    assert!(refused.stderr.contains("is no manifest and is not replaced"), "{refused:?}");
    assert_eq!(std::fs::read_to_string(vigilia.manifest()).unwrap(), "dear diary");
    assert_eq!(vigilia.count("users"), 0);
}
