//! Figures recomputed from the files by other means than the reporter's.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use base64::Engine as _;
use hdrhistogram::serialization::Deserializer;
use serde_json::Value;

use crate::report::Folder;
use crate::synthetic::Synthetic;

/// Values with their counts, by tag, from a second on.
fn recorded(dir: &Path, from: u64) -> BTreeMap<String, BTreeMap<u64, u64>> {
    let log = std::fs::read_to_string(dir.join("latency.hlog")).unwrap();
    let mut by_tag: BTreeMap<String, BTreeMap<u64, u64>> = BTreeMap::new();
    for line in log.lines().filter(|line| line.starts_with("Tag=")) {
        let fields: Vec<&str> = line.split(',').collect();
        let second = fields[1].split('.').next().unwrap().parse::<u64>().unwrap();
        let bytes = base64::engine::general_purpose::STANDARD.decode(fields[4]).unwrap();
        let histogram = Deserializer::new().deserialize::<u64, _>(&mut Cursor::new(bytes)).unwrap();
        if second >= from {
            let values = by_tag.entry(fields[0]["Tag=".len()..].to_owned()).or_default();
            for step in histogram.iter_recorded() {
                *values.entry(step.value_iterated_to()).or_default() += step.count_at_value();
            }
        }
    }
    by_tag
}

/// Of all endpoints, those of these kinds.
fn sum(by_tag: &BTreeMap<String, BTreeMap<u64, u64>>, kinds: &[&str]) -> BTreeMap<u64, u64> {
    let mut all = BTreeMap::new();
    for (tag, values) in by_tag {
        let (scope, kind) = tag.split_once('.').unwrap();
        if scope.starts_with('e') && kinds.contains(&kind) {
            for (value, count) in values {
                *all.entry(*value).or_default() += count;
            }
        }
    }
    all
}

/// The value of the request that stands at this percentile of the sorted ones.
fn at(values: &BTreeMap<u64, u64>, percent: u64) -> u64 {
    let rank = (values.values().sum::<u64>() * percent).div_ceil(100).max(1);
    let mut passed = 0;
    *values
        .iter()
        .find(|(_, count)| {
            passed += **count;
            passed >= rank
        })
        .unwrap()
        .0
}

/// A column of the timeline over some seconds.
fn column(dir: &Path, name: &str, seconds: impl Fn(u64) -> bool) -> u64 {
    let mut rows = csv::Reader::from_path(dir.join("timeline.csv")).unwrap();
    let rows = rows.deserialize::<BTreeMap<String, String>>();
    let number = |text: &String| text.parse::<f64>().unwrap() as u64;
    let rows = rows.map(Result::unwrap).filter(|row| seconds(number(&row["second"])));
    rows.map(|row| number(&row[name])).sum()
}

fn figure(results: &Value, name: &str) -> f64 {
    results[name]["value"].as_f64().unwrap_or_else(|| panic!("{name} of {results}"))
}

#[test]
fn results_are_what_the_files_of_the_run_say() {
    let folder = Folder::new();
    let made = Synthetic {
        seconds: 12,
        alerts_per_s: 90,
        one_fails_of: Some(53),
        one_times_out_of: Some(41),
        ..Synthetic::of("01-baseline")
    };
    let dir = made.write(folder.runs());
    folder.fill();
    let figures = folder.figures();
    let run = &figures["scenarios"][0]["run"];
    let results = &run["results"];
    let by_tag = recorded(&dir, 2);

    let judged = sum(&by_tag, &["response", "censored"]);
    for (name, percent) in [("p50", 50), ("p95", 95), ("p99", 99), ("max", 100)] {
        assert_eq!(figure(results, name), at(&judged, percent) as f64, "{name}");
    }
    assert_eq!(results["p50"]["at_least"], false);
    assert_eq!(results["p99"]["at_least"], true, "one of 41 requests timed out");
    assert!(results["p99"]["shown"].as_str().unwrap().starts_with("≥ "));

    let from_plateau = |second| second >= 2;
    let in_plateau = |second| (2..12).contains(&second);
    let failed = |seconds: &dyn Fn(u64) -> bool| {
        column(&dir, "failed_status", seconds) + column(&dir, "timed_out", seconds)
    };
    let ok = column(&dir, "ok", from_plateau);
    assert_eq!(figure(results, "failed"), failed(&from_plateau) as f64);
    assert_eq!(figure(results, "requests"), (ok + failed(&from_plateau)) as f64);
    assert_eq!(figure(results, "throughput"), column(&dir, "ok", in_plateau) as f64 / 10.0);
    assert_eq!(figure(results, "offered"), column(&dir, "ready", in_plateau) as f64 / 10.0);
    assert_eq!(figure(results, "failures_per_s"), failed(&in_plateau) as f64 / 10.0);

    let ends = ["response", "response_failed", "censored", "lost"];
    let in_log: u64 = sum(&by_tag, &ends).values().sum();
    assert_eq!(in_log as f64, figure(results, "requests"), "log and timeline agree");
    let endpoints = run["endpoints"].as_array().unwrap();
    let by_endpoint: f64 = endpoints.iter().map(|endpoint| figure(endpoint, "requests")).sum();
    assert_eq!(by_endpoint, figure(results, "requests"));
    let shares: f64 = endpoints.iter().map(|endpoint| figure(endpoint, "service_share")).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{shares}");
}

