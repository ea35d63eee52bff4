//! From a trace to what the engine runs: sessions of ready-made requests.
//!
//! All that can be worked out before the start is worked out here: heads are
//! serialised, names become indices, bindings become slots, and each request
//! knows what it waits for.

mod ahead;
mod build;
mod draft;
mod overlap;
mod select;
mod session;
mod stream;
mod template;
mod trace;

pub use select::{LeftOut, Selection};
pub use session::{
    Body, Capture, CaptureFrom, MAX_CONNECTIONS, Offset, Recorded, Request, Session, Source, Wait,
};
pub use stream::{TraceStream, prepare_streamed};
pub use template::{Piece, Slot, Template};
pub use trace::{Bindings, PrepareError, Prepared, TracePersona, prepare};
