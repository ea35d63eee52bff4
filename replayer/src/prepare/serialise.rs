//! From a line of the trace to the bytes of its request, with places left open for values.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use trace::format as disk;
use trace::own_site::Own;
use trace::values::Place;

use super::draft::KeptValues;
use super::places::Places;
use super::template::{Origin, Piece, Template};

/// Headers that replay makes anew, or that are about the recorded connection alone.
const RECOMPUTED: [&str; 8] = [
    "host",
    "content-length",
    "connection",
    "cookie",
    "transfer-encoding",
    "keep-alive",
    "proxy-connection",
    "upgrade",
];

/// About how many bytes of a request are known before it is sent.
fn literal_bytes(line: &disk::Request, origin: &str) -> usize {
    let headers: usize =
        line.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    let body = match &line.body {
        Some(disk::Body::Text(text) | disk::Body::Base64(text)) => text.len(),
        Some(disk::Body::Truncated { .. }) | None => 0,
    };
    line.method.len() + line.path.len() + 2 * origin.len() + headers + body + 32
}

/// Whether a line has such a part, for a binding to stand in.
fn has(line: &disk::Request, part: disk::Part) -> bool {
    match part {
        disk::Part::Path => true,
        disk::Part::Header(index) => index < line.headers.len(),
        disk::Part::Body => line.body.is_some(),
    }
}

pub(super) fn template(
    line: &disk::Request,
    origin: &str,
    values: &KeptValues,
) -> Result<Template, String> {
    if let Some(binding) = line.bind.iter().find(|binding| !has(line, binding.part)) {
        return Err(format!("a binding is in {:?}, which it does not have", binding.part));
    }
    let mut template =
        Template::with_capacity(literal_bytes(line, origin), 2 + 2 * line.bind.len());
    // By part, so that each finds its own among very many.
    let mut bindings: Vec<&disk::Binding> = line.bind.iter().collect();
    bindings.sort_by_key(|binding| (binding.part, binding.start, binding.end));
    let spans = |part| Spans::of(&bindings, part, values);
    template.head_literal(line.method.as_bytes());
    template.head_literal(b" ");
    spans(disk::Part::Path)?.fill(
        line.path.as_bytes(),
        &mut template,
        Half::Head,
        Places::same(Place::Path),
    )?;
    template.head_literal(b" HTTP/1.1\r\nHost: ");
    template.head_literal(origin.split_once("://").map_or(origin, |(_, host)| host).as_bytes());
    template.head_literal(b"\r\n");
    for (index, (name, value)) in line.headers.iter().enumerate() {
        if RECOMPUTED.iter().any(|recomputed| name.eq_ignore_ascii_case(recomputed)) {
            continue;
        }
        template.head_literal(name.as_bytes());
        template.head_literal(b": ");
        match trace::own_site::of_target(name, value) {
            Some(Own::Origin) => {
                template.head_literal(origin.as_bytes());
                template.head_literal(b"\r\n");
                continue;
            }
            Some(Own::Url) => template.head_literal(origin.as_bytes()),
            None => {}
        }
        let spans = spans(disk::Part::Header(index))?;
        let is_entity_tag =
            name.eq_ignore_ascii_case("if-none-match") && spans.is_all_of(value.as_bytes());
        Spans { is_entity_tag, ..spans }.fill(
            value.as_bytes(),
            &mut template,
            Half::Head,
            Places::same(Place::Header),
        )?;
        template.head_literal(b"\r\n");
    }
    template.head_piece(Piece::Cookies);
    match &line.body {
        Some(disk::Body::Text(text)) => {
            spans(disk::Part::Body)?.fill(
                text.as_bytes(),
                &mut template,
                Half::Body,
                Places::of_body(line),
            )?;
        }
        Some(disk::Body::Base64(text)) => {
            let bytes = STANDARD
                .decode(text)
                .map_err(|error| format!("its body is not base64: {error}"))?;
            spans(disk::Part::Body)?.fill(
                &bytes,
                &mut template,
                Half::Body,
                Places::of_body(line),
            )?;
        }
        Some(disk::Body::Truncated { size, .. }) => {
            return Err(format!(
                "its body of {size} bytes was not kept, so it cannot be replayed; leave such requests out with --skip-truncated"
            ));
        }
        None if matches!(line.method.as_str(), "POST" | "PUT" | "PATCH") => {
            template.body_literal(b"");
        }
        None => {}
    }
    Ok(template)
}

/// Which half of a request something belongs to.
#[derive(Clone, Copy)]
enum Half {
    Head,
    Body,
}

/// The bindings of one part, by position.
struct Spans<'a> {
    bindings: &'a [&'a disk::Binding],
    values: &'a KeptValues,
    /// What is captured is an entity tag.
    is_entity_tag: bool,
}

impl<'a> Spans<'a> {
    /// `all` are those of the line, sorted.
    fn of(
        all: &'a [&'a disk::Binding],
        part: disk::Part,
        values: &'a KeptValues,
    ) -> Result<Self, String> {
        let begin = all.partition_point(|binding| binding.part < part);
        let count = all[begin..].partition_point(|binding| binding.part == part);
        let bindings = &all[begin..begin + count];
        if bindings.windows(2).any(|pair| pair[0].end > pair[1].start) {
            return Err("two of its bindings overlap".to_owned());
        }
        Ok(Self { bindings, values, is_entity_tag: false })
    }

    /// Whether one value is the whole text.
    fn is_all_of(&self, text: &[u8]) -> bool {
        matches!(self.bindings, [only] if (only.start, only.end) == (0, text.len()))
    }

    fn fill(
        self,
        text: &[u8],
        template: &mut Template,
        half: Half,
        mut places: Places,
    ) -> Result<(), String> {
        let literal = |template: &mut Template, bytes: &[u8]| match half {
            Half::Head => template.head_literal(bytes),
            Half::Body => template.body_literal(bytes),
        };
        let mut position = 0;
        for binding in self.bindings {
            if binding.start > binding.end || binding.end > text.len() {
                return Err(format!(
                    "a binding at {}..{} lies outside of {} bytes",
                    binding.start,
                    binding.end,
                    text.len()
                ));
            }
            let before = &text[position..binding.start];
            literal(template, before);
            places.pass(before);
            position = binding.end;
            let (from, encode, place) = (self.origin(binding)?, binding.encode, places.here());
            let piece = Piece::Value { from, encode, place };
            match half {
                Half::Head => template.head_piece(piece),
                Half::Body => template.body_piece(piece),
            }
        }
        literal(template, &text[position..]);
        Ok(())
    }

    fn origin(&self, binding: &disk::Binding) -> Result<Origin, String> {
        Ok(match &binding.from {
            disk::Origin::Capture { of, name } => {
                let source = self.values.of(of, name).ok_or_else(|| {
                    format!("it needs {name} of request {of}, which does not capture that")
                })?;
                if self.is_entity_tag {
                    Origin::EntityTag(source)
                } else {
                    Origin::Captured(source)
                }
            }
            disk::Origin::Account(field) => Origin::Account(field.clone()),
            disk::Origin::Clock(format) => Origin::Clock(*format),
            disk::Origin::Fresh { key, like } => {
                let key = common::digest::stable_hash(key.as_bytes());
                let is_of_user = self.values.is_made_by_user(key);
                Origin::Fresh { key, like: like.clone(), is_of_user }
            }
            disk::Origin::Slot(name) => Origin::Secret(name.clone()),
        })
    }
}
