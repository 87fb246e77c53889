//! Both ends of a handshake over real sockets, with certificates that `openssl` has made.

use super::stream::Session;
use super::*;
use crate::tcp::{self, Flush, Listener};
use model::time::Millis;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A directory with an authority that signs what is asked for.
struct Desk {
    dir: TempDir,
}

impl Desk {
    fn open() -> Self {
        let desk = Self { dir: tempfile::tempdir().unwrap() };
        // The system's own file would make every certificate an authority.
        std::fs::write(desk.path("req.cnf"), "[req]\ndistinguished_name = dn\n[dn]\n").unwrap();
        let authority = "-addext basicConstraints=critical,CA:TRUE";
        desk.openssl(&format!(
            "req -x509 -keyout ca.key -out ca.pem -subj /CN=authority {authority}"
        ));
        desk
    }

    /// A certificate with these subject alternative names.
    fn pair(&self, name: &str, names: &str) -> Pair {
        self.openssl(&format!(
            "req -x509 -CA ca.pem -CAkey ca.key -keyout {name}.key -out {name}.pem \
             -subj /CN={name} -addext subjectAltName={names}"
        ));
        Pair {
            certificates: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
        }
    }

    fn openssl(&self, command: &str) {
        let output = Command::new("openssl")
            .args(command.split_whitespace())
            .args(
                "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -config req.cnf"
                    .split(' '),
            )
            .current_dir(self.dir.path())
            .output()
            .expect("openssl is installed (test.sh does it)");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn files(&self, pairs: &[Pair], client_auth: ClientAuth) -> Files {
        Files { pairs: pairs.to_vec(), authorities: Some(self.path("ca.pem")), client_auth }
    }

    fn material(&self, pairs: &[Pair], client_auth: ClientAuth) -> Material {
        self.files(pairs, client_auth).load(now()).unwrap()
    }
}

fn now() -> Millis {
    crate::Clock::start().now().wall
}

fn host(name: &str) -> Name {
    Name::Host(name.to_owned())
}

/// One end with what it has read.
struct End {
    stream: Stream,
    read: Vec<u8>,
    ended: Option<&'static str>,
}

impl End {
    fn of(stream: Stream) -> Self {
        Self { stream, read: Vec::new(), ended: None }
    }

