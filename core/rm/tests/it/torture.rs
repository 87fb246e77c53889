//! RFC 4475 and RFC 5118 against the whole proxy, over UDP and over TCP: `testdata/torture.txt`
//! says what must come of each message, and every file of the sets has its line there.
//!
//! What is forwarded is compared line by line: only what the table names may differ.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rm::Input;
use serde_json::json;
use sip::header::Name;
use sip::limits::Limits;
use sip::message::Message;
use sip::parse::parse;
use sip::stream::{Frame, Framer};
use sip::transport::{ConnId, Flow, Transport};

use crate::world::{CALLER, World, address, objects, settings};

const TABLE: &str = include_str!("testdata/torture.txt");

/// What every forwarded request is allowed, and bound, to change.
const ADDED: [&str; 5] = [
    "Via",
    "Record-Route",
    "X-Genesys-GVP-Session-ID",
    "X-Genesys-GVP-Session-Data",
    "X-Genesys-RM-Application-dbid",
];

fn file(name: &str) -> Vec<u8> {
    let folder = "../../proto/sip/tests/it/testdata/torture";
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder).join(format!("{name}.sip"));
    fs::read(path).unwrap()
}

/// A proxy that lets through whatever a proxy may let through: the caller is a SIP Server that may
/// preload routes, and what has no number of its own goes to a default profile.
fn open_world() -> World {
    let mut documents = objects();
    let list = documents.as_array_mut().unwrap();
    list.push(json!({"kind": "Tenant", "name": "Environment", "spec": {"default_profile": "any"}}));
    list.push(json!({"kind": "IvrProfile", "name": "any", "tenant": "Environment", "spec": {
        "service": "voicexml", "initial_page_url": "http://a.example/x.vxml"}}));
    let mut settings = settings();
    settings.peers[0].allow_route = true;
    World::with(&documents, settings)
}

struct Wire {
    world: World,
    flow: Flow,
    framer: Framer,
    /// All that was sent, in order.
    sent: Vec<(Flow, Vec<u8>)>,
    broken: bool,
    /// All messages that came.
    came: Vec<Vec<u8>>,
}

