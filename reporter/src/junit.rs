//! The result as JUnit has it, for whatever runs the load test and knows nothing of it: a suite a
//! scenario, in it a case for the run itself and one for each expectation.

use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use crate::load::{Entry, Loaded};
use crate::report::{Report, TargetRow};
use figures::conclusion::Conclusion;

/// One XML document.
///
/// # Errors
/// When XML cannot hold what is in it.
pub fn document(report: &Report, loaded: &Loaded) -> Result<String, quick_junit::SerializeError> {
    let mut document = quick_junit::Report::new("load test");
    for entry in &loaded.entries {
        let title = &entry.scenario.title;
        let mut suite = TestSuite::new(title.clone());
        if let Some(run) = &entry.run {
            suite.set_timestamp(run.summary.run.started.fixed_offset());
            suite.set_time(
                Duration::try_from_secs_f64(run.summary.run.elapsed_s).unwrap_or_default(),
            );
        }
        suite.add_test_case(of_run(entry));
        let targets = report.targets.iter().filter(|of| of.number == entry.scenario.number);
        suite.add_test_cases(targets.map(of_target));
        document.add_test_suite(suite);
    }
    for run in &report.unusable_runs {
        let mut suite = TestSuite::new("runs that cannot be used");
        let name = run.split(':').next().unwrap_or(run);
        suite.add_test_case(case(name, Some((NonSuccessKind::Error, run)), None));
        document.add_test_suite(suite);
    }
    document.to_string()
}

/// Whether the run can be judged at all.
fn of_run(entry: &Entry) -> TestCase {
    let name = "the run is complete and valid";
    let reason = entry.reason.as_deref().unwrap_or(entry.conclusion.name());
    match entry.conclusion {
        Conclusion::Pending => case(name, None, Some("it was not run")),
        Conclusion::Quick | Conclusion::Part(_) => case(name, None, Some(entry.conclusion.name())),
        Conclusion::Incomplete(..)
        | Conclusion::Unusable
        | Conclusion::OtherLoad
        | Conclusion::Invalid(_) => case(name, Some((NonSuccessKind::Error, reason)), None),
        Conclusion::Passed | Conclusion::Measured => case(name, None, None),
        // Its missed expectations tell; that more failed than is allowed is none of them.
        Conclusion::Failed if !entry.marks.is_empty() => {
            case(name, Some((NonSuccessKind::Failure, &entry.marks.join("; "))), None)
        }
        Conclusion::Failed => case(name, None, None),
    }
}

fn of_target(target: &TargetRow) -> TestCase {
    let of = target.of.as_ref().map_or_else(String::new, |of| format!("{of}: "));
    let name = format!("{of}{}", target.expectation);
    let note = Some(target.note.clone()).filter(|note| !note.is_empty());
    let measured = format!("measured {}", target.measured);
    let told: Vec<String> =
        [Some(measured), target.distance.clone(), note].into_iter().flatten().collect();
    let told = told.join(", ");
    match target.result {
        "met" => case(&name, None, None),
        "missed" => case(&name, Some((NonSuccessKind::Failure, &told)), None),
        _ => case(&name, None, Some(&told)),
    }
}

fn case(name: &str, failed: Option<(NonSuccessKind, &str)>, skipped: Option<&str>) -> TestCase {
    let status = match (failed, skipped) {
        (Some((kind, message)), _) => {
            let mut status = TestCaseStatus::non_success(kind);
            status.set_message(message);
            status
        }
        (None, Some(message)) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(message);
            status
        }
        (None, None) => TestCaseStatus::success(),
    };
    TestCase::new(name, status)
}
