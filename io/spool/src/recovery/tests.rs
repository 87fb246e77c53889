//! The judgement over one segment: tables of what lies on the disk, and any bytes at all.

use proptest::prelude::*;

use super::scan::{Follower, scan};
use crate::entry::Kind;
use crate::format::{self, FRAMES_FROM, Header, RawFrame};

const SEED: u64 = 99;

fn header(first_seq: u64) -> Header {
    let cursors = Default::default();
    Header { number: 1, seed: SEED, first_seq, previous: first_seq - 1, bytes: 0, cursors }
}

/// A segment of frames `(sequence, durable-up-to, goes on)`; each is 32 bytes long.
fn segment(frames: &[(u64, u64, bool)]) -> Vec<u8> {
    let mut bytes = vec![0; FRAMES_FROM];
    for (seq, durable, goes_on) in frames {
        let (kind, key) = (Kind::Data, None);
        let payload = b"four";
        let frame = RawFrame {
            seq: *seq,
            durable: *durable,
            kind,
            goes_on: *goes_on,
            key,
            payload,
            bytes: 32,
        };
        format::write_frame(&mut bytes, format::crc_seed(SEED), &frame);
    }
    bytes.resize(bytes.len() + 4096, 0);
    bytes
}

#[derive(Debug, Default, PartialEq)]
struct Judged {
    kept: Vec<u64>,
    lost: Vec<(u64, u64)>,
}

fn judge(frames: &[(u64, u64, bool)], bad: &[usize], next: Option<Follower>) -> Judged {
    let mut bytes = segment(frames);
    for index in bad {
        bytes[FRAMES_FROM + index * 32 + 20] ^= 0x40;
    }
    let scanned = scan(&header(10), &bytes, next);
    Judged {
        kept: scanned.frames.iter().map(|(_, frame)| frame.seq).collect(),
        lost: scanned.areas.iter().map(|area| area.lost).collect(),
    }
}

fn check(
    frames: &[(u64, u64, bool)],
    bad: &[usize],
    next: Option<Follower>,
    kept: &[u64],
    lost: &[(u64, u64)],
) {
    let judged = judge(frames, bad, next);
    assert_eq!(judged, Judged { kept: kept.to_vec(), lost: lost.to_vec() }, "{frames:?} {bad:?}");
}

#[test]
fn damage_and_torn_tails() {
    let each = [(10, 9, false), (11, 10, false), (12, 11, false), (13, 12, false)];
    let group = [(10, 9, false), (11, 10, false), (12, 10, false), (13, 10, false)];
    check(&each, &[], None, &[10, 11, 12, 13], &[]);
    check(&each, &[3], None, &[10, 11, 12], &[]);
    check(&each, &[1], None, &[10, 12, 13], &[(11, 11)]);
    check(&each, &[0, 1], None, &[12, 13], &[(10, 11)]);
    check(&group, &[1], None, &[10], &[]);
    check(&group, &[2], None, &[10, 11], &[]);
    check(&group, &[0], None, &[11, 12, 13], &[(10, 10)]);
    check(&group, &[0, 2], None, &[11], &[(10, 10)]);
    check(&[], &[], None, &[], &[]);
    // not the newest: all up to what the next one says must be there
    let next = |cut, due| Some(Follower { cut, due });
    check(&each, &[], next(14, 13), &[10, 11, 12, 13], &[]);
    check(&each, &[3], next(14, 13), &[10, 11, 12], &[(13, 13)]);
    check(&each, &[], next(12, 11), &[10, 11], &[]);
    check(&each, &[1], next(12, 11), &[10], &[(11, 11)]);
    check(&each, &[], next(900, 13), &[10, 11, 12, 13], &[]);
}

#[test]
fn the_mark_says_what_no_later_frame_does() {
    let mut bytes = segment(&[(10, 9, false), (11, 9, true), (12, 9, false), (13, 9, false)]);
    bytes[FRAMES_FROM + 32 + 20] ^= 0x40;
    bytes[FRAMES_FROM + 3 * 32 + 20] ^= 0x40;
    let judged = |seed, durable| {
        let mut mark = Vec::new();
        format::write_mark(&mut mark, format::crc_seed(seed), durable);
        let mut bytes = bytes.clone();
        bytes[2048..2048 + mark.len()].copy_from_slice(&mark);
        let scanned = scan(&header(10), &bytes, None);
        let kept: Vec<u64> = scanned.frames.iter().map(|(_, frame)| frame.seq).collect();
        (kept, scanned.areas.iter().map(|area| area.lost).collect::<Vec<_>>())
    };
    assert_eq!(judged(SEED, 13), (vec![10, 12], vec![(11, 11), (13, 13)]));
    assert_eq!(judged(SEED, 12), (vec![10, 12], vec![(11, 11)]));
    assert_eq!(judged(SEED, 9), (vec![10], vec![]));
    assert_eq!(judged(SEED + 1, 13), (vec![10], vec![]), "of the file's life before");
}

