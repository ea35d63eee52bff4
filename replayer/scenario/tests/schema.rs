//! The schema for editors says what the parser says, of all that a schema can know.

use std::path::{Path, PathBuf};

use scenario::Scenario;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Whether parser and schema take this file.
fn taken(text: &str) -> (bool, bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.toml");
    std::fs::write(&path, text).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../scenario.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let is_valid = toml::from_str::<Value>(text).is_ok_and(|value| schema.is_valid(&value));
    (Scenario::read(&path).is_ok(), is_valid)
}

const WHOLE: &str = r#"
number = 7
name = "n"
title = "t"
objective = "o"
expect = [
  "p95 < 200ms", "p(99.9)<1s", "med < 1s", "POST /a: service p95 <= 80ms", "since_due p50 > 1us",
  "lag p99 < 5ms", "A: failures < 1 %", "requests >= 1000/s", "users >= 10", "unbound < 1%",
  "phase step 2: p95 < 1s", "fidelity >= 99%", "load_held >= 98%", "lost <= 0", "duplicated < 1",
  "unacknowledged <= 0",
]
trace = "a.trace.jsonl"
manifest = "manifest.json"
rewrites = "r.toml"
put_back = false
observe = ["port=8000", "postgres={{ env.DATABASE_URL }}", "prometheus=http://[::1]:9/m?a=b"]

[statuses]
"GET /a" = [200, 404]

[[check]]
name = "no errors"
endpoint = "POST /a"
json = "/errors"
absent = true

[[check]]
header = "Content-Type"
equals = "text/html"

[[check]]
size = "> 100"

[audit]
endpoint = "POST /a"
mark = "/id"
table = "public.alerts"
column = "raw_payload"
pointer = "/mark"
settle = "5s"

[load]
pacing = "open"
order = "none"
speed = 2.5
rate = "POST /a=90/m"
spawn_rate = 2.5
duration = "5m"
warmup = "10s"
restart = "new-user"
personas = ["A", "B"]
stop_on = "failures > 5%"
stop_not_before = "30s"

[quick]
stages = "start 100, +50 every 30s, to 400"
recovery = "1m"
order = "session"
"#;

#[test]
fn all_that_may_be_said_is_in_the_schema_and_what_may_not_is_not() {
    assert_eq!(taken(WHOLE), (true, true));
    let of_payload = WHOLE.replacen("mark = \"/id\"", "payload = \"/raw/a~1b\"", 1);
    assert_eq!(taken(&of_payload), (true, true));
    for (from, to) in [
        ("number = 7", "number = \"7\""),
        ("name = \"n\"\n", ""),
        ("title = \"t\"", "titel = \"t\""),
        ("p95 < 200ms", "p95 200ms"),
        ("p95 < 200ms", "latency < 200ms"),
        ("med < 1s", "service mean"),
        ("put_back = false", "put_back = \"seeder apply\""),
        ("put_back = false", "before = \"seeder apply\""),
        ("\"port=8000\"", "8000"),
        ("port=8000", "port="),
        ("port=8000", "8000"),
        ("{{ env.DATABASE_URL }}", "{{ DATABASE_URL }}"),
        ("{{ env.DATABASE_URL }}", "{{ env.DATABASE_URL }}/app"),
        ("[200, 404]", "[\"200\"]"),
        ("json = \"/errors\"", "json = \"errors\""),
        ("json = \"/errors\"", "json = \"/errors\"\ntext = \"x\""),
        ("size = \"> 100\"", "size = \"100\""),
        ("size = \"> 100\"", "name = \"x\""),
        ("p95 < 200ms", "lost < 1%"),
        ("mark = \"/id\"\n", ""),
        ("mark = \"/id\"", "mark = \"id\""),
        ("mark = \"/id\"", "mark = \"/a~2\""),
        ("mark = \"/id\"", "mark = \"/id\"\npayload = \"/mark\""),
        ("table = \"public.alerts\"\n", ""),
        ("table = \"public.alerts\"", "table = \"public.\""),
        ("pointer = \"/mark\"", "pointer = \"mark\""),
        ("settle = \"5s\"", "settle = \"a while\""),
        ("settle = \"5s\"", "settles = \"5s\""),
        ("pacing = \"open\"", "pacing = \"half-open\""),
        ("speed = 2.5", "speed = 0"),
        ("rate = \"POST /a=90/m\"", "users = 0"),
        ("rate = \"POST /a=90/m\"", "users = 10\nclones = 1"),
        ("rate = \"POST /a=90/m\"\n", ""),
        ("duration = \"5m\"", "duration = \"long\""),
        ("restart = \"new-user\"", "restart = \"anybody\""),
        ("personas = [\"A\", \"B\"]", "personas = \"A\""),
        ("stop_not_before = \"30s\"", "stop_not_before = \"soon\""),
        ("recovery = \"1m\"", "recovery = \"soon\""),
        ("start 100, +50 every 30s", "from 100, +50 every 30s"),
    ] {
        assert!(WHOLE.contains(from), "{from}");
        let text = WHOLE.replacen(from, to, 1);
        assert_eq!(taken(&text), (false, false), "{to}");
    }
}

#[test]
fn our_own_scenarios_are_of_the_schema() {
    for (path, _) in Scenario::read_all(&[root().join("fixtures/scenarios")]).unwrap() {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(taken(&text), (true, true), "{}", path.display());
    }
}
