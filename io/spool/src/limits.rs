//! All limits of the spool, each with unit and reason. Nothing here is read from a file.

use std::time::Duration;

/// Longest key of a frame, bytes: GUID 16, leg 4, epoch 8.
pub const KEY_BYTES: usize = 28;

/// Records of one group (`spec/rs.md` §1.4.2): bounds what one sync answers. A frame has as many as
/// its [`Entry`](crate::Entry) tells.
pub const GROUP_RECORDS: usize = 4096;

/// Bytes of one group (`spec/rs.md` §1.4.2); a larger append is a group of its own.
pub const GROUP_BYTES: usize = 8 << 20;

/// Largest frame on disk, bytes: a transaction of 16 MiB with its properties, and some room.
pub const FRAME_BYTES: usize = 32 << 20;

/// Bytes of a full segment: 64 MiB, so that a purge is one file and a scan is one read.
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// Segments that a spool has room for at least. Space comes back by whole segments, so those of a
/// spool with a small limit are smaller; else it would be full as soon as one is.
pub const SEGMENTS: u64 = 8;

/// Smallest segment of a small spool, bytes.
pub const SMALL_SEGMENT: u64 = 64 << 10;

/// Bytes of a segment made on the writing path (first start, or the spare is late): what can be
/// zero-filled within a few milliseconds.
pub const STARTER_BYTES: u64 = 1 << 20;

/// Bytes handed over and not yet durable; beyond them `append` answers `Full::Memory`.
pub const PENDING_BYTES: usize = 64 << 20;

/// Spare segments: one that is made ahead, and one that was given up and waits for its next turn.
/// Beyond: removed.
pub const SPARES: usize = 2;

/// Bytes per write while a segment is zero-filled: small, so that the disk stays free for groups.
pub const FILL_SLICE: usize = 1 << 20;

/// Cursors a spool can have; each has a slot in the segment header.
pub const CURSORS: usize = 8;

/// Time without a write after which the mark says on disk what is durable. It has no sync of its
/// own: a busy spool needs none, for there each group says it of the one before.
pub const MARK_AFTER: Duration = Duration::from_millis(100);

/// Open frames carried forward per step, so that cleaning never holds up a group for long.
pub const CARRY_FRAMES: usize = 256;

/// Bytes of open frames carried forward per step.
pub const CARRY_BYTES: usize = 1 << 20;

/// Damaged areas remembered by their place, and waiting to be told; further ones are counted only.
pub const DAMAGE_AREAS: usize = 1024;

/// Damaged areas copied to `quarantine/` per start; further ones are reported only.
pub const QUARANTINE_FILES: usize = 64;

/// Reads of one place that may fail in a row before it is taken for damage: a bad sector must not
/// hold up what lies behind it for ever.
pub const READ_TRIES: u32 = 3;

/// Bytes of a spool that one thread reads at a start; of a larger one several read side by side.
pub const SCAN_ALONE: u64 = 2 * SEGMENT_BYTES;

/// Threads that do so at most, each with a segment in memory.
pub const SCANNERS: usize = 4;

/// Bytes a reader takes from disk at once (a larger frame is read whole).
pub const READ_BYTES: usize = 256 << 10;