#[test]
fn frames_behind_zeros_of_any_length_are_found() {
    for zeros in (0..3 * 4096 + 64).step_by(8) {
        let mut bytes = segment(&[(10, 11, false)]);
        bytes.resize(FRAMES_FROM + 32 + zeros, 0);
        bytes.extend_from_slice(&segment(&[(11, 11, false)])[FRAMES_FROM..]);
        let scanned = scan(&header(10), &bytes, None);
        let found: Vec<usize> = scanned.frames.iter().map(|(offset, _)| *offset).collect();
        assert_eq!(found, [FRAMES_FROM, FRAMES_FROM + 32 + zeros]);
    }
}

#[test]
fn an_append_of_several_frames_counts_whole_or_not_at_all() {
    let torn = [(10, 9, false), (11, 10, true), (12, 10, true), (13, 10, false)];
    check(&torn, &[], None, &[10, 11, 12, 13], &[]);
    check(&torn, &[3], None, &[10], &[]);
    check(&torn[..3], &[], None, &[10], &[]);
    // once it was durable, damage to a part does not take the rest
    let done = [(10, 9, true), (11, 9, true), (12, 9, false), (13, 12, false)];
    check(&done, &[1], None, &[10, 12, 13], &[(11, 11)]);
}

#[test]
fn frames_of_another_seed_and_frames_inside_payloads_are_nothing() {
    let mut bytes = segment(&[(10, 9, false)]);
    let at = FRAMES_FROM + 32;
    for (seed, seq) in [(SEED + 1, 11), (SEED + 1, 12)] {
        let mut left_over = Vec::new();
        let frame = RawFrame {
            seq,
            durable: 10,
            kind: Kind::Data,
            goes_on: false,
            key: None,
            payload: b"old",
            bytes: 32,
        };
        format::write_frame(&mut left_over, format::crc_seed(seed), &frame);
        let to = at + 32 * usize::try_from(seq - 11).unwrap();
        bytes[to..to + left_over.len()].copy_from_slice(&left_over);
    }
    let scanned = scan(&header(10), &bytes, None);
    assert_eq!(scanned.frames.len(), 1);
    assert!(scanned.areas.is_empty());
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..20_000),
        first_seq in 1..u64::MAX,
        cut in any::<u64>(),
        due in any::<u64>(),
    ) {
        let header = Header { first_seq, ..header(1) };
        let _total = scan(&header, &bytes, Some(Follower { cut, due }));
        let _total = scan(&header, &bytes, None);
        let _total = Header::read(&bytes);
        // lengths that look right
        for at in (0..bytes.len().saturating_sub(32)).step_by(40) {
            bytes[at..at + 4].copy_from_slice(&64_u32.to_le_bytes());
        }
        let _total = scan(&header, &bytes, None);
    }

    #[test]
    fn flipped_bits_never_invent_or_reorder(
        flips in proptest::collection::vec((8192_usize..8192 + 32 * 40, 0_u8..8), 1..30),
    ) {
        let frames: Vec<_> = (0..40).map(|n| (10 + n, 9 + n / 4 * 4, false)).collect();
        let mut bytes = segment(&frames);
        for (at, bit) in flips {
            bytes[at] ^= 1 << bit;
        }
        let scanned = scan(&header(10), &bytes, None);
        let mut last = 9;
        for (_, frame) in &scanned.frames {
            prop_assert!(frame.seq > last && frame.seq < 50 && frame.payload == b"four");
            last = frame.seq;
        }
        let lost: u64 = scanned.areas.iter().map(|area| area.lost.1 - area.lost.0 + 1).sum();
        prop_assert_eq!(scanned.last_seq, 9 + lost + scanned.frames.len() as u64);
    }
}
