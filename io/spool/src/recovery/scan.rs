//! Reads the bytes of one segment: which frames count, what is damage, where the tail was torn
//! (`spec/rs.md` §1.4.5). Pure, and total: any bytes give an answer.

use crate::format::{self, FRAMES_FROM, Header, RawFrame, read_frame};

/// Bytes hashed in vain while looking for the next valid frame: bodies may be full of things that
/// look like frames of great length, and a start must not take minutes over them.
const VAIN_BYTES: usize = 256 << 20;

/// The unused end of a segment is passed over in blocks of this.
const ZEROS: [u8; 4096] = [0; 4096];

/// What one segment holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan<'a> {
    /// Frames that count, with their offsets.
    pub(crate) frames: Vec<(usize, RawFrame<'a>)>,
    pub(crate) areas: Vec<Area>,
    /// Last sequence this segment accounts for, lost ones included.
    pub(crate) last_seq: u64,
    /// End of the frames that count.
    pub(crate) used: usize,
}

/// Bytes that had been durable and cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) offset: usize,
    pub(crate) bytes: usize,
    pub(crate) lost: (u64, u64),
}

/// What follows a segment: `cut` is the first sequence that a later one overrides, `due` the last
/// one that the segments up to here must hold. `None`: it is the newest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Follower {
    pub(crate) cut: u64,
    pub(crate) due: u64,
}

/// Judges the frames of a segment.
pub(crate) fn scan<'a>(header: &Header, bytes: &'a [u8], next: Option<Follower>) -> Scan<'a> {
    let found = valid_frames(bytes, header.seed, header.first_seq);
    let cut = next.map_or(u64::MAX, |next| next.cut);
    let before = header.first_seq.saturating_sub(1);
    let mark = || format::read_mark(bytes, format::crc_seed(header.seed)).unwrap_or(0);
    let durable = next.map_or_else(
        || found.iter().map(|(_, frame)| frame.durable).fold(before.max(mark()), u64::max),
        |next| next.due.min(cut.saturating_sub(1)).max(before),
    );
    let mut scan = Scan { last_seq: before, used: FRAMES_FROM, ..Scan::default() };
    // frames of an append that goes on: above `durable` they count only when it is whole
    let mut held = Vec::new();
    let mut known = before;
    let mut end = scan.used;
    for (offset, frame) in found {
        if frame.seq >= cut || frame.seq > known + 1 && frame.seq - 1 > durable {
            break;
        }
        if frame.seq > known + 1 {
            let lost = (known + 1, frame.seq - 1);
            scan.areas.push(Area { offset: end, bytes: offset - end, lost });
        }
        known = frame.seq;
        end = offset + frame.bytes;
        let whole = !frame.goes_on || frame.seq <= durable;
        held.push((offset, frame));
        if whole {
            scan.frames.append(&mut held);
            (scan.last_seq, scan.used) = (known, end);
        }
    }
    if scan.last_seq < durable {
        let lost = (scan.last_seq + 1, durable);
        let area = filled(bytes).max(scan.used) - scan.used;
        scan.areas.push(Area { offset: scan.used, bytes: area, lost });
        scan.last_seq = durable;
    }
    scan
}

/// Where the zeros behind all that was written begin.
pub(crate) fn filled(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

/// All valid frames in order; what is between them is skipped in steps of 8 bytes.
pub(crate) fn valid_frames(bytes: &[u8], seed: u64, first_seq: u64) -> Vec<(usize, RawFrame<'_>)> {
    frames_from(bytes, FRAMES_FROM, seed, first_seq)
}

/// As `valid_frames`, from an offset on.
pub(crate) fn frames_from(
    bytes: &[u8],
    from: usize,
    seed: u64,
    first_seq: u64,
) -> Vec<(usize, RawFrame<'_>)> {
    let crc_seed = format::crc_seed(seed);
    let mut vain = 0;
    let mut next_seq = first_seq;
    let mut found = Vec::new();
    let mut at = from;
    while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() >= format::FRAME_HEAD) {
        let likely = format::peek_length(rest).filter(|length| {
            *length <= rest.len() && format::peek_seq(rest).is_some_and(|seq| seq >= next_seq)
        });
        let frame = likely.filter(|_| vain < VAIN_BYTES).and_then(|length| {
            vain += length;
            read_frame(rest, crc_seed)
        });
        match frame {
            Some(frame) => {
                vain -= format::peek_length(rest).unwrap_or(0);
                next_seq = frame.seq.saturating_add(1);
                found.push((at, frame));
                at += frame.bytes;
            }
            // a frame begins with its length, so none begins in a block of zeros
            None if rest.starts_with(&ZEROS) => at += ZEROS.len(),
            None => at += 8,
        }
    }
    found
}
