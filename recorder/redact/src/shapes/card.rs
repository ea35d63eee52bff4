//! Numbers of payment cards: an issuer's prefix, the length that it gives, and Luhn's check digit.
//! As one number in ten has the right check digit, a number is taken for a card's only where it is
//! written in groups as cards are, or stands under a card's name.

use std::ops::Range;

pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let end = grouped(bytes, at);
        let is_alone = (at == 0 || !bytes[at - 1].is_ascii_alphanumeric())
            && bytes.get(end).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        let groups = text[at..end].split([' ', '-']).map(str::len);
        if is_alone && is_written_as_card(groups) && is_card_number(&text[at..end]) {
            found.push(at..end);
        }
        at = end;
    }
}

/// The end of the digits that begin here, with single spaces or hyphens between them.
fn grouped(bytes: &[u8], start: usize) -> usize {
    let mut end = start;
    let mut separator = None;
    while let Some(&byte) = bytes.get(end) {
        let is_between = matches!(byte, b' ' | b'-')
            && separator.is_none_or(|separator| separator == byte)
            && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        if is_between {
            separator = Some(byte);
        } else if !byte.is_ascii_digit() {
            break;
        }
        end += 1;
    }
    end
}

fn is_written_as_card(groups: impl Iterator<Item = usize>) -> bool {
    let groups: Vec<usize> = groups.collect();
    match groups.as_slice() {
        [4, 6, 4 | 5] => true,
        [4, 4, 4, rest @ ..] => matches!(rest, [1..=4] | [4, 1..=3]),
        _ => false,
    }
}

/// Whether these digits, whatever stands between them, are a card's.
pub(crate) fn is_card_number(text: &str) -> bool {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-' | b'.')) {
        return false;
    }
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    if !(13..=19).contains(&digits.len()) {
        return false;
    }
    let prefix = digits[..4].iter().fold(0, |number, digit| number * 10 + digit);
    let is_issued = match prefix {
        4000..=4999 => matches!(digits.len(), 13 | 16 | 19),
        5100..=5599 | 2221..=2720 => digits.len() == 16,
        3400..=3499 | 3700..=3799 => digits.len() == 15,
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => matches!(digits.len(), 14..=19),
        6011 | 6440..=6599 | 3528..=3589 | 6200..=6299 | 8100..=8199 => digits.len() >= 16,
        5000 | 5018 | 5020 | 5038 | 5600..=5899 | 6300..=6399 | 6700..=6799 => true,
        2200..=2204 | 6050..=6059 => digits.len() >= 16,
        _ => false,
    };
    is_issued && luhn(&digits)
}

/// ISO/IEC 7812-1, annex B.
fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| match index % 2 {
            0 => *digit,
            _ if *digit > 4 => digit * 2 - 9,
            _ => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::super::found_by;
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        found_by(find, text)
    }

    #[test]
    fn cards_are_known_by_their_groups_and_their_check_digit() {
        for card in
            ["4111 1111 1111 1111", "5555-5555-5555-4444", "3782 822463 10005", "3056 930902 5904"]
        {
            assert_eq!(found(&format!("card {card}, thanks")), [card]);
            assert!(is_card_number(card));
        }
        assert!(is_card_number("4111111111111111") && !is_card_number("4111111111111112"));
    }

    #[test]
    fn other_numbers_are_none() {
        for text in [
            "4111111111111111",
            "4111 1111 1111 1112",
            "1234 5678 9012 3456",
            "2026-11-26 10-00",
            "20261126 1000",
            "9111 1111 1111 1111",
            "a4111 1111 1111 1111",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
