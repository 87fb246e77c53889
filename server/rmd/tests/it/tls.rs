//! Calls over TLS: the other ends are OpenSSL's. Callers are `openssl s_client` with SIP made by
//! hand in its pipes, media servers a TCP one behind `socat`.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::node::{Node, objects, settings};
use crate::peer::{Caller, Seen, Stream, header, lines, tcp_media_as};

/// An authority and what it has signed, as PEM files.
pub(crate) struct Desk {
    dir: TempDir,
}

impl Desk {
    pub(crate) fn open() -> Self {
        let desk = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::write(desk.path("req.cnf"), "[req]\ndistinguished_name = dn\n[dn]\n").unwrap();
        let authority = "-addext basicConstraints=critical,CA:TRUE";
        desk.openssl(&format!("-keyout ca.key -out ca.pem -subj /CN=authority {authority}"));
        desk
    }

    /// `{name}.pem` and `{name}.key` with these subject alternative names.
    pub(crate) fn sign(&self, name: &str, names: &str) {
        self.openssl(&format!(
            "-CA ca.pem -CAkey ca.key -keyout {name}.key -out {name}.pem -subj /CN={name} \
             -addext subjectAltName={names}"
        ));
    }

    fn openssl(&self, options: &str) {
        let fixed = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -config";
        let output = Command::new("openssl")
            .args(fixed.split(' ').chain(["req.cnf"]).chain(options.split_whitespace()))
            .current_dir(self.dir.path())
            .output()
            .expect("openssl is installed (test.sh does it)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The lines `tls:` below `rm.sip`.
    pub(crate) fn block(&self, name: &str, client_auth: &str) -> String {
        let path = |file: &str| self.path(file).display().to_string();
        format!(
            "tls: {{ cert_file: {}, key_file: {}, ca_file: {}, client_auth: {client_auth} }}",
            path(&format!("{name}.pem")),
            path(&format!("{name}.key")),
            path("ca.pem"),
        )
    }
}

/// A process that ends with the test.
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Already gone is as good. It leads a group: one that forks leaves nobody behind.
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-s", "KILL", "--", &group]).status();
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An `openssl` whose pipes are the stream; ended with the process.
pub(crate) fn openssl(dir: &Path, words: &str) -> (Process, Stream) {
    let mut child = Command::new("openssl")
        .args(words.split_whitespace())
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("openssl is installed (test.sh does it)");
    let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    (Process(child), Stream::of_pipes(input, output))
}

/// A media server that shows this certificate; `verify=1` also wants to see one.
pub(crate) fn media(desk: &Desk, name: &str, verify: &str) -> (Process, SocketAddr, Seen) {
    let address = TcpListener::bind("127.0.0.3:0").unwrap().local_addr().unwrap();
    let (plain, seen) = tcp_media_as(address, "tls");
    let listen = format!(
        "OPENSSL-LISTEN:{},bind={},reuseaddr,fork,cert={name}.pem,key={name}.key,\
         cafile=ca.pem,{verify}",
        address.port(),
        address.ip()
    );
    let child = Command::new("socat")
        .args([listen, format!("TCP:{plain}")])
        .current_dir(desk.dir.path())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("socat is installed (test.sh does it)");
    (Process(child), address, seen)
}

/// A caller behind `s_client`.
pub(crate) fn caller(node: &Node, desk: &Desk, options: &str, call_id: &str) -> (Process, Caller) {
    let rm = tls(node);
    let words = format!("s_client -quiet -connect {rm} -CAfile ca.pem {options}");
    let (process, stream) = openssl(desk.dir.path(), &words);
    (process, Caller::over(stream, "TLS", call_id))
}

/// Where the node listens for TLS, first.
pub(crate) fn tls(node: &Node) -> SocketAddr {
    node.rm.addresses().sip.iter().find(|(transport, _)| transport.uri_param() == "tls").unwrap().1
}

/// A node that also listens for TLS.
pub(crate) fn node(
    desk: &Desk,
    media: &[(SocketAddr, &str)],
    client_auth: &str,
    peers: &str,
) -> Node {
    let more = format!("{}{peers}", desk.block("rm", client_auth));
    node_at(&objects(media, 10), &["127.0.0.1:0"], &more)
}

/// A node that listens for TLS at these addresses, with these lines more below `rm.sip`.
pub(crate) fn node_at(objects: &str, addresses: &[&str], more: &str) -> Node {
    let listen = "sip: { listen: [\"udp:127.0.0.1:0\", \"tcp:127.0.0.1:0\"] }";
    let tls: String = addresses.iter().map(|at| format!(", \"tls:{at}\"")).collect();
    let with = listen.replace("] }", &format!("{tls}], {more} }}"));
    Node::with_settings(objects, |text| text.replace(listen, &with))
}

#[test]
fn a_call_over_tls_on_both_sides_and_over_tls_and_udp() {
    let desk = Desk::open();
    desk.sign("rm", "DNS:rm.example,IP:127.0.0.1");
    desk.sign("mcp", "IP:127.0.0.3");
    let (_socat, address, seen) = media(&desk, "mcp", "verify=0");
    let (plain, _) = crate::peer::udp_media();
    let node = node(&desk, &[(address, "tls"), (plain, "udp")], "none", "");
    node.until_media(2);
    for (version, call) in [("-tls1_2", "old"), ("-tls1_3", "new")] {
        for turn in ["one", "two"] {
            let options = format!("{version} -verify_return_error -servername rm.example");
            let (_process, mut caller) = caller(&node, &desk, &options, &format!("{call}-{turn}"));
            let answer = caller.invite("18005550100");
            assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
            assert!(lines(&answer, "Record-Route")[0].contains("rm-"), "{answer}");
            assert!(caller.bye().starts_with("SIP/2.0 200 "));
        }
    }
    let seen = seen.lock().unwrap();
    let invites: Vec<_> = seen.iter().filter(|request| request.starts_with("INVITE ")).collect();
    assert_eq!(invites.len(), 2, "one of each pair of calls");
    assert!(header(invites[0], "CSeq").ends_with("INVITE"));
    assert!(lines(invites[0], "Via")[0].starts_with("SIP/2.0/TLS "));
    assert!(lines(invites[0], "Record-Route")[0].contains(";transport=tls"));
    let byes = seen.iter().filter(|request| request.starts_with("BYE ")).count();
    assert_eq!(byes, 2);
    let expiry = node.get("/metrics").1;
    let expiry = expiry
        .lines()
        .find(|line| line.starts_with("ringmaster_tls_certificate_expiry_seconds{use=\"sip\"} "));
    let left: f64 = expiry.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!((29.0..=30.0).contains(&(left / 86_400.0)), "{left}");
    drop(seen);
    node.stop();
}

#[test]
fn files_that_cannot_work_stop_the_start() {
    let desk = Desk::open();
    desk.sign("rm", "DNS:rm.example");
    desk.sign("other", "DNS:other.example");
    std::fs::copy(desk.path("other.key"), desk.path("rm.key")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut given = settings(dir.path(), "");
    let text = format!("rm: {{ sip: {{ {} }} }}", desk.block("rm", "none"));
    given.rm.sip.tls = config::Settings::from_text(&text, None, []).unwrap().rm.sip.tls;
    let error = crate::node::start(given, &objects(&[], 1)).err().unwrap();
    let expected = format!(
        "rm.sip.tls: {}: not the key of the certificate in {}",
        desk.path("rm.key").display(),
        desk.path("rm.pem").display()
    );
    assert_eq!((error.to_string(), error.exit_code()), (expected, 78));
}

/// How long a refusal may take to be seen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What `s_client` says of a handshake that it ends at once.
pub(crate) fn shake(node: &Node, desk: &Desk, options: &str) -> (bool, String) {
    shake_at(tls(node), desk, options)
}

/// The same with a listener that is not the first.
pub(crate) fn shake_at(rm: SocketAddr, desk: &Desk, options: &str) -> (bool, String) {
    let words = format!("s_client -connect {rm} -CAfile ca.pem {options}");
    let output = Command::new("timeout")
        .args([&PATIENCE.as_secs().to_string(), "openssl"])
        .args(words.split_whitespace())
        .current_dir(desk.dir.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn versions_names_and_renegotiation() {
    let desk = Desk::open();
    desk.sign("rm", "DNS:rm.example");
    let node = node(&desk, &[], "none", "");
    let (up, text) =
        shake(&node, &desk, "-tls1_3 -verify_hostname rm.example -servername rm.example");
    assert!(up && text.contains("Verification: OK") && text.contains("TLSv1.3"), "{text}");
    let (up, text) = shake(&node, &desk, "-tls1_2 -verify_return_error");
    assert!(up && text.contains("TLSv1.2"), "{text}");
    assert!(text.contains("Compression: NONE"), "{text}");
    for old in ["-tls1_1 -cipher DEFAULT@SECLEVEL=0", "-tls1 -cipher DEFAULT@SECLEVEL=0"] {
        let (up, text) = shake(&node, &desk, old);
        assert!(!up && text.contains("SSL alert number "), "{text}");
    }
    node.until("failures are counted", || {
        let metrics = node.get("/metrics").1;
        metrics.contains("transport_errors_total{transport=\"tls\",reason=\"handshake\"} 2")
    });
    node.stop();
}

/// A peer by name, and nobody else: loopback is a stranger.
const NAMED: &str =
    ", domains: [rm.example], peers: [{ name: gw, match: gw.example, role: gateway }]";

#[test]
fn a_peer_is_known_by_its_certificate_and_not_by_its_address() {
    let desk = Desk::open();
    for (name, names) in
        [("rm", "DNS:rm.example"), ("gw", "DNS:GW.example"), ("other", "DNS:other.example")]
    {
        desk.sign(name, names);
    }
    let (media, _) = crate::peer::udp_media();
    let node = node(&desk, &[(media, "udp")], "optional", NAMED);
    node.until_media(1);
    for (certificate, expected) in [
        ("-cert gw.pem -key gw.key", "SIP/2.0 200 "),
        ("-cert other.pem -key other.key", "SIP/2.0 403 "),
        ("", "SIP/2.0 403 "),
    ] {
        let call_id = expected.replace([' ', '/', '.'], "") + &certificate.len().to_string();
        let (_process, mut caller) = caller(&node, &desk, certificate, &call_id);
        let answer = caller.invite("18005550100");
        assert!(answer.starts_with(expected), "{certificate}: {answer}");
    }
    node.stop();
}

#[test]
fn a_client_without_a_certificate_is_let_in_only_where_none_is_required() {
    let desk = Desk::open();
    desk.sign("rm", "DNS:rm.example");
    desk.sign("gw", "DNS:gw.example");
    let node = node(&desk, &[], "required", "");
    // In TLS 1.3 the client learns of it only when it reads on.
    let (up, text) = shake(&node, &desk, "-tls1_2");
    assert!(!up && text.contains("SSL alert number "), "{text}");
    let (up, text) = shake(&node, &desk, "-tls1_2 -cert gw.pem -key gw.key");
    assert!(up && text.contains("Verification: OK"), "{text}");
    let (_process, mut caller) =
        caller(&node, &desk, "-tls1_3 -cert gw.pem -key gw.key", "with-certificate");
    let answer = caller.invite("4930");
    assert!(answer.starts_with("SIP/2.0 4"), "{answer}");
    node.stop();
}

#[test]
fn new_files_are_for_new_handshakes_and_bad_ones_change_nothing() {
    let desk = Desk::open();
    desk.sign("rm", "DNS:old.example");
    let (media, _) = crate::peer::udp_media();
    let node = node(&desk, &[(media, "udp")], "none", "");
    node.until_media(1);
    let (_process, mut caller) = caller(&node, &desk, "", "through-a-reload");
    assert!(caller.invite("18005550100").starts_with("SIP/2.0 200 "));
    let shows = |name: &str| {
        shake(&node, &desk, &format!("-verify_hostname {name} -verify_return_error")).0
    };
    assert!(shows("old.example") && !shows("new.example"));
    // A key that is not the certificate's, as between the writing of the one and the other.
    desk.sign("new", "DNS:new.example");
    std::fs::copy(desk.path("new.key"), desk.path("rm.key")).unwrap();
    node.rm.stopper().reload();
    node.until("the refusal is logged", || {
        node.get("/metrics").1.contains("log_messages_total{level=\"EROR\",log_id=\"20122\"} 1")
    });
    assert!(shows("old.example"));
    std::fs::copy(desk.path("new.pem"), desk.path("rm.pem")).unwrap();
    node.rm.stopper().reload();
    node.until("the new certificate is shown", || shows("new.example"));
    assert!(caller.bye().starts_with("SIP/2.0 200 "), "the connection has stayed");
    node.stop();
}

#[test]
fn a_media_server_with_another_name_gets_nothing() {
    let desk = Desk::open();
    desk.sign("rm", "DNS:rm.example");
    desk.sign("mcp", "IP:127.0.0.9,DNS:*.example");
    let (_socat, address, seen) = media(&desk, "mcp", "verify=0");
    let node = node(&desk, &[(address, "tls")], "none", "");
    node.until("probes fail by their handshake", || {
        let metrics = node.get("/metrics").1;
        let line = "transport_errors_total{transport=\"tls\",reason=\"handshake\"} ";
        metrics.lines().any(|one| one.contains(line))
    });
    let refused = Caller::udp(node.udp(), "unverified").invite("18005550100");
    assert!(refused.starts_with("SIP/2.0 480 "), "{refused}");
    assert!(seen.lock().unwrap().is_empty());
    node.stop();
}

#[test]
fn a_media_server_that_wants_a_certificate_gets_ours() {
    let desk = Desk::open();
    desk.sign("rm", "DNS:rm.example");
    desk.sign("mcp", "IP:127.0.0.3");
    let (_socat, address, _) = media(&desk, "mcp", "verify=1");
    let node = node(&desk, &[(address, "tls")], "none", "");
    node.until_media(1);
    node.stop();
}

/// The same as over TCP: what was asked before is answered, then the refusal, then it closes.
#[test]
fn broken_framing_is_answered_before_the_stream_closes() {
    let desk = Desk::open();
    desk.sign("rm", "DNS:rm.example");
    let (media, _) = crate::peer::udp_media();
    let node = node(&desk, &[(media, "udp")], "none", "");
    let (rm, tcp) = (tls(&node), node.tcp());
    let ask = |length: &str, call_id: &str| {
        format!(
            "OPTIONS sip:{tcp} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK{call_id}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:{tcp}>\r\nCall-ID: {call_id}\r\n\
             CSeq: 1 OPTIONS\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    for (number, length) in ["-1", "x", "70000"].into_iter().enumerate() {
        let ids = [format!("good{number}"), format!("bad{number}")];
        let both = [ask("0", &ids[0]), ask(length, &ids[1])].concat();
        let words = format!("s_client -quiet -connect {rm} -CAfile ca.pem");
        let (_process, secure) = openssl(desk.dir.path(), &words);
        let plain = Stream::of(TcpStream::connect(tcp).unwrap());
        let told = [plain, secure].map(|mut stream| {
            stream.send(&both);
            let answers = std::iter::from_fn(|| stream.next());
            answers.map(|text| text[..12].to_owned()).collect::<Vec<_>>()
        });
        assert_eq!((told[0].len(), &*told[0][0]), (2, "SIP/2.0 200 "), "{length}");
        assert_eq!(told[0], told[1], "{length}: the same over TCP and TLS");
    }
    node.stop();
}

#[test]
fn garbage_and_silence_on_the_port_harm_nobody() {
    let desk = Desk::open();
    desk.sign("rm", "DNS:rm.example");
    let (media, _) = crate::peer::udp_media();
    let node = node(&desk, &[(media, "udp")], "none", "");
    node.until_media(1);
    let address = tls(&node);
    // Handshakes that are begun and never ended: more than may be under way.
    let halves: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut seed = 7_u64;
    for round in 0..200 {
        let mut bytes = Vec::new();
        if round % 2 == 0 {
            bytes.extend([22, 3, 1, 1, 0]);
        }
        for _ in 0..round * 3 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            bytes.push(seed.to_be_bytes()[0]);
        }
        let mut stream = TcpStream::connect(address).unwrap();
        // It may have been closed already.
        let _ = stream.write_all(&bytes);
    }
    let (_process, mut caller) = caller(&node, &desk, "", "beside-garbage");
    assert!(caller.invite("18005550100").starts_with("SIP/2.0 200 "));
    assert!(caller.bye().starts_with("SIP/2.0 200 "));
    node.until("what is silent is given up", || {
        let metrics = node.get("/metrics").1;
        let open = metrics
            .lines()
            .find(|line| line.starts_with("ringmaster_rm_connections{transport=\"tls\"} "));
        open.unwrap().ends_with(" 1")
    });
    drop(halves);
    node.stop();
}
