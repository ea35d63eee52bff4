//! The command that puts data back before a scenario.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use common_net::signals::Interrupt;
use redact::{Known, Names, Redactor};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;

/// A program and what it is given, run without a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    program: String,
    arguments: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
#[error("expected a command such as 'seeder apply --plan plan.toml --reset', its quotes closed")]
pub struct CommandError;

impl FromStr for Command {
    type Err = CommandError;

    /// Words are parted as by a shell, which is all that is done of what a shell does.
    fn from_str(text: &str) -> Result<Self, CommandError> {
        let mut words = shlex::split(text).ok_or(CommandError)?.into_iter();
        let program = words.next().ok_or(CommandError)?;
        Ok(Self { program, arguments: words.collect() })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum BeforeError {
    #[error("--before: {program} cannot be run")]
    Start { program: String, source: io::Error },
    #[error("cannot write {}", path.display())]
    Log { path: PathBuf, source: io::Error },
    #[error("--before: {command} ended with {status}; all that it said is in {}: {said}", log.display())]
    Failed { command: String, status: ExitStatus, log: PathBuf, said: String },
    #[error("--before: interrupted")]
    Interrupted,
}

/// Of what a command says, so much is told where it fails.
const MOST_SAID: u64 = 500;

impl Command {
    /// As it may be shown: without secrets.
    pub fn shown(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.arguments).map(String::as_str);
        without_secrets(&shlex::try_join(words).unwrap_or_default())
    }

    /// Runs it to its end, what it says going to `log`; how long that took. A signal is handed on
    /// to it.
    ///
    /// # Errors
    /// When it cannot be run or does not end well.
    pub async fn run(
        &self,
        log: &Path,
        interrupts: &mut watch::Receiver<Interrupt>,
    ) -> Result<Duration, BeforeError> {
        let begun = Instant::now();
        let failed = |source| BeforeError::Log { path: log.to_owned(), source };
        let (out, mut said) = create(log).map_err(failed)?;
        let error = out.try_clone().map_err(failed)?;
        let mut child = tokio::process::Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(error)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| BeforeError::Start { program: self.program.clone(), source })?;
        let pid = child.id();
        let ended = |source| BeforeError::Start { program: self.program.clone(), source };
        let mut signals = 0;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status.map_err(ended)?,
                Ok(()) = interrupts.changed() => {
                    signals += 1;
                    // The second one waits for nothing.
                    hand_on(pid, if signals > 1 { Signal::KILL } else { Signal::TERM });
                }
            }
        };
        if signals > 0 {
            return Err(BeforeError::Interrupted);
        }
        if !status.success() {
            let said = last_of(&mut said).map_err(failed)?;
            let (command, log) = (self.shown(), log.to_owned());
            return Err(BeforeError::Failed { command, status, log, said });
        }
        Ok(begun.elapsed())
    }
}

/// A file of the user's alone, to write and to read.
fn create(path: &Path) -> io::Result<(File, File)> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let log = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
    Ok((log, File::open(path)?))
}

fn hand_on(pid: Option<u32>, signal: Signal) {
    let pid = pid.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    if let Some(pid) = pid {
        // It may have ended by itself.
        let _ = kill_process(pid, signal);
    }
}

fn last_of(log: &mut File) -> io::Result<String> {
    let length = log.metadata()?.len();
    log.seek(SeekFrom::Start(length.saturating_sub(MOST_SAID)))?;
    let mut bytes = Vec::new();
    log.take(MOST_SAID).read_to_end(&mut bytes)?;
    Ok(without_secrets(String::from_utf8_lossy(&bytes).trim()))
}

fn without_secrets(text: &str) -> String {
    Redactor { names: &Names::default(), known: &Known::default() }.text(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interrupts() -> (watch::Sender<Interrupt>, watch::Receiver<Interrupt>) {
        watch::channel(Interrupt::None)
    }

    #[test]
    fn a_command_is_words_and_no_shell() {
        let command: Command = "seeder apply --plan 'my plan.toml' $HOME;ls".parse().unwrap();
        assert_eq!(command.program, "seeder");
        assert_eq!(command.arguments, ["apply", "--plan", "my plan.toml", "$HOME;ls"]);
        for text in ["", "  ", "seeder 'apply"] {
            assert!(text.parse::<Command>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_password_in_it_is_not_shown() {
        let command: Command =
            "seeder apply --database-url postgres://me:hunter2@h/d".parse().unwrap();
        let shown = command.shown();
        assert!(
            shown.starts_with("seeder apply --database-url ") && !shown.contains("hunter2"),
            "{shown}"
        );
    }

    #[tokio::test]
    async fn what_fails_says_so_in_the_end_of_what_it_said() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("before.log");
        let (_sender, mut interrupts) = interrupts();
        let command: Command = "ls -d . ./no-such-file".parse().unwrap();
        let error = command.run(&log, &mut interrupts).await.unwrap_err().to_string();
        assert!(error.contains("no-such-file") && error.contains("before.log"), "{error}");
        assert!(std::fs::read_to_string(&log).unwrap().lines().any(|line| line == "."));
        let absent: Command = "./no-such-program".parse().unwrap();
        let error = absent.run(&log, &mut interrupts).await.unwrap_err().to_string();
        assert!(error.contains("./no-such-program cannot be run"), "{error}");
    }

    #[tokio::test]
    async fn a_signal_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let (sender, mut interrupts) = interrupts();
        let command: Command = "sleep 600".parse().unwrap();
        let log = folder.path().join("before.log");
        let run = command.run(&log, &mut interrupts);
        let signal = async { sender.send_replace(Interrupt::Stop { signal: 15 }) };
        let (ended, _) = tokio::join!(run, signal);
        assert!(matches!(ended, Err(BeforeError::Interrupted)), "{ended:?}");
    }
}
