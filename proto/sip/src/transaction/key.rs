//! What makes two messages belong to one transaction (RFC 3261 §17.1.3 and §17.2.3).
//!
//! A key is written into a buffer that is used again and again, so that looking up allocates
//! nothing; it is copied only when a transaction begins. Fields are separated by NUL, which no
//! SIP token contains.
//!
//! ```text
//! client   'c' method NUL branch
//! server   's' method NUL branch NUL host NUL port        method of an ACK: INVITE
//! RFC 2543 'o' method NUL call-id NUL cseq NUL from-tag NUL request-uri NUL host NUL port
//!          NUL branch
//! ```
//!
//! A branch stands without its cookie. The To tag is no part of an RFC 2543 key: the ACK carries
//! the one of the response and every other request the one of the INVITE, and two requests that
//! agree in all the rest are never two transactions at one hop.

use smallvec::SmallVec;

use super::bounds::INLINE_KEY;
use crate::header::{MAGIC_COOKIE, Via};
use crate::message::Message;
use crate::method::Method;

/// The key as a transaction keeps it.
pub(crate) type Key = SmallVec<[u8; INLINE_KEY]>;

/// The key of the transaction in which we sent `method` under `branch`.
pub(crate) fn client(out: &mut Vec<u8>, method: Method<'_>, branch: &[u8]) {
    out.clear();
    out.push(b'c');
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(0);
    out.extend_from_slice(without_cookie(branch));
}

/// The key of the server transaction that `request` opens, or belongs to as a transaction of
/// `method`: an ACK and, besides as itself, a CANCEL are looked up as INVITE (§17.2.3, §9.2).
pub(crate) fn server(out: &mut Vec<u8>, method: Method<'_>, request: &Message<'_>) {
    let via = request.top_via();
    let modern = via.rfc3261_branch();
    out.clear();
    out.push(if modern.is_some() { b's' } else { b'o' });
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(0);
    if let Some(branch) = modern {
        out.extend_from_slice(without_cookie(branch.as_bytes()));
        out.push(0);
        sent_by(out, &via);
        return;
    }
    out.extend_from_slice(request.call_id().as_bytes());
    out.push(0);
    out.extend_from_slice(&request.cseq().to_be_bytes());
    out.push(0);
    out.extend_from_slice(request.from().tag().unwrap_or_default().as_bytes());
    out.push(0);
    out.extend_from_slice(request.request().map_or("", |line| line.uri).as_bytes());
    out.push(0);
    sent_by(out, &via);
    out.push(0);
    out.extend_from_slice(via.branch.unwrap_or_default().as_bytes());
}

/// What copies of one request outside dialogs have in common, whichever way they come (RFC 3261
/// §8.2.2.2), and the method, since the CSeq of a peer may begin anew with each. False: the
/// request is inside a dialog, where copies mean nothing.
pub(crate) fn origin(out: &mut Vec<u8>, request: &Message<'_>) -> bool {
    if request.to().tag().is_some() {
        return false;
    }
    out.clear();
    out.extend_from_slice(request.method().as_str().as_bytes());
    out.push(0);
    out.extend_from_slice(request.call_id().as_bytes());
    out.push(0);
    out.extend_from_slice(&request.cseq().to_be_bytes());
    out.extend_from_slice(request.from().tag().unwrap_or_default().as_bytes());
    true
}

/// Host (names have no case) and port; no port stays no port, as the same peer writes the same.
fn sent_by(out: &mut Vec<u8>, via: &Via<'_>) {
    let start = out.len();
    out.extend_from_slice(via.host.as_bytes());
    if let Some(host) = out.get_mut(start..) {
        host.make_ascii_lowercase();
    }
    out.push(0);
    out.extend_from_slice(&via.port.unwrap_or(0).to_be_bytes());
}

/// What follows the cookie, which has no case (RFC 3261 §7.3.1).
fn without_cookie(branch: &[u8]) -> &[u8] {
    let rest = branch.split_at_checked(MAGIC_COOKIE.len());
    rest.filter(|(cookie, _)| cookie.eq_ignore_ascii_case(MAGIC_COOKIE.as_bytes()))
        .map_or(branch, |(_, rest)| rest)
}
