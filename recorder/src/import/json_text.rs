//! JSON whose texts and entries are bounded, however long those of a file are.
//!
//! A parser keeps a whole text before anybody can look at it, and a HAR may be one text of
//! gigabytes, or a megabyte of gzip that becomes one. So texts are cut short on their way to the
//! parser, and entries that are long for another reason end the import.

use std::cell::Cell;
use std::io::{self, BufRead, Read};

/// Bytes of a text that are passed on: with base64 and escapes more than twice the largest body
/// that is kept.
const MOST_TEXT: usize = 8 << 20;

/// Bytes of an entry that are passed on.
const MOST_ENTRY: u64 = 24 << 20;

/// What the reader and the parser's visitor tell each other about the entry that is being read.
#[derive(Default)]
pub(super) struct Bounds {
    /// Bytes of the entry so far; none between entries.
    entry: Cell<Option<u64>>,
    is_cut: Cell<bool>,
}

impl Bounds {
    pub(super) fn begin_entry(&self) {
        self.entry.set(Some(0));
        self.is_cut.set(false);
    }

    /// Whether a text of the entry was cut.
    pub(super) fn end_entry(&self) -> bool {
        self.entry.set(None);
        self.is_cut.get()
    }
}

/// No document that means something is nested deeper; a parser that passes over one keeps a byte
/// for each level.
const MOST_DEPTH: u32 = 1000;

pub(super) struct Bounded<'a, R> {
    input: R,
    bounds: &'a Bounds,
    /// Lists and objects around what is being read.
    depth: u32,
    /// The text that is being read; none outside of texts.
    text: Option<Text>,
}

#[derive(Default)]
struct Text {
    /// Bytes so far.
    length: usize,
    /// The next byte is escaped.
    escaped: bool,
    /// Digits of an escape that are still to come.
    digits: u8,
    /// The byte before was a character of its own.
    plain: bool,
    /// What follows is left out.
    cut: bool,
}

impl Text {
    /// Whether this byte is passed on, and whether the text ends with it.
    fn take(&mut self, byte: u8) -> (bool, bool) {
        self.length += 1;
        let was_plain = std::mem::take(&mut self.plain);
        if std::mem::take(&mut self.escaped) {
            self.digits = if byte == b'u' { 4 } else { 0 };
        } else if self.digits > 0 {
            self.digits -= 1;
        } else if byte == b'"' {
            return (true, true);
        } else if byte == b'\\' {
            self.escaped = true;
        } else if byte.is_ascii() {
            self.plain = true;
            // Between two of these nothing is torn apart: no character, no escape, no pair.
            self.cut |= was_plain && self.length > MOST_TEXT;
        }
        (!self.cut, false)
    }
}

impl<'a, R: BufRead> Bounded<'a, R> {
    pub(super) fn new(input: R, bounds: &'a Bounds) -> Self {
        Self { input, bounds, depth: 0, text: None }
    }

    /// Whether this byte is passed on.
    fn take(&mut self, byte: u8) -> bool {
        if let Some(text) = &mut self.text {
            let (passed, ended) = text.take(byte);
            if !passed {
                self.bounds.is_cut.set(true);
            }
            if ended {
                self.text = None;
            }
            return passed;
        }
        match byte {
            b'"' => self.text = Some(Text::default()),
            b'[' | b'{' => self.depth += 1,
            b']' | b'}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        true
    }
}

impl<R: BufRead> Read for Bounded<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let wrong = |message: String| Err(io::Error::new(io::ErrorKind::InvalidData, message));
        loop {
            let count = self.input.read(into)?;
            if count == 0 {
                return Ok(0);
            }
            let mut passed = 0;
            for at in 0..count {
                let byte = into[at];
                if self.take(byte) {
                    into[passed] = byte;
                    passed += 1;
                }
            }
            if self.depth > MOST_DEPTH {
                return wrong(format!("it is nested more than {MOST_DEPTH} deep"));
            }
            if let Some(bytes) = self.bounds.entry.get() {
                let bytes = bytes + passed as u64;
                if bytes > MOST_ENTRY {
                    return wrong(format!("an entry has over {MOST_ENTRY} bytes"));
                }
                self.bounds.entry.set(Some(bytes));
            }
            if passed > 0 {
                return Ok(passed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::io::BufReader;

    use super::*;

    fn passed(json: &str) -> (io::Result<String>, bool) {
        let bounds = Bounds::default();
        bounds.begin_entry();
        let mut text = String::new();
        let read = Bounded::new(BufReader::new(json.as_bytes()), &bounds).read_to_string(&mut text);
        (read.map(|_| text), bounds.end_entry())
    }

    #[test]
    fn a_long_text_is_cut_where_nothing_is_torn_apart() {
        for piece in ["ab", r"\ud83d\ude00xx", r#"üaa\"b\\c"#] {
            let long = piece.repeat(3 * MOST_TEXT / piece.len());
            let (text, is_cut) = passed(&format!(r#"{{"a":"{long}","b":[1]}}"#));
            let text = text.unwrap();
            assert!(is_cut && text.len() < MOST_TEXT + 100, "{piece}: {}", text.len());
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["b"][0], 1);
        }
    }

    #[test]
    fn what_is_long_or_deep_otherwise_is_an_error() {
        assert!(passed(&"[".repeat(2000)).0.is_err());
        assert!(passed(&"1,".repeat(20 << 20)).0.is_err());
        assert!(passed(&format!("\"{}\"", "\\u0041".repeat(5 << 20))).0.is_err());
    }

    proptest! {
        #[test]
        fn all_else_passes_as_it_is(text in any::<String>(), json in "[a-z\"\\\\{}:,0-9]{0,40}") {
            for text in [serde_json::Value::from(text).to_string(), json] {
                prop_assert_eq!(passed(&text).0.unwrap(), text);
            }
        }
    }
}
