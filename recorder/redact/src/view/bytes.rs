//! Bytes as text, whatever they are.

use super::out::Out;

/// The characters of bytes that may be UTF-8, each with where it begins; other bytes are taken for
/// Latin-1.
pub(super) fn mixed(bytes: &[u8]) -> impl Iterator<Item = (usize, char)> {
    let mut at = 0;
    bytes.utf8_chunks().flat_map(move |chunk| {
        let start = at;
        let invalid = start + chunk.valid().len();
        at = invalid + chunk.invalid().len();
        let valid = chunk.valid().char_indices().map(move |(index, c)| (start + index, c));
        let bytes = chunk.invalid().iter().enumerate();
        valid.chain(bytes.map(move |(index, byte)| (invalid + index, char::from(*byte))))
    })
}

pub(super) fn utf_8(bytes: &[u8]) -> (String, Vec<u32>) {
    let mut out = Out::default();
    for (at, c) in mixed(bytes) {
        out.push(c, at);
    }
    out.table.push(bytes.len() as u32);
    (out.text, out.table)
}

/// A byte order mark, or an ASCII character at the start as UTF-16 has it.
pub(crate) fn looks_like_utf_16(bytes: &[u8]) -> bool {
    let is_marked = matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    is_marked || matches!(bytes, [0, 1..0x80, 0, 1..0x80, ..] | [1..0x80, 0, 1..0x80, 0, ..])
}

pub(super) fn utf_16(bytes: &[u8]) -> (String, Vec<u32>) {
    let is_big = bytes[0] == 0xfe || bytes[0] == 0;
    let mut out = Out::default();
    let units = bytes.chunks_exact(2).map(|pair| {
        let pair = [pair[0], pair[1]];
        if is_big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    });
    let mut at = 0;
    for c in char::decode_utf16(units) {
        let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
        out.push(c, at);
        at += 2 * c.len_utf16();
    }
    out.table.push(bytes.len() as u32);
    (out.text, out.table)
}
