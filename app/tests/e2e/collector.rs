//! Debian's Kamailio as a HEPv3 collector: it reads each packet by itself and writes down what is
//! in it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::daemon::Daemon;
use crate::platform::{free_port, loopback};
use crate::player::is_bound;
use crate::sipp::Via;

/// What it writes of each packet, and by which chunk.
const CHUNKS: [(&str, u8); 13] = [
    ("family", 1),
    ("protocol", 2),
    ("source", 3),
    ("destination", 4),
    ("source port", 7),
    ("destination port", 8),
    ("seconds", 9),
    ("micros", 10),
    ("type", 11),
    ("agent", 12),
    ("key", 14),
    ("correlation", 17),
    ("payload", 15),
];

/// A running collector; ended with the value.
pub(crate) struct Collector {
    daemon: Daemon,
    pub(crate) address: SocketAddr,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ip = loopback().ip();
        let address = SocketAddr::new(ip, free_port(ip));
        let chunks = CHUNKS.map(|(name, number)| format!("{name}=$hep(0x{number:03x})"));
        let text = include_str!("scenarios/collector.cfg")
            .replace("ADDRESS", &address.to_string())
            .replace("DIR", &dir.path().display().to_string())
            .replace("CHUNKS", &chunks.join("|"));
        std::fs::write(dir.path().join("kamailio.cfg"), text).unwrap();
        Self { daemon: Daemon::start(dir, 64, || is_bound(address, Via::Udp)), address }
    }

    /// What it has read, by name; chunks that are not there are `<null>`.
    pub(crate) fn copies(&self) -> Vec<BTreeMap<String, String>> {
        let log = self.daemon.log();
        let copies = log.split("COPY|").skip(1).filter_map(|text| text.split_once("|END"));
        let fields = copies.map(|(text, _)| {
            let fields = text.splitn(CHUNKS.len(), '|').map(|field| field.split_once('=').unwrap());
            fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        });
        fields.collect()
    }
}
