//! Streams that strangers and declared far ends have opened, and that still shake hands.

use super::*;
use crate::transport::{Seats, Streams, Trust};
use config::settings as given;
use model::time::Millis;
use net::tls::Name;
use net::{Clock, Poller};
use std::collections::BTreeSet;
use std::process::Command;
use tempfile::TempDir;

/// Our side: the table of streams with one that was accepted, from `remote`.
struct Near {
    streams: Streams<Secure>,
    poller: Poller,
    remote: SocketAddr,
}

/// Certificates of `127.0.0.1` in files of their own, by an authority of their own.
fn certificates(dir: &TempDir) -> Certificates {
    std::fs::write(dir.path().join("req.cnf"), "[req]\ndistinguished_name = dn\n[dn]\n").unwrap();
    let authority = "-keyout ca.key -out ca.pem -subj /CN=ca -addext basicConstraints=CA:TRUE";
    let own = "-CA ca.pem -CAkey ca.key -keyout rm.key -out rm.pem -subj /CN=rm \
               -addext subjectAltName=IP:127.0.0.1";
    let fixed = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config req.cnf";
    for options in [authority, own] {
        let output = Command::new("openssl")
            .args(fixed.split(' ').chain(options.split_whitespace()))
            .current_dir(dir.path())
            .output()
            .expect("openssl is installed (test.sh does it)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let path = |name: &str| dir.path().join(name);
    let block = given::Tls {
        certificates: vec![given::Certificate {
            cert_file: path("rm.pem"),
            key_file: path("rm.key"),
        }],
        ca_file: Some(path("ca.pem")),
        client_auth: given::ClientAuth::None,
    };
    Certificates::open(&block, Clock::start().now(), &Log::silent(|| Millis(0))).unwrap()
}

const NOW: Duration = Duration::from_secs(1);

/// A stream that was accepted and whose far end, of which `names` knows something or nothing, has
/// not said a word; and that far end.
fn accepted(names: impl FnOnce(SocketAddr) -> Names) -> (Near, Stream, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let certificates = certificates(&dir);
    let listener = net::tcp::Listener::bind(([127, 0, 0, 1], 0).into(), 0).unwrap();
    let far = net::tcp::Stream::connect(listener.local(), None, 0).unwrap();
    let (stream, remote) = loop {
        if let Some(accepted) = listener.accept().unwrap() {
            break accepted;
        }
    };
    let ip = listener.local().ip();
    let far = certificates.material().connect(far, &Name::Address(ip)).unwrap();
    let stream = certificates.material().accept(stream).unwrap();
    let origins = Origins::new([ip].into_iter(), 0);
    let log = Log::silent(|| Millis(0));
    let kind = Secure { certificates, names: names(remote), origins, log, known: None };
    let mut streams = Streams::new(kind, Trust::of(&[]), Seats::default());
    let poller = Poller::new().unwrap();
    streams.accept(&poller, NOW, flow(remote), stream);
    (Near { streams, poller, remote }, far, dir)
}

/// A flow that names no stream.
fn flow(remote: SocketAddr) -> Flow {
    Flow { transport: Transport::Tls, listener: 0, remote, conn: None }
}

impl Near {
    fn send(&mut self, bytes: &[u8]) {
        self.streams.send(&self.poller, NOW, flow(self.remote), bytes);
        self.streams.flush(&self.poller);
    }

    /// Both ends go on until it is so; what the far one has read.
    fn turn_until(
        &mut self,
        far: &mut Stream,
        done: impl Fn(&Self, &Stream, &[u8]) -> bool,
    ) -> Vec<u8> {
        let (mut read, mut scratch, mut ready) = (Vec::new(), vec![0; 64 * 1024], Vec::new());
        for _ in 0..1000 {
            if done(self, far, &read) {
                return read;
            }
            assert!(!matches!(far.flush(), Flush::Failed(_)));
            self.poller.wait(Some(Duration::from_millis(5)), &mut ready).unwrap();
            for event in ready.drain(..) {
                let id = Streams::<Secure>::named_by(event.token).unwrap();
                self.streams.turn(NOW, event, id, &mut |_, bytes, _| unreachable!("{bytes:?}"));
            }
            self.streams.flush(&self.poller);
            far.read(NOW, &mut scratch, &mut |bytes| read.extend_from_slice(bytes));
        }
        panic!("it did not happen: {:?} {read:?}", far.fault());
    }
}

#[test]
fn what_is_sent_back_while_a_stranger_shakes_hands_leaves_behind_the_handshake() {
    let (mut near, mut far, _dir) = accepted(|_| Names::of(&[]));
    near.send(b"one ");
    near.send(b"two");
    assert_eq!(near.streams.counters().open, 1, "it goes the way that leads there");
    let read = near.turn_until(&mut far, |_, _, read| read.len() >= 7);
    assert_eq!((&*read, far.handshaking()), (&b"one two"[..], false));
    assert_eq!(near.streams.next_failed(), None);
}

#[test]
fn who_has_to_prove_a_name_gets_nothing_over_a_stream_that_proves_none() {
    let named = |remote| {
        let mut names = Names::of(&[]);
        names.set_resources(&[(remote, BTreeSet::from(["mcp.example".to_owned()]))].into());
        names
    };
    let (mut near, mut far, _dir) = accepted(named);
    near.send(b"secret");
    assert_eq!(near.streams.counters().open, 2, "a stream of our own is opened");
    // nobody listens there
    let shaken =
        |near: &Near, far: &Stream, _: &[u8]| near.streams.has_failed() && !far.handshaking();
    assert_eq!(near.turn_until(&mut far, shaken), b"");
    assert_eq!(near.streams.next_failed().map(|lost| lost.flow.remote), Some(near.remote));
    assert_eq!(near.streams.counters().open, 1);
    near.send(b"secret");
    assert_eq!(near.streams.counters().open, 2, "nor when hands are shaken");
}

#[test]
fn an_accepted_stream_leads_to_no_other_port() {
    let (near, _far, _dir) = accepted(|_| Names::of(&[]));
    let mut kind = near.streams;
    let kind = kind.kind_mut();
    let listener = net::tcp::Listener::bind(([127, 0, 0, 1], 0).into(), 0).unwrap();
    let _other = net::tcp::Stream::connect(listener.local(), None, 0).unwrap();
    let (stream, remote) = loop {
        if let Some(accepted) = listener.accept().unwrap() {
            break accepted;
        }
    };
    let stream = kind.certificates.material().accept(stream).unwrap();
    let other = SocketAddr::new(remote.ip(), 5061);
    assert!(stream.handshaking() && kind.carries(&stream, remote, remote));
    assert!(!kind.carries(&stream, remote, other), "RFC 5923 asks for a certificate");
}
