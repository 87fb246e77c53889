//! Messages on their way out: answers of our own, and copies of messages with edits.
//!
//! Nothing is built from scratch that came in: an answer copies the lines it must repeat, a
//! rewritten message copies everything that is not named. Stage 8 (forward) and every refusal use
//! it; which answer is due is decided elsewhere.

mod phrase;
mod refuse;
mod rewrite;
mod within;

pub use phrase::phrase;
pub use refuse::refuse;
pub use rewrite::Rewrite;
pub use within::within;

use crate::header::{Header, Name, Via};
use crate::message::Message;
use crate::parse::chars::Cursor;
use crate::transport::Flow;

/// Appends a whole answer without body to `request`.
///
/// Via (all, the top one with `received` and the value of `rport`, RFC 3581), From, To, Call-ID
/// and CSeq are copied (RFC 3261 §8.2.6.2); `to_tag` is added when To has none and the answer is
/// no 100; Record-Route is copied into 101–199 and 2xx to a method that makes dialogs, Timestamp
/// into a 100. `extra` are further headers, name and value; CR and LF in them become blanks.
pub fn response(
    request: &Message<'_>,
    code: u16,
    phrase: &str,
    to_tag: Option<&str>,
    extra: &[(&str, &str)],
    received: Flow,
    out: &mut Vec<u8>,
) {
    status_line(code, phrase, out);
    let routes = matches!(code, 101..=299) && request.method().creates_dialog();
    let mut top = true;
    for header in request.headers() {
        match header.name {
            Name::Via if top => {
                top = false;
                top_via(&header, &request.top_via(), received, out);
            }
            Name::To => to(request, &header, to_tag.filter(|_| code != 100), out),
            Name::Via | Name::From | Name::CallId | Name::CSeq => {
                out.extend_from_slice(header.line);
            }
            Name::RecordRoute if routes => out.extend_from_slice(header.line),
            Name::Timestamp if code == 100 => out.extend_from_slice(header.line),
            _ => {}
        }
    }
    for (name, value) in extra {
        field(name, value.as_bytes(), out);
    }
    out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
}

/// Appends the header line of the top Via of `message` with the source it came from, ready for
/// `Rewrite::replace` at the index of the first Via line.
pub fn stamped_via(message: &Message<'_>, received: Flow, out: &mut Vec<u8>) {
    if let Some(header) = message.header(Name::Via) {
        top_via(&header, &message.top_via(), received, out);
    }
}

/// The line of the topmost Via: its first value stamped, further values as they came.
fn top_via(header: &Header<'_>, via: &Via<'_>, received: Flow, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Via: ");
    via.write_received(received.remote, out);
    let mut cursor = Cursor::new(header.value);
    // `parse` has read this value before.
    if Via::take(&mut cursor).is_ok() {
        out.extend_from_slice(header.value.get(cursor.at..).unwrap_or_default());
    }
    out.extend_from_slice(b"\r\n");
}

/// The To line, with a tag if it has none and one is given.
fn to(request: &Message<'_>, header: &Header<'_>, tag: Option<&str>, out: &mut Vec<u8>) {
    match tag.filter(|_| request.to().tag().is_none()) {
        None => out.extend_from_slice(header.line),
        Some(tag) => {
            out.extend_from_slice(b"To: ");
            out.extend_from_slice(header.value);
            out.extend_from_slice(b";tag=");
            out.extend_from_slice(tag.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn status_line(code: u16, phrase: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"SIP/2.0 ");
    for divisor in [100, 10, 1] {
        out.push(b'0' + u8::try_from(code / divisor % 10).unwrap_or(0));
    }
    out.push(b' ');
    one_line(phrase.as_bytes(), out);
    out.extend_from_slice(b"\r\n");
}

/// One header line; no value can end it early.
fn field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    one_line(value, out);
    out.extend_from_slice(b"\r\n");
}

/// `bytes` with CR and LF as blanks.
fn one_line(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(bytes.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
}

#[cfg(test)]
mod tests;