impl Wire {
    fn new(transport: Transport) -> Self {
        let stream = transport == Transport::Tcp;
        let (listener, conn) = (u8::from(stream), stream.then_some(ConnId(7)));
        let flow = Flow { transport, listener, remote: address(CALLER), conn };
        let framer = Framer::new(Limits::DEFAULT);
        Self {
            world: open_world(),
            flow,
            framer,
            sent: Vec::new(),
            broken: false,
            came: Vec::new(),
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        if self.flow.transport == Transport::Tcp {
            self.stream(bytes);
        } else {
            self.input(Input::Packet { flow: self.flow, bytes, age: Duration::ZERO });
        }
    }

    fn stream(&mut self, bytes: &[u8]) {
        self.framer.push(bytes);
        loop {
            match self.framer.next_frame() {
                Ok(Some(Frame::Message(frame))) => {
                    let frame = frame.to_vec();
                    self.input(Input::Packet {
                        flow: self.flow,
                        bytes: &frame,
                        age: Duration::ZERO,
                    });
                }
                Ok(Some(Frame::Ping)) => {}
                Ok(None) => return,
                Err(error) => {
                    let rest = self.framer.rest().to_vec();
                    self.broken = true;
                    let flow = self.flow;
                    return self.input(Input::Broken { flow, bytes: &rest, error: error.0 });
                }
            }
        }
    }

    fn input(&mut self, input: Input<'_>) {
        if let Input::Packet { bytes, .. } = &input {
            self.came.push(bytes.to_vec());
        }
        self.world.proxy.handle_input(self.world.now, input);
        assert_eq!(self.world.proxy.invariant(), Ok(()));
        let mut out = Vec::new();
        while let Some(transmit) = self.world.proxy.poll_transmit(&mut out) {
            let bytes = out.split_off(out.len() - transmit.len);
            self.sent.push((transmit.flow, bytes));
        }
        while self.world.proxy.poll_event(&mut out).is_some() {}
    }

    /// What came of it, in the words of the table.
    fn outcome(&mut self) -> String {
        self.sent.retain(|(_, bytes)| !bytes.starts_with(b"SIP/2.0 100 "));
        let mut parts: Vec<String> =
            self.sent.iter().map(|(flow, bytes)| self.told(flow, bytes)).collect();
        if self.broken {
            parts.push("closed".to_owned());
        } else if self.framer.pending() > 0 {
            parts.push("waited for".to_owned());
        } else if parts.is_empty() {
            parts.push("dropped".to_owned());
        }
        // whatever came, the proxy goes on: it answers, and calls are placed
        self.alive();
        parts.join("; ")
    }

    fn told(&self, flow: &Flow, bytes: &[u8]) -> String {
        if bytes.starts_with(b"SIP/2.0 ") {
            assert_eq!(flow.remote, self.flow.remote, "an answer goes back");
            return answer(bytes);
        }
        let after = parse(bytes, &Limits::DEFAULT).unwrap();
        let mut came = self.came.iter().filter_map(|came| parse(came, &Limits::DEFAULT).ok());
        forwarded(&came.find(|came| came.call_id() == after.call_id()).unwrap(), &after)
    }

    fn alive(&mut self) {
        self.sent.clear();
        self.flow = Flow { transport: Transport::Udp, listener: 0, conn: None, ..self.flow };
        self.world.run(Duration::from_millis(100));
        let options = b"OPTIONS sip:10.0.0.5 SIP/2.0\r\n\
            Via: SIP/2.0/UDP 10.0.0.2:5090;branch=z9hG4bKalive\r\nMax-Forwards: 70\r\n\
            From: <sip:a@10.0.0.2>;tag=1\r\nTo: <sip:10.0.0.5>\r\nCall-ID: alive\r\n\
            CSeq: 1 OPTIONS\r\n\r\n";
        self.input(Input::Packet { flow: self.flow, bytes: options, age: Duration::ZERO });
        let answered = self.sent.iter().any(|(_, bytes)| bytes.starts_with(b"SIP/2.0 200 "));
        assert!(answered, "it answers OPTIONS");
        self.world.up("18005550100", "alive");
    }
}

/// `answered STATUS word`; without the Warning that tells the word it is said so.
fn answer(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let status = text.get(8..11).unwrap();
    let word = text.split("399 rm-1 \"").nth(1).and_then(|rest| rest.split('"').next());
    match word {
        Some(word) => format!("answered {status} {word}"),
        None => format!("answered {status}"),
    }
}

/// `forwarded`, and what differs beyond what always does.
fn forwarded(before: &Message<'_>, after: &Message<'_>) -> String {
    assert_eq!(after.body(), before.body(), "nobody touches a body");
    assert_eq!(after.method(), before.method());
    let mut removed = lines(before);
    let mut added = Vec::new();
    for line in lines(after) {
        match removed.iter().position(|one| *one == line) {
            // in order: nothing that stood before it may come behind it
            Some(at) => drop(removed.remove(at)),
            None => added.push(line),
        }
    }
    let kept: Vec<_> = lines(after).into_iter().filter(|line| !added.contains(line)).collect();
    let old: Vec<_> = lines(before).into_iter().filter(|line| kept.contains(line)).collect();
    assert_eq!(kept, old, "what is kept stays in order");
    let changes: Vec<String> = names(&added)
        .into_iter()
        .filter(|name| !ADDED.contains(&name.as_str()))
        .map(|name| if names(&removed).contains(&name) { name } else { format!("{name} added") })
        .collect();
    let gone = names(&removed).into_iter().filter(|name| !names(&added).contains(name));
    let gone = gone.filter(|name| name != "Max-Forwards").map(|name| format!("{name} removed"));
    let changes: Vec<String> =
        changes.into_iter().filter(|name| name != "Max-Forwards").chain(gone).collect();
    let request = after.request().unwrap();
    let session = after.record_routes().next().is_some_and(|own| own.uri.contains("rm-"));
    let how = if session { "as a call" } else { "alone" };
    assert!(request.uri.contains("10.0.0.11:5070") || request.uri.contains("10.0.0.12:5070"));
    if changes.is_empty() {
        format!("forwarded {how}")
    } else {
        format!("forwarded {how}: {}", changes.join(", "))
    }
}

fn lines<'a>(message: &Message<'a>) -> Vec<&'a [u8]> {
    message.headers().map(|header| header.line).collect()
}

