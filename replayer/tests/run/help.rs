//! What a user reads without having read anything: help, and answers to mistakes.
//!
//! `INSTA_UPDATE=always cargo nextest run -p replayer help` writes the snapshots anew.

#[path = "../../../common/tests/support/tool.rs"]
#[macro_use]
mod tool;

#[path = "../../../common/tests/support/passwords.rs"]
mod passwords;

const BINARY: &str = env!("CARGO_BIN_EXE_replayer");

#[test]
fn help_is_as_it_was() {
    assert_snapshot!("help", tool::help("replayer", BINARY));
}

#[test]
fn mistakes_are_answered_as_they_were() {
    let command_lines = [
        "rum",
        "run",
        "run --trace missing.trace.jsonl --manifest missing.json --target http://127.0.0.1:1 --out run",
        "run --trace t.trace.jsonl --manifest m.json --target http://192.0.2.1 --users 1 --duration 1m --out run",
        "run --trace t.trace.jsonl --manifest m.json --target http://127.0.0.1:1 --users 1 --out run",
        "run --trace t.trace.jsonl --manifest m.json --target http://127.0.0.1:1 --users 0 --out run",
        "run --trace t.trace.jsonl --manifest m.json --target http://127.0.0.1:1 --speed fast --out run",
        "run --trace t.trace.jsonl --manifest m.json --target http://127.0.0.1:1 --users 1 --clones 2 --out run",
        "merge missing --out run",
    ];
    assert_snapshot!("mistakes", tool::mistakes("replayer", BINARY, &command_lines));
}

#[test]
fn a_password_in_a_url_is_refused_and_not_repeated() {
    let command_lines = [
        "run --trace t.jsonl --target URL --out run",
        "probe --trace t.jsonl --target URL",
        "TARGET=URL run --trace t.jsonl --out run",
        "TARGET=URL probe --trace t.jsonl",
    ];
    passwords::assert_refused("replayer", BINARY, &command_lines);
}
