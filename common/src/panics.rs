//! Panics: a fault of the tool itself, told in one line, with the exit code of an internal fault.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::process::ExitCode;
use std::sync::OnceLock;

use crate::exit::Exit;

static FIRST: OnceLock<String> = OnceLock::new();

/// Has the place of the first panic kept, and told in one line as what `tool` says.
///
/// The message is left out: it may quote what was being looked at, such as a body.
pub fn tell_first_place(tool: &'static str) {
    set_hook(Box::new(move |panic| {
        let place =
            panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        // Of those that follow, the first is the cause.
        if FIRST.set(place.clone()).is_ok() {
            crate::say!("{tool}: a fault of the tool itself, at {place}");
        }
    }));
}

/// File, line and column of the first panic.
pub fn first_place() -> String {
    FIRST.get().cloned().unwrap_or_else(|| "an unknown place".to_owned())
}

/// Runs a tool to its end; a panic ends it as any other internal fault does.
pub fn contained(tool: &'static str, work: impl FnOnce() -> ExitCode) -> ExitCode {
    tell_first_place(tool);
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Exit::Internal.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_internal_fault_and_its_place_is_known() {
        let line = line!() + 1;
        let ended = contained("tool", || panic!("with a password"));
        assert_eq!(ended, Exit::Internal.into());
        assert!(first_place().contains(&format!("panics.rs:{line}:")), "{}", first_place());
        drop(std::panic::take_hook());
    }
}
