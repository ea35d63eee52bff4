use std::process::ExitCode;

use clap::Parser;
use common::exit::one_line;
use common_net::signals::Signals;
use seeder::cli::Cli;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let signals = Signals::default();
    match Cli::parse().run(|| signals.listen()).await {
        Ok(exit) => exit.into(),
        Err(error) => {
            common::say!("{}", one_line("seeder", &error));
            signals.exit().or(error.exit()).into()
        }
    }
}
