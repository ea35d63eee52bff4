use std::process::ExitCode;

use clap::Parser;
use common::exit::one_line;
use common::panics::contained;
use reporter::cli::Cli;

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
