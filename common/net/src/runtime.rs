//! The runtime of a tool.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;

use common::exit::Exit;
use tokio::runtime::{Builder, Runtime};

/// What a runtime, its signals and the first files and connections take.
const DESCRIPTORS: usize = 16;

/// What a runtime takes beside the stacks of its threads, with room to spare.
const BYTES: usize = 16 << 20;

/// A runtime; where it would panic while it is built or later, for lack of descriptors, threads
/// or memory, that is an error.
///
/// # Errors
/// When there are too few descriptors, threads, or bytes.
pub fn build(mut builder: Builder) -> io::Result<Runtime> {
    spare_descriptors()?;
    spare_threads()?;
    builder.enable_all().build()
}

/// Runs a tool to its end. Where there is no runtime, for lack of descriptors or threads, that is
/// an error as any other, and no panic.
pub fn run(tool: &str, builder: Builder, work: impl Future<Output = ExitCode>) -> ExitCode {
    match build(builder) {
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

/// As many threads at once as a runtime begins with, and memory: where it gets none, tokio panics
/// and then waits for ever.
fn spare_threads() -> io::Result<()> {
    let count = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let gate = Mutex::new(());
    // As the stack of one more: what the allocator once gave, it would keep for later.
    let beside = [thread::Builder::new().stack_size(BYTES)];
    let builders = (0..count).map(|_| thread::Builder::new()).chain(beside);
    thread::scope(|scope| {
        let closed = gate.lock();
        let held: io::Result<Vec<_>> =
            builders.map(|thread| thread.spawn_scoped(scope, || drop(gate.lock()))).collect();
        drop(closed);
        held.map(drop)
    })
}
