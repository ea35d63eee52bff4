use std::process::ExitCode;

use clap::Parser;
use common::exit::one_line;
use common::panics::contained;
use reporter::cli::Cli;

/// Each interval of a run is read by one thread and freed by another: with the system's allocator
/// that takes a fifth longer.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    contained("reporter", work)
}

fn work() -> ExitCode {
    match Cli::parse().run() {
        Ok(exit) => exit.into(),
        Err(error) => {
            common::say!("{}", one_line("reporter", &error));
            error.exit().into()
        }
    }
}
