//! What a user reads without having read anything: help, and answers to mistakes.
//!
//! `INSTA_UPDATE=always cargo nextest run -p seeder help` writes the snapshots anew.

#[path = "../../../common/tests/support/tool.rs"]
#[macro_use]
mod tool;

#[path = "../../../common/tests/support/passwords.rs"]
mod passwords;

const BINARY: &str = env!("CARGO_BIN_EXE_seeder");

#[test]
fn help_is_as_it_was() {
    assert_snapshot!("help", tool::help("seeder", BINARY));
}

#[test]
fn mistakes_are_answered_as_they_were() {
    let command_lines = [
        "aply",
        "apply",
        "apply --plan missing.toml",
        "apply --plan missing.toml --database-url postgres://127.0.0.1:1/shop",
        "apply --plan shop.toml --scale 0",
        "apply --plan shop.toml --now soon",
        "apply --plan shop.toml --replace --reset",
        "verify --plan missing.toml --database-url postgres://127.0.0.1:1/shop --target ftp://127.0.0.1",
        "cluster url",
        "plan draft --database-url nonsense",
    ];
    assert_snapshot!("mistakes", tool::mistakes("seeder", BINARY, &command_lines));
}

#[test]
fn a_password_in_a_url_is_refused_and_not_repeated() {
    let command_lines = ["verify --plan p.toml --target URL"];
    passwords::assert_refused("seeder", BINARY, &command_lines);
}
