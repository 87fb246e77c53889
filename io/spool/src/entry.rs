//! The nouns of the spool: what goes in (`Entry`) and what comes out (`Frame`). They know nothing
//! of the disk and nothing of what a payload means.

use std::fmt;

use crate::limits::KEY_BYTES;

/// What a frame is for (`spec/rs.md` §1.4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A record; forgotten once it is released.
    Data,
    /// A record whose key stays open until a `Close` of the same key.
    Open,
    /// An open frame that was carried forward when its segment was cleaned; not a new record.
    Carried,
    /// Ends the key; a record like `Data` otherwise. Its payload may be empty.
    Close,
    /// An acknowledged position; made by the spool itself from `set_cursor`.
    Cursor,
}

/// Names an open frame: up to 28 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    len: u8,
    bytes: [u8; KEY_BYTES],
}

impl Key {
    /// `None` when the key is longer than 28 bytes.
    pub fn new(key: &[u8]) -> Option<Self> {
        let mut bytes = [0; KEY_BYTES];
        bytes.get_mut(..key.len())?.copy_from_slice(key);
        Some(Self { len: u8::try_from(key.len()).ok()?, bytes })
    }

    /// The bytes as they were given.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:02x?})", self.as_bytes())
    }
}

/// One thing to keep. `Kind::Carried` and `Kind::Cursor` are the spool's own and are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is for.
    pub kind: Kind,
    /// Needed by `Open` and `Close`.
    pub key: Option<Key>,
    /// The user's own encoding.
    pub payload: Vec<u8>,
    /// Records in it, of which a group has so many at most (`spec/rs.md` §1.4.2); not kept.
    pub records: usize,
}

/// One thing as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Grows by one per frame of the spool, from 1.
    pub seq: u64,
    /// What it is for.
    pub kind: Kind,
    /// As given.
    pub key: Option<Key>,
    /// As given; of a `Carried` frame what the user's `carry` made of it.
    pub payload: Vec<u8>,
}
