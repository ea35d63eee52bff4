//! Bodies without their content coding, to look into.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// A body that grows over this is not looked into.
const MAX_BYTES: u64 = 16 << 20;

/// None where the coding is unknown, the body damaged, or too large.
pub(super) fn decoded<'a>(body: &'a [u8], codings: &str) -> Option<Cow<'a, [u8]>> {
    let mut body = Cow::Borrowed(body);
    // The last one that was put on comes off first.
    for coding in codings.rsplit(',').map(str::trim) {
        body = match coding.to_ascii_lowercase().as_str() {
            "" | "identity" => body,
            "gzip" | "x-gzip" => all(MultiGzDecoder::new(&*body))?.into(),
            // With the wrapper that the standard asks for, or without it, as some send it.
            "deflate" => {
                all(ZlibDecoder::new(&*body)).or_else(|| all(DeflateDecoder::new(&*body)))?.into()
            }
            "br" => all(brotli_decompressor::Decompressor::new(&*body, 4096))?.into(),
            "zstd" => all(zstd::Decoder::new(&*body).ok()?)?.into(),
            _ => return None,
        };
    }
    Some(body)
}

fn all(reader: impl Read) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let length = reader.take(MAX_BYTES + 1).read_to_end(&mut bytes).ok()?;
    (length as u64 <= MAX_BYTES).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    #[test]
    fn what_was_coded_comes_back() {
        let text = b"{\"a\": 1}";
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(text).unwrap();
        zlib.write_all(text).unwrap();
        bare.write_all(text).unwrap();
        let gzip = gzip.finish().unwrap();
        let both = zstd::encode_all(&*gzip, 1).unwrap();
        for (body, codings) in [
            (text.to_vec(), ""),
            (text.to_vec(), "identity"),
            (gzip, "gzip"),
            (zlib.finish().unwrap(), "deflate"),
            (bare.finish().unwrap(), "Deflate"),
            (both, "gzip, zstd"),
        ] {
            assert_eq!(decoded(&body, codings).as_deref(), Some(&text[..]), "{codings}");
        }
        assert_eq!(decoded(text, "gzip"), None);
        assert_eq!(decoded(text, "new"), None);
    }

    #[test]
    fn a_small_body_that_grows_large_is_not_looked_into() {
        let bomb = zstd::encode_all(std::io::repeat(0).take(MAX_BYTES + 1), 1).unwrap();
        assert!(bomb.len() < 1 << 16);
        assert_eq!(decoded(&bomb, "zstd"), None);
    }
}
