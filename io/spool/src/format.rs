//! The bytes on disk: segment header and frame. One format for both users (`spec/rs.md` §1.4.4).
//! Pure; the golden file `format/golden/segment.bin` is compared byte by byte.
//!
//! A segment is one file. All numbers are little-endian. The header stands twice, at 0 and at 4096,
//! so that one bad sector hides no records; frames begin at 8192, each at a multiple of 8. At 2048
//! stands the mark, once nothing was written for a moment: sequence (8) up to which all is durable,
//! and its CRC32C (4), seeded as those of the frames.
//!
//! ```text
//! header, 128 bytes                          frame
//!   0  8  "RMSPOOL1"                           0  4  length L, padding left out
//!   8  4  version, 1                           4  4  CRC32C of 0..4 and 8..L, seeded
//!  12  4  CRC32C of the other 124 bytes        8  8  sequence
//!  16  8  number: later segments are greater  16  8  durable-up-to when it was written
//!  24  8  seed of the checksums               24  1  kind 1..=5, + 128: append goes on in the next
//!  32  8  first sequence                      25  1  key length K ≤ 28
//!  40  8  bytes of the file                   26  2  zero
//!  48  8  cursors that are set, bit by bit    28  K  key
//!  56  8  last sequence before, see below         …  payload, up to L
//!  64  8 × 8  cursors                             …  zeros up to a multiple of 8
//! ```
//!
//! Seeded: the CRC starts from the CRC of the segment's seed, so leftovers of a recycled file and
//! frames forged inside payloads are invalid. A first sequence S voids every frame of a lower
//! segment whose sequence is S or more: it was cut, or its sync failed and it was written again.
//! The last sequence before is S − 1 unless the user's floor made the sequence jump.

#[cfg(test)]
mod tests;

use crate::entry::{Frame, Key, Kind};
use crate::limits::{CURSORS, FRAME_BYTES, KEY_BYTES};

/// First byte of the first frame.
pub(crate) const FRAMES_FROM: usize = 8192;
/// The same as an offset in a file.
pub(crate) const FRAMES_AT: u64 = FRAMES_FROM as u64;
/// Where the header stands.
pub(crate) const HEADERS_AT: [usize; 2] = [0, 4096];
/// Where the mark stands: a sector of its own, so that writing it tears no header.
const MARK_AT: usize = 2048;
/// The same as an offset in a file.
pub(crate) const MARK_OFFSET: u64 = MARK_AT as u64;
/// Bytes of a header.
pub(crate) const HEADER_BYTES: usize = 128;
/// Bytes of a frame before its key.
pub(crate) const FRAME_HEAD: usize = 28;

const MAGIC: [u8; 8] = *b"RMSPOOL1";
const VERSION: u32 = 1;
const ALIGN: usize = 8;
const GOES_ON: u8 = 0x80;

/// Positions by cursor id; `None`: never set.
pub(crate) type Cursors = [Option<u64>; CURSORS];

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) number: u64,
    pub(crate) seed: u64,
    pub(crate) first_seq: u64,
    pub(crate) previous: u64,
    pub(crate) bytes: u64,
    pub(crate) cursors: Cursors,
}

/// What stands where a header should.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    /// Zeros: a segment made ahead.
    Blank,
    /// Written by a later version.
    Newer(u32),
    /// Torn or damaged.
    Invalid,
}

