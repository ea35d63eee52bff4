use std::process::ExitCode;

use clap::Parser;
use common::exit::one_line;
use common::panics::contained;
use common_net::signals;
use replayer::cli::Cli;

/// A trace is many small pieces that are read by one thread and kept by another: with the
/// system's allocator a replay of a million requests takes twice as long to begin.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    contained("replayer", work)
}

fn work() -> ExitCode {
    match Cli::parse().run(signals::watch) {
        Ok(exit) => exit.into(),
        Err(error) => {
            common::say!("{}", one_line("replayer", &error));
            error.exit().into()
        }
    }
}
