//! What a request must not be, whoever it is for: one that somebody in front of us could take for
//! another one than we do (RFC 9112 §3.2, §6.1).

use axum::extract::Request;
use axum::http::header::{CONNECTION, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use axum::http::{StatusCode, Version};
use axum::response::{IntoResponse, Response};

/// Why a request is not taken; the connection ends with it.
pub(super) fn refused(request: &Request, both_lengths: bool) -> Option<Response> {
    let headers = request.headers();
    let hosts = headers.get_all(HOST).iter().count();
    let codings = headers.get_all(TRANSFER_ENCODING).iter();
    let codings = codings.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let (mut chunked, mut other) = (0, 0);
    for coding in codings {
        match coding.trim_ascii().eq_ignore_ascii_case(b"chunked") {
            true => chunked += 1,
            false => other += 1,
        }
    }
    let (status, text) = if hosts > 1 || hosts == 0 && request.version() == Version::HTTP_11 {
        (StatusCode::BAD_REQUEST, "a request has one Host\n")
    } else if both_lengths {
        (StatusCode::BAD_REQUEST, "a request has Content-Length or Transfer-Encoding, not both\n")
    } else if other > 0 {
        (StatusCode::NOT_IMPLEMENTED, "Transfer-Encoding is chunked, and nothing else\n")
    } else if chunked > 1 {
        (StatusCode::BAD_REQUEST, "Transfer-Encoding is chunked once\n")
    } else {
        return None;
    };
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CONNECTION, "close")];
    Some((status, headers, text).into_response())
}

/// The heads of a connection's requests as they come, one behind another. Of two lengths the HTTP
/// library shows one only, and closes behind the answer. What is seen here refuses a request and
/// does nothing else: where it takes a connection otherwise than the library, the library counts.
#[derive(Debug, Default)]
pub(super) struct Heads {
    place: Place,
    /// Lower-case name of the header whose line it is in, as far as it can be one of those below.
    name: Vec<u8>,
    length: Option<u64>,
    has_coding: bool,
    /// How many have ended,
    seen: u64,
    /// and the first one with both lengths, from 0.
    both: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Before or in the first line.
    #[default]
    First,
    Name,
    Value,
    /// So many bytes of a body are to come.
    Body(u64),
    /// In the size of a chunk, this so far,
    Size(u64),
    /// behind it in the same line,
    Extension(u64),
    /// so many bytes of the chunk are to come,
    Chunk(u64),
    /// and the end of their line.
    ChunkEnd,
    /// Behind the last chunk.
    Trailer,
}

const LENGTH: &[u8] = b"content-length";
const CODING: &[u8] = b"transfer-encoding";

