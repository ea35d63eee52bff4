//! Bad input: one line that names file and line. A run that cannot be used is named in the report,
//! which tells of the others; anything else is refused, and nothing replaced.

use std::path::PathBuf;

use common::exit::Exit;

use crate::report::{Folder, root};
use crate::synthetic::Synthetic;

fn with_run() -> (Folder, PathBuf) {
    let folder = Folder::new();
    let dir = Synthetic::of("01-baseline").write(folder.runs());
    (folder, dir)
}

fn replace_in(path: &std::path::Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from:?} is not in {}", path.display());
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn damage_in_a_run_directory_names_file_and_line() {
    for (file, from, to, expected) in [
        ("run.json", "\"state\"", "\"stat\"", "run.json line "),
        ("run.json", "\"version\": 1", "\"version\": 2", "use the newer tool that wrote it"),
        ("run.json", "\"version\": 1", "\"version\": 0", "run the scenario again"),
        ("run.json", "replay-run", "other", "run.json has format \"other\""),
        ("timeline.csv", "\n3,", "\nthree,", "timeline.csv line 5: "),
        ("timeline.csv", "\n3,", "\n3,3,", "timeline.csv line 5: "),
        ("target.csv", "target.cpu_percent,", "target.cpu_percent,x", "target.csv line 3: "),
        ("latency.hlog", "Tag=e0.response,", "Tag=e0.respons,", "latency.hlog line 4: "),
        ("latency.hlog", "Tag=e0.response,", "Tag=e9.response,", "e9.response"),
        ("latency.hlog", "Tag=e0.response,0.000,1.000,", "no,", "latency.hlog line 4: "),
        (
            "latency.hlog",
            "Tag=e0.response,0.000",
            "Tag=e0.response,7.000",
            "latency.hlog line 5: second 0 after",
        ),
    ] {
        let (folder, dir) = with_run();
        replace_in(&dir.join(file), from, to);
        Synthetic::of("02-alert-throughput").write(folder.runs());
        let line = folder.unusable();
        assert!(
            line.starts_with("01-baseline: ") && line.contains(expected),
            "{file}, {to}: {line}"
        );
        assert!(!line.contains('\n'), "{line}");
        assert_eq!(folder.lines(&["⚠️ **A run cannot be used**: 01-baseline: "]).len(), 1);
        assert_eq!(folder.lines(&["| 2 | Alert throughput | ", "FAILED"]).len(), 1, "{to}");
        // What cannot even be told to be of a scenario leaves that pending.
        let baseline = folder.lines(&["| 1 | Baseline | "]).remove(0);
        let is_known = file != "run.json";
        assert!(baseline.contains(if is_known { "UNUSABLE" } else { "PENDING" }), "{baseline}");
    }
}

#[test]
fn a_newer_run_that_cannot_be_used_is_not_replaced_by_an_older_one() {
    let (folder, older) = with_run();
    std::fs::rename(&older, folder.runs().join("older")).unwrap();
    let newer = Synthetic { hour: 10, ..Synthetic::of("01-baseline") }.write(folder.runs());
    std::fs::write(newer.join("timeline.csv"), "damaged").unwrap();
    let line = folder.unusable();
    assert!(line.starts_with("01-baseline: "), "{line}");
    assert_eq!(folder.lines(&["| 1 | Baseline | ⚠️ UNUSABLE |"]).len(), 1);
    assert_eq!(folder.lines(&["older: there is a newer run of it"]).len(), 1);
}

#[test]
fn where_no_run_can_be_used_the_report_says_so() {
    let (mut folder, dir) = with_run();
    std::fs::write(dir.join("run.json"), "{").unwrap();
    (folder.config.template, folder.config.sources.scenarios) = (None, None);
    folder.unusable();
    assert_eq!(folder.lines(&["**Status**", "**PENDING EXECUTION**"]).len(), 1);
}

