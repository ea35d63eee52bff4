//! A run directory of somebody else: figures are made of what agrees, and names are only names.

use std::path::Path;

use run_log::format::MAX_ENDPOINTS;

use crate::report::Folder;
use crate::synthetic::Synthetic;

fn edit(path: &Path, change: impl FnOnce(&str) -> String) {
    let text = std::fs::read_to_string(path).unwrap();
    let changed = change(&text);
    assert_ne!(text, changed, "{}", path.display());
    std::fs::write(path, changed).unwrap();
}

/// The text without its line of this number, from 0.
fn without(text: &str, number: usize) -> String {
    let lines = text.lines().enumerate().filter(|(at, _)| *at != number);
    lines.map(|(_, line)| format!("{line}\n")).collect()
}

fn changed_row(text: &str, column: &str) -> String {
    let at = text.lines().next().unwrap().split(',').position(|name| name == column).unwrap();
    let change = |(number, line): (usize, &str)| {
        let mut fields: Vec<String> = line.split(',').map(str::to_owned).collect();
        if number == 4 {
            fields[at] = (fields[at].parse::<u64>().unwrap() + 1).to_string();
        }
        fields.join(",") + "\n"
    };
    text.lines().enumerate().map(change).collect()
}

#[test]
fn files_that_do_not_agree_make_no_figure() {
    type Change = fn(&str) -> String;
    let cases: [(&str, Change, &str); 9] = [
        ("timeline.csv", |text| without(text, 3), "timeline.csv has no row of second 2"),
        ("timeline.csv", |text| without(text, 8), "in second 7 timeline.csv counts 0 requests"),
        ("timeline.csv", |text| changed_row(text, "ok"), "in second 3 timeline.csv counts"),
        ("timeline.csv", |text| changed_row(text, "sent"), "requests sent, run.json"),
        // A line of e0.response, as the test of damage has it.
        ("latency.hlog", |text| without(text, 3), "latency.hlog"),
        (
            "latency.hlog",
            |text| {
                text.replacen("Tag=p0.response,", "Tag=p0.lost,", 1).replacen(
                    "Tag=e0.response,",
                    "Tag=e0.lost,",
                    1,
                )
            },
            "requests completed, run.json",
        ),
        (
            "run.json",
            |text| text.replacen("\"timed_out\": 0", "\"timed_out\": 3", 1),
            "timeline.csv counts 0 requests timed out, run.json 3",
        ),
        (
            "run.json",
            |text| text.replacen("\"failed_status\": 0", "\"failed_status\": 1", 1),
            "requests failed by their status, run.json 1",
        ),
        ("timeline.csv", |text| text.replacen("\n1,", "\n99999999999,", 1), "no row of second 1"),
    ];
    for (file, change, expected) in cases {
        let folder = Folder::new();
        let dir = Synthetic::of("01-baseline").write(folder.runs());
        edit(&dir.join(file), change);
        let line = folder.unusable();
        assert!(line.contains("cannot be used") && line.contains(expected), "{file}: {line}");
    }
}

#[test]
fn a_run_json_of_too_many_names_or_bytes_is_refused_at_once() {
    for (key, most) in [("endpoints", MAX_ENDPOINTS), ("personas", 1000)] {
        let folder = Folder::new();
        let dir = Synthetic::of("01-baseline").write(folder.runs());
        edit(&dir.join("run.json"), |text| {
            let mut run: serde_json::Value = serde_json::from_str(text).unwrap();
            let one = run[key][0].clone();
            run[key] = vec![one; 100_000].into();
            run.to_string()
        });
        let line = folder.unusable();
        let expected = format!("names 100000 {key}; a run has at most {most}");
        assert!(line.contains(&expected), "{line}");
    }
    let folder = Folder::new();
    let dir = Synthetic::of("01-baseline").write(folder.runs());
    edit(&dir.join("run.json"), |text| text.to_owned() + &" ".repeat(17 << 20));
    assert!(folder.unusable().contains("over 16 MiB"));
}

/// Closes whatever there is to close, in Markdown, HTML and a terminal.
const EVIL: &str = "x`|<script>alert(1)</script>![i](//e)**b** \u{1b}]0;t\u{7}\u{202e}";

#[test]
fn names_reasons_and_limitations_are_text_in_the_report_and_its_charts() {
    let folder = Folder::new();
    let synthetic = Synthetic {
        one_fails_of: Some(2),
        validity: run_log::format::ValidityState::Suspect,
        ..Synthetic::of("01-baseline")
    };
    let dir = synthetic.write(folder.runs());
    edit(&dir.join("run.json"), |text| {
        let mut run: serde_json::Value = serde_json::from_str(text).unwrap();
        run["endpoints"][1] = format!("GET /{EVIL}").into();
        run["personas"][0]["name"] = EVIL.into();
        run["limitations"][0] = EVIL.into();
        run["validity"]["reasons"][0] = EVIL.into();
        run["host"]["cpu"] = EVIL.into();
        run["config"]["target"] = format!("http://{EVIL}").into();
        run["manifest"]["plan"] = EVIL.into();
        run["manifest"]["database"] = EVIL.into();
        run["trace"]["file"] = EVIL.into();
        run["manifest"]["rows"] = serde_json::json!({ EVIL: 3 });
        run["tool"] = EVIL.into();
        run.to_string()
    });
    edit(&dir.join("target.csv"), |text| {
        text.replace("target.cpu_percent", "\"target.<b>`|\u{1b}\"")
    });
    folder.fill();
    let report = folder.text();
    let charts = std::fs::read_dir(&folder.config.charts).unwrap();
    let charts: Vec<String> =
        charts.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    assert!(!charts.is_empty());
    for text in charts.iter().chain([&report]) {
        let obeyed = text
            .chars()
            .find(|c| (c.is_control() && !matches!(c, '\n' | '\t')) || *c == '\u{202e}');
        assert_eq!(obeyed, None);
    }
    for chart in &charts {
        assert!(!chart.contains("<script") && !chart.contains("<b>"), "{chart}");
    }
    // What is outside of code has its markup escaped.
    let mut seen = 0;
    for line in report.lines().filter(|line| line.contains("script") || line.contains("<b>")) {
        seen += 1;
        let outside: String = line.split('`').step_by(2).collect();
        assert!(!outside.replace("\\<", "").contains("<script"), "{line}");
        assert!(!outside.replace("\\[", "").contains("[i"), "{line}");
    }
    assert!(seen >= 5, "{seen}");
    // A table keeps its columns.
    let rows: Vec<&str> = report.lines().filter(|line| line.starts_with("| `GET /x")).collect();
    assert!(!rows.is_empty());
    for row in rows {
        let cells = row.replace("\\|", "").matches('|').count();
        assert!([8, 9, 14].contains(&cells), "{row}");
    }
}
