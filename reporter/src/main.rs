use std::process::ExitCode;

use clap::Parser;
use reporter::cli::Cli;
use seeder::exit::one_line;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("{}", one_line("reporter", &error));
            error.exit().into()
        }
    }
}
