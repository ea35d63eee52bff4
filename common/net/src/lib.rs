//! What the tools with connections share: signals ([`signals`]), which certificates
//! are trusted ([`trust`]), the content codings of bodies ([`coding`]), the runtime
//! ([`runtime`]) and work that may never pause or grow without end ([`apart`]).

pub mod apart;
pub mod coding;
pub mod runtime;
pub mod signals;
pub mod trust;
