//! Runs Postgres's programs to their end.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::binaries::Binaries;
use crate::error::ClusterError;

/// What statements give. Neither they nor the URL's password are arguments, which `ps` shows to
/// everybody.
pub(crate) fn psql(
    binaries: &Binaries,
    url: &str,
    statements: &str,
) -> Result<String, ClusterError> {
    let (url, password) = without_password(url);
    let mut command = binaries.command("psql");
    command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--no-password"]);
    command.args(["--set=ON_ERROR_STOP=1", "--file=-", &url]);
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    run_with(command, "psql", statements)
}

/// A URL without its password, and the password.
fn without_password(url: &str) -> (String, Option<String>) {
    let parts = url.split_once("://").and_then(|(scheme, rest)| {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let at = rest[..end].rfind('@')?;
        let (user, password) = rest[..at].split_once(':')?;
        Some((format!("{scheme}://{user}{}", &rest[at..]), password))
    });
    match parts {
        Some((bare, password)) => {
            (bare, Some(common::encoding::percent_decoded(password, false).into_owned()))
        }
        None => (url.to_owned(), None),
    }
}

/// Runs a program to its end: its output, or an error with the first line of its complaint.
pub(crate) fn run(command: Command, program: &'static str) -> Result<String, ClusterError> {
    run_with(command, program, "")
}

fn run_with(
    mut command: Command,
    program: &'static str,
    input: &str,
) -> Result<String, ClusterError> {
    let failed = |command: &Command, source| ClusterError::Run {
        program: command.get_program().into(),
        source,
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| failed(&command, source))?;
    let stdin = child.stdin.take();
    // Both at once: a program that complains does not read on.
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            // A program that has ended says by itself why.
            let _ = stdin.map(|mut stdin| stdin.write_all(input.as_bytes()));
        });
        child.wait_with_output()
    });
    let output = output.map_err(|source| failed(&command, source))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = [output.stderr, output.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    let message = said.lines().map(str::trim).find(|line| !line.is_empty());
    Err(ClusterError::Failed { program, message: message.unwrap_or("no message").to_owned() })
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn a_password_is_taken_out_of_its_url() {
        for (url, bare, password) in [
            ("postgres://u:p%40w@h:1/x?a=b", "postgres://u@h:1/x?a=b", Some("p@w")),
            ("postgres://u@h:1/x", "postgres://u@h:1/x", None),
            ("postgres:///x?host=/a:b@c", "postgres:///x?host=/a:b@c", None),
        ] {
            assert_eq!(without_password(url), (bare.to_owned(), password.map(str::to_owned)));
        }
    }
}
