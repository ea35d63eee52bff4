//! A tool as its user sees it: every page of help, and what it says of mistakes.
//!
//! The tests of each tool include this file; it is no test of its own.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

/// Nothing of the caller's environment shows: clap prints values of variables and wraps to a width.
fn run(binary: &str, folder: &Path, arguments: &[&str]) -> Output {
    Command::new(binary)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("COLUMNS", "80")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

/// In the folder `snapshots` beside that of the test, whatever its module is called.
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

/// `--help` of the tool and of each of its subcommands, in their order.
pub(crate) fn help(name: &str, binary: &str) -> String {
    let mut pages = String::new();
    add_help(name, binary, &mut Vec::new(), &mut pages);
    pages
}

fn add_help(name: &str, binary: &str, command: &mut Vec<String>, pages: &mut String) {
    let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    arguments.push("--help");
    let output = run(binary, Path::new("."), &arguments);
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{name} {arguments:?}");
    let _ = write!(pages, "$ {name} {}\n{page}\n", arguments.join(" "));
    for subcommand in subcommands(&page) {
        command.push(subcommand.to_owned());
        add_help(name, binary, command, pages);
        command.pop();
    }
}

/// The first words below "Commands:".
fn subcommands(page: &str) -> impl Iterator<Item = &str> {
    let list = page.lines().skip_while(|line| *line != "Commands:").skip(1);
    let list = list.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    list.filter_map(|line| line.split_whitespace().next()).filter(|word| *word != "help")
}

/// What each of these command lines is answered with, run in an empty folder.
pub(crate) fn mistakes(name: &str, binary: &str, command_lines: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut answers = String::new();
    for line in command_lines {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let output = run(binary, folder.path(), &arguments);
        assert!(output.stdout.is_empty(), "{line}: errors go to stderr");
        let message = String::from_utf8(output.stderr).unwrap();
        let code = output.status.code().unwrap();
        let _ = write!(answers, "$ {name} {line}\n{message}exit code {code}\n\n");
    }
    answers
}
