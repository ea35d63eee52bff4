//! Password hashes, as applications store them.
//!
//! | kind | forms |
//! | --- | --- |
//! | bcrypt | `$2b$12$…`, Django's `bcrypt_sha256$$2b$12$…` |
//! | argon2 | `$argon2id$v=19$m=65536,t=3,p=4$…` (PHC), Django's `argon2$argon2id$…` |
//! | scrypt | `$scrypt$ln=15,r=8,p=1$…` (PHC), Werkzeug's `scrypt:32768:8:1$…`, Django's `scrypt$16384$…` |
//! | pbkdf2 | Django's `pbkdf2_sha256$1000000$…`, Werkzeug's `pbkdf2:sha256:1000000$…` |
//!
//! One [`Scheme`] says how a hash is made and written. Plans name schemes by functions, stored
//! hashes by their text; both end here, and so does whoever compares a password with a hash.

mod derive;
mod scheme;
mod stored;

pub use scheme::{Digest, Form, Scheme, SchemeError, Variant};
pub use stored::Stored;

/// What salts are made from: no two of them for different passwords alike, and the same ones for
/// the same plan.
pub type SaltSource = [u8; 32];
