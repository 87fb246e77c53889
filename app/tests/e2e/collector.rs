//! Debian's Kamailio as a HEPv3 collector: it reads each packet by itself and writes down what is
//! in it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::platform::{eventually, free_port, loopback};
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
    child: Child,
    dir: TempDir,
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
        std::fs::write(dir.path().join("collector.cfg"), text).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new("kamailio")
            .current_dir(dir.path())
            .args(["-f", "collector.cfg", "-DD", "-E", "-m", "64", "-M", "8"])
            .args(["-Y", &dir.path().display().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()
            .expect("kamailio is installed (test.sh does it)");
        let mut collector = Self { child, dir, address };
        let up = || {
            let ended = collector.child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", collector.log());
            is_bound(address, Via::Udp)
        };
        eventually("the collector listens", up, |up| *up);
        collector
    }

    /// What it has read, by name; chunks that are not there are `<null>`.
    pub(crate) fn copies(&self) -> Vec<BTreeMap<String, String>> {
        let log = self.log();
        let copies = log.split("COPY|").skip(1).filter_map(|text| text.split_once("|END"));
        let fields = copies.map(|(text, _)| {
            let fields = text.splitn(CHUNKS.len(), '|').map(|field| field.split_once('=').unwrap());
            fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        });
        fields.collect()
    }

    fn log(&self) -> String {
        let bytes = std::fs::read(self.dir.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Its processes are one group.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-s", "KILL", "--", &group]).status();
        let _ = self.child.wait();
    }
}