#[test]
fn planned_is_the_sum_of_outcomes_and_sent_is_what_the_target_counted() {
    let folder = Folder::new();
    let dir = Synthetic { one_times_out_of: Some(19), ..Synthetic::of("01-baseline") }
        .write(folder.runs());
    folder.fill();
    let account = &folder.figures()["scenarios"][0]["run"]["account"];
    assert_eq!(figure(account, "planned"), figure(account, "outcomes_sum"));
    assert_eq!(figure(account, "planned"), column(&dir, "ready", |_| true) as f64);
    assert_eq!(figure(account, "sent"), figure(account, "target_counted"));
    assert_eq!(account["counts_agree"], true);

    // A target that counted one request more.
    let path = dir.join("target.csv");
    let samples = std::fs::read_to_string(&path).unwrap();
    let (before, last) = samples.rsplit_once("target.requests_total,").unwrap();
    let (count, rest) = last.split_once('\n').unwrap();
    let count = count.parse::<f64>().unwrap() + 1.0;
    std::fs::write(&path, format!("{before}target.requests_total,{count:.1}\n{rest}")).unwrap();
    folder.fill();
    assert_eq!(folder.lines(&["| Counted by the target ❌ differs by 1 |"]).len(), 1);
}

#[test]
fn metrics_with_labels_are_shown_by_their_names_and_statements_in_a_table() {
    let folder = Folder::new();
    let dir = Synthetic { seconds: 30, ..Synthetic::of("01-baseline") }.write(folder.runs());
    let path = dir.join("target.csv");
    let mut samples = std::fs::read_to_string(&path).unwrap();
    let run: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.join("run.json")).unwrap()).unwrap();
    let end = run["plateau"]["end_s"].as_u64().unwrap();
    let mut add = |second: u64, metric: &str, value: f64| {
        samples += &format!("{second},\"{}\",{value:?}\n", metric.replace('"', "\"\""));
    };
    for second in end - 10..end {
        add(second, r#"prometheus.jobs_total{queue="a_bytes"}"#, 3.0 * second as f64);
        add(second, r#"machine.cpu_percent{core="0"}"#, 50.0);
    }
    for (statement, total) in [(r#"SELECT \"a\" | b_total"#, 9000.0), ("COMMIT", 12_000.0)] {
        for (figure, value) in
            [("total_us", total), ("mean_us", total / 3.0), ("calls", 3.0), ("rows", 4.0)]
        {
            let metric = format!("postgres.statement.{figure}{{statement=\"{statement}\"}}");
            add(end - 1, &metric, value);
        }
    }
    // What is behind the plateau is passed over.
    add(end, r#"postgres.statement.total_us{statement="LATE"}"#, 1.0);
    std::fs::write(&path, samples).unwrap();
    folder.fill();
    let run = &folder.figures()["scenarios"][0]["run"];
    let statements: Vec<_> = run["statements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let shown = |key: &str| row[key]["shown"].as_str().unwrap().to_owned();
            let text = row["statement"].as_str().unwrap().to_owned();
            (text, shown("calls"), shown("total"), shown("mean"), shown("rows"))
        })
        .collect();
    let row = |text: &str, total: &str, mean: &str| {
        (text.to_owned(), "3".to_owned(), total.to_owned(), mean.to_owned(), "4".to_owned())
    };
    let expected =
        [row("COMMIT", "12.0 ms", "4.00 ms"), row(r#"SELECT "a" | b_total"#, "9.00 ms", "3.00 ms")];
    assert_eq!(statements, expected);
    assert_eq!(run["observed"], true);
    let counter = ["| `prometheus.jobs_total{queue=\"a_bytes\"}` |", "27.0", "3.00/s"];
    assert_eq!(folder.lines(&counter).len(), 1);
    let level = ["| `machine.cpu_percent{core=\"0\"}` |", "50.0 %"];
    assert_eq!(folder.lines(&level).len(), 1);
    assert_eq!(folder.lines(&["| `COMMIT` | `postgres` | 3 | 12.0 ms | 4.00 ms | 4 |"]).len(), 1);
    assert!(folder.lines(&["LATE"]).is_empty() && folder.lines(&["statement.calls"]).is_empty());
}

#[test]
fn who_had_the_processors_is_said_where_there_were_none_to_spare() {
    let folder = Folder::new();
    let dir = Synthetic { seconds: 30, ..Synthetic::of("01-baseline") }.write(folder.runs());
    let path = dir.join("target.csv");
    let samples = std::fs::read_to_string(&path).unwrap();
    let short = |machine: u64| {
        let mut samples = samples.clone();
        for (metric, value) in [
            ("machine.cpu_percent", machine),
            ("process.8080.cpu_percent", 84),
            ("process.5433.cpu_percent", 67),
            ("process.5433.rss_bytes", 1000),
            ("process.pid_71.cpu_percent", 3),
        ] {
            samples.push_str(&format!("5,{metric},{value}\n10,{metric},{value}\n"));
        }
        std::fs::write(&path, samples).unwrap();
        folder.fill();
        let figures = folder.figures();
        let facts = figures["findings"]["bottlenecks"].as_array().unwrap();
        let facts = facts.iter().map(|of| of["fact"].as_str().unwrap().to_owned());
        facts.filter(|fact| fact.contains("short of processors")).collect::<Vec<_>>()
    };
    let facts = short(189);
    assert_eq!(facts.len(), 1);
    let generator = facts[0].split("the generator ").nth(1).unwrap().to_owned();
    let generator = generator.split(" %").next().unwrap();
    let told = [
        "this machine was short of processors, busy to 189 % of 200 % of one core: the target 84.0 %",
        "what listens on port 5433 67.0 %",
        &format!("the generator {generator} %"),
        "process 71 3.00 %",
    ];
    for part in told {
        assert!(facts[0].contains(part), "{part:?} is not in {facts:?}");
    }
    assert_eq!(short(160), Vec::<String>::new());
}
