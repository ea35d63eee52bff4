//! Parts of traces, and several as one: whatever is cut and merged can be replayed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use recorder::edit::check::check;
use recorder::edit::cut::{Counts, Selection, cut};
use recorder::edit::merge::{Align, merge};
use serde_json::json;
use tempfile::TempDir;
use trace::format::{Origin, RecordedResult, Request};
use trace::reader::TraceReader;
use trace::writer::TraceWriter;

use crate::world::{read, text};

/// A request: session, when, how long, which of the earlier ones of its session it needs.
type Step = (u8, u64, u64, Option<u8>);

fn write(path: &Path, prefix: &str, steps: &[Step]) {
    let header = serde_json::from_value(json!({
        "format": "timed-request-log", "version": "1", "tool": "test",
        "started": "2026-01-01T00:00:00Z", "sources": [{"kind": "proxy"}],
        "personas": [{"name": "p", "weight": 2.0}], "redaction": []
    }));
    let mut writer = TraceWriter::create(path, &header.unwrap()).unwrap();
    let mut at = 0;
    // Of each session the ids and ends of what it sent.
    let mut earlier: HashMap<u8, Vec<(String, u64)>> = HashMap::new();
    for (number, (session, gap, took, needs)) in steps.iter().enumerate() {
        at += gap;
        let known = earlier.entry(*session).or_default();
        let done: Vec<&String> =
            known.iter().filter(|(_, end)| *end <= at).map(|(id, _)| id).collect();
        let of = needs.and_then(|needs| done.get(usize::from(needs) % done.len().max(1)));
        let bind: Vec<_> = of
            .iter()
            .map(|of| json!({"in": "path", "start": 3, "end": 4, "from": {"capture": {"of": of, "name": "v"}}}))
            .collect();
        let id = format!("{prefix}{number}");
        let request = serde_json::from_value(json!({
            "id": id, "at": at, "session": format!("{prefix}s{session}"), "persona": "p",
            "name": "GET /x/{id}", "http": "1.1", "method": if number % 3 == 0 { "POST" } else { "GET" },
            "path": format!("/x/{}", number % 10), "headers": [], "bind": bind,
            "prologue": known.is_empty(),
            "result": {"answer": {"status": 200, "header_us": took / 2, "total_us": took, "size": 0,
                "capture": [{"name": "v", "from": {"header": "X"}}]}}
        }));
        writer.write(&request.unwrap()).unwrap();
        known.push((id, at + took));
    }
    writer.finish(0).unwrap();
}

fn problems(trace: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    check(trace, |problem| problems.push(format!("{problem:?}"))).unwrap();
    problems
}

fn needs(request: &Request) -> impl Iterator<Item = &String> {
    request.bind.iter().filter_map(|binding| match &binding.from {
        Origin::Capture { of, .. } => Some(of),
        _ => None,
    })
}

/// All that these ids need, and they themselves: worked out request by request, from the end.
fn closure(requests: &[Request], mut ids: BTreeSet<String>) -> BTreeSet<String> {
    for request in requests.iter().rev() {
        if ids.contains(&request.id) {
            ids.extend(needs(request).cloned());
        }
    }
    ids
}

