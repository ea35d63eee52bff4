//! XML, SOAP and HTML: texts of elements and values of attributes.

use std::ops::Range;

use crate::place::{Reader, Within};
use crate::view::{Escapes, View};

/// Elements of HTML that have no end.
const VOID: [&str; 9] = ["input", "meta", "br", "img", "link", "hr", "base", "col", "source"];

/// Elements deeper than this count as those that they are in.
const MOST_LEVELS: usize = 200;

/// What gives another element or attribute its name: `<add key="password" value="…"/>`.
const NAMES: [&str; 5] = ["name", "key", "id", "property", "n"];
const VALUES: [&str; 3] = ["value", "content", "v"];

/// An element that is open.
struct Level {
    name: String,
    within: Within,
    /// The name that an element before gave to the one that comes next.
    next: Option<String>,
}

impl Reader<'_> {
    pub(crate) fn xml(&mut self, view: &View<'_>, within: Within) {
        let text = &*view.text;
        let mut levels = vec![Level { name: String::new(), within, next: None }];
        let mut at = 0;
        while let Some(open) = text[at..].find('<').map(|open| at + open) {
            self.xml_text(view, at..open, true, &mut levels);
            let rest = &text[open..];
            let end = |pattern: &str, from: usize| {
                rest[from..].find(pattern).map_or(text.len(), |end| open + from + end)
            };
            if rest.starts_with("<![CDATA[") {
                let close = end("]]>", 9);
                self.xml_text(view, open + 9..close, false, &mut levels);
                at = (close + 3).min(text.len());
            } else if rest.starts_with("<!--") {
                let close = end("-->", 4);
                self.nested(&view.part(open + 4..close), within);
                at = (close + 3).min(text.len());
            } else {
                let close = tag_end(text, open);
                self.tag(view, open + 1..close, &mut levels);
                at = (close + 1).min(text.len());
            }
        }
        self.xml_text(view, at..text.len(), true, &mut levels);
    }

    fn xml_text(
        &mut self,
        view: &View<'_>,
        range: Range<usize>,
        is_escaped: bool,
        levels: &mut [Level],
    ) {
        let text = &view.text[range.clone()];
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return;
        }
        let start = range.start + (text.len() - text.trim_start().len());
        let part = view.part(start..start + trimmed.len());
        let value = if is_escaped { part.without(Escapes::Html) } else { part };
        let count = levels.len();
        let Some(level) = levels.last() else { return };
        if !self.only_secret(&level.name, &value, level.within) {
            self.nested(&value, level.within);
        }
        // `<key>password</key><string>…</string>`
        if is_of(&NAMES, &level.name) && count > 1 && trimmed.len() < 100 {
            levels[count - 2].next = Some(trimmed.to_owned());
        }
    }

    /// A tag, without its brackets.
    fn tag(&mut self, view: &View<'_>, range: Range<usize>, levels: &mut Vec<Level>) {
        let text = &view.text[range.clone()];
        if let Some(closed) = text.strip_prefix('/') {
            let name = local(closed);
            if let Some(found) =
                levels.iter().rposition(|level| level.name == name).filter(|found| *found > 0)
            {
                levels.truncate(found);
            }
            return;
        }
        if text.starts_with(['?', '!']) {
            return;
        }
        let name = local(text);
        let parent = levels.last_mut();
        let (outer, given) =
            parent.map_or_else(Default::default, |level| (level.within, level.next.take()));
        let mut within = self.under(&name, outer);
        if let Some(given) = given.filter(|_| !is_of(&NAMES, &name)) {
            within = self.under(&given, within);
        }
        let attributes = attributes(text);
        let part =
            |value: &Range<usize>| view.part(range.start + value.start..range.start + value.end);
        let named = attributes.iter().find(|(attribute, _)| is_of(&NAMES, attribute));
        let named = named.map(|(_, value)| part(value).without(Escapes::Html).text.into_owned());
        for (attribute, value) in &attributes {
            let part = part(value);
            let value = part.without(Escapes::Html);
            let is_value = is_of(&VALUES, attribute);
            let is_secret = self.only_secret(attribute, &value, outer)
                || named
                    .as_ref()
                    .is_some_and(|named| is_value && self.only_secret(named, &value, within));
            if !is_secret {
                self.nested(&value, outer);
            }
        }
        if let Some(named) = &named {
            within = self.under(named, within);
        }
        if levels.len() < MOST_LEVELS && !text.ends_with('/') && !is_of(&VOID, &name) {
            levels.push(Level { name, within, next: None });
        }
    }
}

