//! Runs Postgres's programs to their end.

use std::process::Command;

use crate::binaries::Binaries;
use crate::error::ClusterError;

pub(crate) fn psql(
    binaries: &Binaries,
    url: &str,
    statement: &str,
) -> Result<String, ClusterError> {
    let mut command = binaries.command("psql");
    command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]);
    command.args(["--set=ON_ERROR_STOP=1", "--command", statement, url]);
    run(command, "psql")
}

/// Runs a program to its end: its output, or an error with the first line of its complaint.
pub(crate) fn run(mut command: Command, program: &'static str) -> Result<String, ClusterError> {
    let output = command
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|source| ClusterError::Run { program: command.get_program().into(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = [output.stderr, output.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    let message = said.lines().map(str::trim).find(|line| !line.is_empty());
    Err(ClusterError::Failed { program, message: message.unwrap_or("no message").to_owned() })
}