impl Header {
    /// The first 8192 bytes of a segment: both copies and the zeros between.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut header = [0; HEADER_BYTES];
        header[..8].copy_from_slice(&MAGIC);
        header[8..12].copy_from_slice(&VERSION.to_le_bytes());
        header[16..24].copy_from_slice(&self.number.to_le_bytes());
        header[24..32].copy_from_slice(&self.seed.to_le_bytes());
        header[32..40].copy_from_slice(&self.first_seq.to_le_bytes());
        header[40..48].copy_from_slice(&self.bytes.to_le_bytes());
        header[56..64].copy_from_slice(&self.previous.to_le_bytes());
        let mut set = 0_u64;
        for (id, cursor) in self.cursors.iter().enumerate() {
            set |= u64::from(cursor.is_some()) << id;
            let at = 64 + 8 * id;
            header[at..at + 8].copy_from_slice(&cursor.unwrap_or(0).to_le_bytes());
        }
        header[48..56].copy_from_slice(&set.to_le_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&header[..12]), &header[16..]);
        header[12..16].copy_from_slice(&crc.to_le_bytes());
        let start = out.len();
        for at in HEADERS_AT {
            out.resize(start + at, 0);
            out.extend_from_slice(&header);
        }
        out.resize(start + FRAMES_FROM, 0);
    }

    /// Reads either copy out of the first bytes of a file.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, HeaderError> {
        let mut error = HeaderError::Blank;
        for at in HEADERS_AT {
            match bytes.get(at..at + HEADER_BYTES).map(Self::read_one) {
                Some(Ok(header)) => return Ok(header),
                Some(Err(HeaderError::Blank)) => {}
                Some(Err(other)) => error = other,
                None => error = HeaderError::Invalid,
            }
        }
        Err(error)
    }

    /// Where the copy stands that is neither valid nor zero, beside one that is valid. A crash
    /// leaves a copy whole or zero, so it is damage.
    pub(crate) fn bad_copy(bytes: &[u8]) -> Option<usize> {
        let copies = HEADERS_AT.map(|at| (at, bytes.get(at..at + HEADER_BYTES)));
        let read = copies.map(|(at, copy)| (at, copy.map(Self::read_one)));
        let valid = read.iter().any(|(_, copy)| matches!(copy, Some(Ok(_))));
        let bad = read.iter().find(|(_, copy)| *copy == Some(Err(HeaderError::Invalid)));
        bad.map(|(at, _)| *at).filter(|_| valid)
    }

    fn read_one(header: &[u8]) -> Result<Self, HeaderError> {
        if header.iter().all(|byte| *byte == 0) {
            return Err(HeaderError::Blank);
        }
        let crc = crc32c::crc32c_append(crc32c::crc32c(&header[..12]), &header[16..]);
        if header[..8] != MAGIC || u32_at(header, 12) != crc {
            return Err(HeaderError::Invalid);
        }
        let version = u32_at(header, 8);
        if version != VERSION {
            return Err(HeaderError::Newer(version));
        }
        let set = u64_at(header, 48);
        let mut cursors = [None; CURSORS];
        for (id, cursor) in cursors.iter_mut().enumerate() {
            *cursor = (set >> id & 1 == 1).then(|| u64_at(header, 64 + 8 * id));
        }
        Ok(Self {
            number: u64_at(header, 16),
            seed: u64_at(header, 24),
            first_seq: u64_at(header, 32),
            previous: u64_at(header, 56),
            bytes: u64_at(header, 40),
            cursors,
        })
    }
}

/// A valid frame as it lies in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawFrame<'a> {
    pub(crate) seq: u64,
    pub(crate) durable: u64,
    pub(crate) kind: Kind,
    pub(crate) goes_on: bool,
    pub(crate) key: Option<Key>,
    pub(crate) payload: &'a [u8],
    /// Bytes on disk, padding included.
    pub(crate) bytes: usize,
}

impl RawFrame<'_> {
    pub(crate) fn to_frame(self) -> Frame {
        Frame { seq: self.seq, kind: self.kind, key: self.key, payload: self.payload.to_vec() }
    }
}

/// Bytes on disk of a frame with this key and payload.
pub(crate) fn frame_bytes(key: Option<&Key>, payload: usize) -> usize {
    (FRAME_HEAD + key.map_or(0, |key| key.as_bytes().len()) + payload).next_multiple_of(ALIGN)
}

