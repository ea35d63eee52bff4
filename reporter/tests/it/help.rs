//! What a user reads without having read anything: help, and answers to mistakes.
//!
//! `INSTA_UPDATE=always cargo nextest run -p reporter help` writes the snapshots anew.

#[path = "../../../common/tests/support/tool.rs"]
mod tool;

const BINARY: &str = env!("CARGO_BIN_EXE_reporter");

/// Beside the folder of this file, whatever its module is called.
macro_rules! assert_snapshot {
    ($name:literal, $text:expr) => {
        insta::with_settings!(
            {
                snapshot_path => "../snapshots",
                prepend_module_to_snapshot => false,
                omit_expression => true,
            },
            { insta::assert_snapshot!($name, $text) }
        )
    };
}

#[test]
fn help_is_as_it_was() {
    assert_snapshot!("help", tool::help("reporter", BINARY));
}

#[test]
fn mistakes_are_answered_as_they_were() {
    let command_lines = [
        "fil",
        "fill",
        "fill --runs .",
        "fill --runs . --scenarios missing",
        "fill --runs . --scenarios . --template missing.md.j2",
        "fill --runs . --scenarios . --manifest missing.json",
        "fill --runs . --scenarios . --out missing/report.md",
        "fill --runs . --date tomorrow",
    ];
    assert_snapshot!("mistakes", tool::mistakes("reporter", BINARY, &command_lines));
}
