//! What was rewritten stands before the figures, and what failures show is named.

use run_log::format::RewriteRef;

use crate::report::Folder;
use crate::synthetic::Synthetic;

#[test]
fn a_report_lists_each_rewrite_in_force_with_what_it_means_and_names_traps() {
    let mut folder = Folder::new();
    let runs = folder.runs().to_owned();
    Synthetic::of("01-baseline").write(&runs);
    let path = std::fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path().join("run.json");
    let mut run: run_log::format::Run =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let of = |rule: &str, means: Option<&str>, requests| RewriteRef {
        file: "vigilia-incidents.toml".into(),
        digest: "sha256:00".into(),
        rule: rule.into(),
        means: means.map(str::to_owned),
        requests,
    };
    run.rewrites = vec![
        of(
            "POST /alerts/ingest: sent as POST /incidents",
            Some("alerts/s is incidents/s"),
            Some(7),
        ),
        of("GET /x: not sent", None, None),
    ];
    std::fs::write(&path, serde_json::to_string(&run).unwrap()).unwrap();
    let endpoint = run.endpoints[0].clone();
    let (method, name) = endpoint.split_once(' ').unwrap();
    let failures = path.with_file_name("failures.csv");
    std::fs::write(
        &failures,
        format!("Method,Name,Error,Occurrences\n{method},{name},HTTP 500,3\n"),
    )
    .unwrap();
    let traps = runs.join("../traps.toml");
    let text = format!(
        "[[trap]]\nnumber = 9\nmatch = '{endpoint}'\nstatus = 500\nsays = 'numbers collide'\nhelp = 'fewer at once'\n"
    );
    std::fs::write(&traps, text).unwrap();
    folder.config.sources.traps = Some(traps);
    folder.fill();
    let text = folder.text();
    for words in [
        "`vigilia-incidents.toml`: POST /alerts/ingest: sent as POST /incidents (7 requests of the recording). It means: **alerts/s is incidents/s**.",
        "GET /x: not sent (when it was recorded).",
        &format!("- trap 9: numbers collide; fewer at once ({endpoint} 500)"),
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
}
