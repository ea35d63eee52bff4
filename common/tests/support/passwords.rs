//! A URL with a password in it is refused, and the password is in nothing that a tool says.
//!
//! The tests of each tool that takes URLs include this file; it is no test of its own.

use std::process::Command;

/// The second half stays where a `@` or `/` is taken for the end of the first.
const TYPED: [&str; 6] = [
    "http://ann:hunter2@127.0.0.1:1",
    "https://hunter2@127.0.0.1",
    "http://ann:in/hunter2@127.0.0.1:1/",
    "http://ann:hunter2",
    "ann:hunter2@127.0.0.1",
    "http://127.0.0.1:1/?token=hunter2",
];

/// Each of these command lines, in which `URL` stands for such a URL. Before it may stand
/// `VARIABLE=URL`, whose value clap shows in its help unless it is told not to.
pub(crate) fn assert_refused(name: &str, binary: &str, command_lines: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    for (line, url) in command_lines.iter().flat_map(|line| TYPED.map(|url| (line, url))) {
        let words: Vec<String> =
            line.split_whitespace().map(|word| word.replace("URL", url)).collect();
        let variable = words[0].split_once('=');
        let run = |more: &[&str]| {
            let mut command = Command::new(binary);
            command.args(&words[usize::from(variable.is_some())..]).args(more);
            command.current_dir(folder.path()).env_clear().envs(variable);
            command.output().unwrap()
        };
        let output = run(&[]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}: {told}");
        assert_eq!(told.lines().count(), 1, "{line}: {told}");
        assert!(told.starts_with(&format!("{name}: --")), "{line}: {told}");
        let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
        let all = told + &String::from_utf8(output.stdout).unwrap() + &help;
        assert!(!all.contains("hunter2"), "{line}: {all}");
    }
}
