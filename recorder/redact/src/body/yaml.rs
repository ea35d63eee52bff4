//! What stands indented under a name: blocks of YAML.

use std::ops::Range;

/// The values of the lines that are indented more than the line that ends at `at`, or are items
/// of a list under it; where it is a block of text, all of it; of a list its items alone.
pub(super) fn block(
    text: &str,
    line: Range<usize>,
    is_text: bool,
    is_list: bool,
) -> Vec<Range<usize>> {
    let indent = indent(&text[line.clone()]);
    let mut values: Vec<Range<usize>> = Vec::new();
    let mut at = line.end + 1;
    while at < text.len() {
        let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
        let content = text[at..end].trim();
        let start = at;
        at = end + 1;
        if content.is_empty() {
            continue;
        }
        let is_item = content.starts_with("- ") && self::indent(&text[start..end]) >= indent;
        if self::indent(&text[start..end]) <= indent && !is_item {
            break;
        }
        let from = start + (text[start..end].len() - text[start..end].trim_start().len());
        let whole = from..from + content.len();
        match values.last_mut() {
            Some(last) if is_text => last.end = whole.end,
            _ if is_text => values.push(whole),
            _ if is_list && (!content.starts_with("- ") || content.contains(": ")) => {}
            _ => values.extend(value(text, whole)),
        }
    }
    values
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

/// The value of a line within a block: behind `- ` and `name: `.
fn value(text: &str, mut range: Range<usize>) -> Option<Range<usize>> {
    while text[range.clone()].starts_with("- ") {
        range.start += 2;
        range.start += text[range.clone()].len() - text[range.clone()].trim_start().len();
    }
    let line = &text[range.clone()];
    if line.ends_with(':') {
        return None;
    }
    if let Some((_, value)) = line.split_once(": ") {
        range.start = range.end - value.trim_start().len();
    }
    let value = &text[range.clone()];
    let quoted = value.len() > 1 && value.starts_with(['"', '\'']) && value.ends_with(['"', '\'']);
    Some(if quoted { range.start + 1..range.end - 1 } else { range })
}
