//! Several generators share a plan, and their runs are added up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hdrhistogram::Histogram;
use run_log::format::{
    LATENCY_HLOG, LatencyKind, RUN_JSON, Run, Scope, TIMELINE_CSV, Tag, ValidityState,
};
use run_log::outcome::Outcome;
use run_log::reader::RunReader;
use run_log::stats::StatsHistoryRow;
use run_log::timeline::Second;
use run_log::writer::RunWriter;

use crate::support::trace::answer;
use crate::support::{Answer, Server, TraceBuilder, Workplace, code_but_for_lag};

fn trace() -> TraceBuilder {
    let steps: Vec<(u64, &str, &str)> = (0..30)
        .map(|step| (step * 40, "GET", ["/ok", "/sick", "/far"][step as usize % 3]))
        .collect();
    let mut trace = (0..9)
        .fold(TraceBuilder::default(), |trace, n| trace.session(&format!("session-{n}"), &steps));
    // It was sick already when it was recorded.
    for request in trace.requests.iter_mut().filter(|request| request.path == "/sick") {
        answer(request).status = 500;
    }
    trace
}

fn server() -> Server {
    Server::start(|asked| match asked.path.as_str() {
        "/sick" => Answer::Json(500, r#"{"detail":"sick"}"#.into()),
        path => Answer::Json(200, format!("{path:>100}")),
    })
}

/// Runs all shards of a plan at once, into the folders `1`, `2`, …
fn run_shards(place: &Workplace, server: &Server, of: usize, options: &[&str]) -> Vec<PathBuf> {
    let start = (chrono::Utc::now() + chrono::TimeDelta::seconds(3)).to_rfc3339();
    let children: Vec<_> = (1..=of)
        .map(|index| {
            let shard = format!("{index}/{of}");
            let dir = index.to_string();
            let all =
                [&["--no-probe", "--quiet", "--shard", &shard, "--start-at", &start], options];
            let mut command = place.command_into(&dir, &server.url(), &all.concat());
            (place.path(&dir), command.stdout(Stdio::null()).spawn().unwrap())
        })
        .collect();
    children
        .into_iter()
        .map(|(dir, mut child)| {
            let code = child.wait().unwrap().code();
            assert_eq!(code_but_for_lag(code, &open(&dir)), Some(0), "{:?}", run(&dir).validity);
            dir
        })
        .collect()
}

fn merge(dirs: &[PathBuf], out: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_replayer"))
        .arg("merge")
        .args(dirs)
        .arg("--out")
        .arg(out)
        .output()
        .unwrap()
}

fn open(dir: &Path) -> RunReader {
    RunReader::open(dir).unwrap()
}

fn run(dir: &Path) -> Run {
    open(dir).run().clone()
}

/// Every histogram of these run directories, by second and tag.
fn histograms(dirs: &[PathBuf]) -> BTreeMap<(u64, String), Histogram<u64>> {
    let mut sums: BTreeMap<(u64, String), Histogram<u64>> = BTreeMap::new();
    for dir in dirs {
        for interval in open(dir).intervals().unwrap() {
            let interval = interval.unwrap();
            let sum = sums
                .entry((interval.second, interval.tag.to_string()))
                .or_insert_with(|| Histogram::new(3).unwrap());
            interval.recorded.add_to(sum);
        }
    }
    sums
}

fn by_second(dirs: &[PathBuf], figure: fn(&Second) -> u64) -> BTreeMap<u64, u64> {
    let mut sums = BTreeMap::new();
    for dir in dirs {
        for second in open(dir).seconds().unwrap() {
            let second = second.unwrap();
            *sums.entry(second.second).or_default() += figure(&second);
        }
    }
    sums
}

#[test]
fn shards_add_up_to_the_whole_run_and_so_does_their_merge() {
    let (place, server) = (Workplace::new(&trace(), 0), server());
    let whole = place.run(&server.url(), &["--no-probe", "--clones", "2"]).checked();
    let dirs = run_shards(&place, &server, 3, &["--clones", "2"]);
    let out = place.path("merged");
    let merged_by = merge(&dirs, &out);
    let stderr = String::from_utf8_lossy(&merged_by.stderr).into_owned();
    let merged = run(&out);
    assert_eq!(code_but_for_lag(merged_by.status.code(), &open(&out)), Some(0), "{stderr}");

    // The plan's figures are those of one run, though each shard counted its own part.
    assert_eq!(whole.totals.planned, 2 * 9 * 30);
    assert_eq!(merged.totals.planned, whole.totals.planned);
    assert_eq!(merged.totals.outcomes, whole.totals.outcomes);
    assert_eq!(merged.totals.failed_status, whole.totals.failed_status);
    assert_eq!(merged.config.users, whole.config.users);
    assert_eq!(merged.personas, whole.personas);
    assert_eq!((merged.shard, merged.fidelity), (None, whole.fidelity));
    assert_eq!(merged.fidelity.same_failures, 2 * 9 * 10);
    assert_eq!(merged.limitations, whole.limitations);
    assert_eq!(server.asked().len() as u64, 2 * whole.totals.planned);
    for dir in &dirs {
        let part = run(dir);
        assert_eq!(part.totals.planned, part.totals.outcomes.sum());
        assert!(part.totals.planned < whole.totals.planned);
    }

    // What was measured is the sum of the parts, bucket by bucket and second by second.
    let merged_dir = [out.clone()];
    assert_eq!(histograms(&merged_dir), histograms(&dirs));
    for figure in [
        |row: &Second| row.done(),
        |row: &Second| row.sent,
        |row: &Second| row.users,
        |row: &Second| row.status_5xx,
        |row: &Second| row.bytes_received,
    ] {
        assert_eq!(by_second(&merged_dir, figure), by_second(&dirs, figure));
    }
    let stats: BTreeMap<String, (u64, u64, f64)> = open(&out)
        .stats()
        .unwrap()
        .map(|row| row.map(|row| (row.name, (row.requests, row.failures, row.average_bytes))))
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(stats["/ok"], (180, 0, 100.0));
    assert_eq!(stats["/sick"], (180, 180, 17.0));
    assert_eq!(stats["Aggregated"].0, 540);
    let failures: Vec<_> = open(&out).failures().unwrap().map(Result::unwrap).collect();
    assert_eq!(failures.len(), 1);
    assert_eq!((failures[0].name.as_str(), failures[0].occurrences), ("/sick", 180));
    let samples = |dir: &Path| open(dir).errors().unwrap().map(Result::unwrap).count();
    assert_eq!(samples(&out), dirs.iter().map(|dir| samples(dir)).sum::<usize>());
}

#[test]
fn a_number_of_requests_is_that_of_all_shards() {
    let (place, server) = (Workplace::new(&trace(), 0), server());
    for pacing in ["open", "closed"] {
        let before = server.asked().len();
        let options = ["--pacing", pacing, "--max-requests", "101", "--force"];
        let dirs = run_shards(&place, &server, 2, &options);
        let planned: u64 = dirs.iter().map(|dir| run(dir).totals.planned).sum();
        assert_eq!((planned, server.asked().len() - before), (101, 101), "{pacing}");
    }
}

#[test]
fn what_is_not_parts_of_one_run_is_not_added_up() {
    let (place, server) = (Workplace::new(&trace(), 0), server());
    let dirs = run_shards(&place, &server, 2, &[]);
    let out = place.path("merged");
    let refused = |dirs: &[PathBuf], code: i32, words: &[&str]| {
        let output = merge(dirs, &out);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        for word in words {
            assert!(stderr.contains(word), "{word:?} is not in {stderr}");
        }
        assert!(!out.exists());
    };
    refused(&[dirs[0].clone(), dirs[0].clone()], 2, &["both shard 1/2"]);

    let json = dirs[1].join("run.json");
    let text = std::fs::read_to_string(&json).unwrap();
    let started = run(&dirs[1]).started;
    let later = |ms| {
        let mut changed: serde_json::Value = serde_json::from_str(&text).unwrap();
        let time = started + chrono::TimeDelta::milliseconds(ms);
        changed["started"] = serde_json::to_value(time).unwrap();
        std::fs::write(&json, changed.to_string()).unwrap();
    };
    later(101);
    refused(&dirs, 2, &["101 ms", "over 100 ms", "--start-at"]);
    let change = |from: &str, to: &str| {
        assert!(text.contains(from), "{text}");
        std::fs::write(&json, text.replacen(from, to, 1)).unwrap();
    };
    change("\"seed\": 1,\n    \"connect", "\"seed\": 2,\n    \"connect");
    refused(&dirs, 2, &["configuration"]);
    change("\"digest\": \"sha256:11\"", "\"digest\": \"sha256:12\"");
    refused(&dirs, 2, &["manifest"]);
    change("\"state\": \"finished\"", "\"state\": \"running\"");
    refused(&dirs, 13, &["incomplete"]);
    change("\"shard\"", "\"shard_not\"");
    refused(&dirs, 2, &["not a shard"]);
    std::fs::write(&json, &text).unwrap();

    let timeline = dirs[1].join("timeline.csv");
    let rows = std::fs::read_to_string(&timeline).unwrap();
    let without: Vec<&str> =
        rows.lines().enumerate().filter(|(n, _)| *n != 1).map(|(_, row)| row).collect();
    std::fs::write(&timeline, without.join("\n") + "\n").unwrap();
    let output = merge(&dirs, &out);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no row of second 0"));
}

/// Descriptors are few by default, and two of each shard are open at once.
#[test]
fn more_shards_than_a_process_may_have_files_are_added_up() {
    const OF: u32 = 40;
    let place = Workplace::new(&trace(), 0);
    let server = server();
    let options = ["--no-probe", "--quiet", "--clones", "40", "--shard", "1/40"];
    let ran = place.run(&server.url(), &options);
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stderr);
    // The same again, as the others.
    let dirs: Vec<PathBuf> = (1..=OF)
        .map(|index| {
            let dir = place.path(&index.to_string());
            std::fs::create_dir(&dir).unwrap();
            for file in std::fs::read_dir(place.path("out")).unwrap() {
                let file = file.unwrap();
                std::fs::copy(file.path(), dir.join(file.file_name())).unwrap();
            }
            let path = dir.join(RUN_JSON);
            let mut told: serde_json::Value =
                serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            told["shard"]["index"] = index.into();
            std::fs::write(&path, told.to_string()).unwrap();
            dir
        })
        .collect();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -Sn 64 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_replayer")]);
    let out = place.path("merged");
    let merged = command.arg("merge").args(&dirs).arg("--out").arg(&out).output().unwrap();
    let error = String::from_utf8_lossy(&merged.stderr);
    assert_eq!(code_but_for_lag(merged.status.code(), &open(&out)), Some(0), "{error}");
    let one = run(&dirs[0]).totals.planned_sent;
    assert_eq!(run(&out).totals.planned_sent, u64::from(OF) * one);
}

