//! Writes a request with the values of its user and moment.

use super::buffers::Rendered;
use super::context::Context;
use super::release::Ticket;
use super::user::User;
use crate::prepare::{Marked, Origin, Piece, Request, Source};
use trace::values::{encode_at, write_clock, write_fresh};

/// Why a request cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unbound<'a> {
    /// What should have given the value failed, or was empty.
    Captured(Source),
    /// The user has no account, or it has no such field.
    Account(&'a str),
    Secret(&'a str),
    /// With its values the path would name another host.
    Path,
}

/// One that no answer has: a request under the condition that it changed is good without the tag
/// of what its client had (RFC 9110, section 13.1.2).
const NO_ENTITY_TAG: &str = "\"\"";

/// Writes the request to `rendered.bytes`.
///
/// # Errors
/// [`Unbound`], and nothing may be sent then.
pub(super) fn render<'r, T>(
    context: &Context<T>,
    user: &User,
    ticket: &Ticket,
    request: &'r Request,
    rendered: &mut Rendered,
) -> Result<(), Unbound<'r>> {
    let Rendered { bytes } = rendered;
    let body = &mut *context.scratch.borrow_mut();
    request.template.render(bytes, body, |piece, out| match piece {
        Piece::Literal(_) => Ok(()),
        Piece::Cookies => {
            write_cookies(context, user, out);
            Ok(())
        }
        Piece::Value { from, encode, place } => {
            let put = |value: &str, out: &mut Vec<u8>| encode_at(value, *encode, *place, out);
            match from {
                Origin::Captured(source) => user.value(ticket, *source, |value| {
                    value.map(|value| put(value, out)).ok_or(Unbound::Captured(*source))
                })?,
                Origin::EntityTag(source) => user.value(ticket, *source, |value| {
                    put(value.unwrap_or(NO_ENTITY_TAG), out);
                }),
                Origin::Account(field) => {
                    let account = user.account.as_ref();
                    let value = account.and_then(|account| account.fields.get(field));
                    put(value.ok_or(Unbound::Account(field))?, out);
                }
                Origin::Secret(name) => {
                    let secret = context.settings.secrets.get(name).ok_or(Unbound::Secret(name))?;
                    put(secret.expose(), out);
                }
                Origin::Clock(format) => write_clock(context.wall_clock(), *format, out),
                Origin::Fresh { key, like, is_of_user } => {
                    // The same key gives the same value within a run, and another in the next, but
                    // for what makes the user who it is.
                    let number = if *is_of_user { user.generation() } else { run_number(ticket) };
                    write_fresh(fresh_seed(user, number, *key), like, out);
                }
            }
            Ok(())
        }
    })?;
    // A value at the very beginning of the path must not name another host.
    if path_of(bytes).starts_with(['/', '*']) { Ok(()) } else { Err(Unbound::Path) }
}

/// A user's runs, of whoever takes his place as well: no number is a generation's.
fn run_number(ticket: &Ticket) -> u64 {
    !(ticket.run.number as u64)
}

/// What a fresh value of this key is made from. In it are the seed of the run and when it began, the
/// user among all of the plan, in whatever process, and `number`, that of the user's run.
fn fresh_seed(user: &User, number: u64, key: u64) -> u64 {
    user.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ key
}

/// The mark that the payload of a request has, as [`render`] wrote it.
pub(super) fn mark_of(user: &User, ticket: &Ticket, key: u64) -> String {
    let mut text = Vec::new();
    write_fresh(fresh_seed(user, run_number(ticket), key), &Marked::LIKE, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

fn write_cookies<T>(context: &Context<T>, user: &User, out: &mut Vec<u8>) {
    let state = user.state.borrow();
    if state.cookies.is_empty() {
        return;
    }
    let path = path_of(out).to_owned();
    let before = out.len();
    out.extend_from_slice(b"Cookie: ");
    if state.cookies.write(&path, context.settings.secure, context.wall_clock(), out) {
        out.extend_from_slice(b"\r\n");
    } else {
        out.truncate(before);
    }
}

/// The path, with its query, in a request that begins with its request line.
pub(super) fn path_of(request: &[u8]) -> &str {
    request
        .split(|byte| *byte == b' ')
        .nth(1)
        .and_then(|path| std::str::from_utf8(path).ok())
        .unwrap_or("/")
}
