//! The HTTP/1.1 client: framing against a table, against hyper and against
//! arbitrary bytes; connections against real sockets.

mod arbitrary;
mod conformance;
mod connection;
mod cookies;
mod faults;
mod hyper;
mod local_limits;
mod peer;
mod tls;

use http1::framing::Decoded;
use http1::{Answer, FramingError, Limits, Method, framing};

/// Decodes `bytes` as if they had come in pieces that end at `cuts`.
fn decode_in_pieces(
    bytes: &[u8],
    cuts: impl IntoIterator<Item = usize>,
    method: Method,
    limits: Limits,
) -> Result<Decoded, FramingError> {
    let mut answer = Answer::default();
    let mut decoder = framing::Decoder::new(method, limits);
    let mut used = 0;
    let mut from = 0;
    for to in cuts.into_iter().chain([bytes.len()]) {
        let piece = &bytes[from..to];
        let taken = decoder.feed(piece, &mut answer)?;
        used += taken;
        assert!(taken == piece.len() || decoder.is_done(), "bytes left and not done");
        from = to;
    }
    decoder.end()?;
    Ok(Decoded { answer, persistent: decoder.is_persistent(), used })
}
