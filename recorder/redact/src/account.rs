//! What of an account says who it is, and what is for it alone to know.

use crate::names::{is_secret_field, plain};

/// Names of fields that others may know, as they are compared.
const IDENTITIES: [&str; 22] = [
    "email",
    "mail",
    "emailaddress",
    "user",
    "username",
    "login",
    "loginname",
    "name",
    "fullname",
    "firstname",
    "lastname",
    "givenname",
    "familyname",
    "surname",
    "displayname",
    "nickname",
    "number",
    "uuid",
    "guid",
    "role",
    "persona",
    "agency",
];

/// Whether a field of an account says who it is, so that it may stand in what a target answered.
/// Every other one is taken for a secret: whoever lists it in a plan knows why.
pub fn is_identity_field(field: &str) -> bool {
    let is_id = field.eq_ignore_ascii_case("id") || field.ends_with("_id") || field.ends_with("Id");
    (is_id || IDENTITIES.contains(&&*plain(field))) && !is_secret_field(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_identity_is_for_the_account_alone() {
        for field in ["email", "id", "agency_id", "userId", "User-Name", "displayName", "role"] {
            assert!(is_identity_field(field), "{field}");
        }
        for field in ["password", "pin", "answer", "mothers_name", "api_key", "paid", "token_id"] {
            assert!(!is_identity_field(field), "{field}");
        }
    }
}
