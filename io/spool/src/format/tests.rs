//! The format against its golden file, and what is not a frame.

use super::*;

const GOLDEN: &[u8] = include_bytes!("golden/segment.bin");

fn header() -> Header {
    let mut cursors = [None; CURSORS];
    cursors[1] = Some(0x0102_0304);
    Header {
        number: 3,
        seed: 0x1122_3344_5566_7788,
        first_seq: 41,
        previous: 40,
        bytes: 16_384,
        cursors,
    }
}

fn frames() -> [RawFrame<'static>; 3] {
    let frame = |seq, kind, goes_on, key: &[u8], payload: &'static [u8], bytes| RawFrame {
        seq,
        durable: 40,
        kind,
        goes_on,
        key: Key::new(key).filter(|_| !key.is_empty()),
        payload,
        bytes,
    };
    [
        frame(41, Kind::Open, true, b"guid-leg-epoch", b"block", 48),
        frame(42, Kind::Data, false, b"", b"{\"kind\":\"cdr\"}", 48),
        frame(43, Kind::Close, false, &[7; 28], b"", 56),
    ]
}

fn written() -> Vec<u8> {
    let mut bytes = Vec::new();
    header().write(&mut bytes);
    for frame in frames() {
        write_frame(&mut bytes, crc_seed(header().seed), &frame);
    }
    bytes
}

#[test]
fn the_golden_segment_is_written_and_read() {
    assert!(written() == GOLDEN, "the format has changed");
    assert_eq!(Header::read(GOLDEN), Ok(header()));
    let mut rest = &GOLDEN[8192..];
    for expected in frames() {
        let frame = read_frame(rest, crc_seed(header().seed)).unwrap();
        assert_eq!(frame, expected);
        rest = &rest[frame.bytes..];
    }
    assert!(rest.is_empty());
}

#[test]
fn every_changed_bit_of_a_frame_and_every_other_seed_is_noticed() {
    let seed = crc_seed(header().seed);
    let bytes = &GOLDEN[8192..8192 + 48];
    assert!(read_frame(bytes, seed).is_some());
    assert_eq!(read_frame(bytes, crc_seed(1)), None);
    let length = peek_length(bytes).unwrap();
    for bit in 0..length * 8 {
        let mut bad = bytes.to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(read_frame(&bad, seed), None, "bit {bit}");
    }
    for end in 0..length {
        assert_eq!(read_frame(&bytes[..end], seed), None, "cut at {end}");
    }
}

#[test]
fn what_stands_where_a_header_should() {
    let change = |at: &[usize], value: u8| {
        let mut bytes = GOLDEN.to_vec();
        at.iter().for_each(|at| bytes[*at] ^= value);
        Header::read(&bytes)
    };
    assert_eq!(change(&[100], 1), Ok(header()), "the second copy");
    assert_eq!(change(&[100, 4096 + 100], 1), Err(HeaderError::Invalid));
    assert_eq!(Header::read(&[0; 8192]), Err(HeaderError::Blank));
    assert_eq!(Header::read(&GOLDEN[..100]), Err(HeaderError::Invalid));
    let mut newer = GOLDEN[..128].to_vec();
    newer[8] = 2;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&newer[..12]), &newer[16..]);
    newer[12..16].copy_from_slice(&crc.to_le_bytes());
    newer.resize(8192, 0);
    assert_eq!(Header::read(&newer), Err(HeaderError::Newer(2)));
}
