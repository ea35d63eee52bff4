//! Names and texts as Postgres reads them: in a statement, and in COPY.

/// A name for SQL, quoted whatever it consists of.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Appends a field of COPY's text format: tabs stand between fields, a newline after a row. NUL is
/// in none; whoever calls sees to that.
pub fn push_text(line: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut written = 0;
    for (place, byte) in bytes.iter().enumerate() {
        let escape = match byte {
            b'\\' => b'\\',
            b'\t' => b't',
            b'\n' => b'n',
            b'\r' => b'r',
            _ => continue,
        };
        line.extend_from_slice(&bytes[written..place]);
        line.extend_from_slice(&[b'\\', escape]);
        written = place + 1;
    }
    line.extend_from_slice(&bytes[written..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_texts_escaped() {
        assert_eq!(quoted(r#"a"b; DROP TABLE c"#), r#""a""b; DROP TABLE c""#);
        let mut line = Vec::new();
        push_text(&mut line, "a\\.\tb\r\nü");
        assert_eq!(String::from_utf8(line).unwrap(), "a\\\\.\\tb\\r\\nü");
    }
}
