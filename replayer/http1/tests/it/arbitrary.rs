//! Bytes that nobody should send.

use http1::framing::decode_all;
use http1::{Limits, Method};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::decode_in_pieces;

/// Pieces of answers, which random bytes alone would hardly ever form.
const PIECES: &[&[u8]] = &[
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 204\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"Content-Length: 3\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"A: b\r\n c\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"3\r\nabc\r\n",
    b"0\r\n",
    b"ffffffffffffffff\r\n",
    b"; ext=\"\"\r\n",
    b":",
];

fn noise() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => select(PIECES).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..20),
    ];
    vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

/// An answer that is right but for a few bytes.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let right = select(vec![
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec(),
        b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nConnection: keep-alive, close\r\n\r\nuntil the end".to_vec(),
    ]);
    (right, vec((any::<Index>(), any::<u8>()), 0..4)).prop_map(|(mut bytes, damage)| {
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Never a panic, never an endless loop, and never another answer because
    /// of where the bytes were split.
    #[test]
    fn any_bytes_are_read_the_same_however_they_are_split(
        bytes in prop_oneof![noise(), damaged(), vec(any::<u8>(), 0..200)],
        cuts in vec(any::<Index>(), 0..8),
        method in select(vec![Method::Head, Method::Other]),
        small in any::<bool>(),
    ) {
        let limits = if small {
            Limits { head_bytes: 80, line_bytes: 30, chunk_line_bytes: 8 }
        } else {
            Limits::default()
        };
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let whole = decode_all(&bytes, method, limits);
        let split = decode_in_pieces(&bytes, cuts, method, limits);
        // Which of several faults is met first may depend on the pieces.
        prop_assert_eq!(whole.as_ref().ok(), split.as_ref().ok(), "{:?} {:?}", whole, split);
        if let Ok(decoded) = whole {
            prop_assert!((200..1000).contains(&decoded.answer.status));
            prop_assert!(decoded.used <= bytes.len());
            prop_assert!(decoded.answer.body.len() <= bytes.len());
        }
    }
}