#[test]
fn without_one_of_the_shards_the_run_is_invalid() {
    let (place, server) = (Workplace::new(&trace(), 0), server());
    let dirs = run_shards(&place, &server, 2, &[]);
    let out = place.path("merged");
    assert_eq!(merge(&dirs[..1], &out).status.code(), Some(12));
    let validity = run(&out).validity;
    assert_eq!(validity.state, ValidityState::Invalid);
    assert!(validity.reasons.contains(&"shard 2/2 is missing".to_owned()), "{validity:?}");
}

/// Has one more request of a run lack a value instead of succeeding, in all of its files.
fn lacks_one(dir: &Path) {
    let reader = open(dir);
    let mut rows: Vec<Second> = reader.seconds().unwrap().map(Result::unwrap).collect();
    let row = rows.iter_mut().find(|row| row.ok() > 0).unwrap();
    row.outcomes[Outcome::Completed] -= 1;
    row.outcomes[Outcome::Unbound] += 1;
    let second = row.second;
    let mut of_second: BTreeMap<(u64, Tag), Histogram<u64>> = BTreeMap::new();
    for interval in reader.intervals().unwrap().map(Result::unwrap) {
        let mut histogram = Histogram::new(3).unwrap();
        interval.recorded.add_to(&mut histogram);
        of_second.insert((interval.second, interval.tag), histogram);
    }
    for of_endpoints in [true, false] {
        let is_one = |tag: &Tag| {
            matches!(tag.scope, Scope::Endpoint(_)) == of_endpoints
                && tag.kind == LatencyKind::ResponseOk
        };
        let (&(_, tag), histogram) = of_second
            .iter_mut()
            .find(|((at, tag), histogram)| *at == second && is_one(tag) && !histogram.is_empty())
            .unwrap();
        let mut one = histogram.clone();
        one.clear();
        one.record(histogram.min()).unwrap();
        histogram.subtract(&one).unwrap();
        let lost = Tag { kind: LatencyKind::Lost, ..tag };
        let none = Histogram::new_from(&one);
        of_second.entry((second, lost)).or_insert(none).add(&one).unwrap();
    }
    let history = StatsHistoryRow {
        timestamp: 0,
        users: 0,
        method: String::new(),
        name: String::new(),
        requests_per_s: 0.0,
        failures_per_s: 0.0,
        p50_ms: 0.0,
        p95_ms: 0.0,
        p99_ms: 0.0,
        p100_ms: 0.0,
        total_requests: 0,
        total_failures: 0,
    };
    let anew = dir.with_extension("anew");
    let mut writer = RunWriter::create(&anew, true, reader.run()).unwrap();
    for row in &rows {
        let mine = of_second.iter().filter(|((at, _), _)| *at == row.second);
        let tagged = mine.map(|((_, tag), histogram)| (*tag, histogram));
        writer.second(row, tagged, &history).unwrap();
    }
    for file in [TIMELINE_CSV, LATENCY_HLOG] {
        std::fs::copy(anew.join(file), dir.join(file)).unwrap();
    }
}

