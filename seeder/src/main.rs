use std::process::ExitCode;

use clap::Parser;
use seeder::cli::Cli;
use seeder::exit::one_line;

mod signals;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let signals = signals::Signals::default();
    match Cli::parse().run(|| signals.listen()).await {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("{}", one_line("seeder", &error));
            signals.exit().or(error.exit()).into()
        }
    }
}
