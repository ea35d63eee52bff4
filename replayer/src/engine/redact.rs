//! Takes secrets out of the samples of failing answers.

use manifest::format::SECRET_FIELDS;

use super::user::User;

const REDACTED: &str = "[redacted]";

/// Shorter values are no secrets, and replacing them would maim the text.
const SHORTEST_SECRET: usize = 6;

/// Replaces what the user knows and nobody else may: his password, what his login
/// gave him, his cookies, and anything that looks like a JSON Web Token.
pub(super) fn redact(text: &str, user: &User) -> String {
    let mut text = text.to_owned();
    let state = user.state.borrow();
    let fields = user.account.iter().flat_map(|account| &account.fields);
    let passwords = fields
        .filter(|(name, _)| SECRET_FIELDS.contains(&name.as_str()))
        .map(|(_, value)| value.as_str());
    for secret in passwords.chain(state.login.iter()) {
        if secret.len() >= SHORTEST_SECRET {
            text = text.replace(secret, REDACTED);
        }
    }
    redact_tokens(&text)
}

/// RFC 7519: three parts of base64url, the first of which is a JSON object.
fn redact_tokens(text: &str) -> String {
    let is_token_byte = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("eyJ") {
        let (before, token) = rest.split_at(start);
        let end = token.find(|c| !is_token_byte(c)).unwrap_or(token.len());
        out.push_str(before);
        out.push_str(REDACTED);
        rest = &token[end..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::redact_tokens;

    #[test]
    fn tokens_go_and_the_rest_stays() {
        assert_eq!(
            redact_tokens(r#"{"t":"eyJhbGciOi.eyJzdWIi.c2ln","u":"eye"}"#),
            r#"{"t":"[redacted]","u":"eye"}"#
        );
    }
}
