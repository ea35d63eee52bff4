//! Whole reports, as their readers see them: one of each kind.
//!
//! `UPDATE_GOLDENS=1` writes them anew. With `REPORTS_TO=DIR` each is left there with its page, which
//! `make test-page` opens in a browser.

use std::path::{Path, PathBuf};

use common::exit::Exit;
use run_log::format::{Profile, ValidityState};

use crate::alone;
use crate::golden::{is_golden, redacted};
use crate::report::Folder;
use crate::states::{ALL, good};
use crate::synthetic::Synthetic;

fn folder_of(runs: &[Synthetic]) -> Folder {
    let folder = Folder::new();
    for run in runs {
        run.write(folder.runs());
    }
    folder
}

/// The report is as it was, and ends with this.
fn report(name: &str, mut folder: Folder, status: &str, exit: Exit) {
    if let Some(kept) = std::env::var_os("REPORTS_TO").map(PathBuf::from) {
        folder.config.out = kept.join(format!("{name}.md"));
        folder.config.charts = kept.join(format!("{name}-charts"));
    } else {
        folder.config.out = folder.dir.path().join(format!("{name}.md"));
        folder.config.charts = folder.dir.path().join(format!("{name}-charts"));
    }
    let filled = folder.fill();
    assert_eq!((filled.status.as_str(), filled.exit), (status, exit));
    let runs = folder.runs().display().to_string();
    let text = redacted(&folder.text()).replace(&runs, "RUNS");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/reports");
    is_golden(&golden.join(format!("{name}.md")), &text);
}

#[test]
fn empty() {
    report("empty", Folder::new(), "PENDING EXECUTION", Exit::Good);
}

#[test]
fn two_of_four() {
    let folder = folder_of(&ALL.map(good)[..2]);
    report("two-of-four", folder, "PARTIAL (2 of 4)", Exit::Good);
}

#[test]
fn passed() {
    report("passed", folder_of(&ALL.map(good)), "COMPLETE: PASSED", Exit::Good);
}

#[test]
fn failed() {
    let mut runs = ALL.map(good);
    runs[0].response_us = 90_000;
    runs[2].one_fails_of = Some(40);
    report("failed", folder_of(&runs), "COMPLETE: FAILED", Exit::Threshold);
}

#[test]
fn invalid() {
    let mut runs = ALL.map(good);
    runs[1].validity = ValidityState::Invalid;
    report("invalid", folder_of(&runs), "COMPLETE: INVALID", Exit::Invalid);
}

#[test]
fn total_failure_in_the_quick_profile() {
    let runs = ALL.map(|name| Synthetic {
        profile: Profile::Quick,
        one_fails_of: Some(1),
        ..Synthetic::of(name)
    });
    report("total-failure", folder_of(&runs), "COMPLETE (QUICK PROFILE)", Exit::Good);
}

#[test]
fn stress_with_a_break() {
    let steps = Synthetic {
        users: 100,
        step: 100,
        seconds: 40,
        alerts_per_s: 200,
        most_with: 500,
        fails_with: 700,
        axis: Some("stages start 100, +100 every 5s, to 800".to_owned()),
        recovery_s: 20,
        unwell_s: 6,
        ..Synthetic::of("04-stress")
    };
    report("stress-with-a-break", folder_of(&[steps]), "PARTIAL (1 of 4)", Exit::Threshold);
}

#[test]
fn a_foreign_system() {
    let folder = alone::folder();
    alone::shop(&folder, "first", |_| ());
    report("a-foreign-system", folder, "COMPLETE: MEASURED", Exit::Good);
}
