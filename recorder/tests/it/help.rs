//! What a user reads without having read anything: help, and answers to mistakes.
//!
//! `INSTA_UPDATE=always cargo nextest run -p recorder help` writes the snapshots anew.

#[path = "../../../common/tests/support/tool.rs"]
#[macro_use]
mod tool;

#[path = "../../../common/tests/support/passwords.rs"]
mod passwords;

const BINARY: &str = env!("CARGO_BIN_EXE_recorder");

#[test]
fn help_is_as_it_was() {
    assert_snapshot!("help", tool::help("recorder", BINARY));
}

#[test]
fn mistakes_are_answered_as_they_were() {
    let command_lines = [
        "recrd",
        "personas",
        "personas --personas missing.toml --manifest missing.json --target http://127.0.0.1:1 --users 1 --duration 1s --out t.trace.jsonl",
        "personas --personas p.toml --manifest m.json --target http://127.0.0.1:1 --users 1 --duration soon --out t.trace.jsonl",
        "proxy --upstream http://192.0.2.1 --out t.trace.jsonl",
        "import har missing.har --out t.trace.jsonl",
        "cut missing.trace.jsonl --out t.trace.jsonl",
        "check missing.trace.jsonl",
        "finish missing.trace.jsonl.part",
    ];
    assert_snapshot!("mistakes", tool::mistakes("recorder", BINARY, &command_lines));
}

#[test]
fn a_password_in_a_url_is_refused_and_not_repeated() {
    let command_lines = [
        "personas --personas p.toml --manifest m.json --target URL --users 1 --duration 1s --out t.jsonl",
        "proxy --upstream URL --out t.jsonl",
        "export har t.jsonl --out t.har --origin URL",
    ];
    passwords::assert_refused("recorder", BINARY, &command_lines);
}