impl Heads {
    /// More of them. Which one is the first with both lengths, from 0, if one is.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Option<u64> {
        while let Some((byte, rest)) = bytes.split_first() {
            bytes = match self.place {
                Place::Body(left) | Place::Chunk(left) => self.skip(left, bytes),
                _ => {
                    self.step(*byte);
                    rest
                }
            };
        }
        self.both
    }

    /// Goes over what a body has of these bytes, and gives the others.
    fn skip<'b>(&mut self, left: u64, bytes: &'b [u8]) -> &'b [u8] {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - here as u64;
        self.place = match self.place {
            Place::Chunk(_) if left == 0 => Place::ChunkEnd,
            Place::Chunk(_) => Place::Chunk(left),
            _ => Self::body(left),
        };
        bytes.get(here..).unwrap_or_default()
    }

    const fn body(left: u64) -> Place {
        if left == 0 { Place::First } else { Place::Body(left) }
    }

    fn step(&mut self, byte: u8) {
        let is_empty = self.name.is_empty();
        match (self.place, byte) {
            (_, b'\r') => {}
            (Place::First, b'\n') if is_empty => {}
            (Place::Name, b'\n') if is_empty => self.end(),
            (Place::Trailer, b'\n') if is_empty => self.place = Place::First,
            (Place::First | Place::Name | Place::Value, b'\n') => self.begin(Place::Name),
            (Place::Trailer, b'\n') => self.begin(Place::Trailer),
            (Place::ChunkEnd, b'\n') => self.place = Place::Size(0),
            (Place::Size(0) | Place::Extension(0), b'\n') => self.begin(Place::Trailer),
            (Place::Size(size) | Place::Extension(size), b'\n') => self.place = Place::Chunk(size),
            (Place::Name, b':') => {
                self.place = Place::Value;
                self.has_coding |= self.name == CODING;
                if self.name == LENGTH {
                    self.length = Some(0);
                }
            }
            (Place::Value, _) if self.name == LENGTH => self.count(byte),
            (Place::Size(size), byte) => {
                self.place = match char::from(byte).to_digit(16) {
                    Some(digit) => {
                        Place::Size(size.saturating_mul(16).saturating_add(digit.into()))
                    }
                    None => Place::Extension(size),
                };
            }
            (Place::First | Place::Name | Place::Trailer, byte)
                if self.name.len() <= CODING.len() =>
            {
                self.name.push(byte.to_ascii_lowercase());
            }
            _ => {}
        }
    }

    fn begin(&mut self, line: Place) {
        self.place = line;
        self.name.clear();
    }

    /// A digit of the length; of a list, whose members are the same, the last one is as good.
    fn count(&mut self, byte: u8) {
        self.length = match (byte, self.length) {
            (b'0'..=b'9', Some(length)) => {
                Some(length.saturating_mul(10).saturating_add(u64::from(byte - b'0')))
            }
            (b',', _) => Some(0),
            (_, length) => length,
        };
    }

    /// The empty line behind a head.
    fn end(&mut self) {
        let (length, has_coding) = (self.length.take(), std::mem::take(&mut self.has_coding));
        if length.is_some() && has_coding {
            self.both.get_or_insert(self.seen);
        }
        self.seen += 1;
        self.place = if has_coding { Place::Size(0) } else { Self::body(length.unwrap_or(0)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lengths_are_seen_however_they_come_and_in_a_head_only() {
        let first = "POST / HTTP/1.1\r\n";
        let (length, coding) = ("Content-LENGTH: 5\r\n", "transfer-Encoding:chunked\r\n");
        let both = format!("{first}{length}{coding}\r\n");
        let behind = |request: &str| format!("{request}{both}");
        for (text, expected) in [
            (both.clone(), Some(0)),
            (format!("\r\n{first}{coding}Host: a\r\n{length}\r\n"), Some(0)),
            (format!("{first}{length}Host: a\n{coding}\n"), Some(0)),
            (format!("{first}{length}\r\n{coding}\r\n"), None),
            (format!("{first}{length}X-{coding}\r\n"), None),
            (format!("{first}{length}X: {coding}\r\n"), None),
            (format!("{first}{length}{length}\r\n"), None),
            (format!("{first}{coding}{coding}\r\n"), None),
            // behind others in one go, whose bodies look like heads
            (behind(&format!("{first}\r\n")), Some(1)),
            (behind(&format!("{first}Content-Length: {}\r\n\r\n{both}", both.len())), Some(1)),
            (format!("{first}Content-Length: {}\r\n\r\n{both}", both.len()), None),
            (behind(&format!("{first}Content-Length: 0\r\n\r\n")), Some(1)),
            (behind(&format!("{first}Content-Length: 7, 5\r\n\r\n12345")), Some(1)),
            (behind(&format!("{first}{coding}\r\n0\r\n\r\n")), Some(1)),
            (
                behind(&format!(
                    "{first}{coding}\r\n{:x};a=b\r\n{both}\r\n0;x\r\nT: x\r\n\r\n",
                    both.len()
                )),
                Some(1),
            ),
            (
                format!("{first}{coding}\r\n{:X}\r\n{both}\r\n0\r\n\r\n{first}\r\n", both.len()),
                None,
            ),
            (behind(&behind("")), Some(0)),
        ] {
            let mut whole = Heads::default();
            assert_eq!(whole.read(text.as_bytes()), expected, "{text:?}");
            let mut pieces = Heads::default();
            let found = text.bytes().map(|byte| pieces.read(&[byte])).last();
            assert_eq!(found, Some(expected), "{text:?}");
        }
    }
}
