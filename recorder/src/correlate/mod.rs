//! Exchanges as seen become lines of the trace: sessions told apart, values
//! that came from earlier answers bound to where they came from, secrets left out.

use crate::exchange::Exchange;
use crate::trace::format::Request;
use crate::trace::journal::LateCapture;
use crate::trace::shape::Shape;

/// What goes into the journal for one exchange.
pub(crate) struct Correlated {
    pub(crate) request: Request,
    /// Of the answer's body, if it was JSON; the journal gives it its digest.
    pub(crate) shape: Option<Shape>,
    /// Captures that earlier requests turn out to need, to be journaled before the request.
    pub(crate) captures: Vec<LateCapture>,
}

/// Knows the sessions; memory for each is bounded.
pub(crate) struct Correlator {}

impl Correlator {
    /// Takes an exchange in order of completion.
    pub(crate) fn take(&mut self, exchange: Exchange) -> Correlated {
        let _ = exchange;
        unimplemented!("being built")
    }
}
