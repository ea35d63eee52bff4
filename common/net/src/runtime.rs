//! The runtime of a tool.

use std::process::ExitCode;

use common::exit::Exit;
use tokio::runtime::Builder;

/// Runs a tool to its end. Where there is no runtime, for lack of descriptors for one, that is an
/// error as any other, and no panic.
pub fn run(tool: &str, mut builder: Builder, work: impl Future<Output = ExitCode>) -> ExitCode {
    match builder.enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => {
            common::say!("{tool}: cannot start: {error}");
            Exit::Internal.into()
        }
    }
}
