//! Reads the parts of a message: little-endian numbers and UTF-16 texts. What is not there is a
//! fault of the client, and fails the test.

/// What is left of a message.
pub(super) struct Reader<'m>(pub(super) &'m [u8]);

impl<'m> Reader<'m> {
    pub(super) fn take(&mut self, length: usize) -> &'m [u8] {
        let (taken, rest) = self.0.split_at_checked(length).expect("the message goes on");
        self.0 = rest;
        taken
    }

    /// A number of 1 to 8 bytes.
    pub(super) fn number(&mut self, bytes: usize) -> u64 {
        self.take(bytes).iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }

    /// The same as a size.
    pub(super) fn size(&mut self, bytes: usize) -> usize {
        usize::try_from(self.number(bytes)).expect("a size fits")
    }

    /// A text of so many UTF-16 units.
    pub(super) fn text(&mut self, units: usize) -> String {
        utf16(self.take(units * 2))
    }

    /// A text with its length in one byte.
    pub(super) fn short_text(&mut self) -> String {
        let units = self.size(1);
        self.text(units)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Little-endian UTF-16.
pub(super) fn utf16(bytes: &[u8]) -> String {
    let (pairs, rest) = bytes.as_chunks::<2>();
    assert!(rest.is_empty(), "half a unit of UTF-16");
    let units: Vec<u16> = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    String::from_utf16(&units).expect("valid UTF-16")
}

/// The other way.
pub(super) fn to_utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
