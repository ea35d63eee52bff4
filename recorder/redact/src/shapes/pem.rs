//! Private keys in PEM, RFC 7468.

use std::ops::Range;

pub(super) const BEGIN: &str = "-----BEGIN";
const END: &str = "-----END";

pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(start) = text[at..].find(BEGIN).map(|start| at + start) {
        at = start + BEGIN.len();
        let Some(label) = text[at..].find("-----").map(|end| &text[at..at + end]) else { return };
        // In a form its spaces are `+`, or `%20`.
        let letters: String = label.chars().filter(char::is_ascii_alphabetic).collect();
        if label.len() > 60 || !letters.contains("PRIVATEKEY") {
            continue;
        }
        let body = at + label.len();
        // One that is cut off is one all the same.
        let end = text[body..].find(END).map_or(text.len(), |end| {
            let end = body + end + END.len();
            text[end..].find("-----").map_or(text.len(), |close| end + close + 5)
        });
        found.push(start..end);
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_keys_go_and_certificates_stay() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE KEY-----";
        let certificate = "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n";
        let text = format!("{certificate}x {key} y");
        let mut ranges = Vec::new();
        find(&text, &mut ranges);
        assert_eq!(ranges.len(), 1);
        assert_eq!(&text[ranges[0].clone()], key);
        for space in ["+", "%20"] {
            let form = format!("a=1&k={}&b=2", key.replace(' ', space));
            ranges.clear();
            find(&form, &mut ranges);
            assert_eq!(ranges.first(), Some(&(6..form.len() - 4)), "{form}");
            assert_eq!(ranges.len(), 1, "{form}");
        }
        ranges.clear();
        find("-----BEGIN PRIVATE KEY-----\nMII", &mut ranges);
        assert_eq!(ranges.first(), Some(&(0..31)));
    }
}
