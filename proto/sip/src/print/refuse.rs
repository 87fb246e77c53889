//! The answer to a request that is too broken to parse.
//!
//! It is made from the five lines an answer must repeat, if they can still be found; whatever is
//! wrong inside them is copied on one line. An ACK or a response is never answered.

use super::{field, phrase, status_line};
use crate::header::{Name, NameAddr, Via};
use crate::parse::ParseError;
use crate::parse::chars::{Cursor, TOKEN, trim};
use crate::transport::Flow;

/// Via lines that are repeated at most. 70: the limit for a whole message; of more, those that
/// lead back over so many hops.
const VIA_LINES: usize = 70;

/// Appends the answer of `error` to the request in `bytes`; false when it cannot or must not be
/// answered: an ACK, a response, no trace of Via, From, To, Call-ID and CSeq, or a Via that names
/// a group of hosts.
///
/// The To tag is derived from what tells the request, so that each copy gets the same one
/// (RFC 3261 §8.2.7). The top Via gets `received` and `rport` when it can still be read. `extra`
/// are further headers, as in [`super::response`].
pub fn refuse(
    bytes: &[u8],
    error: &ParseError,
    extra: &[(&str, &str)],
    flow: Flow,
    out: &mut Vec<u8>,
) -> bool {
    let Some(found) = Found::search(bytes) else { return false };
    let start = out.len();
    status_line(error.status, phrase(error.status), out);
    for (number, value) in found.vias.iter().flatten().enumerate() {
        let mut cursor = Cursor::new(value);
        match Via::take(&mut cursor).ok().filter(|_| number == 0) {
            Some(via) if via.is_to_many() => {
                out.truncate(start);
                return false;
            }
            Some(via) => {
                let mut stamped = Vec::with_capacity(value.len() + 64);
                via.write_received(flow.remote, &mut stamped);
                stamped.extend_from_slice(value.get(cursor.at..).unwrap_or_default());
                field("Via", &stamped, out);
            }
            None => field("Via", value, out),
        }
    }
    field("From", found.from, out);
    match NameAddr::parse(found.to) {
        Ok(to) if to.tag().is_none() => {
            let tagged = [found.to, b";tag=", &found.tag()].concat();
            field("To", &tagged, out);
        }
        _ => field("To", found.to, out),
    }
    field("Call-ID", found.call_id, out);
    field("CSeq", found.cseq, out);
    for (name, value) in extra {
        field(name, value.as_bytes(), out);
    }
    out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    true
}

/// The values an answer repeats.
struct Found<'a> {
    vias: [Option<&'a [u8]>; VIA_LINES],
    from: &'a [u8],
    to: &'a [u8],
    call_id: &'a [u8],
    cseq: &'a [u8],
}

impl<'a> Found<'a> {
    /// Looks through the lines of a header that may break any rule, LF-only ends included.
    fn search(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = trim_start(bytes);
        let first = next(&mut rest)?;
        let method = first.split(|&byte| byte == b' ').next()?;
        let answerable = !method.is_empty()
            && method.iter().all(|&byte| crate::parse::chars::is(byte, TOKEN))
            && !method.eq_ignore_ascii_case(b"ACK");
        if !answerable {
            return None;
        }
        let mut vias = [None; VIA_LINES];
        let mut count = 0;
        let (mut from, mut to, mut call_id, mut cseq) = (None, None, None, None);
        while let Some(line) = next(&mut rest) {
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            let value = trim(line.get(colon + 1..).unwrap_or_default());
            let place = match Name::of(trim(line.get(..colon).unwrap_or_default())) {
                Name::Via => {
                    let Some(place) = vias.get_mut(count) else { continue };
                    count += 1;
                    place
                }
                Name::From => &mut from,
                Name::To => &mut to,
                Name::CallId => &mut call_id,
                Name::CSeq => &mut cseq,
                _ => continue,
            };
            *place = place.or(Some(value)).filter(|value| !value.is_empty());
        }
        vias.first()?.as_ref()?;
        Some(Self { vias, from: from?, to: to?, call_id: call_id?, cseq: cseq? })
    }

    /// 16 hexadecimal digits from what tells this request (FNV-1a).
    fn tag(&self) -> [u8; 16] {
        let via = self.vias.iter().flatten().next().copied().unwrap_or_default();
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        for part in [via, self.from, self.call_id, self.cseq] {
            for &byte in part.iter().chain(b"\n") {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        let mut tag = [b'0'; 16];
        for (place, shift) in tag.iter_mut().rev().zip((0..64).step_by(4)) {
            let digit = u8::try_from(hash >> shift & 15).unwrap_or(0);
            *place = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        }
        tag
    }
}

fn trim_start(bytes: &[u8]) -> &[u8] {
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    bytes.get(blank..).unwrap_or_default()
}

/// The next line with its folds, without its end; `None` at a blank line or the end.
fn next<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut end = 0;
    loop {
        let tail = rest.get(end..)?;
        let Some(length) = memchr::memchr(b'\n', tail) else {
            end = rest.len();
            break;
        };
        end += length + 1;
        if !matches!(rest.get(end), Some(b' ' | b'\t')) {
            break;
        }
    }
    let (line, after) = rest.split_at_checked(end)?;
    *rest = after;
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    (!line.is_empty()).then_some(line)
}
