//! Recordings of other tools, replayed: what came from answers comes from the new ones.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Answer, Asked, Server, TraceBuilder, Workplace};

const TOKEN: &str = "another-token";
const ITEMS: [&str; 2] =
    ["11111111-0000-4000-8000-0123456789ab", "22222222-0000-4000-8000-0123456789cd"];

fn shop(asked: &Asked) -> Answer {
    match asked.path.split('?').next().unwrap_or_default() {
        "/api/login" => Answer::Json(200, json!({"access_token": TOKEN}).to_string()),
        "/api/items" => Answer::Json(200, json!([{"id": ITEMS[0]}, {"id": ITEMS[1]}]).to_string()),
        path if path.ends_with("/take") => Answer::Json(201, "{}".into()),
        _ => Answer::Json(200, "{}".into()),
    }
}

#[test]
fn browsers_and_gor_files_replay_with_tokens_and_ids_of_the_new_answers() {
    for (name, item) in [("chrome", 1), ("firefox", 1), ("safari", 1), ("gor", 0)] {
        let server = Server::start(shop);
        let place =
            Workplace::new(&TraceBuilder::default().session("unused", &[(0, "GET", "/")]), 1);
        let trace = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("../fixtures/traces/{name}.trace.jsonl"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_replayer"));
        command.arg("run").arg("--trace").arg(trace).args(["--target", &server.url()]);
        command.arg("--out").arg(place.path("out")).args(["--quiet", "--json", "--no-probe"]);
        command.args(["--slot", "password=SHOP_PASSWORD"]).env("SHOP_PASSWORD", "the-password");
        let ran = place.ran(command.output().unwrap());
        assert_eq!(ran.code_but_for_lag(), Some(0), "{name}: {}", ran.stderr);
        let run = std::fs::read_to_string(place.path("out/run.json")).unwrap();
        let run: Value = serde_json::from_str(&run).unwrap();
        let totals = &run["totals"];
        assert_eq!(totals["outcomes"]["unbound"], 0, "{name}");
        assert_eq!(totals["outcomes"]["completed"], totals["planned"], "{name}");
        assert_eq!(run["manifest"]["digest"], "none", "{name}");

        let asked = server.asked();
        let of = |path: &str| asked.iter().find(|asked| asked.path.starts_with(path)).unwrap();
        assert!(of("/api/login").body.contains("the-password"), "{name}");
        let bearer = format!("Bearer {TOKEN}");
        assert_eq!(of("/api/items?").header("authorization"), Some(bearer.as_str()), "{name}");
        let take = of(&format!("/api/items/{}/take", ITEMS[item]));
        assert_eq!(take.header("authorization"), Some(bearer.as_str()), "{name}");
    }
}
