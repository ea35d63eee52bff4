//! JSON whose texts and entries are bounded, however long those of a file are.
//!
//! A parser keeps a whole text before anybody can look at it, and a HAR may be one text of
//! gigabytes, or a megabyte of gzip that becomes one. So texts are cut short on their way to the
//! parser, and of an entry that is long for another reason what follows a comma is left out, but
//! for the ends of what is open there: it stays JSON.

use std::cell::Cell;
use std::io::{self, BufRead, Read};

/// Bytes of a text that are passed on: with base64 and escapes more than twice the largest body
/// that is kept.
const MOST_TEXT: usize = 8 << 20;

/// Bytes of an entry after which the rest is left out from a comma on, and of one that has none.
const MOST_ENTRY: u64 = 24 << 20;
const NO_COMMA: u64 = 2 * MOST_ENTRY;

/// Lists and objects around an entry: `{"log": {"entries": [`.
const AROUND: u32 = 3;

/// What was left out of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// The rest of a text.
    pub(super) of_text: bool,
    /// The rest of the entry.
    pub(super) of_entry: bool,
}

/// What the reader tells the parser's visitor about the entry that is being read: it is ahead of
/// the parser by much less than it takes to leave anything out.
#[derive(Default)]
pub(super) struct Bounds(Cell<LeftOut>);

impl Bounds {
    /// Of the entry that the parser has just come to the end of.
    pub(super) fn end_entry(&self) -> LeftOut {
        self.0.take()
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
    /// Bytes of the entry that were passed on.
    entry: u64,
    /// Where the rest of an entry is left out: how deep what is still open to the parser is.
    open: Option<u32>,
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
        Self { input, bounds, depth: 0, text: None, entry: 0, open: None }
    }

    /// Whether this byte is passed on.
    fn take(&mut self, byte: u8) -> bool {
        if let Some(text) = &mut self.text {
            let (passed, ended) = text.take(byte);
            if !passed {
                self.leave_out(|left_out| left_out.of_text = true);
            }
            if ended {
                self.text = None;
            }
            return passed && self.open.is_none();
        }
        match byte {
            b'"' => self.text = Some(Text::default()),
            b'[' | b'{' => self.depth += 1,
            b']' | b'}' => {
                let ended = self.depth;
                self.depth = self.depth.saturating_sub(1);
                if self.open == Some(ended) {
                    // With the end of the entry nothing is left out any more.
                    self.open = Some(self.depth).filter(|open| *open > AROUND);
                    return true;
                }
            }
            b',' if self.depth > AROUND && self.entry > MOST_ENTRY && self.open.is_none() => {
                self.leave_out(|left_out| left_out.of_entry = true);
                self.open = Some(self.depth);
            }
            _ => {}
        }
        self.open.is_none()
    }

    fn leave_out(&self, what: impl Fn(&mut LeftOut)) {
        let mut left_out = self.bounds.0.get();
        what(&mut left_out);
        self.bounds.0.set(left_out);
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
                    self.entry += 1;
                }
                if self.depth <= AROUND {
                    self.entry = 0;
                }
            }
            if self.depth > MOST_DEPTH {
                return wrong(format!("it is nested more than {MOST_DEPTH} deep"));
            }
            if self.entry > NO_COMMA {
                return wrong(format!("an entry has {MOST_ENTRY} bytes and no comma"));
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

    fn passed(json: &str) -> (io::Result<String>, LeftOut) {
        let bounds = Bounds::default();
        let mut text = String::new();
        let read = Bounded::new(BufReader::new(json.as_bytes()), &bounds).read_to_string(&mut text);
        (read.map(|_| text), bounds.end_entry())
    }

    #[test]
    fn a_long_text_is_cut_where_nothing_is_torn_apart() {
        for piece in ["ab", r"\ud83d\ude00xx", r#"üaa\"b\\c"#] {
            let long = piece.repeat(3 * MOST_TEXT / piece.len());
            let (text, left_out) = passed(&format!(r#"{{"a":"{long}","b":[1]}}"#));
            let text = text.unwrap();
            assert!(
                left_out.of_text && !left_out.of_entry && text.len() < MOST_TEXT + 100,
                "{piece}: {}",
                text.len()
            );
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["b"][0], 1);
        }
    }

    #[test]
    fn what_is_long_or_deep_otherwise_is_an_error() {
        assert!(passed(&"[".repeat(2000)).0.is_err());
        assert!(passed(&format!("[[[[{}", "1".repeat(50 << 20))).0.is_err());
        assert!(passed(&format!("[[[[\"{}\"", "\\u0041".repeat(9 << 20))).0.is_err());
    }

    #[test]
    fn an_entry_that_is_long_otherwise_ends_early_and_stays_json() {
        let long = [r#"{"a":[1,{"b":"c"}]}"#; 2 << 20].join(",");
        let before = r#"{"log":{"entries":[{"a":1},{"a":[[{"#;
        let json = format!(r#"{before}"x":2,"y":[{long}]}},3],4],"b":5}},{{"a":[6,7]}}]}}}}"#);
        let (text, left_out) = passed(&json);
        assert_eq!(left_out, LeftOut { of_text: false, of_entry: true });
        let json: serde_json::Value = serde_json::from_str(&text.unwrap()).unwrap();
        let entries = json["log"]["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 3);
        assert_eq!(entries[1]["a"][0][0]["x"], 2);
        assert!(entries[1]["b"].is_null());
        assert_eq!(entries[2]["a"], serde_json::json!([6, 7]));
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
