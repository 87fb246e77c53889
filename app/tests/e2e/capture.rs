//! What RM sends, seen by Wireshark: a capture of each platform, and a dissector that must find
//! nothing malformed in it, and the DSCP of the settings on each packet.
//!
//! What RM says by TLS is read where a socat has taken the TLS off and hands it on as it came: so
//! the process under test is the one that users get, and writes down no keys.
//!
//! A test that ran without the capture would prove less than it says, so that a machine on which
//! capturing is not permitted fails it.

use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use net::udp::SendBatch;

use crate::platform::{eventually, loopback};

/// What is looked at besides RM's own address, and what is borne.
#[derive(Clone, Default)]
pub(crate) struct Watch {
    /// Addresses that say without TLS, and nothing else, what RM has said by TLS.
    pub(crate) clear: Vec<IpAddr>,
    /// What messages have in them, Call-IDs for instance, that RM passes on, or answers line by
    /// line, though they are odd.
    pub(crate) odd: &'static [&'static str],
}

/// A running capture of all packets from and to one address.
pub(crate) struct Capture {
    child: Child,
    file: PathBuf,
    ip: IpAddr,
    watch: Watch,
}

/// DSCP of every packet with SIP, as the settings have it by default.
const DSCP: u8 = 24;

/// Wireshark's numbers for the severity of what its dissectors have to say.
const WARNING: &str = "0x600000";
const ERROR: &str = "0x800000";

impl Capture {
    /// Captures into `file`. Floods of large datagrams towards RM are left out.
    pub(crate) fn start(ip: IpAddr, watch: Watch, file: PathBuf) -> Self {
        let log = file.with_extension("log");
        let hosts: String = watch.clear.iter().map(|clear| format!(" or host {clear}")).collect();
        let filter =
            format!("(host {ip}{hosts}) and not (udp and dst host {ip} and greater 30000)");
        let mut child = Command::new("dumpcap")
            .args(["-q", "-i", "lo", "-B", "64", "-f", &filter])
            .arg("-w")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .expect("dumpcap is installed (test.sh does it)");
        // It says so when it has begun; until then packets would be missed.
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        let begun = || said().contains("File: ") || child.try_wait().unwrap().is_some();
        eventually("the capture begins", begun, |begun| *begun);
        assert!(
            child.try_wait().unwrap().is_none(),
            "Capturing on lo is not permitted. Please run this once and start again:\n\n    \
             sudo setcap cap_net_raw,cap_net_admin+eip \"$(command -v dumpcap)\"\n\n{}",
            said()
        );
        Self { child, file, ip, watch }
    }

    /// Ends the capture; panics when what `ip` has sent is not all SIP, or is malformed.
    pub(crate) fn check(mut self) {
        self.wait_for_the_rest();
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-s", "INT", &pid]).status().unwrap();
        self.child.wait().unwrap();
        let readable = "!(tcp.port == 5061)";
        // An ICMP packet quotes what came in.
        let own = format!("ip.src == {} && !icmp", self.ip);
        let messages = self.find(&format!("{own} && (sip || tcp.port == 5061)"));
        assert!(!messages.is_empty(), "no SIP of RM was captured");
        let unmarked =
            self.find(&format!("{own} && (udp || tcp.len > 0) && ip.dsfield.dscp != {DSCP}"));
        assert_eq!(unmarked, "", "packets without DSCP {DSCP}");
        let mut sent = own;
        if !self.watch.clear.is_empty() {
            let clear: Vec<String> = self.watch.clear.iter().map(IpAddr::to_string).collect();
            let clear = format!("ip.src in {{{}}}", clear.join(", "));
            let messages = self.find(&format!("{clear} && sip && {readable}"));
            assert!(!messages.is_empty(), "nothing of what RM says by TLS was captured");
            sent = format!("({sent} || {clear})");
        }
        // A part of a message on a stream is shown with its last part; CRLF keeps a stream alive.
        let other = self.find(&format!(
            "{sent} && !sip && {readable} && (udp || tcp.len > 4) && !tcp.reassembled_in && \
             !tcp.analysis.retransmission"
        ));
        assert_eq!(other, "", "RM has sent what is no SIP");
        let bad = self.find(&format!(
            "{sent} && {readable} && (_ws.malformed || _ws.expert.severity == {ERROR} || \
             (sip && _ws.expert.severity == {WARNING}))"
        ));
        let borne = |line: &&str| self.watch.odd.iter().any(|id| line.contains(id));
        let bad: Vec<&str> = bad.lines().filter(|line| !borne(line)).collect();
        assert!(bad.is_empty(), "Wireshark's complaints of what RM has sent: {bad:#?}");
    }

    /// Packets reach the file with a delay: one that is sent now comes behind all others.
    fn wait_for_the_rest(&self) {
        const LAST: &[u8] = b"nothing comes behind this";
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        // Nobody listens there.
        sender.send_to(LAST, (self.ip, 9)).unwrap();
        let written = || {
            let bytes = std::fs::read(&self.file).unwrap();
            bytes.windows(LAST.len()).rev().any(|part| part == LAST)
        };
        eventually("the capture is written", written, |written| *written);
    }

    /// The packets that a display filter finds, one a line, with what Wireshark has to say of them.
    fn find(&self, filter: &str) -> String {
        let output = Command::new("tshark")
            .args(["-n", "-Q", "-Y", filter, "-r"])
            .arg(&self.file)
            // Nothing else lives at the address of a platform.
            .args(["-d", "udp.port==1-65535,sip", "-d", "tcp.port==1-65535,sip"])
            .args(["-T", "fields", "-e", "frame.number", "-e", "_ws.col.Info"])
            .args(["-e", "sip.Call-ID", "-e", "_ws.expert.message", "-e", "sip.msg_hdr"])
            .output()
            .expect("tshark is installed (test.sh does it)");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tshark: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Captures one datagram as if RM had sent it.
fn check_of(datagram: &[u8], dscp: u8) {
    let dir = tempfile::tempdir().unwrap();
    let address = loopback();
    let file = dir.path().join("sent.pcapng");
    let capture = Capture::start(address.ip(), Watch::default(), file);
    let socket = net::udp::UdpSocket::bind(address, dscp).unwrap();
    let mut batch = SendBatch::new();
    batch.push(0..datagram.len(), (address.ip(), 9).into());
    assert_eq!(batch.flush(&socket, datagram, |failure| panic!("{failure:?}")), 1);
    capture.check();
}

const REQUEST: &str = "OPTIONS sip:a@127.0.0.1 SIP/2.0\r\n\
    Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\n\
    Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_good_message_passes_the_dissector() {
    check_of(REQUEST.as_bytes(), DSCP);
}

#[test]
#[should_panic(expected = "no SIP of RM was captured")]
fn garbage_does_not() {
    check_of(b"no SIP at all", DSCP);
}

#[test]
#[should_panic(expected = "Wireshark's complaints")]
fn a_header_without_colon_does_not() {
    check_of(REQUEST.replace("Max-Forwards:", "Max-Forwards").as_bytes(), DSCP);
}

#[test]
#[should_panic(expected = "Wireshark's complaints")]
fn half_a_message_does_not() {
    let half = REQUEST.split("Max-Forwards").next().unwrap();
    check_of(half.trim_end().as_bytes(), DSCP);
}

#[test]
#[should_panic(expected = "packets without DSCP")]
fn a_message_that_is_not_marked_does_not() {
    check_of(REQUEST.as_bytes(), 0);
}
