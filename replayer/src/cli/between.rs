//! Between two runs: data put back by a command of the user's, and a wait until the target is calm.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args as ClapArgs;
use common::exit::Exit;
use common_net::runtime;
use common_net::signals::Interrupt;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use super::input::Ready;
use crate::config::ConfigError;
use crate::error::Error;
use crate::suite::before::{BeforeError, Command, CommandError};
use crate::suite::calm::Calm;

/// A wait that nobody asks about.
const SHORT: Duration = Duration::from_secs(3);

#[derive(Debug, ClapArgs)]
pub(super) struct BetweenArgs {
    /// What puts the data back before each run, if its scenario does not say put_back = false: a
    /// command with its arguments, run without a shell; what it says goes to before.log
    #[arg(long, value_name = "COMMAND")]
    before: Option<String>,
    /// How long to wait between runs until the target is as calm as before the first: until it
    /// answers as fast, and where it is on this machine, until that is as idle
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = humantime::parse_duration)]
    calm_within: Duration,
}

impl BetweenArgs {
    /// The command of `--before`, if there is one.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn command(&self) -> Result<Option<Command>, ConfigError> {
        match self.before.as_deref().map(str::parse) {
            None => Ok(None),
            Some(Ok(command)) => Ok(Some(command)),
            Some(Err(CommandError)) => {
                let message = CommandError.to_string();
                Err(ConfigError::Option { option: "--before", message })
            }
        }
    }
}

/// What runs that follow each other have in common.
pub(super) struct Between {
    command: Option<Command>,
    calm_within: Duration,
    log: PathBuf,
    runtime: Runtime,
    interrupts: watch::Receiver<Interrupt>,
    calm: Calm,
}

impl Between {
    /// Looks at the target of a run as it is before anything is sent; what `command` says goes to a
    /// file in `dir`.
    ///
    /// # Errors
    /// When there are no threads to be had.
    pub(super) fn new(
        args: &BetweenArgs,
        command: Option<Command>,
        dir: &Path,
        ready: &Ready,
        asks: bool,
        watch: impl FnOnce() -> std::io::Result<watch::Receiver<Interrupt>>,
    ) -> Result<Self, Error> {
        let interrupts = on_a_thread(watch).map_err(Error::Runtime)?;
        let runtime = runtime::build(Builder::new_current_thread()).map_err(Error::Runtime)?;
        let destination = ready.http.destination.clone();
        let calm = runtime.block_on(Calm::of(destination, ready.is_local, asks));
        let (calm_within, log) = (args.calm_within, dir.join("before.log"));
        Ok(Self { command, calm_within, log, runtime, interrupts, calm })
    }

    pub(super) fn interrupts(&self) -> watch::Receiver<Interrupt> {
        self.interrupts.clone()
    }

    /// The exit code of the signal that came; good if none did.
    pub(super) fn signal(&self) -> Exit {
        self.interrupts.borrow().exit()
    }

    /// Waits until the target is calm, and again when the data were put back, if they are to be.
    /// What is to be known where it did not become so.
    ///
    /// # Errors
    /// When a signal ends it, or the command does not end well.
    pub(super) fn ready_for_the_next(&mut self, put_back: bool) -> Result<Vec<String>, Error> {
        let mut notes = Vec::from_iter(self.wait()?);
        if let Some(command) = self.command.as_ref().filter(|_| put_back) {
            common::say!("replayer: before: {}", command.shown());
            let mut interrupts = self.interrupts.clone();
            let took = self.runtime.block_on(command.run(&self.log, &mut interrupts))?;
            common::say!("replayer: before: done in {:.1} s", took.as_secs_f64());
            // That of the wait that counts.
            notes = Vec::from_iter(self.wait()?);
        }
        Ok(notes)
    }

    fn wait(&self) -> Result<Option<String>, Error> {
        let mut interrupts = self.interrupts.clone();
        let waited = self.runtime.block_on(async {
            tokio::select! {
                biased;
                Ok(()) = interrupts.changed() => None,
                waited = self.calm.again(self.calm_within) => Some(waited),
            }
        });
        match waited {
            None => Err(BeforeError::Interrupted.into()),
            Some(Ok(waited)) if waited < SHORT => Ok(None),
            Some(Ok(waited)) => {
                let seconds = waited.as_secs_f64();
                common::say!("replayer: waited {seconds:.0} s for the target to be calm again");
                Ok(None)
            }
            Some(Err(why)) => {
                let note = format!("begun though the target was not calm as before: {why}");
                common::say!("replayer: {note}");
                Ok(Some(note))
            }
        }
    }
}

/// Signals are watched as long as the process lives, and not only while a runtime of a run does.
fn on_a_thread(
    watch: impl FnOnce() -> std::io::Result<watch::Receiver<Interrupt>>,
) -> std::io::Result<watch::Receiver<Interrupt>> {
    let runtime = runtime::build(Builder::new_current_thread())?;
    let interrupts = runtime.block_on(async { watch() })?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(std::future::pending::<()>());
    })?;
    Ok(interrupts)
}