/// Requests that say of an earlier one of their session the wrong thing: whether it had ended before
/// they were sent, by `after` of theirs and of those that it leads to.
fn out_of_order(requests: &[Request]) -> Vec<String> {
    let mut before: HashMap<&str, BTreeSet<&str>> = HashMap::new();
    let mut wrong = Vec::new();
    for (index, request) in requests.iter().enumerate() {
        let mut said = BTreeSet::new();
        for of in request.after.iter().map(String::as_str) {
            said.insert(of);
            said.extend(before.get(of).into_iter().flatten());
        }
        let ended = requests[..index].iter().filter(|other| {
            other.session == request.session && other.at + other.result.took_us() <= request.at
        });
        let ended: BTreeSet<&str> = ended.map(|other| other.id.as_str()).collect();
        if said != ended {
            wrong.push(format!("{} came after {ended:?}, by the trace after {said:?}", request.id));
        }
        before.insert(&request.id, said);
    }
    wrong
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..6_u8, 0..900_000_u64, 0..3_000_000_u64, prop::option::of(any::<u8>()));
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_cut_has_what_it_needs_and_no_more(
        steps in steps(), from in 0..20_000_000_u64, length in 0..20_000_000_u64, posts in any::<bool>()
    ) {
        let folder = TempDir::new().unwrap();
        let [whole, out, dropped] = ["a", "b", "c"].map(|name| folder.path().join(format!("{name}.jsonl")));
        write(&whole, "", &steps);
        let requests = read(&whole);
        let methods = if posts { vec!["POST".to_owned()] } else { Vec::new() };
        let selection =
            Selection { from_us: from, to_us: Some(from + length), methods, ..Selection::default() };
        let is_selected = |request: &&Request| {
            (from..from + length).contains(&request.at) && (!posts || request.method == "POST")
        };
        let selected: BTreeSet<String> =
            requests.iter().filter(is_selected).map(|request| request.id.clone()).collect();

        let (_, counts) = cut(&whole, &out, &selection, false).unwrap();
        prop_assert_eq!(problems(&out), [""; 0]);
        let kept = read(&out);
        prop_assert_eq!(out_of_order(&kept), [""; 0]);
        let ids: BTreeSet<String> = kept.iter().map(|request| request.id.clone()).collect();
        prop_assert_eq!(&ids, &closure(&requests, selected.clone()));
        prop_assert_eq!(counts.kept, selected.len() as u64);
        prop_assert_eq!(counts.needed, (ids.len() - selected.len()) as u64);
        let old: HashMap<&str, u64> = requests.iter().map(|r| (r.id.as_str(), r.at)).collect();
        let mut first: BTreeMap<&str, u64> = BTreeMap::new();
        let mut shifts = BTreeSet::new();
        for request in kept.iter().filter(|request| selected.contains(&request.id)) {
            first.entry(&request.session).or_insert(request.at);
            shifts.insert(old[request.id.as_str()] as i64 - request.at as i64);
        }
        prop_assert!(shifts.len() <= 1, "what was selected keeps its distances: {:?}", shifts);
        for request in &kept {
            let first = first[request.session.as_str()];
            prop_assert!(request.at + 5_000_000 >= first, "at most 5 s ahead");
            if request.at < first {
                prop_assert!(request.prologue);
            }
        }

        let (_, counts) = cut(&whole, &dropped, &selection, true).unwrap();
        prop_assert_eq!(problems(&dropped), [""; 0]);
        let whole_of = |request: &&Request| {
            closure(&requests, BTreeSet::from([request.id.clone()])).is_subset(&selected)
        };
        let expected: Vec<&String> =
            requests.iter().filter(is_selected).filter(whole_of).map(|r| &r.id).collect();
        let kept = read(&dropped);
        prop_assert_eq!(out_of_order(&kept), [""; 0]);
        prop_assert_eq!(kept.iter().map(|request| &request.id).collect::<Vec<_>>(), expected);
        prop_assert_eq!(counts.needed, 0);
        prop_assert_eq!(counts.kept + counts.unbound, selected.len() as u64);
    }

    #[test]
    fn what_is_merged_is_all_of_it_in_order_with_ids_of_its_own(
        parts in prop::collection::vec((steps(), any::<bool>()), 2..4), later in 0..10_u32
    ) {
        let folder = TempDir::new().unwrap();
        let mut traces: Vec<PathBuf> = Vec::new();
        let mut total = 0;
        for (index, (steps, is_alike)) in parts.iter().enumerate() {
            let path = folder.path().join(format!("{index}.jsonl"));
            write(&path, &if *is_alike { String::new() } else { format!("t{index}-") }, steps);
            total += steps.len();
            traces.push(path);
        }
        // Merged twice over, so that prefixes meet prefixes.
        let [once, twice] = ["once", "twice"].map(|name| folder.path().join(format!("{name}.jsonl")));
        merge(&traces, &once, Align::Start).unwrap();
        prop_assert_eq!(problems(&once), [""; 0]);
        prop_assert_eq!(read(&once).len(), total);
        traces.push(once.clone());
        traces.push(once);
        let (end, _) = merge(&traces, &twice, Align::WallClock).unwrap();
        prop_assert_eq!(problems(&twice), [""; 0]);
        prop_assert_eq!(out_of_order(&read(&twice)), [""; 0]);
        prop_assert_eq!(end.requests as usize, 3 * total);
        let count = |path: &PathBuf| {
            let sessions: BTreeSet<String> = read(path).into_iter().map(|r| r.session).collect();
            sessions.len()
        };
        prop_assert_eq!(end.sessions as usize, traces.iter().map(count).sum::<usize>());
        let _ = later;
    }
}

