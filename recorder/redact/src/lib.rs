//! The one answer to whether a value may be stored or shown.
//!
//! A value is secret by the name that it stands under ([`Names`]), by its looks ([`shapes`]), or
//! because somebody is known to hold it ([`Known`]). [`Redactor`] puts the three together for
//! what is made of a text: a message, a sample of an error, a body that is kept. Names and looks
//! stand in `table.toml`, which `fixtures/checks/secrets.py` reads too.

mod account;
mod drawn;
mod known;
mod names;
mod redactor;
pub mod shapes;
mod table;

pub use account::is_identity_field;
pub use drawn::looks_drawn;
pub use known::{Found, Known};
pub use names::{Names, is_password_name, is_secret_field, is_secret_name};
pub use redactor::{REDACTED, Redactor};
