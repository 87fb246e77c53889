//! The ring against a plain list, and the entries byte for byte.

use std::time::Duration;

use model::id::Guid;
use model::time::Millis;
use proptest::prelude::*;
use sip::transport::{Flow, Transport};

use super::{Direction, Entry, Head, Heads, entries};

const NOW: Millis = Millis(1_767_225_600_000);

fn flow(transport: Transport, listener: u8, remote: &str) -> Flow {
    Flow { transport, listener, remote: remote.parse().unwrap(), conn: None }
}

/// Everything that is kept, as a reader gets it.
fn all(heads: &Heads) -> Vec<u8> {
    let mut out = Vec::new();
    let segments = heads.segments();
    for number in segments.oldest..=segments.newest {
        assert_eq!(heads.copy(number, &mut out), segments);
    }
    out
}

#[test]
fn what_goes_in_comes_out() {
    let mut heads = Heads::new(2, 4096, NOW);
    let invite = b"INVITE sip:a@b SIP/2.0\r\nCall-ID: x\r\n\r\nbody";
    heads.received(flow(Transport::Udp, 3, "192.0.2.7:5090"), Duration::from_millis(7), invite);
    heads.now = Millis(NOW.0 + 1);
    heads.sent(flow(Transport::Tls, 0, "[2001:db8::1]:5061"), b"SIP/2.0 100 Trying\r\n\r\n");
    heads.sent(flow(Transport::Tcp, 0, "192.0.2.7:5060"), b"\r\n\r\n");
    let guid = Guid([0xA5; 16]);
    heads.ended(guid, "x");
    let out = all(&heads);
    let found: Vec<Entry<'_>> = entries(&out).map(|(_, entry)| entry).collect();
    let expected = [
        Entry::Head(Head {
            at: Millis(NOW.0 - 7),
            direction: Direction::In,
            transport: Transport::Udp,
            listener: 3,
            peer: "192.0.2.7:5090".parse().unwrap(),
            size: invite.len(),
            text: b"INVITE sip:a@b SIP/2.0\r\nCall-ID: x\r\n\r\n",
        }),
        Entry::Head(Head {
            at: Millis(NOW.0 + 1),
            direction: Direction::Out,
            transport: Transport::Tls,
            listener: 0,
            peer: "[2001:db8::1]:5061".parse().unwrap(),
            size: 22,
            text: b"SIP/2.0 100 Trying\r\n\r\n",
        }),
        Entry::Ended { at: Millis(NOW.0 + 1), guid, call_id: b"x" },
    ];
    assert_eq!(found, expected);
    let places: Vec<usize> = entries(&out).map(|(place, _)| place).collect();
    assert_eq!(places[0], 0);
    assert!(places.is_sorted());
    assert_eq!(heads.segments().begun, NOW);
}

#[test]
fn without_room_nothing_is_kept() {
    let mut heads = Heads::new(0, 0, NOW);
    heads.sent(flow(Transport::Udp, 0, "192.0.2.7:5090"), b"SIP/2.0 100 Trying\r\n\r\n");
    heads.ended(Guid([1; 16]), "x");
    assert_eq!(all(&heads), b"");
}

#[test]
fn what_is_overwritten_or_to_come_is_nothing() {
    let mut heads = Heads::new(2, 256, NOW);
    for number in 0..20 {
        heads.ended(Guid([number; 16]), "a-call-id");
    }
    let segments = heads.segments();
    assert!(segments.oldest > 0 && segments.newest == segments.oldest + 1, "{segments:?}");
    for number in [0, segments.oldest - 1, segments.newest + 1, u64::MAX] {
        let mut out = Vec::new();
        assert_eq!(heads.copy(number, &mut out), segments);
        assert!(out.is_empty(), "{number}");
    }
}

#[test]
fn bytes_that_are_no_entry_end_the_reading() {
    let mut heads = Heads::new(1, 4096, NOW);
    heads.ended(Guid([1; 16]), "one");
    heads.ended(Guid([2; 16]), "two");
    let whole = all(&heads);
    let (first, _) = entries(&whole).nth(1).unwrap();
    for cut in 0..whole.len() {
        let expected = usize::from(cut >= first);
        assert_eq!(entries(&whole[..cut]).count(), expected, "{cut}");
    }
    let mut wrong = whole.clone();
    wrong[first + 4] = 9;
    assert_eq!(entries(&wrong).count(), 1);
    // a length below that of the words
    wrong[first..first + 4].copy_from_slice(&[1, 0, 0, 0]);
    assert_eq!(entries(&wrong).count(), 1);
}

proptest! {
    /// Whatever comes: what is left is the end of what was put in, without a gap, and no more than
    /// one segment less one entry is missing of what the memory could hold.
    #[test]
    fn the_end_is_left_whole_and_in_order(
        segments in 1_usize..6,
        lengths in proptest::collection::vec(0_usize..400, 0..200),
    ) {
        const SEGMENT: usize = 1024;
        let mut heads = Heads::new(segments, SEGMENT, NOW);
        let mut put = Vec::new();
        for (number, length) in lengths.iter().enumerate() {
            let text = format!("{number} {}\r\n\r\n", "x".repeat(*length));
            heads.now = Millis(NOW.0 + number as u64);
            heads.sent(flow(Transport::Udp, 0, "192.0.2.7:5090"), text.as_bytes());
            put.push(text);
        }
        let out = all(&heads);
        let kept: Vec<&[u8]> = entries(&out)
            .map(|(_, entry)| match entry {
                Entry::Head(head) => head.text,
                Entry::Ended { .. } => panic!("none was put"),
            })
            .collect();
        let lost = put.len() - kept.len();
        let expected: Vec<&[u8]> = put[lost..].iter().map(String::as_bytes).collect();
        prop_assert_eq!(&kept, &expected);
        prop_assert!(!kept.is_empty() || put.is_empty());
        if lost == 0 {
            prop_assert_eq!(heads.segments().oldest, 0);
        } else {
            // each full segment is fuller than what did not fit into it
            prop_assert!(out.len() + 450 * segments > (segments - 1) * SEGMENT);
        }
    }
}
