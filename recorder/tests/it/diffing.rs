//! Two recordings of one client side by side: what varies, and the rules that mend it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A recording of a client that makes a shelf and looks at it, as a HAR.
fn har(label: &str, place: &str, note: &str) -> Value {
    let json = "application/json";
    let steps = [
        (
            "POST",
            "/shelves".to_owned(),
            json!({"label": label, "color": "red"}),
            json!({"place": place}),
        ),
        ("GET", format!("/s/{place}"), Value::Null, json!({"color": "red"})),
        ("PUT", format!("/s/{place}"), json!({"note": note, "color": "red"}), json!({})),
    ];
    let entry = |(number, (method, path, body, answer)): (usize, (&str, String, Value, Value))| {
        let text = answer.to_string();
        let mut request = json!({
            "method": method, "url": format!("http://shop.example{path}"), "httpVersion": "HTTP/1.1",
            "headers": [{"name": "Content-Type", "value": json}], "queryString": [], "cookies": [],
            "headersSize": -1, "bodySize": -1,
        });
        if !body.is_null() {
            request["postData"] = json!({"mimeType": json, "text": body.to_string()});
        }
        json!({
            "startedDateTime": format!("2026-11-24T04:00:0{number}.000Z"), "time": 10, "connection": "1",
            "request": request,
            "response": {
                "status": 200, "statusText": "", "httpVersion": "HTTP/1.1", "cookies": [],
                "headers": [{"name": "Content-Type", "value": json}], "redirectURL": "",
                "headersSize": -1, "bodySize": text.len(),
                "content": {"size": text.len(), "mimeType": json, "text": text},
            },
            "cache": {}, "timings": {"send": 0, "wait": 9, "receive": 1},
        })
    };
    let entries: Vec<_> = steps.into_iter().enumerate().map(entry).collect();
    json!({"log": {"version": "1.2", "creator": {"name": "t", "version": "1"}, "entries": entries}})
}

struct Place(TempDir);

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn recorder(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recorder"));
        command.current_dir(self.0.path()).args(args).output().unwrap()
    }

    fn imported(&self, name: &str, har: &Value, rules: Option<&Path>) {
        std::fs::write(self.path("x.har"), har.to_string()).unwrap();
        let out = format!("{name}.trace.jsonl");
        let mut args = vec!["import", "har", "x.har", "--keep-bodies", "--force", "--out", &out];
        if let Some(rules) = rules {
            args.extend(["--rules", rules.to_str().unwrap()]);
        }
        let output = self.recorder(&args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn diff(&self, options: &[&str]) -> (Option<i32>, String) {
        let output =
            self.recorder(&[&["diff", "a.trace.jsonl", "b.trace.jsonl"], options].concat());
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }
}

#[test]
fn what_varies_is_told_with_the_rule_that_mends_it() {
    let place = Place(TempDir::new().unwrap());
    let (one, other) = (har("alpha", "north", "so"), har("beta", "south", "so"));
    place.imported("a", &one, None);
    place.imported("b", &other, None);
    let (code, found) = place.diff(&["--json"]);
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!((code, &found["compared"], &found["alone"]), (Some(10), &json!(3), &json!([0, 0])));
    let values = found["values"].as_array().unwrap();
    let said: Vec<_> =
        values.iter().map(|value| (&value["part"], &value["name"], &value["source"])).collect();
    let answer = json!({"answer": {"route": "POST /shelves", "pointer": "/place"}});
    assert_eq!(
        said,
        [
            (&json!("path"), &json!("s"), &answer),
            (&json!("body"), &json!("label"), &json!("client")),
            (&json!("path"), &json!("s"), &answer),
        ]
    );
    let (code, text) = place.diff(&[]);
    assert_eq!(code, Some(10));
    assert!(text.contains("\"alpha\" and \"beta\", 1 times\n  made by the client"), "{text}");

    // What it proposes is a rules file, and with it nothing varies that is not bound.
    let (_, rules) = place.diff(&["--rules"]);
    assert_eq!(rules, "fresh = [\"label\"]\nsame = [[\"s\", \"place\"]]\n");
    let file = place.path("rules.toml");
    std::fs::write(&file, rules).unwrap();
    place.imported("a", &one, Some(&file));
    place.imported("b", &other, Some(&file));
    let (code, text) = place.diff(&["--json"]);
    assert_eq!(code, Some(0), "{text}");
}

/// One recording, then another an hour later.
fn both(one: &Value, later: &Value) -> Value {
    let mut all = one.clone();
    let later: Value = serde_json::from_str(&later.to_string().replace("T04:", "T05:")).unwrap();
    let entries = all["log"]["entries"].as_array_mut().unwrap();
    entries.extend(later["log"]["entries"].as_array().unwrap().iter().cloned());
    all
}

#[test]
fn what_a_client_takes_out_of_several_is_not_made_anew() {
    let place = Place(TempDir::new().unwrap());
    let (north, south) = (har("alpha", "north", "so"), har("beta", "south", "so"));
    place.imported("a", &both(&north, &south), None);
    place.imported("b", &both(&south, &north), None);
    let (_, found) = place.diff(&["--json"]);
    let found: Value = serde_json::from_str(&found).unwrap();
    let values = found["values"].as_array().unwrap();
    let label = values.iter().find(|value| value["name"] == "label").unwrap();
    assert_eq!((&label["source"], &label["times"]), (&json!("chosen"), &json!(2)));
    let (_, rules) = place.diff(&["--rules"]);
    assert!(!rules.contains("fresh"), "{rules}");
}

#[test]
fn requests_without_a_counterpart_are_counted_and_what_is_no_trace_is_refused() {
    let place = Place(TempDir::new().unwrap());
    let one = har("alpha", "north", "so");
    let mut other = one.clone();
    other["log"]["entries"].as_array_mut().unwrap().pop();
    place.imported("a", &one, None);
    place.imported("b", &other, None);
    let (code, found) = place.diff(&["--json"]);
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!((code, &found["compared"], &found["alone"]), (Some(0), &json!(2), &json!([1, 0])));
    let output = place.recorder(&["diff", "a.trace.jsonl", "x.har"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}