/// The position of the `>` of the tag that begins at `open`, or of the end of the text.
fn tag_end(text: &str, open: usize) -> usize {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate().skip(open) {
        match (byte, quote) {
            (b'>', None) => return at,
            (b'"' | b'\'', None) => quote = Some(byte),
            (_, Some(open)) if byte == open => quote = None,
            _ => {}
        }
    }
    // A quote that is not closed ends nothing.
    text[open..].find('>').map_or(text.len(), |end| open + end)
}

/// The name of a tag, without its namespace.
fn local(tag: &str) -> String {
    let name =
        tag.split(|c: char| c.is_whitespace() || c == '/' || c == '>').next().unwrap_or_default();
    name.rsplit(':').next().unwrap_or_default().to_owned()
}

fn is_of(list: &[&str], name: &str) -> bool {
    list.iter().any(|other| other.eq_ignore_ascii_case(name))
}

/// Names without their namespaces, and where their values stand in the tag.
fn attributes(tag: &str) -> Vec<(String, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(equals) = tag[at..].find('=').map(|equals| at + equals) {
        let name = tag[at..equals]
            .trim_end()
            .rsplit(|c: char| c.is_whitespace() || c == '"' || c == '\'')
            .next();
        let name = name.unwrap_or_default().rsplit(':').next().unwrap_or_default().to_owned();
        let rest = tag[equals + 1..].trim_start();
        let start = tag.len() - rest.len();
        let range = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let end = rest[1..].find(quote).map_or(tag.len(), |end| start + 1 + end);
                start + 1..end
            }
            _ => {
                let end = rest.find(char::is_whitespace).map_or(tag.len(), |end| start + end);
                start..end.max(start)
            }
        };
        at = (range.end + 1).min(tag.len()).max(equals + 1);
        while !tag.is_char_boundary(at) {
            at += 1;
        }
        found.push((name, range));
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::names::Names;
    use crate::place::Place;

    use super::super::of_body;

    fn secrets(body: &str) -> Vec<&str> {
        let found = of_body(body.as_bytes(), "", "/", &Names::default());
        let mut ranges: Vec<_> =
            found.into_iter().filter(Place::is_secret).map(|p| p.range).collect();
        ranges.dedup();
        ranges.into_iter().map(|range| &body[range]).collect()
    }

    #[test]
    fn elements_and_attributes_have_names() {
        for body in [
            "<?xml version=\"1.0\"?><login><user>ann</user><password>hunter2</password></login>",
            "<s:Envelope><s:Body><wsse:Password Type=\"text\">hunter2</wsse:Password></s:Body></s:Envelope>",
            "<a><password><![CDATA[hunter2]]></password></a>",
            "<login user='ann' password='hunter2'/>",
            "<add key=\"ApiKey\" value=\"hunter2\"/>",
            "<input type=hidden value=hunter2 name=csrf_token>",
            "<dict><key>password</key><string>hunter2</string></dict>",
            "<member><name>password</name><value><string>hunter2</string></value></member>",
            "<credentials><a><b>hunter2</b></a></credentials>",
            "<a>{\"password\":\"hunter2\"}</a>",
            "<a>see password=hunter2</a>",
            "<param name=\"password\">hunter2</param>",
            "<x:cardCvc>hunter2</x:cardCvc>",
            "<INPUT NAME=\"userPin otp\" VALUE='hunter2'>",
        ] {
            assert_eq!(secrets(body), ["hunter2"], "{body}");
        }
        assert_eq!(secrets("<pin>a&amp;1</pin>"), ["a&amp;1"]);
    }

    #[test]
    fn other_texts_stay() {
        let body = "<a key=\"x\"><status>open</status><code>E42</code><state>CA</state><b id=\"token\">5 < 6</b>\
                    <author>ann</author><pass>true</pass></a>";
        // What an element is called by its `id` counts as its name.
        assert_eq!(secrets(&body.replace(" id=\"token\"", "")), [""; 0]);
    }
}
