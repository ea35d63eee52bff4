use std::process::ExitCode;

use clap::Parser;
use common::exit::one_line;
use common::panics::contained;
use common_net::runtime;
use common_net::signals::Signals;
use seeder::cli::Cli;
use tokio::runtime::Builder;

fn main() -> ExitCode {
    contained("seeder", || runtime::run("seeder", Builder::new_current_thread(), work()))
}

async fn work() -> ExitCode {
    let signals = Signals::default();
    match Cli::parse().run(|| signals.listen()).await {
        Ok(exit) => exit.into(),
        Err(error) => {
            common::say!("{}", one_line("seeder", &error));
            signals.exit().or(error.exit()).into()
        }
    }
}
