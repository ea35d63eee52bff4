//! Content codings, for the few answers that something is captured from.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("content coding {coding:?} is not known; gzip, deflate, br and zstd are")]
    Unknown { coding: String },
    #[error("body is not {coding}")]
    Damaged { coding: &'static str, source: io::Error },
    #[error("body has over {MOST_CODINGS} content codings")]
    TooMany,
    #[error("body is over {cap} bytes when decoded")]
    TooLarge { cap: usize },
}

/// Each step may take as long as a body of the cap does, and a head has room for thousands.
const MOST_CODINGS: usize = 4;

/// Frames that need more memory than this are refused (RFC 8878 section 3.1.1.1.2
/// asks for 8 MiB).
const ZSTD_WINDOW_LOG: u32 = 23;

/// Undoes the codings of a `Content-Encoding` value (several lines joined by
/// commas), the last one first. No step may give more than `cap` bytes.
///
/// # Errors
/// When a coding is not known, the body is not what it says, or grows over `cap`.
pub fn decode<'a>(
    content_encoding: &[u8],
    body: &'a [u8],
    cap: usize,
) -> Result<Cow<'a, [u8]>, DecodeError> {
    let mut body = Cow::Borrowed(body);
    for coding in codings(content_encoding)? {
        body = Cow::Owned(coding.undo(&body, cap)?);
    }
    if body.len() > cap { Err(DecodeError::TooLarge { cap }) } else { Ok(body) }
}

/// As [`decode`], of a body that was cut short or is large: its beginning, as far as that goes,
/// and at most `cap` bytes of it.
///
/// # Errors
/// When a coding is not known, or nothing of the body is what it says.
pub fn decode_beginning<'a>(
    content_encoding: &[u8],
    body: &'a [u8],
    cap: usize,
) -> Result<Cow<'a, [u8]>, DecodeError> {
    let mut body = Cow::Borrowed(body);
    for coding in codings(content_encoding)? {
        let mut beginning = Vec::new();
        let read = coding.read(&body, cap, &mut beginning);
        if let (Err(source), true, false) = (read, beginning.is_empty(), body.is_empty()) {
            return Err(DecodeError::Damaged { coding: coding.name(), source });
        }
        body = Cow::Owned(beginning);
    }
    Ok(match body {
        Cow::Borrowed(body) => Cow::Borrowed(&body[..body.len().min(cap)]),
        Cow::Owned(mut body) => {
            body.truncate(cap);
            Cow::Owned(body)
        }
    })
}

/// What is to be undone, in that order.
fn codings(content_encoding: &[u8]) -> Result<Vec<Coding>, DecodeError> {
    let mut found = Vec::new();
    for name in content_encoding.rsplit(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
        found.extend(Coding::named(name)?);
        if found.len() > MOST_CODINGS {
            return Err(DecodeError::TooMany);
        }
    }
    Ok(found)
}

#[derive(Clone, Copy)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// None for `identity` and for an empty list element.
    fn named(name: &[u8]) -> Result<Option<Self>, DecodeError> {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        Ok(match () {
            () if name.is_empty() || is("identity") => None,
            () if is("gzip") || is("x-gzip") => Some(Self::Gzip),
            () if is("deflate") => Some(Self::Deflate),
            () if is("br") => Some(Self::Brotli),
            () if is("zstd") => Some(Self::Zstd),
            () => {
                let coding = String::from_utf8_lossy(name).into_owned();
                return Err(DecodeError::Unknown { coding });
            }
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    fn undo(self, body: &[u8], cap: usize) -> Result<Vec<u8>, DecodeError> {
        let mut decoded = Vec::new();
        self.read(body, cap, &mut decoded)
            .map_err(|source| DecodeError::Damaged { coding: self.name(), source })?;
        if decoded.len() > cap { Err(DecodeError::TooLarge { cap }) } else { Ok(decoded) }
    }

    /// Appends what the body gives, up to where it is damaged.
    fn read(self, body: &[u8], cap: usize, decoded: &mut Vec<u8>) -> io::Result<()> {
        // An answer to HEAD, or with an empty body, names its coding all the same.
        if body.is_empty() {
            return Ok(());
        }
        match self {
            Self::Gzip => read_capped(MultiGzDecoder::new(body), cap, decoded),
            Self::Deflate if is_zlib(body) => read_capped(ZlibDecoder::new(body), cap, decoded),
            Self::Deflate => read_capped(DeflateDecoder::new(body), cap, decoded),
            Self::Brotli => {
                read_capped(brotli_decompressor::Decompressor::new(body, 4096), cap, decoded)
            }
            Self::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(body)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                read_capped(decoder, cap, decoded)
            }
        }
    }
}

/// At most one byte over the cap, which tells that there was more.
fn read_capped(reader: impl Read, cap: usize, decoded: &mut Vec<u8>) -> io::Result<()> {
    reader.take((cap as u64).saturating_add(1)).read_to_end(decoded).map(drop)
}

/// "deflate" is zlib by the RFC, and bare deflate by what many servers send
/// (RFC 9110 section 8.4.1.2): told apart by zlib's header.
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [method, flags, ..]
        if method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0)
}
