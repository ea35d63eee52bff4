//! From a trace to what the engine runs: sessions of ready-made requests.
//!
//! All that can be worked out before the start is worked out here: heads are
//! serialised, names become indices, bindings become places left open, and each
//! request
//! knows what it waits for.

mod ahead;
mod build;
mod capture;
mod draft;
mod error;
mod line;
mod marked;
mod overlap;
mod places;
mod plan;
mod rewritten;
mod select;
mod serialise;
mod session;
mod stream;
mod template;
mod trace;

pub use capture::{Capture, CaptureFrom, Source};
pub use error::PrepareError;
pub use marked::Marked;
pub use plan::{Bindings, Prepared, TracePersona};
pub use rewritten::Rewritten;
pub use select::{LeftOut, Selection};
pub use session::{Body, MAX_CONNECTIONS, Offset, Recorded, Request, Session, Wait, link, number};
pub use stream::{TraceStream, prepare_streamed};
pub use template::{Origin, Piece, Template};
pub use trace::prepare;
