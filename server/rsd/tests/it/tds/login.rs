//! LOGIN7 (MS-TDS 2.2.6.4): who wants in.

use super::reader::{Reader, utf16};

/// Bytes before the table of texts.
const FIXED: usize = 36;
const TDS_7_4: u64 = 0x7400_0004;

/// A login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) application: String,
    pub(crate) server: String,
    pub(crate) database: String,
}

impl Login {
    pub(super) fn decode(bytes: &[u8]) -> Self {
        let mut head = Reader(bytes);
        assert_eq!(head.size(4), bytes.len(), "the login's own length");
        assert_eq!(head.number(4), TDS_7_4, "TDS 7.4");
        let text = |at: usize| {
            let mut place = Reader(&bytes[FIXED + at * 4..]);
            let (offset, units) = (place.size(2), place.size(2));
            &bytes[offset..offset + units * 2]
        };
        // each byte: the halves changed, then 0xA5 over it
        let clear: Vec<u8> = text(2).iter().map(|byte| (byte ^ 0xA5).rotate_left(4)).collect();
        Self {
            user: utf16(text(1)),
            password: utf16(&clear),
            application: utf16(text(3)),
            server: utf16(text(4)),
            database: utf16(text(8)),
        }
    }
}
