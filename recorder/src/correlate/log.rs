//! Requests of which only a line in a log is known.

use redact::{Known, Place, Redactor, body};
use trace::format::{Binding, Part};

use super::route;
use super::rules::Rules;
use crate::edits::{self, Edit, slot};

/// A request as it may be stored where nothing is known about its session: its secrets have to be
/// given to the replay.
pub(crate) struct Logged {
    /// The route's name.
    pub(crate) name: String,
    pub(crate) path: String,
    /// Values of the headers that were handed in, in their order.
    pub(crate) headers: Vec<String>,
    pub(crate) bind: Vec<Binding>,
}

pub(crate) fn of_log(
    method: &str,
    path: &str,
    headers: &[(String, String)],
    rules: &Rules,
) -> Logged {
    let redactor = Redactor { names: &rules.names, known: &Known::default() };
    let edits = secrets(path, body::of_path(path, &rules.names), redactor);
    let name = route::name(method, path, &route::secret_segments(path, &edits), rules);
    let (path, mut bind) = edits::apply_to_text(path, edits, Part::Path);
    let header = |(index, (name, value)): (usize, &(String, String))| {
        let edits = secrets(value, body::of_header(name, value, &rules.names), redactor);
        let (value, bindings) = edits::apply_to_text(value, edits, Part::Header(index));
        bind.extend(bindings);
        value
    };
    let headers = headers.iter().enumerate().map(header).collect();
    Logged { name, path, headers, bind }
}

fn secrets(text: &str, places: Vec<Place>, redactor: Redactor<'_>) -> Vec<Edit> {
    let edit = |range, name: &str, encode: Option<_>| Edit {
        range,
        from: slot(name),
        encode: encode.unwrap_or_default(),
        is_secret: true,
        ambiguous: false,
    };
    let places = places.into_iter().filter(Place::is_secret);
    let named = places.map(|place| edit(place.range, &place.name, place.encode));
    let found = redactor.find(text.as_bytes()).into_iter();
    named.chain(found.map(|found| edit(found.range, "", found.encode))).collect()
}
