use std::process::ExitCode;

use clap::Parser;
use recorder::cli::Cli;
use seeder::exit::one_line;

mod signals;

#[tokio::main]
async fn main() -> ExitCode {
    let signals = signals::Signals::default();
    match Cli::parse().run(|| signals.listen()).await {
        Ok(exit) => signals.exit().or(exit).into(),
        Err(error) => {
            eprintln!("{}", one_line("recorder", &error));
            error.exit().into()
        }
    }
}
