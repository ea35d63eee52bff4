//! How a secret may be written, and what each way of writing it is looked for by.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

/// A spelling is looked for by its last bytes, because tokens of one issuer begin alike. Those of
/// the shortest are fewer.
pub(crate) const TAIL: usize = 8;
pub(crate) const SHORT_TAIL: usize = 6;

/// How a secret may be written, once escapes are taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    Raw,
    /// With `+` for each space.
    Plus,
    /// Within base64, by where in a group of three it begins.
    Base64(usize),
    Base64Url(usize),
    Hex,
    UpperHex,
    /// ASCII characters with zero bytes between them, as either order of bytes has them.
    Utf16,
}

pub(crate) const SPELLINGS: [Spelling; 11] = [
    Spelling::Raw,
    Spelling::Plus,
    Spelling::Base64(0),
    Spelling::Base64(1),
    Spelling::Base64(2),
    Spelling::Base64Url(0),
    Spelling::Base64Url(1),
    Spelling::Base64Url(2),
    Spelling::Hex,
    Spelling::UpperHex,
    Spelling::Utf16,
];

impl Spelling {
    /// None where the secret is not spelled so, or as it is spelled otherwise.
    pub(crate) fn of(self, secret: &str) -> Option<Cow<'_, [u8]>> {
        let owned = |text: String| Some(Cow::Owned(text.into_bytes()));
        match self {
            Self::Raw => Some(Cow::Borrowed(secret.as_bytes())),
            Self::Plus if secret.contains(' ') => owned(secret.replace(' ', "+")),
            Self::Plus => None,
            Self::Base64(before) => owned(base64_of(secret, before, false)),
            Self::Base64Url(before) => {
                let url = base64_of(secret, before, true);
                url.contains(['-', '_']).then(|| owned(url)).flatten()
            }
            Self::Hex => owned(::common::digest::hex(secret.as_bytes())),
            Self::UpperHex => owned(::common::digest::hex(secret.as_bytes()).to_ascii_uppercase()),
            Self::Utf16 if secret.is_ascii() => {
                let units = secret.bytes().flat_map(|byte| [byte, 0]);
                Some(units.take(2 * secret.len() - 1).collect())
            }
            Self::Utf16 => None,
        }
    }

    /// Whether letters around it would go on with it.
    pub(crate) fn is_plain(self) -> bool {
        matches!(self, Self::Raw | Self::Plus | Self::Hex | Self::UpperHex)
    }
}

/// What base64 of a longer text has within it where the secret stands behind so many bytes.
fn base64_of(secret: &str, before: usize, url: bool) -> String {
    let padded = [&b"\0\0"[..before], secret.as_bytes()].concat();
    // Characters that share bits with what stands before or after say nothing.
    let (first, end) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
    let alphabet = if url { &BASE64_URL_SAFE_NO_PAD } else { &BASE64_STANDARD_NO_PAD };
    alphabet.encode(&padded)[first..end].to_owned()
}

/// What a spelling is looked for by, and whether it is a short one.
pub(crate) fn tail(spelling: &[u8]) -> Option<(bool, u64)> {
    let last = |count: usize| {
        spelling[spelling.len() - count..].iter().fold(0, |tail, byte| tail << 8 | u64::from(*byte))
    };
    match spelling.len() {
        TAIL.. => Some((false, last(TAIL))),
        SHORT_TAIL.. => Some((true, short(last(SHORT_TAIL)))),
        _ => None,
    }
}

/// A number below 1,024 for the last three bytes of a window.
pub(crate) fn end_of(window: u64) -> usize {
    ((window & 0xff_ffff).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize
}

/// The last bytes of a window, never the same as a longer tail of text.
pub(crate) fn short(window: u64) -> u64 {
    window & ((1 << (8 * SHORT_TAIL)) - 1) | 0xff << 56
}
