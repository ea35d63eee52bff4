//! What names of fields and segments say of their values.

use std::borrow::Cow;

/// Names that hold an id of whatever they stand in.
const GENERIC: [&str; 12] = [
    "id",
    "_id",
    "pk",
    "uuid",
    "guid",
    "slug",
    "key",
    "code",
    "number",
    "ref",
    "reference",
    "version",
];

/// What the names of identifiers end with.
const ENDS: [&str; 18] = [
    "id",
    "ids",
    "pk",
    "uuid",
    "guid",
    "number",
    "key",
    "code",
    "cursor",
    "ref",
    "slug",
    "etag",
    "version",
    "csrf",
    "nonce",
    "state",
    "token",
    "reference",
];

/// Names that a person is known by.
const USER_NAMES: [&str; 9] = [
    "username",
    "login",
    "handle",
    "nickname",
    "nick",
    "screenname",
    "email",
    "emailaddress",
    "mail",
];

/// Collections of people.
const PEOPLE: [&str; 12] = [
    "users",
    "user",
    "profiles",
    "profile",
    "authors",
    "members",
    "accounts",
    "people",
    "persons",
    "customers",
    "u",
    "by",
];

/// Objects that say nothing of what they have in them.
const WRAPPERS: [&str; 22] = [
    "data", "items", "item", "results", "result", "list", "rows", "records", "content", "contents",
    "entries", "nodes", "node", "edges", "objects", "object", "payload", "response", "body",
    "values", "hits", "page",
];

/// What begins the names of figures about many things: an `id` among them is none.
const FIGURES: [&str; 8] = ["count", "sum", "avg", "average", "min", "max", "total", "mean"];

/// `countDistinct`, `sum_of`, `max`.
pub(super) fn is_figure(name: &str) -> bool {
    FIGURES.iter().any(|figure| {
        let rest = name.get(..figure.len()).filter(|start| start.eq_ignore_ascii_case(figure));
        let rest = rest.map(|_| &name[figure.len()..]);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_lowercase()))
    })
}

/// Whether a field of this name usually holds an identifier: `note[author_id]`, `ids[]`.
pub(super) fn is_id_name(name: &str) -> bool {
    let name = last_of(name);
    ENDS.iter().any(|end| ends_with(name, end))
}

/// Whatever the case of its letters.
pub(super) fn ends_with(name: &str, end: &str) -> bool {
    let from = name.len().checked_sub(end.len());
    from.is_some_and(|from| name.as_bytes()[from..].eq_ignore_ascii_case(end.as_bytes()))
}

pub(super) fn is_generic(name: &str) -> bool {
    GENERIC.iter().any(|generic| generic.eq_ignore_ascii_case(name))
}

pub(super) fn is_wrapper(name: &str) -> bool {
    WRAPPERS.iter().any(|wrapper| wrapper.eq_ignore_ascii_case(name))
}

pub(super) fn is_user_name(name: &str) -> bool {
    let name = plain(last_of(name));
    USER_NAMES.contains(&&*name)
}

pub(super) fn is_of_people(segment: &str) -> bool {
    PEOPLE.iter().any(|people| people.eq_ignore_ascii_case(segment))
}

/// `email` of `user[email]` and of `user.email`.
pub(super) fn last_of(name: &str) -> &str {
    let name = name.trim_end_matches("[]").trim_end_matches(']');
    name.rsplit(['[', '.']).next().unwrap_or(name)
}

/// `user` of `user_id`, `userId` and the like.
pub(super) fn thing_of_id(name: &str) -> Option<&str> {
    const ENDS: [&str; 9] = ["uuid", "guid", "number", "slug", "ids", "id", "key", "pk", "ref"];
    let name = last_of(name);
    let end = ENDS.iter().find(|end| ends_with(name, end))?;
    let thing = name[..name.len() - end.len()].trim_end_matches(['_', '-']);
    // Not `paid` or `monkey`: the end begins with a capital, or there was something between.
    let is_apart = thing.len() < name.len() - end.len()
        || name[thing.len()..].starts_with(|c: char| c.is_ascii_uppercase());
    (is_apart && !thing.is_empty()).then_some(thing)
}

/// Whether two names mean one kind of thing: `blogPost` and `blog-posts`.
pub(super) fn same_thing(one: &str, other: &str) -> bool {
    !one.is_empty() && singular(one) == singular(other)
}

/// In small letters, without what stands between words.
pub(super) fn singular(plural: &str) -> String {
    let mut name = plain(plural).into_owned();
    if name.ends_with("ies") && name.len() > 4 {
        name.truncate(name.len() - 3);
        name.push('y');
    } else if name.ends_with('s') && !name.ends_with("ss") {
        name.pop();
    }
    name
}

fn plain(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        return name.into();
    }
    name.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_what_they_are_of() {
        for (name, thing) in [
            ("user_id", Some("user")),
            ("userId", Some("user")),
            ("blog-post-slug", Some("blog-post")),
            ("note[author_id]", Some("author")),
            ("id", None),
            ("paid", None),
            ("monkey", None),
        ] {
            assert_eq!(thing_of_id(name), thing, "{name}");
        }
        assert!(same_thing("categories", "category") && same_thing("blogPost", "blog-posts"));
        assert!(!same_thing("address", "addres") && !same_thing("", "s"));
        for name in ["countDistinct", "max", "sum_of"] {
            assert!(is_figure(name), "{name}");
        }
        for name in ["counter", "country", "maximum", "minute", "account", "summary", ""] {
            assert!(!is_figure(name), "{name}");
        }
        assert!(is_id_name("ids[]") && is_id_name("page[lock_version]") && !is_id_name("a[hours]"));
        assert!(is_user_name("user[email]") && is_user_name("userName") && !is_user_name("name"));
    }
}
