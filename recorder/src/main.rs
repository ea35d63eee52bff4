use std::process::ExitCode;

use clap::Parser;
use common::exit::one_line;
use common_net::signals::Signals;
use recorder::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    let signals = Signals::default();
    match Cli::parse().run(|| signals.listen()).await {
        Ok(exit) => signals.exit().or(exit).into(),
        Err(error) => {
            common::say!("{}", one_line("recorder", &error));
            error.exit().into()
        }
    }
}
