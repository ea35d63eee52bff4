//! What a user reads without having read anything: help, and answers to mistakes.
//!
//! `INSTA_UPDATE=always cargo nextest run -p reporter help` writes the snapshots anew.

#[path = "../../../common/tests/support/tool.rs"]
#[macro_use]
mod tool;

const BINARY: &str = env!("CARGO_BIN_EXE_reporter");

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
        "fill --runs missing",
        "fill --runs . --scenarios missing",
        "fill --runs . --scenarios . --template missing.md.j2",
        "fill --runs . --scenarios . --manifest missing.json",
        "fill --runs . --scenarios . --out missing/report.md",
        "fill --runs . --date tomorrow",
    ];
    assert_snapshot!("mistakes", tool::mistakes("reporter", BINARY, &command_lines));
}
