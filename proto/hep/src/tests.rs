//! Packets byte for byte, by the chunk tables of the HEPv3 specification.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Carrier, Copied, MOST, TooLarge};

fn copied<'a>(source: &str, destination: &str, payload: &'a [u8]) -> Copied<'a> {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    Copied {
        source: address(source),
        destination: address(destination),
        carrier: Carrier::Udp,
        at: Duration::new(1_767_607_205, 123_456_789),
        agent: 2001,
        key: None,
        correlation: None,
        payload,
    }
}

fn written(copied: &Copied<'_>) -> Vec<u8> {
    let mut out = b"before".to_vec();
    let len = copied.write(&mut out).unwrap();
    assert_eq!(len, out.len() - 6);
    out.split_off(6)
}

#[test]
fn every_chunk_over_ipv4() {
    let key = Some(&b"myHep"[..]);
    let correlation = Some(&b"a84b4c76e66710@pc33"[..]);
    let message =
        Copied { key, correlation, ..copied("10.0.0.2:5090", "10.0.0.5:5060", b"ACK ...") };
    let expected = [
        &b"HEP3\x00\x8e"[..],
        b"\0\0\0\x01\0\x07\x02",
        b"\0\0\0\x02\0\x07\x11",
        b"\0\0\0\x03\0\x0a\x0a\0\0\x02",
        b"\0\0\0\x04\0\x0a\x0a\0\0\x05",
        b"\0\0\0\x07\0\x08\x13\xe2",
        b"\0\0\0\x08\0\x08\x13\xc4",
        b"\0\0\0\x09\0\x0a\x69\x5b\x8b\xa5",
        b"\0\0\0\x0a\0\x0a\0\x01\xe2\x40",
        b"\0\0\0\x0b\0\x07\x01",
        b"\0\0\0\x0c\0\x0a\0\0\x07\xd1",
        b"\0\0\0\x0e\0\x0bmyHep",
        b"\0\0\0\x11\0\x19a84b4c76e66710@pc33",
        b"\0\0\0\x0f\0\x0dACK ...",
    ]
    .concat();
    let found = written(&message);
    assert_eq!(found, expected);
    assert_eq!(found.len(), 0x8e);
}

#[test]
fn the_least_over_ipv6_and_tcp() {
    let message = copied("[2001:db8::2]:5090", "[2001:db8::5]:5061", b"x");
    let found = written(&Copied { carrier: Carrier::Tcp, at: Duration::ZERO, ..message });
    let expected = [
        &b"HEP3\x00\x7c"[..],
        b"\0\0\0\x01\0\x07\x0a",
        b"\0\0\0\x02\0\x07\x06",
        b"\0\0\0\x05\0\x16\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02",
        b"\0\0\0\x06\0\x16\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05",
        b"\0\0\0\x07\0\x08\x13\xe2",
        b"\0\0\0\x08\0\x08\x13\xc5",
        b"\0\0\0\x09\0\x0a\0\0\0\0",
        b"\0\0\0\x0a\0\x0a\0\0\0\0",
        b"\0\0\0\x0b\0\x07\x01",
        b"\0\0\0\x0c\0\x0a\0\0\x07\xd1",
        b"\0\0\0\x0f\0\x07x",
    ]
    .concat();
    assert_eq!(found, expected);
}

#[test]
fn two_families_become_one() {
    let found = written(&copied("192.0.2.1:1", "[2001:db8::5]:2", b"x"));
    assert_eq!(found[12], 10);
    let mapped = b"\0\0\0\x05\0\x16\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01";
    assert_eq!(&found[20..42], mapped);
}

#[test]
fn what_no_datagram_takes_is_refused_whole() {
    let around = written(&copied("10.0.0.2:5090", "10.0.0.5:5060", b"")).len();
    for (payload, fits) in [
        (MOST - around, true),
        (MOST - around + 1, false),
        (65_529, false),
        (65_530, false),
        (1 << 20, false),
    ] {
        let bytes = vec![b'x'; payload];
        let mut out = b"before".to_vec();
        let result = copied("10.0.0.2:5090", "10.0.0.5:5060", &bytes).write(&mut out);
        assert_eq!(result, if fits { Ok(MOST) } else { Err(TooLarge) }, "{payload}");
        assert_eq!(out.len(), if fits { 6 + MOST } else { 6 }, "{payload}");
    }
}
