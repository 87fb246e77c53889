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

/// The head of a request as it comes. Of two lengths the HTTP library shows one only, and closes
/// behind the answer.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Lower-case name of the header whose line it is in, as far as it can be one of those below.
    name: Vec<u8>,
    place: Place,
    has_length: bool,
    has_coding: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Before or in the first line.
    #[default]
    First,
    Name,
    Value,
    /// Behind the empty line.
    Body,
}

const LENGTH: &[u8] = b"content-length";
const CODING: &[u8] = b"transfer-encoding";

impl Head {
    /// More of it; what is behind it is not looked at. True: both lengths are there.
    pub(super) fn read(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            self.step(*byte);
        }
        self.has_length && self.has_coding
    }

    fn step(&mut self, byte: u8) {
        match (self.place, byte) {
            (Place::Body, _) | (_, b'\r') => {}
            (Place::Name, b'\n') if self.name.is_empty() => self.place = Place::Body,
            (Place::First, b'\n') if self.name.is_empty() => {}
            (_, b'\n') => {
                self.place = Place::Name;
                self.name.clear();
            }
            (Place::Name, b':') => {
                self.place = Place::Value;
                self.has_length |= self.name == LENGTH;
                self.has_coding |= self.name == CODING;
            }
            (Place::Value, _) => {}
            (Place::First | Place::Name, byte) => {
                if self.name.len() <= CODING.len() {
                    self.name.push(byte.to_ascii_lowercase());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lengths_are_seen_however_they_come_and_in_a_head_only() {
        let first = "POST / HTTP/1.1\r\n";
        let (length, coding) = ("Content-LENGTH: 5\r\n", "transfer-Encoding:chunked\r\n");
        for (text, both) in [
            (format!("{first}{length}{coding}\r\n"), true),
            (format!("\r\n{first}{coding}Host: a\r\n{length}\r\n"), true),
            (format!("{first}{length}Host: a\n{coding}\n"), true),
            (format!("{first}{length}\r\n{coding}\r\n"), false),
            (format!("{first}{length}X-{coding}\r\n"), false),
            (format!("{first}{length}X: {coding}\r\n"), false),
            (format!("{first}{length}{length}\r\n"), false),
            (format!("{first}{coding}{coding}\r\n"), false),
        ] {
            let mut whole = Head::default();
            assert_eq!(whole.read(text.as_bytes()), both, "{text:?}");
            let mut pieces = Head::default();
            let found = text.bytes().map(|byte| pieces.read(&[byte])).last();
            assert_eq!(found, Some(both), "{text:?}");
        }
    }
}
