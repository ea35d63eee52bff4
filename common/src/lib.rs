//! What all tools share.
//!
//! Exit codes and the one line of an error ([`exit`]), where load may go
//! ([`address`]) and how it is typed ([`target`]), digests ([`digest`]), encodings of text
//! ([`encoding`]), shares of a whole ([`shares`]), texts that nobody is shown ([`secret`]), the
//! name that was probably meant ([`nearest`]), files that are read ([`input`]) and files that
//! appear whole ([`output`]), what is told on stderr ([`say!`]), how text of others is shown
//! ([`shown`]), where the pieces of a text stand ([`pieces`]), names and texts as Postgres
//! reads them ([`sql`]), what the process holds ([`memory`]), and faults of the tools themselves
//! ([`panics`]). Nothing here opens a connection: that is `common-net`.

pub mod address;
pub mod digest;
pub mod encoding;
pub mod exit;
pub mod input;
pub mod memory;
pub mod nearest;
pub mod output;
pub mod panics;
pub mod pieces;
pub mod say;
pub mod secret;
pub mod shares;
pub mod shown;
pub mod sql;
pub mod target;
