//! What the tools with connections share: signals ([`signals`]), which certificates
//! are trusted ([`trust`]) and the content codings of bodies ([`coding`]).

pub mod coding;
pub mod signals;
pub mod trust;
