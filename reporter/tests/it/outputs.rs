//! What CI takes: JUnit's XML, and the summary of a step.

use run_log::format::ValidityState;

use crate::report::Folder;
use crate::synthetic::Synthetic;

fn junit(folder: &mut Folder) -> String {
    let path = folder.dir.path().join("results.xml");
    folder.config.junit = Some(path.clone());
    folder.fill();
    std::fs::read_to_string(path).unwrap()
}

/// Text between the tags of the suite that has this name.
fn suite<'a>(xml: &'a str, name: &str) -> &'a str {
    let start = xml.find(&format!("<testsuite name=\"{name}\"")).unwrap();
    let end = xml[start..].find("</testsuite>").unwrap();
    &xml[start..start + end]
}

#[test]
fn junit_has_a_case_for_each_run_and_each_expectation() {
    let mut folder = Folder::new();
    Synthetic { response_us: 90_000, ..Synthetic::of("01-baseline") }.write(folder.runs());
    let suspect = Synthetic::of("02-alert-throughput");
    Synthetic { validity: ValidityState::Suspect, ..suspect }.write(folder.runs());
    let xml = junit(&mut folder);
    let targets = folder.figures()["targets"].as_array().unwrap().len();
    assert_eq!(xml.matches("<testcase ").count(), targets + 4, "{xml}");

    let baseline = suite(&xml, "Baseline");
    assert!(baseline.contains("errors=\"0\" failures=\"1\""), "{baseline}");
    assert!(baseline.contains("<testcase name=\"p95 &lt; 100ms\""), "{baseline}");
    assert!(baseline.contains("<failure message=\"measured "), "{baseline}");
    assert!(baseline.contains(" over it"), "{baseline}");
    let invalid = suite(&xml, "Alert throughput");
    assert!(invalid.contains("errors=\"1\" failures=\"0\""), "{invalid}");
    assert!(invalid.contains("the run is not valid"), "{invalid}");
    let pending = suite(&xml, "Stress");
    assert!(pending.contains("<skipped message=\"it was not run\"/>"), "{pending}");
    assert_eq!(xml, junit(&mut folder), "the same runs, the same bytes");
}

#[test]
fn a_run_that_cannot_be_used_is_an_error_of_junit() {
    let mut folder = Folder::new();
    let dir = Synthetic::of("01-baseline").write(folder.runs());
    std::fs::write(dir.join("run.json"), "{").unwrap();
    let xml = junit(&mut folder);
    let unusable = suite(&xml, "runs that cannot be used");
    assert!(unusable.contains("<testcase name=\"01-baseline\"") && unusable.contains("<error "));
}

#[test]
fn a_step_summary_is_appended_to_what_others_wrote() {
    let mut folder = Folder::new();
    Synthetic::of("01-baseline").write(folder.runs());
    let path = folder.dir.path().join("summary.md");
    std::fs::write(&path, "# Build\n").unwrap();
    folder.config.step_summary = Some(path.clone());
    folder.fill();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# Build\n> **Not decided: 1 of 4"), "{text}");
    assert!(text.contains("| 1 | Baseline | ✅ PASSED |") && text.contains("`p95 < 100ms`"));
    assert!(!text.contains("**Endpoints**"));
}

#[test]
fn the_report_has_an_ending_of_its_own() {
    for name in ["report.html", "report.json"] {
        let mut folder = Folder::new();
        folder.config.out = folder.dir.path().join(name);
        let (line, error) = folder.fail();
        assert!(line.contains("name the report itself, such as load-test-report.md"), "{line}");
        assert_eq!(error.exit(), common::exit::Exit::Usage);
    }
}

#[test]
fn a_missing_folder_of_the_report_is_made() {
    let mut folder = Folder::new();
    folder.config.out = folder.dir.path().join("some").join("where").join("report.md");
    folder.fill();
    assert!(folder.config.out.is_file());
}
