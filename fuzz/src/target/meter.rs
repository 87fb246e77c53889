//! `net::tls::Meter`: wherever a stream of TLS records is cut, each record ends where its length says,
//! and records without content are borne as often as they should be and no more.
//!
//! The first byte is the size of the pieces. Each piece comes some milliseconds behind the last, as
//! many as its first byte says.

use std::time::Duration;

use net::limits::IDLE_RECORDS;
use net::tls::Meter;

/// The head of a record; its last two bytes are the length of the rest (RFC 8446 §5.1).
const HEAD: usize = 5;
const SECOND: Duration = Duration::from_secs(1);

pub(super) fn run(data: &[u8]) {
    let Some((size, stream)) = data.split_first() else { return };
    let (mut meter, mut now) = (Meter::default(), SECOND);
    let (mut at, mut found, mut idle) = (0, Vec::new(), Vec::new());
    for mut piece in stream.chunks(usize::from(*size).max(1)) {
        now += Duration::from_millis(piece.first().copied().map_or(0, u64::from));
        while !piece.is_empty() {
            let (used, complete) = meter.cut(piece);
            assert!((1..=piece.len()).contains(&used), "{used} of {}", piece.len());
            at += used;
            piece = &piece[used..];
            if complete {
                found.push(at);
                idle.push((now, meter.idle(now)));
            }
        }
    }
    assert_eq!(found, ends(stream), "pieces of {size}");
    bounded(&idle);
}

/// Where the records of a stream end.
fn ends(stream: &[u8]) -> Vec<usize> {
    let (mut at, mut ends) = (0, Vec::new());
    while let Some([.., high, low]) = stream.get(at..at + HEAD) {
        at += HEAD + usize::from(u16::from_be_bytes([*high, *low]));
        if at > stream.len() {
            break;
        }
        ends.push(at);
    }
    ends
}

/// Nobody is given up who sent few of them in the second before; nobody is borne who sends many.
fn bounded(idle: &[(Duration, bool)]) {
    let most = usize::try_from(IDLE_RECORDS).unwrap_or(usize::MAX);
    for (n, (now, too_many)) in idle.iter().enumerate() {
        let before = idle[..=n].iter().rev().take_while(|(at, _)| *now - *at < SECOND);
        let (came, borne) =
            before.fold((0, 0), |(came, borne), (_, over)| (came + 1, borne + usize::from(!over)));
        assert!(!too_many || came > most, "given up for {came} in a second");
        assert!(borne <= 2 * most, "{borne} borne in a second");
    }
}
