//! A request as bytes, with places left open for values.

use std::ops::Range;

use trace::format::{ClockFormat, Encoding, FreshId};
use trace::values::Place;

use super::capture::Source;

/// Literal bytes and what stands between them, in the order of sending.
///
/// Where no values stand, the head is one literal before the place of the cookies and the body
/// is another, so that most requests are one or two copies.
#[derive(Clone, Debug, Default)]
pub struct Template {
    literals: Vec<u8>,
    head: Vec<Piece>,
    body: Vec<Piece>,
    /// Whether a Content-Length belongs in the head.
    has_body: bool,
}

#[derive(Clone, Debug)]
pub enum Piece {
    Literal(Range<usize>),
    Value {
        from: Origin,
        encode: Encoding,
        place: Place,
    },
    /// The Cookie header, if the user has cookies for the path of the request.
    Cookies,
}

/// Where a value comes from that is known only when the request is sent.
#[derive(Clone, Debug)]
pub enum Origin {
    Captured(Source),
    /// The entity tag that an earlier answer had. Who has none asks for the whole.
    EntityTag(Source),
    /// Name of a field of the user's account.
    Account(String),
    Clock(ClockFormat),
    /// A new value: the same for the same key within a run of the session, and another in the next.
    Fresh {
        /// Hash of the key in the trace.
        key: u64,
        like: FreshId,
        /// It was made in the login, and is the user's in all runs.
        is_of_user: bool,
    },
    /// Name of a secret that is given from outside.
    Secret(String),
}

impl Template {
    pub(super) fn with_capacity(literals: usize, head: usize) -> Self {
        Self {
            literals: Vec::with_capacity(literals),
            head: Vec::with_capacity(head),
            ..Self::default()
        }
    }

    /// Where the captured values come from that it needs.
    pub fn captured(&self) -> impl Iterator<Item = Source> {
        self.head.iter().chain(&self.body).filter_map(|piece| match piece {
            Piece::Value { from: Origin::Captured(source) | Origin::EntityTag(source), .. } => {
                Some(*source)
            }
            _ => None,
        })
    }

    pub(super) fn head_literal(&mut self, bytes: &[u8]) {
        push_literal(&mut self.literals, &mut self.head, bytes);
    }

    pub(super) fn head_piece(&mut self, piece: Piece) {
        self.head.push(piece);
    }

    pub(super) fn body_literal(&mut self, bytes: &[u8]) {
        self.has_body = true;
        push_literal(&mut self.literals, &mut self.body, bytes);
    }

    pub(super) fn body_piece(&mut self, piece: Piece) {
        self.has_body = true;
        self.body.push(piece);
    }

    /// Writes the request to `out`, which is cleared first.
    ///
    /// `write` appends the value of a piece, encoded, and fails where there is none.
    /// `body` is scratch space, kept by the caller so that nothing is allocated here.
    ///
    /// # Errors
    /// What `write` fails with.
    pub fn render<'t, E>(
        &'t self,
        out: &mut Vec<u8>,
        body: &mut Vec<u8>,
        mut write: impl FnMut(&'t Piece, &mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        out.clear();
        self.render_pieces(&self.head, out, &mut write)?;
        if self.has_body {
            body.clear();
            self.render_pieces(&self.body, body, &mut write)?;
            out.extend_from_slice(b"Content-Length: ");
            write_decimal(out, body.len() as u64);
            out.extend_from_slice(b"\r\n\r\n");
            out.extend_from_slice(body);
        } else {
            out.extend_from_slice(b"\r\n");
        }
        Ok(())
    }

    fn render_pieces<'t, E>(
        &'t self,
        pieces: &'t [Piece],
        out: &mut Vec<u8>,
        write: &mut impl FnMut(&'t Piece, &mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        for piece in pieces {
            match piece {
                Piece::Literal(range) => out.extend_from_slice(&self.literals[range.clone()]),
                Piece::Value { .. } | Piece::Cookies => write(piece, out)?,
            }
        }
        Ok(())
    }

    /// Where the values that it needs come from.
    pub fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.head.iter().chain(&self.body).filter_map(|piece| match piece {
            Piece::Value { from, .. } => Some(from),
            Piece::Literal(_) | Piece::Cookies => None,
        })
    }
}

fn push_literal(literals: &mut Vec<u8>, pieces: &mut Vec<Piece>, bytes: &[u8]) {
    let start = literals.len();
    literals.extend_from_slice(bytes);
    match pieces.last_mut() {
        Some(Piece::Literal(range)) if range.end == start => range.end = literals.len(),
        _ if bytes.is_empty() => {}
        _ => pieces.push(Piece::Literal(start..literals.len())),
    }
}

/// Appends a number in decimal digits.
pub(super) fn write_decimal(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = number;
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_that_of_the_body_as_sent() {
        let mut template = Template::default();
        template.head_literal(b"POST /a/");
        template.head_piece(Piece::Value {
            from: Origin::Account("id".to_owned()),
            encode: Encoding::Raw,
            place: Place::Path,
        });
        template.head_literal(b" HTTP/1.1\r\n");
        template.head_literal(b"Host: h\r\n");
        template.body_literal(b"{\"e\":\"");
        template.body_piece(Piece::Value {
            from: Origin::Account("email".to_owned()),
            encode: Encoding::Json,
            place: Place::JsonString,
        });
        template.body_literal(b"\"}");
        let (mut out, mut body) = (vec![1, 2, 3], vec![]);
        template
            .render(&mut out, &mut body, |_, out| {
                out.extend_from_slice(b"12345");
                Ok::<_, ()>(())
            })
            .unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "POST /a/12345 HTTP/1.1\r\nHost: h\r\nContent-Length: 13\r\n\r\n{\"e\":\"12345\"}"
        );
    }

    #[test]
    fn decimals_are_those_of_the_standard_library() {
        for number in [0, 7, 10, 999, 1000, u64::MAX] {
            let mut out = Vec::new();
            write_decimal(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}
