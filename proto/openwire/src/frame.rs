//! `int32 size | type | body`: cuts a byte stream into frames.
//!
//! First stage of both ends. Looks at nothing but the size; a size out of range is told before a
//! byte of the frame is waited for, and nothing is allocated by a size that was only announced.

use std::time::Duration;

use crate::limits::{FRAME_TIME, MAX_SKIPPED, SKIPPED_HEAD};
use crate::link::CloseReason;
use crate::wire::Malformed;

/// A frame from its type byte on, and what follows it.
pub type Split<'a> = (&'a [u8], &'a [u8]);

/// One frame and what follows it, or `None` while it is incomplete.
///
/// # Errors
/// The size is negative, zero, or greater than `limit`.
pub fn split(bytes: &[u8], limit: usize) -> Result<Option<Split<'_>>, Malformed> {
    let Some((size, rest)) = bytes.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let size = usize::try_from(i32::from_be_bytes(*size)).unwrap_or(0);
    if size == 0 {
        return Err(Malformed { what: "a frame without content", at: 0 });
    }
    if size > limit {
        return Err(Malformed { what: "a frame above the limit", at: 0 });
    }
    Ok(rest.split_at_checked(size))
}

/// What has come and is not used yet. Its capacity grows with bytes that came, never by a
/// frame's announced size.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
}

impl Inbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of memory that it takes.
    pub(crate) fn held(&self) -> usize {
        self.bytes.capacity()
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets the first `used` bytes; gives memory back after a large frame.
    pub(crate) fn consume(&mut self, used: usize) {
        self.bytes.drain(..used.min(self.bytes.len()));
        if self.bytes.len() < self.bytes.capacity() / 4 {
            self.bytes.shrink_to_fit();
        }
    }
}

/// A frame above the limit: its head is kept, the rest is run over.
#[derive(Debug)]
pub(crate) struct Skip {
    size: usize,
    left: usize,
    head: Vec<u8>,
}

impl Skip {
    /// Begins one where [`split`] has failed, and what follows its size; `None` when that is no
    /// size that can be run over.
    pub(crate) fn begin(bytes: &[u8], limit: usize) -> Option<(Self, &[u8])> {
        let (size, rest) = bytes.split_first_chunk::<4>()?;
        let size = usize::try_from(i32::from_be_bytes(*size)).ok()?;
        let skip = Self { size, left: size, head: Vec::new() };
        (size > limit && size <= MAX_SKIPPED).then_some((skip, rest))
    }

    /// Takes what has come of it; gives what follows its end.
    pub(crate) fn take<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let (own, behind) = bytes.split_at(self.left.min(bytes.len()));
        self.left -= own.len();
        let room = SKIPPED_HEAD - self.head.len();
        self.head.extend_from_slice(own.get(..room).unwrap_or(own));
        behind
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.left == 0
    }

    /// Its announced size, bytes.
    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// Its first bytes, at most [`SKIPPED_HEAD`].
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Bytes of memory that it takes.
    pub(crate) const fn held(&self) -> usize {
        self.head.capacity()
    }
}

/// Since when the frame that is not whole yet has been coming. Time in which the shell does not
/// read is not counted.
#[derive(Debug, Default)]
pub(crate) struct Coming {
    since: Option<Duration>,
    is_paused: bool,
}

impl Coming {
    /// Bytes were looked at: whether a frame `ended` with them, and one has `begun`.
    pub(crate) fn came(&mut self, now: Duration, ended: bool, begun: bool) {
        self.since = match self.since {
            Some(since) if begun && !ended => Some(since),
            _ => begun.then_some(now),
        };
    }

    pub(crate) fn set_reading(&mut self, now: Duration, reading: bool) {
        if reading && self.is_paused {
            self.since = self.since.map(|_| now);
        }
        self.is_paused = !reading;
    }

    /// When it must have come.
    pub(crate) fn due(&self) -> Option<Duration> {
        Some(self.since? + FRAME_TIME).filter(|_| !self.is_paused)
    }

    /// # Errors
    /// It took too long.
    pub(crate) fn check(&self, now: Duration) -> Result<(), CloseReason> {
        match self.due() {
            Some(due) if due <= now => Err(CloseReason::SlowFrame(FRAME_TIME)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts() {
        assert_eq!(split(b"\0\0\0", 9), Ok(None));
        assert_eq!(split(b"\0\0\0\x02a", 9), Ok(None));
        assert_eq!(split(b"\0\0\0\x02abc", 9), Ok(Some((&b"ab"[..], &b"c"[..]))));
        assert!(split(b"\0\0\0\x0a", 9).is_err());
        assert!(split(b"\0\0\0\0", 9).is_err());
        assert!(split(b"\xff\xff\xff\xff", 9).is_err());
    }

    #[test]
    fn runs_over() {
        for none in [&b"\0\0\0\x09a"[..], b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x10\0\0\x01"] {
            assert!(Skip::begin(none, 9).is_none(), "{none:?}");
        }
        let size = SKIPPED_HEAD + 3;
        let announced = u32::try_from(size).unwrap().to_be_bytes();
        let (mut skip, behind) = Skip::begin(&announced, 9).unwrap();
        assert_eq!((behind, skip.size()), (&b""[..], size));
        assert_eq!(skip.take(b"ab"), b"");
        assert!(!skip.is_over());
        let rest = [&vec![b'x'; size - 2][..], b"next"].concat();
        assert_eq!(skip.take(&rest), b"next");
        assert!(skip.is_over());
        assert_eq!((&skip.head()[..3], skip.head().len()), (&b"abx"[..], SKIPPED_HEAD));
    }
}