#[test]
fn traces_are_merged_by_the_clock_on_the_wall() {
    let folder = TempDir::new().unwrap();
    let [one, other, out] =
        ["1", "2", "out"].map(|name| folder.path().join(format!("{name}.jsonl")));
    write(&one, "a", &[(0, 0, 10, None), (0, 5_000_000, 10, None)]);
    write(&other, "b", &[(0, 1_000_000, 10, None)]);
    let mut header = TraceReader::open(&other).unwrap().header().clone();
    header.started += chrono::Duration::seconds(2);
    let lines = read(&other);
    let mut writer = TraceWriter::create(&other, &header).unwrap();
    writer.write(&lines[0]).unwrap();
    writer.finish(0).unwrap();
    let times = |align| {
        merge(&[one.clone(), other.clone()], &out, align).unwrap();
        read(&out).into_iter().map(|r| (r.id, r.at)).collect::<Vec<_>>()
    };
    let of = |ids: [(&str, u64); 3]| ids.map(|(id, at)| (id.to_owned(), at)).to_vec();
    assert_eq!(times(Align::WallClock), of([("a0", 0), ("b0", 3_000_000), ("a1", 5_000_000)]));
    assert_eq!(times(Align::Start), of([("a0", 0), ("b0", 1_000_000), ("a1", 5_000_000)]));
    let header = TraceReader::open(&out).unwrap().header().clone();
    assert_eq!((header.personas[0].weight, header.sources.len()), (4.0, 2));
}

