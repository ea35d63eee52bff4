//! Texts with an account's values in them, as personas write them: `Bearer {{ session.token }}`.

use std::collections::BTreeMap;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A field of the account.
    Account(String),
    /// Captured from an earlier answer.
    Session(String),
    /// Set by an earlier answer.
    Cookie(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Reference(Reference),
}

/// What references are resolved from. They are secrets, hence no `Debug`.
pub struct Values<'a> {
    pub account: &'a BTreeMap<String, String>,
    pub session: &'a BTreeMap<String, String>,
    pub cookies: &'a BTreeMap<String, String>,
}

impl Template {
    /// Text without references.
    pub fn literal(text: &str) -> Self {
        Self(vec![Piece::Literal(text.to_owned())])
    }

    /// # Errors
    /// With what may stand in braces.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((literal, inner)) = rest.split_once("{{") {
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.to_owned()));
            }
            let Some((name, after)) = inner.split_once("}}") else {
                return Err("{{ without }}".to_owned());
            };
            pieces.push(Piece::Reference(Reference::parse(name.trim())?));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Reference(reference) => Some(reference),
            Piece::Literal(_) => None,
        })
    }

    /// The text, each value written by `encode`.
    ///
    /// # Errors
    /// With the value that there is not.
    pub fn render(
        &self,
        values: &Values<'_>,
        encode: impl Fn(&str) -> String,
    ) -> Result<String, String> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Reference(reference) => text.push_str(&encode(reference.of(values)?)),
            }
        }
        Ok(text)
    }
}

impl Reference {
    fn parse(text: &str) -> Result<Self, String> {
        let is_name = |name: &&str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        };
        let known = text.split_once('.').filter(|(_, name)| is_name(name));
        match known {
            Some(("account", name)) => Ok(Self::Account(name.to_owned())),
            Some(("session", name)) => Ok(Self::Session(name.to_owned())),
            Some(("cookie", name)) => Ok(Self::Cookie(name.to_owned())),
            _ => Err(format!(
                "{{{{ {text} }}}} is none of account.FIELD, session.NAME and cookie.NAME, which alone stand in braces here"
            )),
        }
    }

    fn of<'v>(&self, values: &Values<'v>) -> Result<&'v str, String> {
        let (all, name, what) = match self {
            Self::Account(name) => (values.account, name, "the account has no field"),
            Self::Session(name) => (values.session, name, "no answer gave"),
            Self::Cookie(name) => (values.cookies, name, "no answer set the cookie"),
        };
        all.get(name).map(String::as_str).ok_or_else(|| format!("{what} {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_their_names_stood() {
        let account = BTreeMap::from([("email".to_owned(), "a b".to_owned())]);
        let none = BTreeMap::new();
        let values = Values { account: &account, session: &none, cookies: &none };
        let text =
            |text: &str| Template::parse(text)?.render(&values, |value| value.replace(' ', "+"));
        assert_eq!(text("/x y/{{account.email}}/{{ account.email }}").unwrap(), "/x y/a+b/a+b");
        for (wrong, expected) in [
            ("{{ account.email", "{{ without }}"),
            ("{{ pick(1) }}", "none of account.FIELD"),
            ("{{ account. }}", "none of account.FIELD"),
            ("{{ account.name }}", "no field name"),
            ("{{ session.token }}", "no answer gave token"),
        ] {
            assert!(text(wrong).unwrap_err().contains(expected), "{wrong}");
        }
    }
}
