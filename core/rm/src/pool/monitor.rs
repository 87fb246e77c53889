//! The OPTIONS that watch a resource (rm.md §7.2): when they leave and what they say.
//!
//! Byte rules of GVP are marked ᴳ in the specification: existing media servers parse them. Must
//! not judge the answer; that is `health`.

use std::fmt::Display;
use std::time::Duration;

use model::chance::Chance;
use model::id::Guid;
use model::time::Millis;
use sip::transport::Transport;

use super::resource::Probe;
use crate::limits;

/// Where the probe leaves from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From<'a> {
    /// Host of the node itself, IPv6 in brackets.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
}

impl Probe {
    /// Gives it its Call-ID and tag, once.
    pub(crate) fn name(&mut self, from: From<'_>, wall: Millis, chance: &mut Chance) {
        if self.call_id.is_empty() {
            let guid = Guid::v7(wall, chance);
            self.call_id = format!("{guid}-{}@{}", from.port, from.host);
            self.from_tag = format!("{:016x}", chance.next_u64());
        }
    }

    /// Takes a round trip into the smoothed one (an eighth of the new).
    pub(crate) fn round_trip(&mut self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.rtt_us = Some(match self.rtt_us {
            None => took,
            Some(smooth) => smooth - smooth / 8 + took / 8,
        });
    }
}

/// The whole request.
pub(crate) fn options(
    address: &str,
    transport: Transport,
    from: From<'_>,
    probe: &Probe,
    cseq: u32,
    branch: impl Display,
) -> Vec<u8> {
    let From { host, port } = from;
    let Probe { call_id, from_tag, .. } = probe;
    format!(
        "OPTIONS {address} SIP/2.0\r\n\
         Via: SIP/2.0/{transport} {host}:{port};branch={branch};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:GVP@{host}:{port}>;tag={from_tag}\r\n\
         To: <{address}>\r\n\
         Call-ID: {call_id}\r\n\
         CSeq: {cseq} OPTIONS\r\n\
         Contact: <sip:GVP@{host}:{port}>\r\n\
         Supported: timer, uui\r\n\
         Allow: INVITE, OPTIONS, BYE, CANCEL, ACK, UPDATE, INFO\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// CSeq of the probe after one with this number: from 1 on, and below 2³¹ (RFC 3261 §8.1.1.5).
pub(crate) fn next(cseq: u32) -> u32 {
    cseq % i32::MAX.unsigned_abs() + 1
}

/// When the first probe of a resource leaves, from now.
pub(crate) fn first(chance: &mut Chance) -> Duration {
    let most = u64::try_from(limits::PROBE_JITTER.as_millis()).unwrap_or_default();
    Duration::from_millis(chance.below(most + 1))
}

/// From the start of one probe to the start of the next: `interval` ± 10 %.
pub(crate) fn gap(interval: Duration, chance: &mut Chance) -> Duration {
    let tenth = u64::try_from(interval.as_millis() / 10).unwrap_or_default();
    let shift = Duration::from_millis(chance.below(2 * tenth + 1));
    (interval + shift).saturating_sub(Duration::from_millis(tenth))
}

#[cfg(test)]
mod tests {
    use super::{From, gap, next, options};
    use crate::pool::resource::Probe;
    use model::chance::Chance;
    use sip::transport::Transport;
    use std::time::Duration;

    #[test]
    fn numbers_of_probes_stay_below_their_bound() {
        for (last, expected) in [(0, 1), (1, 2), (0x7fff_fffe, 0x7fff_ffff), (0x7fff_ffff, 1)] {
            assert_eq!(next(last), expected, "{last}");
        }
    }

    #[test]
    fn the_bytes_of_a_probe() {
        let probe =
            Probe { call_id: "G-5064@10.0.0.5".into(), from_tag: "t".into(), ..Probe::default() };
        let from = From { host: "10.0.0.5", port: 5064 };
        let uri = "sip:10.0.0.11:5070;transport=tcp";
        let bytes = options(uri, Transport::Tcp, from, &probe, 7, "z9hG4bKx");
        let expected = "OPTIONS sip:10.0.0.11:5070;transport=tcp SIP/2.0\r\n\
            Via: SIP/2.0/TCP 10.0.0.5:5064;branch=z9hG4bKx;rport\r\n\
            Max-Forwards: 70\r\n\
            From: <sip:GVP@10.0.0.5:5064>;tag=t\r\n\
            To: <sip:10.0.0.11:5070;transport=tcp>\r\n\
            Call-ID: G-5064@10.0.0.5\r\n\
            CSeq: 7 OPTIONS\r\n\
            Contact: <sip:GVP@10.0.0.5:5064>\r\n\
            Supported: timer, uui\r\n\
            Allow: INVITE, OPTIONS, BYE, CANCEL, ACK, UPDATE, INFO\r\n\
            Content-Length: 0\r\n\r\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn the_gap_is_within_a_tenth() {
        let mut chance = Chance::new([1; 4]);
        for _ in 0..1000 {
            let gap = gap(Duration::from_secs(5), &mut chance).as_millis();
            assert!((4500..=5500).contains(&gap), "{gap}");
        }
    }

    #[test]
    fn round_trips_are_smoothed() {
        let mut probe = Probe::default();
        probe.round_trip(Duration::from_micros(800));
        probe.round_trip(Duration::from_micros(1600));
        assert_eq!(probe.rtt_us, Some(900));
    }
}
