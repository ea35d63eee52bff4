//! A head or trailer section that comes in pieces.

/// Collects bytes up to and including the empty line that ends a section.
///
/// Each byte is looked at once however small the pieces are, and the memory is
/// given back as soon as the section is taken.
#[derive(Debug)]
pub(super) struct Section {
    bytes: Vec<u8>,
    seen: Seen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// Nothing but empty lines, which do not end a section.
    Nothing,
    Text,
    LineEnd,
    LineEndCr,
}

impl Section {
    /// Of a head, before which empty lines are skipped.
    pub(super) const fn head() -> Self {
        Self { bytes: Vec::new(), seen: Seen::Nothing }
    }

    /// Of trailers, which may be none: the first line may be the empty one.
    pub(super) const fn trailers() -> Self {
        Self { bytes: Vec::new(), seen: Seen::LineEnd }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes what belongs to the section: how many bytes that are, and the
    /// section once it is complete.
    pub(super) fn collect(&mut self, bytes: &[u8]) -> (usize, Option<Vec<u8>>) {
        let end = bytes.iter().position(|&byte| self.ends_with(byte));
        let used = end.map_or(bytes.len(), |at| at + 1);
        self.bytes.extend_from_slice(&bytes[..used]);
        (used, end.map(|_| std::mem::take(&mut self.bytes)))
    }

    fn ends_with(&mut self, byte: u8) -> bool {
        let (seen, ends) = match (self.seen, byte) {
            (Seen::Nothing, b'\r' | b'\n') => (Seen::Nothing, false),
            (Seen::LineEnd, b'\r') => (Seen::LineEndCr, false),
            (Seen::LineEnd | Seen::LineEndCr, b'\n') => (Seen::Nothing, true),
            (_, b'\n') => (Seen::LineEnd, false),
            _ => (Seen::Text, false),
        };
        self.seen = seen;
        ends
    }
}

/// Whether some line is continued on the next (obs-fold, RFC 9112 section 5.2).
pub(super) fn is_folded(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| matches!(pair, [b'\n', b' ' | b'\t']))
}

/// Replaces each fold by spaces, as the RFC asks of a user agent.
pub(super) fn unfold(bytes: &mut [u8]) {
    for at in 1..bytes.len() {
        if bytes[at - 1] == b'\n' && matches!(bytes[at], b' ' | b'\t') {
            bytes[at - 1] = b' ';
            if at >= 2 && bytes[at - 2] == b'\r' {
                bytes[at - 2] = b' ';
            }
        }
    }
}