#[test]
fn traces_that_begin_days_apart_are_merged_as_it_is_said() {
    let folder = TempDir::new().unwrap();
    let [one, other, out] =
        ["1", "2", "out"].map(|name| folder.path().join(format!("{name}.jsonl")));
    write(&one, "a", &[(0, 0, 10, None)]);
    write(&other, "b", &[(0, 0, 10, None)]);
    let mut header = TraceReader::open(&other).unwrap().header().clone();
    header.started += chrono::Duration::days(20_440);
    let lines = read(&other);
    let mut writer = TraceWriter::create(&other, &header).unwrap();
    writer.write(&lines[0]).unwrap();
    writer.finish(0).unwrap();
    let merged = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recorder"));
        command.arg("merge").args([&one, &other]).arg("--out").arg(&out).arg("--force");
        let output = command.args(options).output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    let (code, said) = merged(&[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("begin 20440.0 days apart") && said.contains("--align"), "{said}");
    assert!(!out.exists());
    assert_eq!(merged(&["--align", "start"]).0, Some(0));
    assert_eq!(read(&out)[1].at, 0);
    assert_eq!(merged(&["--align", "wall-clock"]).0, Some(0));
    assert_eq!(read(&out)[1].at, 20_440 * 86_400_000_000);
}

/// That a request came after another makes it need nothing.
#[test]
fn of_a_long_session_a_part_is_cut_with_its_sources_and_no_more() {
    let folder = TempDir::new().unwrap();
    let [whole, merged, out] =
        ["a", "b", "c"].map(|name| folder.path().join(format!("{name}.jsonl")));
    // An hour of one request after the other; every hundredth needs the first.
    let needs = |number: u32| (number > 0 && number.is_multiple_of(100)).then_some(0);
    let steps: Vec<Step> = (0..10_000).map(|n| (0, 360_000, 20_000, needs(n))).collect();
    write(&whole, "", &steps);
    merge(std::slice::from_ref(&whole), &merged, Align::Start).unwrap();
    let ordered = read(&merged);
    assert!(ordered.windows(2).all(|pair| pair[1].after == [pair[0].id.clone()]));
    let minutes = |minutes: u64| minutes * 60_000_000;
    let selection =
        Selection { from_us: minutes(30), to_us: Some(minutes(31)), ..Selection::default() };
    let (_, counts) = cut(&merged, &out, &selection, false).unwrap();
    assert_eq!(counts, Counts { kept: 167, needed: 1, unbound: 0 });
    let kept = read(&out);
    assert!(kept.windows(2).all(|pair| pair[1].after == [pair[0].id.clone()]));
}

#[test]
fn a_chain_longer_than_five_seconds_is_shortened_to_them() {
    let folder = TempDir::new().unwrap();
    let [whole, out] = ["a", "b"].map(|name| folder.path().join(format!("{name}.jsonl")));
    // Each takes 3 s and needs the one before.
    let steps: Vec<Step> = (0..5)
        .map(|n| (0, if n == 0 { 0 } else { 3_000_000 }, 3_000_000, Some(n.max(1) - 1)))
        .collect();
    write(&whole, "", &steps);
    let selection = Selection { from_us: 12_000_000, ..Selection::default() };
    let (_, counts) = cut(&whole, &out, &selection, false).unwrap();
    assert_eq!(counts, Counts { kept: 1, needed: 4, unbound: 0 });
    assert_eq!(problems(&out), [""; 0]);
    let kept = read(&out);
    assert_eq!(kept[4].at, 5_000_000);
    for request in &kept[..4] {
        let RecordedResult::Answer(answer) = &request.result else { panic!("{request:?}") };
        assert!(answer.total_us <= 1_250_000, "{}", answer.total_us);
    }
}

#[test]
fn a_trace_goes_out_as_har_and_comes_back() {
    let folder = TempDir::new().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/traces/proxy.trace.jsonl");
    let [har, back] = ["a.har", "a.trace.jsonl"].map(|name| folder.path().join(name));
    let run = |args: &[&str], from: &Path, to: &Path| {
        let output = Command::new(env!("CARGO_BIN_EXE_recorder"))
            .args(args)
            .arg(from)
            .arg("--out")
            .arg(to)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    };
    run(&["export", "har"], &golden, &har);
    run(&["import", "har"], &har, &back);
    let seen = |path: &Path| -> Vec<(String, String, Option<u16>)> {
        let answered = |request: Request| match request.result {
            RecordedResult::Answer(answer) => {
                Some((request.method, request.path, Some(answer.status)))
            }
            RecordedResult::Error(_) => None,
        };
        read(path).into_iter().filter_map(answered).collect()
    };
    assert_eq!(seen(&back), seen(&golden));
}

/// Places of which each request has another value are named anew when traces become one, but a
/// script's routes are what the script calls them.
#[test]
fn what_is_merged_is_named_by_what_varies_unless_scripts_named_it() {
    for (kind, expected) in [("proxy", 1), ("personas", 12)] {
        let folder = TempDir::new().unwrap();
        let parts = ["a", "b"].map(|name| folder.path().join(name));
        for (path, numbers) in parts.iter().zip([0..6, 6..12]) {
            let header = serde_json::from_value(json!({
                "format": "timed-request-log", "version": "1", "tool": "test",
                "started": "2026-01-01T00:00:00Z", "sources": [{"kind": kind}],
                "personas": [{"name": "p", "weight": 1.0}], "redaction": []
            }));
            let mut writer = TraceWriter::create(path, &header.unwrap()).unwrap();
            for number in numbers {
                let word = char::from(b'a' + number).to_string().repeat(6);
                let request = serde_json::from_value(json!({
                    "id": format!("r{number}"), "at": number, "session": "s", "persona": "p",
                    "name": format!("GET /wiki/{word}/edit"), "http": "1.1", "method": "GET",
                    "path": format!("/wiki/{word}/edit"), "headers": [], "bind": [],
                    "result": {"answer": {"status": 200, "header_us": 1, "total_us": 1, "size": 0}}
                }));
                writer.write(&request.unwrap()).unwrap();
            }
            writer.finish(0).unwrap();
        }
        let out = folder.path().join("out");
        merge(&parts, &out, Align::Start).unwrap();
        let names: BTreeSet<String> = read(&out).into_iter().map(|request| request.name).collect();
        assert_eq!(names.len(), expected, "{kind}: {names:?}");
    }
}
