use std::process::ExitCode;

use clap::Parser;
use common::exit::{Exit, one_line};
use common::panics::contained;
use common_net::runtime;
use common_net::signals::Signals;
use recorder::cli::Cli;
use tokio::runtime::Builder;

/// A recording is many small pieces: with the system's allocator a log takes a fifth longer.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    contained("recorder", || runtime::run("recorder", Builder::new_multi_thread(), work()))
}

async fn work() -> ExitCode {
    let signals = Signals::default();
    match Cli::parse().run(|| signals.listen_twice()).await {
        Ok(exit) => signals.exit().or(exit).into(),
        Err(error) => {
            common::say!("{}", one_line("recorder", &error));
            match error.exit() {
                // A login or a connection that the signal cut off is nobody's fault.
                Exit::Environment => signals.exit().or(Exit::Environment).into(),
                exit => exit.into(),
            }
        }
    }
}