/// Appends one frame; `crc_seed` is `crc_seed(header.seed)`.
pub(crate) fn write_frame(out: &mut Vec<u8>, crc_seed: u32, frame: &RawFrame<'_>) {
    let start = out.len();
    let key = frame.key.as_ref().map_or(&[][..], Key::as_bytes);
    let length = FRAME_HEAD + key.len() + frame.payload.len();
    let length32 = u32::try_from(length).unwrap_or(u32::MAX);
    out.reserve(frame_bytes(frame.key.as_ref(), frame.payload.len()));
    out.extend_from_slice(&length32.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&frame.seq.to_le_bytes());
    out.extend_from_slice(&frame.durable.to_le_bytes());
    out.push(kind_code(frame.kind) | if frame.goes_on { GOES_ON } else { 0 });
    out.push(u8::try_from(key.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(key);
    out.extend_from_slice(frame.payload);
    let crc = frame_crc(crc_seed, &out[start..]);
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    out.resize(start + length.next_multiple_of(ALIGN), 0);
}

/// Appends the mark: all up to the sequence is durable. No later frame may ever say so, and without
/// it damage to the last group looks like a write that a crash has torn.
pub(crate) fn write_mark(out: &mut Vec<u8>, crc_seed: u32, durable: u64) {
    let seq = durable.to_le_bytes();
    out.extend_from_slice(&seq);
    out.extend_from_slice(&crc32c::crc32c_append(crc_seed, &seq).to_le_bytes());
}

/// The mark of a segment, if there is a valid one.
pub(crate) fn read_mark(segment: &[u8], crc_seed: u32) -> Option<u64> {
    let mark = segment.get(MARK_AT..MARK_AT + 12)?;
    (crc32c::crc32c_append(crc_seed, &mark[..8]) == u32_at(mark, 8)).then(|| u64_at(mark, 0))
}

/// Length of the frame that may begin here, read from its head alone; `None`: none begins here.
pub(crate) fn peek_length(bytes: &[u8]) -> Option<usize> {
    let length = usize::try_from(u32_at(bytes.get(..4)?, 0)).ok()?;
    (FRAME_HEAD..=FRAME_BYTES + FRAME_HEAD + KEY_BYTES).contains(&length).then_some(length)
}

/// Sequence in the head of the frame that may begin here.
pub(crate) fn peek_seq(bytes: &[u8]) -> Option<u64> {
    Some(u64_at(bytes.get(..16)?, 8))
}

/// The frame at the start of the bytes, if one is there, whole and valid.
pub(crate) fn read_frame(bytes: &[u8], crc_seed: u32) -> Option<RawFrame<'_>> {
    let length = peek_length(bytes)?;
    let frame = bytes.get(..length)?;
    let key_len = usize::from(frame[25]);
    let kind = kind_of(frame[24] & !GOES_ON)?;
    if key_len > KEY_BYTES || FRAME_HEAD + key_len > length || frame[26..28] != [0; 2] {
        return None;
    }
    if frame_crc(crc_seed, frame) != u32_at(frame, 4) {
        return None;
    }
    let (key, payload) = frame[FRAME_HEAD..].split_at(key_len);
    Some(RawFrame {
        seq: u64_at(frame, 8),
        durable: u64_at(frame, 16),
        kind,
        goes_on: frame[24] & GOES_ON != 0,
        key: if key.is_empty() { None } else { Key::new(key) },
        payload,
        bytes: length.next_multiple_of(ALIGN),
    })
}

/// Where the checksums of a segment start from.
pub(crate) fn crc_seed(seed: u64) -> u32 {
    crc32c::crc32c(&seed.to_le_bytes())
}

fn frame_crc(crc_seed: u32, frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc_seed, &frame[..4]), &frame[8..])
}

fn kind_code(kind: Kind) -> u8 {
    match kind {
        Kind::Data => 1,
        Kind::Open => 2,
        Kind::Carried => 3,
        Kind::Close => 4,
        Kind::Cursor => 5,
    }
}

fn kind_of(code: u8) -> Option<Kind> {
    Some(match code {
        1 => Kind::Data,
        2 => Kind::Open,
        3 => Kind::Carried,
        4 => Kind::Close,
        5 => Kind::Cursor,
        _ => return None,
    })
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut value = [0; 4];
    value.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(value)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(value)
}
