//! The runtime of a tool.

use std::fs::File;
use std::io;
use std::process::ExitCode;

use common::exit::Exit;
use tokio::runtime::Builder;

/// What a runtime, its signals and the first files and connections take.
const DESCRIPTORS: usize = 16;

/// Runs a tool to its end. Where there is no runtime, for lack of descriptors or threads, that is
/// an error as any other, and no panic.
pub fn run(tool: &str, mut builder: Builder, work: impl Future<Output = ExitCode>) -> ExitCode {
    match spare_descriptors().and_then(|()| builder.enable_all().build()) {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => {
            common::say!("{tool}: cannot start: {error}");
            Exit::Internal.into()
        }
    }
}

/// Tried beforehand, because tokio panics where it gets none for its signals.
fn spare_descriptors() -> io::Result<()> {
    let held: io::Result<Vec<File>> = (0..DESCRIPTORS).map(|_| File::open("/dev/null")).collect();
    held.map(drop)
}
