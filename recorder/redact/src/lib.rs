//! The one answer to whether a value may be stored or shown.
//!
//! A value is secret by the name that it stands under ([`Names`]), by its looks ([`shapes`]), or
//! because somebody is known to hold it ([`Known`]). Where values stand in a part of a message,
//! and under which names, the files of [`body`] say. [`Redactor`] puts it together for what is
//! made of a text: a message, a sample of an error, a body that is kept. Names and looks stand in
//! `table.toml`, which `fixtures/checks/secrets.py` reads too.

mod account;
mod base64;
pub mod body;
mod common;
mod drawn;
mod known;
mod name;
mod names;
mod place;
mod redactor;
pub mod shapes;
mod spelling;
mod table;
mod value;
mod view;

pub use account::is_identity_field;
pub use body::is_secret_cookie;
pub use common::Common;
pub use drawn::looks_drawn;
pub use known::{Found, Known};
pub use names::{Mark, Names, is_password_name, is_secret_field, is_secret_name};
pub use place::{Place, Segment, Verdict};
pub use redactor::{REDACTED, Redactor};
