//! Reads durable frames in order across segments.

use std::io;

use crate::entry::Frame;

/// A position in the spool.
pub struct Reader {}

impl Reader {
    /// Up to `max_frames` durable frames of together about `max_bytes` (at least one); none: empty.
    pub fn read(&mut self, _max_frames: usize, _max_bytes: usize) -> io::Result<Vec<Frame>> {
        unimplemented!()
    }
}
