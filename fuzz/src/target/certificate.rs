//! `net::tls`: what a stranger's certificate says of names and times; a name that none may prove is
//! never proven.

use std::net::{IpAddr, Ipv4Addr};

use net::tls::{Identity, Name, validity};
use rustls::pki_types::CertificateDer;

pub(super) fn run(data: &[u8]) {
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let identity = Identity::of(&CertificateDer::from(data), address);
    for host in identity.hosts() {
        assert!(!host.is_empty() && !host.contains('*'), "{host:?} is no name of one host");
        assert_eq!(*host, host.to_ascii_lowercase());
        assert!(identity.proves(&Name::Host(format!("{}.", host.to_ascii_uppercase()))));
        let below = format!("below.{host}");
        let named = identity.hosts().contains(&below);
        assert_eq!(identity.proves(&Name::Host(below)), named, "{host} alone");
    }
    assert!(!identity.proves(&Name::Host(String::new())), "nobody is called nothing");
    assert!(!identity.proves(&Name::Address(IpAddr::V4(Ipv4Addr::LOCALHOST))), "not asked about");
    if let Some((_, until)) = validity(data) {
        assert!(until.0 < 253_402_300_800_000, "a year has four digits");
    }
}
