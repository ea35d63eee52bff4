//! What RFC 9112 says about answers, as a table; every answer is also split at
//! every byte, which must change nothing.

use std::fmt::Write;

use http1::framing::decode_all;
use http1::{FramingError, Limits, Method};

use super::decode_in_pieces;

const KEPT: bool = true;
const CLOSED: bool = false;

/// One answer that is right: after it, `left` bytes are not part of it.
struct Right {
    name: &'static str,
    method: Method,
    bytes: &'static [u8],
    status: u16,
    body: &'static [u8],
    kept: bool,
    left: usize,
}

const fn get(
    name: &'static str,
    bytes: &'static [u8],
    status: u16,
    body: &'static [u8],
    kept: bool,
) -> Right {
    Right { name, method: Method::Other, bytes, status, body, kept, left: 0 }
}

#[rustfmt::skip]
const RIGHT: &[Right] = &[
    get("length", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", KEPT),
    get("length zero", b"HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", 200, b"", KEPT),
    get("length with leading zeros", b"HTTP/1.1 200 OK\r\nContent-Length: 0005\r\n\r\nhello", 200, b"hello", KEPT),
    get("no reason phrase", b"HTTP/1.1 404\r\nContent-Length: 1\r\n\r\nx", 404, b"x", KEPT),
    get("empty reason phrase", b"HTTP/1.1 404 \r\nContent-Length: 1\r\n\r\nx", 404, b"x", KEPT),
    get("bare line feeds", b"HTTP/1.1 200 OK\nContent-Length: 1\n\nx", 200, b"x", KEPT),
    get("empty lines before", b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, b"x", KEPT),
    get("unknown status", b"HTTP/1.1 799 Odd\r\nContent-Length: 1\r\n\r\nx", 799, b"x", KEPT),
    get("no headers", b"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, b"until the end", CLOSED),
    get("close-delimited and empty", b"HTTP/1.1 200 OK\r\n\r\n", 200, b"", CLOSED),
    get("Connection: close", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, b"x", CLOSED),
    get("close among other options", b"HTTP/1.1 200 OK\r\nConnection: X-Hop , CLOSE\r\nContent-Length: 1\r\n\r\nx", 200, b"x", CLOSED),
    get("close on a second line", b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, b"x", CLOSED),
    get("closed is not close", b"HTTP/1.1 200 OK\r\nConnection: closed\r\nContent-Length: 1\r\n\r\nx", 200, b"x", KEPT),
    get("1.0 closes", b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, b"x", CLOSED),
    get("1.0 with keep-alive", b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx", 200, b"x", KEPT),
    get("same length twice", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", KEPT),
    get("same length in a list", b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", 200, b"ok", KEPT),
    get("204", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", KEPT),
    Right { name: "204 with a length", method: Method::Other, bytes: b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc", status: 204, body: b"", kept: KEPT, left: 3 },
    get("304 with a length", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 300\r\n\r\n", 304, b"", KEPT),
    get("304 chunked", b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", 304, b"", KEPT),
    Right { name: "HEAD with a length", method: Method::Head, bytes: b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n", status: 200, body: b"", kept: KEPT, left: 0 },
    Right { name: "HEAD chunked", method: Method::Head, bytes: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", status: 200, body: b"", kept: KEPT, left: 0 },
    Right { name: "HEAD without either", method: Method::Head, bytes: b"HTTP/1.1 200 OK\r\n\r\n", status: 200, body: b"", kept: KEPT, left: 0 },
    get("100 first", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, b"x", KEPT),
    get("several interim answers", b"HTTP/1.1 100\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nContent-Length: 9\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx", 201, b"x", KEPT),
    get("chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n5\r\npedia\r\n0\r\n\r\n", 200, b"wikipedia", KEPT),
    get("chunked and empty", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, b"", KEPT),
    get("chunk sizes in both cases with zeros", b"HTTP/1.1 200 OK\r\ntransfer-encoding:\tChunked \r\n\r\n000a\r\n0123456789\r\nA\r\nabcdefghij\r\n000\r\n\r\n", 200, b"0123456789abcdefghij", KEPT),
    get("chunk extensions", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b;c=\"d;e\"\r\nx\r\n1 ; f\r\ny\r\n0;last\r\n\r\n", 200, b"xy", KEPT),
    get("white space after the chunk size", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1 \t\r\nx\r\n0  \r\n\r\n", 200, b"x", KEPT),
    get("trailers", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n1\r\nx\r\n0\r\nA: b\r\nContent-Length: 7\r\n\r\n", 200, b"x", KEPT),
    get("chunk that looks like an end", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", 200, b"\r\n0\r\n\r\n", KEPT),
    get("another coding, then chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip;q=1, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 200, b"x", KEPT),
    get("codings on two lines", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: , chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 200, b"x", KEPT),
    get("another coding alone", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", 200, b"abc", CLOSED),
    get("chunked not last", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nabc", 200, b"abc", CLOSED),
    get("chunked and a length", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 200, b"x", CLOSED),
    get("chunked and a broken length", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n1\r\nx\r\n0\r\n\r\n", 200, b"x", CLOSED),
    get("chunked in 1.0", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 200, b"x", CLOSED),
    get("chunked and close", b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 200, b"x", CLOSED),
    get("folded header", b"HTTP/1.1 200 OK\r\nA: b\r\n  c\r\n\td\r\nContent-Length: \r\n 1\r\n\r\nx", 200, b"x", KEPT),
    get("folded trailer", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n c\r\n\r\n", 200, b"", KEPT),
    get("bytes above ASCII in a value", b"HTTP/1.1 200 OK\r\nA: \xe9\r\nContent-Length: 1\r\n\r\nx", 200, b"x", KEPT),
    Right { name: "bytes after the answer", method: Method::Other, bytes: b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n", status: 200, body: b"x", kept: KEPT, left: 17 },
    Right { name: "bytes after the last chunk", method: Method::Other, bytes: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\r\n", status: 200, body: b"", kept: KEPT, left: 2 },
];

type Reason = fn(&FramingError) -> bool;

const HEAD: Reason = |error| matches!(error, FramingError::Head { .. });
const LENGTH: Reason = |error| matches!(error, FramingError::Length);
const CONFLICT: Reason = |error| matches!(error, FramingError::ConflictingLengths);
const SIZE: Reason = |error| matches!(error, FramingError::ChunkSize);
const CHUNK_END: Reason = |error| matches!(error, FramingError::ChunkEnd);
const TRAILER: Reason = |error| matches!(error, FramingError::Trailer { .. });
const CUT: Reason = |error| matches!(error, FramingError::Incomplete);

#[rustfmt::skip]
const WRONG: &[(&str, &[u8], Reason)] = &[
    ("nothing", b"", CUT),
    ("cut in the status line", b"HTTP/1.1 20", CUT),
    ("cut in the head", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n", CUT),
    ("cut after an interim answer", b"HTTP/1.1 100 Continue\r\n\r\n", CUT),
    ("short body", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", CUT),
    ("cut before the chunk size", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", CUT),
    ("cut in a chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell", CUT),
    ("cut before the last chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", CUT),
    ("cut before the trailers", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", CUT),
    ("cut in the trailers", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n", CUT),
    ("another protocol", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", HEAD),
    ("HTTP/2", b"HTTP/2 200\r\n\r\n", HEAD),
    ("HTTP/1.2", b"HTTP/1.2 200 OK\r\n\r\n", HEAD),
    ("status of two digits", b"HTTP/1.1 20 OK\r\n\r\n", HEAD),
    ("status of four digits", b"HTTP/1.1 2000 OK\r\n\r\n", HEAD),
    ("status below 100", b"HTTP/1.1 099 Odd\r\n\r\n", |error| matches!(error, FramingError::Status { status: 99 })),
    ("101", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", |error| matches!(error, FramingError::Upgraded)),
    ("header without a colon", b"HTTP/1.1 200 OK\r\nContent-Length\r\n\r\n", HEAD),
    ("header without a name", b"HTTP/1.1 200 OK\r\n: x\r\n\r\n", HEAD),
    ("space before the colon", b"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx", HEAD),
    ("NUL in a value", b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", HEAD),
    ("bare CR in a value", b"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", HEAD),
    ("negative length", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", LENGTH),
    ("length with a sign", b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx", LENGTH),
    ("length in hexadecimal", b"HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\nx", LENGTH),
    ("length with a unit", b"HTTP/1.1 200 OK\r\nContent-Length: 1 B\r\n\r\nx", LENGTH),
    ("empty length", b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", LENGTH),
    ("empty length in a list", b"HTTP/1.1 200 OK\r\nContent-Length: 1,\r\n\r\nx", LENGTH),
    ("length over 64 bits", b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n", LENGTH),
    ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy", CONFLICT),
    ("two lengths in a list", b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nxy", CONFLICT),
    ("chunked twice", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", |error| matches!(error, FramingError::ChunkedTwice)),
    ("chunk without a size", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\nx\r\n0\r\n\r\n", SIZE),
    ("chunk with only an extension", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n;a\r\n", SIZE),
    ("chunk size is no number", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", SIZE),
    ("chunk size with a prefix", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n", SIZE),
    ("chunk size with a sign", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n", SIZE),
    ("chunk size with a space before", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 1\r\nx\r\n", SIZE),
    ("chunk size in two parts", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1 1\r\nx\r\n", SIZE),
    ("chunk size over 64 bits", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n", SIZE),
    ("chunk line with a bare line feed", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n", SIZE),
    ("line feed in a chunk extension", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a\nx\r\n0\r\n\r\n", SIZE),
    ("bare CR in a chunk line", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\rx\r\n", SIZE),
    ("chunk longer than its size", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n", CHUNK_END),
    ("chunk ended by a bare line feed", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\n0\r\n\r\n", CHUNK_END),
    ("trailer without a colon", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHTTP/1.1 200 OK\r\n\r\n", TRAILER),
];

#[test]
fn right_answers_are_read_as_the_rfc_says_wherever_they_are_split() {
    let limits = Limits::default();
    for right in RIGHT {
        let whole = decode_all(right.bytes, right.method, limits)
            .unwrap_or_else(|error| panic!("{}: {error}", right.name));
        assert_eq!(whole.answer.status, right.status, "{}", right.name);
        assert_eq!(whole.answer.body, right.body, "{}", right.name);
        assert_eq!(whole.persistent, right.kept, "{}", right.name);
        assert_eq!(right.bytes.len() - whole.used, right.left, "{}", right.name);
        for cut in 0..=right.bytes.len() {
            let split = decode_in_pieces(right.bytes, [cut], right.method, limits);
            assert_eq!(split.as_ref(), Ok(&whole), "{} split at {cut}", right.name);
        }
        let bytewise = decode_in_pieces(right.bytes, 0..right.bytes.len(), right.method, limits);
        assert_eq!(bytewise, Ok(whole), "{} byte by byte", right.name);
    }
}

#[test]
fn wrong_answers_are_refused_for_the_right_reason_wherever_they_are_split() {
    let limits = Limits::default();
    for (name, bytes, reason) in WRONG {
        let refused = |split: Result<_, FramingError>, how: &str| match split {
            Err(error) => assert!(reason(&error), "{name} {how}: {error}"),
            Ok(decoded) => panic!("{name} {how}: {decoded:?}"),
        };
        refused(decode_all(bytes, Method::Other, limits), "whole");
        for cut in 0..=bytes.len() {
            refused(
                decode_in_pieces(bytes, [cut], Method::Other, limits),
                &format!("split at {cut}"),
            );
        }
        refused(decode_in_pieces(bytes, 0..bytes.len(), Method::Other, limits), "byte by byte");
    }
}

#[test]
fn folded_values_reach_the_sink_on_one_line() {
    let folded = b"HTTP/1.1 200 OK\r\nA: b\r\n  c\r\nContent-Length: 0\r\n\r\n";
    let decoded = decode_all(folded, Method::Other, Limits::default()).unwrap();
    assert_eq!(decoded.answer.headers[0], ("A".to_owned(), b"b    c".to_vec()));
}

#[test]
fn interim_heads_never_reach_the_sink() {
    let early =
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\nA: b\r\n\r\n";
    let decoded = decode_all(early, Method::Other, Limits::default()).unwrap();
    assert_eq!(decoded.answer.headers, [("A".to_owned(), b"b".to_vec())]);
}

/// At the limit it passes, one byte over it is refused, whole and byte by byte.
fn assert_limit(at: &[u8], over: &[u8], limits: Limits, is_limit: fn(&FramingError) -> bool) {
    for pieces in [0, usize::MAX] {
        let decode = |bytes: &[u8]| {
            decode_in_pieces(bytes, 0..pieces.min(bytes.len()), Method::Other, limits)
        };
        decode(at).unwrap_or_else(|error| panic!("at the limit: {error}"));
        let error = decode(over).expect_err("over the limit");
        assert!(is_limit(&error), "{error}");
    }
}

#[test]
fn heads_are_limited_with_all_interim_heads_and_trailers() {
    let limits = Limits { head_bytes: 64, ..Limits::default() };
    let is_limit = |error: &FramingError| matches!(error, FramingError::HeadTooLong { limit: 64 });
    let head = |bytes: usize| {
        let fixed = "HTTP/1.1 204 N\r\nA: \r\n\r\n".len();
        format!("HTTP/1.1 204 N\r\nA: {}\r\n\r\n", "x".repeat(bytes - fixed)).into_bytes()
    };
    assert_limit(&head(64), &head(65), limits, is_limit);

    let interim = b"HTTP/1.1 100 C\r\n\r\n";
    let with_interim = |bytes: usize| [interim.as_slice(), &head(bytes - interim.len())].concat();
    assert_limit(&with_interim(64), &with_interim(65), limits, is_limit);

    let chunked = "HTTP/1.1 200 O\r\nTransfer-Encoding:chunked\r\n\r\n";
    let trailer = |bytes: usize| {
        let value = "x".repeat(bytes - chunked.len() - "A: \r\n\r\n".len());
        format!("{chunked}1\r\nx\r\n0\r\nA: {value}\r\n\r\n").into_bytes()
    };
    assert_limit(&trailer(64), &trailer(65), limits, is_limit);
}

#[test]
fn a_head_without_end_is_refused_once_it_is_over_the_limit() {
    let mut decoder = http1::framing::Decoder::new(Method::Other, Limits::default());
    let mut fed = 0;
    let mut sink = http1::Discard;
    decoder.feed(b"HTTP/1.1 200 OK\r\nA: ", &mut sink).unwrap();
    let error = loop {
        fed += 1000;
        assert!(fed < 100_000, "still taken");
        if let Err(error) = decoder.feed(&[b'x'; 1000], &mut sink) {
            break error;
        }
    };
    assert_eq!(error, FramingError::HeadTooLong { limit: 65_536 });
}

#[test]
fn header_lines_are_limited() {
    let limits = Limits { line_bytes: 10, ..Limits::default() };
    assert_limit(
        b"HTTP/1.1 204 N\r\nA: 123456789\r\n\r\n",
        b"HTTP/1.1 204 N\r\nA: 1234567890\r\n\r\n",
        limits,
        |error| matches!(error, FramingError::LineTooLong { limit: 10 }),
    );
}

#[test]
fn header_fields_are_limited_in_number() {
    let head = |count: usize| {
        let mut head = "HTTP/1.1 204 N\r\n".to_owned();
        for number in 0..count {
            write!(head, "h{number}: x\r\n").unwrap();
        }
        (head + "\r\n").into_bytes()
    };
    assert_limit(&head(100), &head(101), Limits::default(), |error| {
        matches!(error, FramingError::Head { source: httparse::Error::TooManyHeaders })
    });
}

#[test]
fn chunk_lines_are_limited() {
    let limits = Limits { chunk_line_bytes: 10, ..Limits::default() };
    let answer = |extension: &str| {
        // Two chunks: each line has the limit for itself.
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;{extension}\r\nx\r\n1;{extension}\r\ny\r\n0\r\n\r\n"
        )
        .into_bytes()
    };
    assert_limit(&answer("123456"), &answer("1234567"), limits, |error| {
        matches!(error, FramingError::ChunkLineTooLong { limit: 10 })
    });
    let zeros = |count: usize| {
        let size = "0".repeat(count);
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\n\r\n").into_bytes()
    };
    assert_limit(&zeros(8), &zeros(9), limits, |error| {
        matches!(error, FramingError::ChunkLineTooLong { limit: 10 })
    });
}
