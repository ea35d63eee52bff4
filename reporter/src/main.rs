use std::process::ExitCode;

use clap::Parser;
use common::exit::one_line;
use reporter::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("{}", one_line("reporter", &error));
            error.exit().into()
        }
    }
}
