//! Against Debian's dnsmasq, and against servers that are away or silent.

use super::*;
use crate::poller::{Interest, Poller, Ready, Token};
use crate::waker::{WakeReceiver, pair};
use sip::transport::Transport;
use sip::uri::Uri;
use std::net::{TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

const LOCAL: &str = "127.0.0.1:0";

/// A name server for `test.`, with records as its options; it ends with the value.
struct Dnsmasq {
    child: Child,
    address: SocketAddr,
}

impl Dnsmasq {
    fn start(records: &[&str]) -> Self {
        for _ in 0..20 {
            let udp = UdpSocket::bind(LOCAL).unwrap();
            let address = udp.local_addr().unwrap();
            drop(udp);
            if let Some(child) = serve(address, records) {
                return Self { child, address };
            }
        }
        panic!("dnsmasq does not start (test.sh installs dnsmasq-base)");
    }
}

/// `None` when somebody else has taken the port meanwhile.
fn serve(address: SocketAddr, records: &[&str]) -> Option<Child> {
    let mut child = Command::new("/usr/sbin/dnsmasq")
        .args(["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"])
        .args(["--no-daemon", "--pid-file=", "--bind-interfaces", "--user=", "--group="])
        .args(["--local=/test/", "--local-ttl=7", "--listen-address=127.0.0.1"])
        .arg(format!("--port={}", address.port()))
        .args(records)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("dnsmasq is installed (test.sh does it)");
    for _ in 0..1000 {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        // It listens on TCP last.
        if TcpListener::bind(address).is_err() && std::net::TcpStream::connect(address).is_ok() {
            return Some(child);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    panic!("dnsmasq does not listen");
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A resolver on its thread.
struct Rig {
    asker: Asker,
    wakes: WakeReceiver,
    poller: Poller,
    thread: JoinHandle<io::Result<()>>,
}

impl Rig {
    fn over(servers: Vec<SocketAddr>) -> Self {
        let mut spoken = Spoken::default();
        for transport in [Transport::Udp, Transport::Tcp] {
            spoken.add(transport, true);
            spoken.add(transport, false);
        }
        let (waker, wakes) = pair().unwrap();
        let (asker, resolver) = resolver(spoken, servers, waker, Clock::start());
        let poller = Poller::new().unwrap();
        poller.add(&wakes, Token(0), Interest::Read).unwrap();
        Self { asker, wakes, poller, thread: std::thread::spawn(move || resolver.run()) }
    }

    fn ask(&mut self, uri: &str) {
        assert!(self.asker.ask(Goal::of_uri(&Uri::parse(uri).unwrap()).unwrap()));
    }

    fn answer(&mut self) -> Answer {
        let mut ready: Vec<Ready> = Vec::new();
        for _ in 0..30 {
            self.wakes.drain();
            if let Some(answer) = self.asker.answer() {
                return answer;
            }
            self.poller.wait(Some(Duration::from_secs(1)), &mut ready).unwrap();
        }
        panic!("no answer in time");
    }

    fn listed(&mut self) -> Listed {
        let mut ready: Vec<Ready> = Vec::new();
        for _ in 0..30 {
            self.wakes.drain();
            if let Some(listed) = self.asker.listed() {
                return listed;
            }
            self.poller.wait(Some(Duration::from_secs(1)), &mut ready).unwrap();
        }
        panic!("no listing in time");
    }

    /// Targets in their order and the TTL, or the failure.
    fn found(&mut self, uri: &str) -> String {
        self.ask(uri);
        match self.answer().found {
            Ok(Found { targets, ttl }) => {
                let targets = targets.order(|_| 0);
                let texts: Vec<String> = targets
                    .iter()
                    .map(|one| format!("{} {}", one.transport.uri_param(), one.remote))
                    .collect();
                format!("{} for {} s", texts.join(", "), ttl.as_secs())
            }
            Err(failure) => failure.as_str().to_owned(),
        }
    }
}

#[test]
fn everybody_behind_a_name() {
    let server = Dnsmasq::start(&[
        "--srv-host=_sip._tcp.mcp.test,mcp-0.mcp.test,5070,0,0",
        "--srv-host=_sip._tcp.mcp.test,mcp-1.mcp.test,5071,0,0",
        "--srv-host=_sip._tcp.mcp.test,mcp-2.mcp.test,5072,0,0",
        "--host-record=mcp-0.mcp.test,10.0.0.10",
        "--host-record=mcp-1.mcp.test,10.0.0.11,fd00::11",
        "--host-record=pool.test,10.0.0.20",
        "--host-record=pool.test,10.0.0.21",
    ]);
    let mut rig = Rig::over(vec![server.address]);
    let mut listed = |name: &str| {
        let name = sip::locate::HostName::parse(name).unwrap();
        assert!(rig.asker.list(Listing { name, port: 5060 }));
        let found = rig.listed().found;
        let mut found: Vec<String> = match found {
            Err(failure) => vec![failure.as_str().to_owned()],
            Ok(found) => {
                let host =
                    |one: &Member| one.host.as_ref().map_or("", |host| host.as_str()).to_owned();
                found
                    .iter()
                    .map(|one| format!("{} {} {:?}", host(one), one.port, one.addresses))
                    .collect()
            }
        };
        found.sort();
        found
    };
    assert_eq!(
        listed("_sip._tcp.mcp.test"),
        [
            "mcp-0.mcp.test 5070 [10.0.0.10]",
            "mcp-1.mcp.test 5071 [10.0.0.11, fd00::11]",
            "mcp-2.mcp.test 5072 []",
        ]
    );
    assert_eq!(listed("pool.test"), [" 5060 [10.0.0.20]", " 5060 [10.0.0.21]"]);
    assert_eq!(listed("_sip._udp.mcp.test"), ["nothing"]);
    drop(server);
    assert_eq!(listed("pool.test"), ["unanswered"]);
}

#[test]
fn naptr_srv_and_addresses_of_a_real_server() {
    let server = Dnsmasq::start(&[
        "--naptr-record=voice.test,10,10,s,SIP+D2T,,_sip._tcp.voice.test",
        "--naptr-record=voice.test,20,10,s,SIP+D2U,,_sip._udp.voice.test",
        "--srv-host=_sip._tcp.voice.test,mcp-2.test,5072,20,0",
        "--srv-host=_sip._tcp.voice.test,mcp-1.test,5071,10,0",
        "--srv-host=_sip._udp.pool.test,mcp-1.test,5073,1,1",
        "--srv-host=_sip._udp.off.test",
        "--host-record=off.test,192.0.2.9",
        "--host-record=mcp-1.test,192.0.2.1,2001:db8::1,3",
        "--host-record=mcp-2.test,192.0.2.2",
        "--cname=alias.test,mcp-2.test,2",
    ]);
    let mut rig = Rig::over(vec![server.address]);
    for (uri, found) in [
        (
            "sip:voice.test",
            "tcp [2001:db8::1]:5071, tcp 192.0.2.1:5071, tcp 192.0.2.2:5072 for 3 s",
        ),
        ("sip:pool.test", "udp [2001:db8::1]:5073, udp 192.0.2.1:5073 for 3 s"),
        ("sip:mcp-2.test", "udp 192.0.2.2:5060 for 7 s"),
        ("sip:mcp-2.test:5080;transport=tcp", "tcp 192.0.2.2:5080 for 7 s"),
        ("sip:alias.test:5080", "udp 192.0.2.2:5080 for 2 s"),
        ("sip:off.test;transport=udp", "nothing"),
        ("sip:nobody.test", "nothing"),
        ("sip:nobody.test:5060", "nothing"),
        // not one of its domains: it refuses to answer
        ("sip:elsewhere.example:5060", "unanswered"),
        ("sip:192.0.2.5", "udp 192.0.2.5:5060 for 18446744073709551615 s"),
    ] {
        assert_eq!(rig.found(uri), found, "{uri}");
    }
    let Rig { asker, thread, .. } = rig;
    drop(asker);
    thread.join().unwrap().unwrap();
}

#[test]
fn what_changes_is_seen_at_the_next_question_and_a_server_that_left_is_no_empty_answer() {
    let first = Dnsmasq::start(&["--host-record=mcp.test,192.0.2.1"]);
    let address = first.address;
    let mut rig = Rig::over(vec![address]);
    assert_eq!(rig.found("sip:mcp.test:5060"), "udp 192.0.2.1:5060 for 7 s");
    drop(first);
    assert_eq!(rig.found("sip:mcp.test:5060"), "unanswered");
    let records = ["--host-record=mcp.test,192.0.2.2", "--host-record=mcp.test,192.0.2.3"];
    let child = serve(address, &records).expect("the port is still free");
    let second = Dnsmasq { child, address };
    let found = rig.found("sip:mcp.test:5060");
    assert!(found.contains("192.0.2.2:5060") && found.contains("192.0.2.3:5060"), "{found}");
    drop(second);
}

#[test]
fn a_silent_server_costs_its_time_and_no_more_and_the_second_one_answers() {
    let silent = UdpSocket::bind(LOCAL).unwrap();
    let silent_address = silent.local_addr().unwrap();
    let mut rig = Rig::over(vec![silent_address]);
    assert_eq!(rig.found("sip:mcp.test:5060"), "unanswered");

    let server = Dnsmasq::start(&["--host-record=mcp.test,192.0.2.1"]);
    let mut rig = Rig::over(vec![silent_address, server.address]);
    assert_eq!(rig.found("sip:mcp.test:5060"), "udp 192.0.2.1:5060 for 7 s");
}

#[test]
fn a_full_queue_says_so_and_everything_that_was_taken_is_answered() {
    let (waker, _wakes) = pair().unwrap();
    let silent = UdpSocket::bind(LOCAL).unwrap();
    let servers = vec![silent.local_addr().unwrap()];
    let mut spoken = Spoken::default();
    spoken.add(Transport::Udp, true);
    let (mut asker, resolver) = resolver(spoken, servers, waker, Clock::start());
    let goal = |text: &str| Goal::of_uri(&Uri::parse(text).unwrap()).unwrap();
    for _ in 0..DNS_QUEUE {
        assert!(asker.ask(goal("sip:192.0.2.1")));
    }
    assert!(!asker.ask(goal("sip:192.0.2.2")), "full");
    let thread = std::thread::spawn(move || resolver.run());
    let mut answered = 0;
    while answered < DNS_QUEUE {
        match asker.answer() {
            Some(answer) => {
                assert_eq!(answer.goal, goal("sip:192.0.2.1"));
                answered += 1;
            }
            None => std::thread::yield_now(),
        }
    }
    drop(asker);
    thread.join().unwrap().unwrap();
}