#[test]
fn requests_that_lacked_a_value_are_judged_of_the_sum() {
    let (place, server) = (Workplace::new(&trace(), 0), server());
    let dirs = run_shards(&place, &server, 2, &[]);
    let of_first = run(&dirs[0]).totals.planned;
    let (whole, out) = (9 * 30, place.path("merged"));
    let change = |dir: &Path, unbound: u64, state: &str, reasons: &[String]| {
        let path = dir.join("run.json");
        let text = std::fs::read_to_string(&path).unwrap();
        let mut run: serde_json::Value = serde_json::from_str(&text).unwrap();
        let outcomes = &mut run["totals"]["outcomes"];
        let before = outcomes["unbound"].as_u64().unwrap();
        (before..unbound).for_each(|_| lacks_one(dir));
        let completed = outcomes["completed"].as_u64().unwrap();
        outcomes["completed"] = (completed + before - unbound).into();
        outcomes["unbound"] = unbound.into();
        run["validity"] = serde_json::json!({"state": state, "reasons": reasons});
        std::fs::write(&path, run.to_string()).unwrap();
    };
    let reason = |unbound: u64, planned: u64| {
        let share = unbound as f64 / planned as f64 * 100.0;
        format!("{unbound} requests ({share:.2} %) lacked a value that they need")
    };
    change(&dirs[1], 0, "VALID", &[]);
    // Over 1 % of the shard, and under 1 % of the whole.
    change(&dirs[0], 2, "INVALID", &[reason(2, of_first)]);
    assert_eq!(merge(&dirs, &out).status.code(), Some(0));
    assert_eq!(run(&out).validity.state, ValidityState::Valid, "{:?}", run(&out).validity);
    // Over 1 % of both.
    change(&dirs[0], 3, "INVALID", &[reason(3, of_first)]);
    std::fs::remove_dir_all(&out).unwrap();
    assert_eq!(merge(&dirs, &out).status.code(), Some(12));
    let validity = run(&out).validity;
    assert_eq!(validity.state, ValidityState::Invalid);
    assert_eq!(validity.reasons, [reason(3, whole)], "once, and of the whole");
}

#[test]
fn a_start_in_the_past_is_refused_before_anything_is_sent() {
    let (place, server) = (Workplace::new(&trace(), 0), server());
    let ran = place.run(&server.url(), &["--start-at", "2020-01-01T00:00:00Z"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("--start-at: 2020-01-01 00:00:00 UTC has passed"),
        "{}",
        ran.stderr
    );
    assert!(server.asked().is_empty());
}
