//! Content codings, there and back.

use std::borrow::Cow;
use std::io::Read;

use common_net::coding::{DecodeError, decode, decode_beginning};
use flate2::Compression;
use flate2::read::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const CAP: usize = 1 << 20;

fn encode(coding: &str, body: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    let level = Compression::default();
    match coding {
        "gzip" | "x-gzip" => GzEncoder::new(body, level).read_to_end(&mut encoded).unwrap(),
        "deflate" => ZlibEncoder::new(body, level).read_to_end(&mut encoded).unwrap(),
        "raw deflate" => DeflateEncoder::new(body, level).read_to_end(&mut encoded).unwrap(),
        "zstd" => return zstd::encode_all(body, 0).unwrap(),
        _ => return body.to_vec(),
    };
    encoded
}

proptest! {
    #[test]
    fn what_was_coded_comes_back(
        body in vec(any::<u8>(), 0..2000),
        codings in vec(select(vec!["gzip", "x-gzip", "deflate", "raw deflate", "zstd", "identity"]), 0..4),
    ) {
        let mut coded = body.clone();
        for coding in &codings {
            coded = encode(coding, &coded);
        }
        let header = codings.join(" , ").replace("raw deflate", "Deflate");
        prop_assert_eq!(decode(header.as_bytes(), &coded, CAP).unwrap(), body);
    }

    #[test]
    fn of_what_was_cut_short_the_beginning_comes_back(
        coding in select(vec!["gzip", "deflate", "raw deflate", "zstd", "identity"]),
        body in vec(any::<u8>(), 0..5000), cut in any::<prop::sample::Index>(), cap in 0_usize..6000,
    ) {
        let coded = encode(coding, &body);
        let coding = coding.trim_start_matches("raw ").as_bytes();
        let whole = decode_beginning(coding, &coded, cap).unwrap();
        prop_assert_eq!(&*whole, &body[..body.len().min(cap)]);
        let cut = &coded[..cut.index(coded.len() + 1)];
        if let Ok(beginning) = decode_beginning(coding, cut, cap) {
            prop_assert!(beginning.len() <= cap && body.starts_with(&beginning));
        }
    }

    #[test]
    fn damage_is_never_a_panic(
        coding in select(vec!["gzip", "deflate", "br", "zstd"]),
        body in vec(any::<u8>(), 0..200),
    ) {
        match decode(coding.as_bytes(), &body, 1000) {
            Ok(decoded) => prop_assert!(decoded.len() <= 1000),
            Err(DecodeError::Damaged { .. } | DecodeError::TooLarge { cap: 1000 }) => {}
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }
}

/// `hello hello hello`, compressed by Node's zlib.
const BROTLI_HELLO: &str = "1b1000f88d946ede445586966c206f014f1c601c";
/// 1 MiB of `a`, likewise.
const BROTLI_MEBIBYTE: &str = "5bffff8f5f222c1e0b0472ef1f00";

fn hex(digits: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(digit).collect()
}

#[test]
fn brotli_is_decoded() {
    assert_eq!(*decode(b"br", &hex(BROTLI_HELLO), CAP).unwrap(), *b"hello hello hello");
    let brotli = hex(BROTLI_MEBIBYTE);
    let mebibyte = decode(b"BR", &brotli, CAP).unwrap();
    assert!(mebibyte.len() == CAP && mebibyte.iter().all(|&byte| byte == b'a'));
}

#[test]
fn a_small_body_that_grows_large_stops_at_the_cap() {
    let zeros = vec![0; 10 << 20];
    for coding in ["gzip", "deflate", "zstd"] {
        let error = decode(coding.as_bytes(), &encode(coding, &zeros), CAP).unwrap_err();
        assert!(matches!(error, DecodeError::TooLarge { cap: CAP }), "{coding}: {error:?}");
    }
    let brotli = hex(BROTLI_MEBIBYTE);
    assert!(matches!(decode(b"br", &brotli, CAP - 1), Err(DecodeError::TooLarge { .. })));
    // The cap holds between the codings too.
    let twice = encode("gzip", &encode("gzip", &zeros));
    assert!(matches!(decode(b"gzip, gzip", &twice, 5000), Err(DecodeError::TooLarge { .. })));
    let header = vec!["gzip"; 8000].join(",");
    assert!(matches!(decode(header.as_bytes(), &twice, CAP), Err(DecodeError::TooMany)));
    assert!(matches!(decode_beginning(header.as_bytes(), &twice, CAP), Err(DecodeError::TooMany)));
    assert!(matches!(decode(b"", &zeros, CAP), Err(DecodeError::TooLarge { .. })));
}

#[test]
fn a_body_exactly_at_the_cap_passes() {
    let body = vec![7; 1000];
    for coding in ["gzip", "deflate", "zstd", ""] {
        assert_eq!(decode(coding.as_bytes(), &encode(coding, &body), 1000).unwrap(), body);
    }
}

#[test]
fn a_body_cut_short_is_damaged() {
    let body: Vec<u8> = (0..2000_u32).flat_map(u32::to_le_bytes).collect();
    for coding in ["gzip", "deflate", "raw deflate", "zstd"] {
        let coded = encode(coding, &body);
        let header = coding.trim_start_matches("raw ").as_bytes();
        for keep in [1, coded.len() / 2, coded.len() - 1] {
            let cut = decode(header, &coded[..keep], CAP);
            assert!(matches!(cut, Err(DecodeError::Damaged { .. })), "{coding} to {keep}: {cut:?}");
        }
    }
    let brotli = hex(BROTLI_HELLO);
    let cut = decode(b"br", &brotli[..brotli.len() / 2], CAP);
    assert!(matches!(cut, Err(DecodeError::Damaged { .. })), "{cut:?}");
}

#[test]
fn an_unknown_coding_is_named() {
    let error = decode(b"gzip, compress", b"x", CAP).unwrap_err();
    assert_eq!(
        error.to_string(),
        "content coding \"compress\" is not known; gzip, deflate, br and zstd are"
    );
}

#[test]
fn a_body_without_coding_is_not_copied() {
    assert!(matches!(decode(b"identity", b"as is", CAP), Ok(Cow::Borrowed(b"as is"))));
    assert!(matches!(decode(b"", b"as is", CAP), Ok(Cow::Borrowed(b"as is"))));
}

#[test]
fn an_empty_body_is_empty_in_every_coding() {
    for coding in ["gzip", "deflate", "br", "zstd"] {
        assert!(decode(coding.as_bytes(), b"", CAP).unwrap().is_empty(), "{coding}");
    }
}

#[test]
fn a_page_of_which_half_came_is_read_that_far() {
    let line = |number: u32| format!("line {number} of a page that says what went wrong\n");
    let page: String = (0..2000).map(line).collect();
    for coding in ["gzip", "deflate"] {
        let coded = encode(coding, page.as_bytes());
        let half = &coded[..coded.len() / 2];
        assert!(decode(coding.as_bytes(), half, CAP).is_err());
        let beginning = decode_beginning(coding.as_bytes(), half, CAP).unwrap();
        assert!(beginning.len() > page.len() / 4, "{} of {}", beginning.len(), page.len());
        assert!(page.as_bytes().starts_with(&beginning));
    }
    assert!(decode_beginning(b"gzip", b"no gzip", CAP).is_err());
}
