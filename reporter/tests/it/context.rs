//! What a template may use is what `CONTEXT.md` says, and nothing else.

use std::collections::BTreeSet;

use reporter::fill::context;
use serde_json::{Value, json};

use crate::report::Folder;
use crate::synthetic::Synthetic;

const DOCUMENT: &str = include_str!("../../CONTEXT.md");

/// What is said once for two: the part that is not listed, and the one that is.
const AS: [(&str, &str); 2] =
    [("scenarios[].quick.", "scenarios[].full."), ("fidelity.", "scenarios[].run.fidelity.")];

fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    if !path.is_empty() && !path.ends_with("[]") {
        found.insert(path.to_owned());
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                paths(value, &format!("{path}{dot}{name}"), found);
            }
        }
        Value::Array(items) => {
            let of_items = format!("{path}[]");
            found.remove(path);
            found.insert(of_items.clone());
            items.iter().for_each(|item| paths(item, &of_items, found));
        }
        _ => {}
    }
}

/// All names of a report in which as much as possible is there.
fn known() -> BTreeSet<String> {
    let folder = Folder::new();
    let steps = Synthetic {
        users: 100,
        step: 100,
        seconds: 40,
        alerts_per_s: 200,
        most_with: 500,
        response_us: 500,
        axis: Some("stages start 100, +100 every 5s, to 800".to_owned()),
        recovery_s: 8,
        ..Synthetic::of("04-stress")
    };
    steps.write(folder.runs());
    let failing = Synthetic { one_fails_of: Some(9), seconds: 40, ..Synthetic::of("01-baseline") };
    let dir = failing.write(folder.runs());
    let path = dir.join("run.json");
    let mut run: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    run["labels"] = json!({"commit": "abc"});
    run["workers"] =
        json!([{"shard": 1, "name": "w", "offset_us": 1, "bound_us": 1, "drift_us": 1}]);
    run["rewrites"] = json!([{"file": "f", "digest": "sha256:1", "rule": "r", "means": "m"}]);
    run["audit"] = json!({"endpoint": "e", "mark": "m", "place": "p", "settle_s": 5.0, "counts": {
        "acknowledged": 1, "failed": 0, "unmarked": 0, "marks": 1, "repeated": 0, "lost": 1,
        "duplicated": 0, "unacknowledged": 0, "took_s": 1.0
    }});
    std::fs::write(&path, run.to_string()).unwrap();
    std::fs::write(dir.join("marks.csv"), "second,mark,outcome\n1,m,acknowledged\n").unwrap();
    std::fs::write(dir.join("audit.csv"), "finding,second,endpoint,mark,rows\nlost,1,e,m,0\n")
        .unwrap();
    let mut samples = std::fs::read_to_string(dir.join("target.csv")).unwrap();
    for figure in ["calls", "total_us", "mean_us", "rows"] {
        samples.push_str(&format!(
            "5,\"postgres.statement.{figure}{{statement=\"\"SELECT 1\"\"}}\",3\n"
        ));
    }
    std::fs::write(dir.join("target.csv"), samples).unwrap();
    let unwatched = Synthetic::of("02-alert-throughput").write(folder.runs());
    std::fs::write(unwatched.join("target.csv"), "").unwrap();
    let value = serde_json::to_value(context(&folder.config.sources).unwrap()).unwrap();
    assert_eq!(value["unusable_runs"], json!([]));
    let mut found = BTreeSet::new();
    paths(&value, "", &mut found);
    found
}

#[test]
fn every_name_that_there_is_is_documented_and_no_other() {
    let cells = DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let documented: BTreeSet<&str> =
        cells.flat_map(|cell| cell.split(", ").map(|name| name.trim_matches('`'))).collect();
    let known = known();
    let is_listed = |path: &str| {
        documented.contains(path)
            // A list or a group of which each name is listed.
            || documented.iter().any(|name| {
                let rest = name.strip_prefix(path.trim_end_matches("[]"));
                rest.is_some_and(|rest| rest.starts_with("[].") || rest.starts_with('.'))
            })
    };
    let missing: Vec<&String> = known
        .iter()
        .filter(|path| {
            let other =
                AS.iter().find_map(|(of, like)| Some(format!("{like}{}", path.strip_prefix(of)?)));
            !is_listed(path) && !other.is_some_and(|path| is_listed(&path))
        })
        .collect();
    assert!(missing.is_empty(), "not in CONTEXT.md: {missing:#?}");
    let unknown: Vec<&&str> = documented.iter().filter(|name| !known.contains(**name)).collect();
    assert!(unknown.is_empty(), "in CONTEXT.md, and not there: {unknown:#?}");
}
