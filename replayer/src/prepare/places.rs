//! What is around the bound values of a body.

use trace::format::Request;
use trace::values::Place;

/// Walks over the text of a body and knows what a value that comes next is in.
pub(super) struct Places {
    syntax: Syntax,
}

enum Syntax {
    /// Of a JSON text only its strings matter: those begin and end at a quote without a
    /// backslash before it.
    Json { in_string: bool, is_escaped: bool },
    /// The same place all the way.
    Same(Place),
}

impl Places {
    pub(super) fn same(place: Place) -> Self {
        Self { syntax: Syntax::Same(place) }
    }

    /// Of the body of a request, by its content type.
    pub(super) fn of_body(line: &Request) -> Self {
        let named = line.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let kind = named.map_or("", |(_, value)| value).to_ascii_lowercase();
        if kind.contains("json") {
            Self { syntax: Syntax::Json { in_string: false, is_escaped: false } }
        } else if kind.contains("x-www-form-urlencoded") {
            Self::same(Place::Form)
        } else {
            Self::same(Place::Body)
        }
    }

    /// Goes on over these bytes.
    pub(super) fn pass(&mut self, text: &[u8]) {
        let Syntax::Json { in_string, is_escaped } = &mut self.syntax else { return };
        for byte in text {
            if std::mem::take(is_escaped) {
                continue;
            }
            match byte {
                b'"' => *in_string = !*in_string,
                b'\\' => *is_escaped = *in_string,
                _ => {}
            }
        }
    }

    pub(super) fn here(&self) -> Place {
        match self.syntax {
            Syntax::Json { in_string: true, .. } => Place::JsonString,
            Syntax::Json { in_string: false, .. } => Place::JsonValue,
            Syntax::Same(place) => place,
        }
    }
}
