//! What happened, as one number: every packet that arrived and every record that was made, with its
//! time. Two runs of the same seed must have the same.

use std::time::Duration;

/// FNV-1a over all that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace(u64);

impl Default for Trace {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Trace {
    /// Something happened.
    pub fn add(&mut self, at: Duration, what: &str, bytes: &[u8]) {
        self.bytes(&at.as_nanos().to_be_bytes());
        self.bytes(what.as_bytes());
        self.bytes(bytes);
    }

    /// The number.
    #[must_use]
    pub const fn hash(self) -> u64 {
        self.0
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }
}
