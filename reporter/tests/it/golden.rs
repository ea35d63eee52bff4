//! The golden run directories of `fixtures/runs`, and the report of them.
//!
//! `UPDATE_GOLDENS=1 cargo nextest run -p reporter as_it_was` writes the report anew, and
//! `UPDATE_GOLDENS=runs` the directories, too: those are of minor 0, which has to be read.

use std::ffi::OsString;
use std::path::Path;

use run_log::format::Profile;

use crate::report::{Folder, root};
use crate::synthetic::Synthetic;

pub(crate) fn update() -> Option<OsString> {
    std::env::var_os("UPDATE_GOLDENS")
}

/// The four scenarios in the quick profile; the last one breaks at its third step.
fn write_runs(runs: &Path) {
    let quick = |name| Synthetic {
        profile: Profile::Quick,
        users: 100,
        seconds: 15,
        ..Synthetic::of(name)
    };
    Synthetic { one_fails_of: Some(97), ..quick("01-baseline") }.write(runs);
    let alerts = Synthetic { users: 30, alerts_per_s: 100, ..quick("02-alert-throughput") };
    Synthetic { hour: 10, ..alerts }.write(runs);
    let many = Synthetic { users: 300, seconds: 20, ..quick("03-concurrent") };
    Synthetic { alerts_per_s: 60, hour: 11, ..many }.write(runs);
    let steps = Synthetic { step: 100, seconds: 20, hour: 12, ..quick("04-stress") };
    Synthetic { response_us: 40_000, one_times_out_of: Some(211), ..steps }.write(runs);
}

/// What differs from one checkout or version to the next.
pub(crate) fn redacted(text: &str) -> String {
    let version = concat!("reporter ", env!("CARGO_PKG_VERSION"));
    text.replace(&root().display().to_string(), "ROOT").replace(version, "reporter VERSION")
}

#[test]
fn the_report_of_the_golden_runs_is_as_it_was() {
    let mut folder = Folder::new();
    folder.config.sources.runs = root().join("fixtures/runs");
    if update().is_some_and(|what| what == "runs") {
        write_runs(&folder.config.sources.runs);
    }
    folder.fill();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (name, found) in [
        ("load-test-report.md", redacted(&folder.text())),
        (
            "load-test-report.json",
            redacted(&std::fs::read_to_string(folder.config.out.with_extension("json")).unwrap()),
        ),
    ] {
        is_golden(&golden.join(name), &found);
    }
}

/// Compares line by line, so that a difference can be read; or writes it anew.
pub(crate) fn is_golden(path: &Path, found: &str) {
    if update().is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, found).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap();
    for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "{} line {}", path.display(), number + 1);
    }
    assert_eq!(found.len(), expected.len(), "{}", path.display());
}

/// Short enough to be read whole where it changes.
#[test]
fn the_known_limitations_read_as_they_did() {
    let mut folder = Folder::new();
    folder.config.sources.runs = root().join("fixtures/runs");
    folder.fill();
    let text = folder.text();
    let (_, section) = text.split_once("## Known limitations\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    insta::with_settings!(
        {
            snapshot_path => "../snapshots",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        },
        { insta::assert_snapshot!("known-limitations", section) }
    );
}

#[test]
fn two_fills_of_the_same_runs_are_the_same_to_the_byte() {
    let files = || {
        let mut folder = Folder::new();
        folder.config.sources.runs = root().join("fixtures/runs");
        let filled = folder.fill();
        let charts = filled.charts.iter().map(|path| std::fs::read_to_string(path).unwrap());
        (folder.text(), folder.page(), folder.figures(), charts.collect::<Vec<_>>())
    };
    assert!(files() == files());
}