#[test]
fn a_last_line_that_is_cut_is_dropped_in_a_killed_run_and_an_error_in_a_finished_one() {
    use run_log::format::State;

    for (state, is_error) in [(State::Running, false), (State::Finished, true)] {
        for file in ["timeline.csv", "latency.hlog", "target.csv"] {
            let folder = Folder::new();
            let dir = Synthetic { state, ..Synthetic::of("01-baseline") }.write(folder.runs());
            let path = dir.join(file);
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
            if is_error {
                let line = folder.unusable();
                let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
                let expected = format!("{file} line {lines}: the line is cut off");
                assert!(line.contains(&expected), "{line}");
            } else {
                folder.fill();
            }
        }
    }
}

#[test]
fn a_template_with_an_unknown_variable_names_template_line_and_variable() {
    let mut folder = Folder::new();
    let template = folder.dir.path().join("mine.md.j2");
    std::fs::write(&template, "# {{ status }}\n\n{{ scenarios[0].colour }}\n").unwrap();
    folder.config.template = Some(template.clone());
    let (line, error) = folder.fail();
    let expected =
        format!("template {} line 3: unknown variable `scenarios[0].colour`", template.display());
    assert!(line.contains(&expected), "{line}");
    assert_eq!(error.exit(), Exit::Usage);

    std::fs::write(&template, "{% if status %}\n").unwrap();
    let (line, _) = folder.fail();
    assert!(line.contains("mine.md.j2 line "), "{line}");
}

/// Made, each of them would take gigabytes.
#[test]
fn a_template_that_makes_too_much_is_refused() {
    let mut folder = Folder::new();
    let template = folder.dir.path().join("mine.md.j2");
    folder.config.template = Some(template.clone());
    let doubling = "{% set ns = namespace(a='xxxxxxxx') %}\
        {% for i in range(60) %}{% set ns.a = ns.a ~ ns.a %}{% endfor %}{{ ns.a }}";
    for text in [doubling, "{{ '%1000000000d' | format(1) }}", "{{ 'a\nb' | indent(1000000000) }}"]
    {
        std::fs::write(&template, text).unwrap();
        let (line, error) = folder.fail();
        assert!(line.contains("engine ran out of fuel"), "{line}");
        assert_eq!(error.exit(), Exit::Usage);
    }
}

#[test]
fn an_unknown_variable_in_a_partial_names_the_partial() {
    let (mut folder, _) = with_run();
    let partials = folder.dir.path().join("partials");
    std::fs::create_dir(&partials).unwrap();
    std::fs::write(partials.join("results.md.j2"), "\n{{ run.colour }}\n").unwrap();
    let template = folder.dir.path().join("load-test-report.md.j2");
    std::fs::copy(root().join("templates/load-test-report.md.j2"), &template).unwrap();
    folder.config.template = Some(template);
    let (line, _) = folder.fail();
    assert!(
        line.contains("partials/results.md.j2 line 2: unknown variable `run.colour`"),
        "{line}"
    );
}

#[test]
fn what_cannot_be_written_is_said_before_the_runs_are_read() {
    let (mut folder, dir) = with_run();
    std::fs::write(dir.join("timeline.csv"), "damaged").unwrap();
    let file = folder.dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    folder.config.out = file.join("report.md");
    let (line, error) = folder.fail();
    assert!(line.contains("cannot write") && line.contains("file/report.md"), "{line}");
    assert_eq!(error.exit(), Exit::Internal);
}

#[test]
fn a_scenario_with_an_unknown_field_names_file_and_line() {
    let mut folder = Folder::new();
    let scenarios = folder.dir.path().join("scenarios");
    std::fs::create_dir(&scenarios).unwrap();
    let text =
        std::fs::read_to_string(root().join("reporter/tests/golden/scenarios/01-baseline.toml"))
            .unwrap();
    std::fs::write(scenarios.join("01.toml"), format!("colour = 1\n{text}")).unwrap();
    folder.config.sources.scenarios = Some(scenarios);
    let (line, error) = folder.fail();
    assert!(line.contains("01.toml: line 1: unknown field `colour`"), "{line}");
    assert_eq!(error.exit(), Exit::Usage);
}