fn names(lines: &[&[u8]]) -> BTreeSet<String> {
    let name = |line: &&[u8]| {
        let name = line.split(|byte| *byte == b':').next().unwrap();
        let name = Name::of(name.trim_ascii());
        match name {
            Name::Other => {
                String::from_utf8_lossy(line).split(':').next().unwrap().trim().to_owned()
            }
            known => known.as_str().to_owned(),
        }
    };
    lines.iter().map(name).collect()
}

/// The lines of the table: section, file, over UDP, over TCP.
fn rows() -> Vec<[&'static str; 4]> {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        cells[..4].try_into().unwrap()
    };
    let rows: Vec<_> = rows.map(row).collect();
    assert!(rows.len() >= 62, "{}", rows.len());
    rows
}

#[test]
fn every_message_has_its_outcome() {
    let mut wrong = Vec::new();
    for [section, name, udp, tcp] in rows() {
        let tcp = if tcp == "the same" { udp } else { tcp };
        for (transport, expected) in [(Transport::Udp, udp), (Transport::Tcp, tcp)] {
            let bytes = file(name);
            let mut wire = Wire::new(transport);
            wire.send(&bytes);
            let got = wire.outcome();
            if got != expected {
                wrong.push(format!("{section} {name} {transport:?}: {got}\n    not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The answers among the messages, as what a media server says to a call: they pass as they came.
#[test]
fn reason_phrases_of_any_kind_pass() {
    for (name, status) in [("unreason", 200_u16), ("noreason", 183)] {
        let mut wire = Wire::new(Transport::Udp);
        wire.send(&file("rfc4475/sdp01"));
        let forwarded = wire.sent.pop().unwrap();
        let request = parse(&forwarded.1, &Limits::DEFAULT).unwrap();
        let bytes = file(&format!("rfc4475/{name}"));
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap();
        let mut reply = format!("SIP/2.0 {status}").into_bytes();
        reply.extend_from_slice(&line["SIP/2.0 200".len()..]);
        reply.push(b'\n');
        let first = reply.clone();
        let heads = [Name::Via, Name::From, Name::RecordRoute, Name::CallId, Name::CSeq];
        for header in heads.iter().flat_map(|name| request.all(*name)) {
            reply.extend_from_slice(header.line);
        }
        reply.extend_from_slice(b"To: <sip:x@y>;tag=t\r\nContact: <sip:10.0.0.11:5070>\r\n\r\n");
        wire.sent.clear();
        wire.input(Input::Packet { flow: forwarded.0, bytes: &reply, age: Duration::ZERO });
        let (_, back) = wire.sent.pop().unwrap();
        assert!(back.starts_with(&first), "{name}: {}", String::from_utf8_lossy(&back));
    }
}

#[test]
fn every_message_is_in_the_table() {
    for (set, count) in [("rfc4475", 50), ("rfc5118", 12)] {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../proto/sip/tests/it/testdata/torture")
            .join(set);
        let files: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .map(|name| format!("{set}/{}", name.trim_end_matches(".sip")))
            .collect();
        let rows: BTreeSet<String> = rows()
            .iter()
            .map(|row| row[1].to_owned())
            .filter(|name| name.starts_with(set))
            .collect();
        assert_eq!(rows, files);
        assert_eq!(files.len(), count);
    }
}

/// The multipart body of RFC 4475 §3.1.1.11, which is no text: without the Route that leads nowhere
/// it passes as it came.
#[test]
fn a_body_of_any_bytes_passes() {
    let route = b"Route: <sip:127.0.0.1:5080>\r\n";
    let mut bytes = file("rfc4475/mpart01");
    let at = bytes.windows(route.len()).position(|window| window == route).unwrap();
    bytes.drain(at..at + route.len());
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut wire = Wire::new(transport);
        wire.send(&bytes);
        assert_eq!(wire.outcome(), "forwarded alone", "{transport}");
    }
}
