//! Byte rules of a forwarded message besides its Request-URI (rm.md §5.1): the edits that every
//! hop makes, and headers that do not pass.
//!
//! What is not named here leaves as it came. Must not send anything.

use std::io::Write as _;

use sip::header::{Header, Name};
use sip::message::Message;
use sip::transport::Flow;

use super::draft::Edits;

/// The edits of every forwarded request: top Via stamped, Max-Forwards decremented. A missing one
/// is for the caller to add, and routes are of `routes`.
pub(crate) fn hop(message: &Message<'_>, flow: Flow, edits: &mut Edits) {
    if let Some(via) = message.header(Name::Via) {
        edits.put(via.index, |out| sip::print::stamped_via(message, flow, out));
    }
    if let (Some(header), Some(hops)) = (message.header(Name::MaxForwards), message.max_forwards())
    {
        edits.put(header.index, |out| {
            // writing into a vector cannot fail
            let _ = write!(out, "Max-Forwards: {}\r\n", hops.saturating_sub(1));
        });
    }
}

/// Whether a header is ours and never passes (rm.md §2.3), or is internal and passes only from a
/// trusted source (§13.4). Recognised in every spelling.
pub(crate) fn is_internal(header: &Header<'_>, trusted: bool) -> bool {
    if header.name != Name::Other {
        return false;
    }
    let always: [&[u8]; 3] = [
        b"x-genesys-gvp-session-id",
        b"x-genesys-gvp-session-data",
        b"x-genesys-rm-application-dbid",
    ];
    always.iter().any(|name| header.spelled.eq_ignore_ascii_case(name))
        || (!trusted && needs_trust(header))
}

/// Whether a header passes only from a trusted source (rm.md §13.4), in a dialog too. Recognised in
/// every spelling.
pub(crate) fn needs_trust(header: &Header<'_>) -> bool {
    let internal: [&[u8]; 5] = [
        b"x-genesys-gvp-session-",
        b"x-genesys-rm-",
        b"x-genesys-gsw-",
        b"x-genesys-strict-location",
        b"x-genesys-geo-location",
    ];
    let begins = |prefix: &[u8]| {
        let head = header.spelled.get(..prefix.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(prefix))
    };
    header.name == Name::Other && internal.iter().any(|prefix| begins(prefix))
}

#[cfg(test)]
mod tests;
