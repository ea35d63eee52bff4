//! What the tools with connections share: signals ([`signals`]), which certificates
//! are trusted ([`trust`]), the content codings of bodies ([`coding`]) and the runtime
//! ([`runtime`]).

pub mod coding;
pub mod runtime;
pub mod signals;
pub mod trust;
