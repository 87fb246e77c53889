//! Counts TLS records that carry nothing: a peer that sends KeyUpdates or empty records without
//! end costs work and says nothing (rm.md §13.2). It reads only the five bytes before each record.

use std::time::Duration;

use crate::limits::IDLE_RECORDS;

const HEADER: usize = 5;

/// Where in the stream of records one connection is.
#[derive(Debug, Default)]
pub struct Meter {
    header: [u8; HEADER],
    /// Bytes of the header that have come.
    have: usize,
    /// Bytes of the record that are to come.
    left: usize,
    /// Since when is counted, and how many were idle since.
    second: Duration,
    idle: u32,
}

impl Meter {
    /// How many of these bytes belong to the record in hand, and whether they complete it.
    pub fn cut(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut used = 0;
        while self.have < HEADER {
            let (Some(byte), Some(cell)) = (bytes.get(used), self.header.get_mut(self.have)) else {
                return (used, false);
            };
            *cell = *byte;
            self.have += 1;
            used += 1;
            if self.have == HEADER {
                let [.., high, low] = self.header;
                self.left = usize::from(u16::from_be_bytes([high, low]));
            }
        }
        let body = self.left.min(bytes.len() - used);
        self.left -= body;
        used += body;
        if self.left == 0 {
            self.have = 0;
        }
        (used, self.left == 0)
    }

    /// A complete record said nothing; true when these are too many within a second
    /// ([`IDLE_RECORDS`]).
    pub fn idle(&mut self, now: Duration) -> bool {
        if now.saturating_sub(self.second) >= Duration::from_secs(1) {
            self.second = now;
            self.idle = 0;
        }
        self.idle += 1;
        self.idle > IDLE_RECORDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_wherever_the_stream_is_cut() {
        let stream: Vec<u8> =
            [&[23, 3, 3, 0, 4, 1, 2, 3, 4][..], &[23, 3, 3, 0, 0], &[22, 3, 1, 1, 0], &[7; 256]]
                .concat();
        for piece in 1..stream.len() + 1 {
            let (mut meter, mut ends, mut at) = (Meter::default(), Vec::new(), 0);
            for mut bytes in stream.chunks(piece) {
                while !bytes.is_empty() {
                    let (used, complete) = meter.cut(bytes);
                    at += used;
                    bytes = &bytes[used..];
                    if complete {
                        ends.push(at);
                    }
                }
            }
            assert_eq!(ends, [9, 14, 275], "pieces of {piece}");
        }
    }

    #[test]
    fn thirty_two_a_second_are_borne_and_one_more_is_not() {
        let mut meter = Meter::default();
        for second in 0..3 {
            let now = Duration::from_secs(second + 10);
            for _ in 0..32 {
                assert!(!meter.idle(now + Duration::from_millis(500)));
            }
            assert!(second < 2 || meter.idle(now + Duration::from_millis(501)));
        }
    }
}