    fn turn(&mut self, now: Duration, scratch: &mut [u8]) {
        if self.ended.is_some() {
            return;
        }
        if self.stream.flush() == Flush::Failed(std::io::ErrorKind::BrokenPipe) {
            self.ended = Some("broken");
        }
        let read = &mut self.read;
        match self.stream.read(now, scratch, &mut |bytes| read.extend_from_slice(bytes)) {
            Read::Records | Read::Blocked => {}
            Read::Ended => self.ended = Some("ended"),
            Read::Failed(_) => self.ended = Some("broken"),
        }
        self.ended = self.stream.over().or(self.ended);
    }
}

/// A connected pair: ours as client, ours as server.
fn pair(client: &Material, server: &Material, name: &Name) -> (End, End) {
    pair_at(LOOPBACK, client, server, name)
}

/// The same at this address, marked with a DSCP.
fn pair_at(ip: IpAddr, client: &Material, server: &Material, name: &Name) -> (End, End) {
    let listener = Listener::bind(SocketAddr::new(ip, 0), 24).unwrap();
    let out = tcp::Stream::connect(listener.local(), None, 24).unwrap();
    let accepted = loop {
        if let Some((stream, _)) = listener.accept().unwrap() {
            break stream;
        }
    };
    let (client, server) = (client.connect(out, name).unwrap(), server.accept(accepted).unwrap());
    (End::of(client), End::of(server))
}

/// Turns both ends until it is so, at most some seconds.
fn turn(ends: &mut (End, End), mut done: impl FnMut(&End, &End) -> bool) {
    let mut scratch = vec![0; 64 * 1024];
    for _ in 0..20_000 {
        ends.0.turn(Duration::ZERO, &mut scratch);
        ends.1.turn(Duration::ZERO, &mut scratch);
        if done(&ends.0, &ends.1) {
            return;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    panic!("it did not happen: {:?} {:?}", ends.0.stream.fault(), ends.1.stream.fault());
}

fn up(client: &End, server: &End) -> bool {
    !client.stream.handshaking() && !server.stream.handshaking()
}

#[test]
fn messages_pass_both_ways_and_the_end_is_told() {
    let desk = Desk::open();
    let ours = desk.material(&[desk.pair("rm", "DNS:rm.example")], ClientAuth::None);
    let mut ends = pair(&ours, &ours, &host("rm.example"));
    let question: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    // Both may be queued before the handshake is done; they wait for it.
    ends.0.stream.queue(&question).unwrap();
    ends.1.stream.queue(b"answer").unwrap();
    assert!(ends.0.stream.handshaking() && ends.1.stream.identity(LOOPBACK).is_none());
    turn(&mut ends, |client, server| {
        client.read == b"answer" && server.read.len() == question.len()
    });
    assert!(ends.1.read == question);
    assert!(ends.0.stream.identity(LOOPBACK).unwrap().proves(&host("rm.example")));
    ends.0.stream.close_write();
    turn(&mut ends, |_, server| server.ended.is_some());
    assert_eq!((ends.1.ended, ends.1.stream.fault()), (Some("ended"), None));
}

#[test]
fn a_server_is_whom_its_certificate_names_and_no_wildcard_counts() {
    let desk = Desk::open();
    let other = Desk::open().material(&[desk.pair("x", "DNS:x")], ClientAuth::None);
    for (names, wanted, right) in [
        ("DNS:mcp.example,DNS:other.example", host("other.example"), true),
        ("DNS:mcp.example", host("MCP.example"), true),
        ("DNS:mcp.example", host("mcp.example.org"), false),
        ("DNS:*.example", host("mcp.example"), false),
        ("URI:sip:voice.example,DNS:mcp.example", host("voice.example"), true),
        ("URI:sip:voice.example,DNS:mcp.example", host("mcp.example"), false),
        ("IP:127.0.0.1", Name::Address(LOOPBACK), true),
        ("IP:127.0.0.2", Name::Address(LOOPBACK), false),
        ("DNS:127.0.0.1", Name::Address(LOOPBACK), false),
        ("IP:::1", Name::Address("::1".parse().unwrap()), true),
    ] {
        let ours = desk.material(&[desk.pair("one", names)], ClientAuth::None);
        let mut ends = pair(&ours, &ours, &wanted);
        turn(&mut ends, |client, server| up(client, server) || server.ended.is_some());
        assert_eq!(ends.0.ended, (!right).then_some("handshake"), "{names} {wanted:?}");
        // Another authority's word counts nothing, whatever the name.
        let mut ends = pair(&other, &ours, &wanted);
        turn(&mut ends, |_, server| server.ended.is_some());
        assert_eq!(ends.0.ended, Some("handshake"));
        assert!(ends.0.stream.fault().unwrap().starts_with("invalid peer certificate: "));
    }
}

#[test]
fn the_certificate_is_that_of_the_name_asked_for() {
    let desk = Desk::open();
    let pairs = [desk.pair("a", "DNS:a.example"), desk.pair("b", "DNS:b.example,IP:127.0.0.1")];
    let ours = desk.material(&pairs, ClientAuth::None);
    for (wanted, right) in [
        (host("a.example"), true),
        (host("b.example"), true),
        (host("c.example"), false),
        // no name is sent with an address: the first is shown
        (Name::Address(LOOPBACK), false),
    ] {
        let mut ends = pair(&ours, &ours, &wanted);
        turn(&mut ends, |client, server| up(client, server) || server.ended.is_some());
        assert_eq!(ends.0.ended.is_none(), right, "{wanted:?}");
    }
}

#[test]
fn a_program_is_named_by_dns_names_alone() {
    use rustls::pki_types::pem::PemObject as _;
    let desk = Desk::open();
    for (names, expected) in [
        ("DNS:Mcp.example,DNS:*.example", &["mcp.example"][..]),
        ("URI:sip:rm.example,DNS:gw.example", &["gw.example"]),
        ("URI:sip:rm.example", &[]),
        ("IP:127.0.0.1", &[]),
    ] {
        let path = desk.pair("one", names).certificates;
        let certificate = rustls::pki_types::CertificateDer::from_pem_file(path).unwrap();
        assert_eq!(dns_names(&certificate), expected, "{names}");
        assert_eq!(common_names(&certificate), ["one"]);
    }
}

#[test]
fn clients_are_known_by_their_certificates() {
    let desk = Desk::open();
    let server = desk.pair("rm", "DNS:rm.example");
    let client = desk.pair("gw", "DNS:gw.example,IP:127.0.0.1");
    let with = desk.material(&[client], ClientAuth::None);
    let stranger = Desk::open();
    let mut files = stranger.files(&[stranger.pair("s", "DNS:gw.example")], ClientAuth::None);
    files.authorities = Some(desk.path("ca.pem"));
    let stranger = files.load(now()).unwrap();
    for (asked, shown, expected) in [
        (ClientAuth::None, &with, Some(false)),
        (ClientAuth::Optional, &with, Some(true)),
        (ClientAuth::Required, &with, Some(true)),
        (ClientAuth::Optional, &stranger, None),
        (ClientAuth::Required, &stranger, None),
    ] {
        let server = desk.material(std::slice::from_ref(&server), asked);
        let mut ends = pair(shown, &server, &host("rm.example"));
        turn(&mut ends, |client, server| up(client, server) || server.ended.is_some());
        let identity = ends.1.stream.identity(LOOPBACK);
        match expected {
            None => assert_eq!(ends.1.ended, Some("handshake")),
            Some(known) => assert_eq!(identity.is_some(), known, "{asked:?}"),
        }
        if expected == Some(true) {
            let identity = identity.unwrap();
            assert_eq!(identity.hosts(), ["gw.example"]);
            assert!(identity.proves(&Name::Address(LOOPBACK)));
        }
    }
}

#[test]
fn a_peer_that_does_not_read_fills_a_queue_and_no_more() {
    let desk = Desk::open();
    let ours = desk.material(&[desk.pair("rm", "DNS:rm.example")], ClientAuth::None);
    let mut ends = pair(&ours, &ours, &host("rm.example"));
    turn(&mut ends, up);
    let piece = vec![b'x'; 60_000];
    let mut queued = 0;
    while ends.0.stream.queue(&piece).is_ok() {
        queued += piece.len();
        ends.0.stream.flush();
        assert!(queued < 64 << 20);
    }
    assert!(ends.0.stream.wants_write());
    turn(&mut ends, |_, server| server.read.len() == queued);
    assert!(ends.0.stream.queue(&piece).is_ok());
}

#[test]
fn records_without_content_are_borne_only_so_often() {
    let desk = Desk::open();
    let ours = desk.material(&[desk.pair("rm", "DNS:rm.example")], ClientAuth::None);
    let mut ends = pair(&ours, &ours, &host("rm.example"));
    turn(&mut ends, up);
    let mut sent = 0;
    while ends.1.ended.is_none() {
        let Session::Client(session) = &mut ends.0.stream.session else { unreachable!() };
        session.refresh_traffic_keys().unwrap();
        // The library's own count begins anew with each message.
        ends.0.stream.queue(b"x").unwrap();
        sent += 1;
        assert!(sent < 100, "they were all borne");
        let mut scratch = vec![0; 64 * 1024];
        for _ in 0..100 {
            ends.0.turn(Duration::ZERO, &mut scratch);
            ends.1.turn(Duration::ZERO, &mut scratch);
            if ends.1.read.len() == sent || ends.1.ended.is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    // With the first ones of a handshake: at most 32 within the second.
    assert!((30..=33).contains(&sent), "{sent}");
    assert_eq!(ends.1.ended, Some("flood"));
}

#[test]
fn any_bytes_end_in_a_word_and_harm_nobody() {
    let desk = Desk::open();
    let ours = desk.material(&[desk.pair("rm", "DNS:rm.example")], ClientAuth::None);
    let mut chance = model::chance::Chance::new([1, 2, 3, 4]);
    for round in 0..300 {
        let listener = Listener::bind(SocketAddr::new(LOOPBACK, 0), 0).unwrap();
        let mut peer = std::net::TcpStream::connect(listener.local()).unwrap();
        let stream = loop {
            if let Some((stream, _)) = listener.accept().unwrap() {
                break stream;
            }
        };
        let mut end = End::of(ours.accept(stream).unwrap());
        let mut bytes: Vec<u8> =
            (0..chance.below(3000)).map(|_| chance.next_u64().to_le_bytes()[0]).collect();
        if round % 2 == 0 {
            // What begins like a handshake record gets further.
            bytes.splice(..0, [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]);
        }
        std::io::Write::write_all(&mut peer, &bytes).unwrap();
        drop(peer);
        let mut scratch = vec![0; 64 * 1024];
        for _ in 0..10_000 {
            end.turn(Duration::ZERO, &mut scratch);
            if end.ended.is_some() {
                break;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        assert!(end.ended.is_some() && end.read.is_empty() && end.stream.handshaking());
    }
}

/// Every reason for which files are refused, with the file that is told.
#[test]
fn files_that_cannot_work_are_named() {
    let desk = Desk::open();
    let (good, other) = (desk.pair("good", "DNS:good"), desk.pair("other", "DNS:other"));
    let told = |files: &Files, now| files.load(now).err().map(|fault| fault.to_string());
    let files = |certificates: &Path, key: &Path| {
        let pair = Pair { certificates: certificates.into(), key: key.into() };
        desk.files(&[pair], ClientAuth::Required)
    };
    let fine = files(&good.certificates, &good.key);
    assert_eq!(told(&fine, now()), None);
    let text = desk.path("text");
    std::fs::write(&text, "hello").unwrap();
    let missing = desk.path("missing");
    for (certificates, key, file, why) in [
        (&missing, &good.key, &missing, "No such file or directory"),
        (&good.certificates, &missing, &missing, "No such file or directory"),
        (&text, &good.key, &text, "no certificate in it"),
        (&good.key, &good.key, &good.key, "no certificate in it"),
        (&good.certificates, &text, &text, "no private key in it"),
        (&good.certificates, &other.key, &other.key, "not the key of the certificate in"),
    ] {
        let told = told(&files(certificates, key), now()).unwrap();
        assert!(told.starts_with(&format!("{}: {why}", file.display())), "{told}");
    }
    let later = Millis(now().0 + 40 * 86_400_000);
    assert!(told(&fine, later).unwrap().contains("good.pem: expired at 20"));
    assert!(told(&fine, Millis(1000)).unwrap().contains("good.pem: not valid before 20"));
    let mut without = fine.clone();
    without.authorities = Some(text.clone());
    assert!(told(&without, now()).unwrap().contains("text: no certificate in it"));
    std::fs::set_permissions(&good.key, PermissionsExt::from_mode(0o664)).unwrap();
    let told = told(&fine, now()).unwrap();
    assert!(told.ends_with("others than its owner may write it (mode 664)"), "{told}");
    std::fs::set_permissions(&good.key, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(fine.load(now()).unwrap().readable_keys(), std::slice::from_ref(&good.key));
}

#[test]
fn a_stamp_tells_a_file_that_was_replaced() {
    let desk = Desk::open();
    let files = desk.files(&[desk.pair("rm", "DNS:a")], ClientAuth::None);
    let before = files.stamp();
    assert_eq!(files.stamp(), before);
    desk.pair("rm", "DNS:b");
    assert_ne!(files.stamp(), before);
    let (soon, now) = (files.load(now()).unwrap(), now());
    let days = soon.left(now).as_secs() / 86_400;
    assert!((29..=30).contains(&days), "{days}");
}

#[test]
fn what_tls_runs_on_is_marked_in_both_families() {
    let desk = Desk::open();
    let names = "IP:127.0.0.1,IP:::1";
    let ours = desk.material(&[desk.pair("rm", names)], ClientAuth::None);
    for ip in [LOOPBACK, std::net::Ipv6Addr::LOCALHOST.into()] {
        let mut ends = pair_at(ip, &ours, &ours, &Name::Address(ip));
        turn(&mut ends, up);
        for stream in [&ends.0.stream, &ends.1.stream] {
            let socket = socket2::SockRef::from(stream);
            let marks = if ip.is_ipv6() { socket.tclass_v6() } else { socket.tos_v4() };
            assert_eq!(marks.unwrap(), 24 << 2, "{ip}");
        }
    }
}

#[test]
fn a_client_without_certificate_trusts_the_authorities_of_its_file_and_names_of_the_web() {
    let desk = Desk::open();
    let trust = Trust::open(&desk.path("ca.pem")).unwrap();
    for (names, wanted, right) in [
        ("DNS:mq.example", "mq.example", true),
        ("DNS:*.voice.example", "mq.voice.example", true),
        ("DNS:*.voice.example", "a.mq.voice.example", false),
        ("DNS:mq.example", "other.example", false),
        ("IP:127.0.0.1", "127.0.0.1", true),
        ("DNS:mq.example", "127.0.0.1", false),
    ] {
        let server = desk.material(&[desk.pair("mq", names)], ClientAuth::None);
        let listener = Listener::bind(SocketAddr::new(LOOPBACK, 0), 0).unwrap();
        let out = tcp::Stream::connect(listener.local(), None, 0).unwrap();
        let accepted = loop {
            if let Some((stream, _)) = listener.accept().unwrap() {
                break stream;
            }
        };
        let client = trust.connect(out, wanted).unwrap();
        let mut ends = (End::of(client), End::of(server.accept(accepted).unwrap()));
        turn(&mut ends, |client, server| up(client, server) || server.ended.is_some());
        assert_eq!(ends.0.ended, (!right).then_some("handshake"), "{names} {wanted}");
    }
    let missing = Trust::open(&desk.path("none.pem")).unwrap_err();
    assert!(missing.to_string().contains("none.pem"), "{missing}");
}
