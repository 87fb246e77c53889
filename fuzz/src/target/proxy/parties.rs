//! The parties around the Proxy: what each has heard last, and what it says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rm::Input;
use sip::header::Name;
use sip::limits::Limits;
use sip::message::Message;
use sip::parse::parse;
use sip::print::response;
use sip::transport::Flow;

use super::super::script::{self, messages, replace};
use super::world::World;

/// Who speaks.
const SIDES: &[(&str, [u8; 4], u16)] = &[
    ("caller", [10, 0, 0, 2], 5090),
    ("gateway", [10, 0, 0, 3], 5060),
    ("stranger", [203, 0, 113, 9], 5060),
    ("mcp1", [10, 0, 0, 11], 5070),
    ("mcp2", [10, 0, 0, 12], 5070),
];

/// What the parties know.
#[derive(Default)]
pub(super) struct Parties {
    /// The last request that each address got, and where it came along.
    requests: BTreeMap<SocketAddr, (Flow, Vec<u8>)>,
    /// The last message that made a dialog at each address: a 2xx, or an INVITE with our tag.
    dialogs: BTreeMap<SocketAddr, Vec<u8>>,
    /// The last packet that was sent to the Proxy, and the last INVITE.
    last: Option<(Flow, Vec<u8>)>,
    invite: Option<(Flow, Vec<u8>)>,
    cseq: u32,
    /// What is said without being asked: ACK to failures, 200 to probes.
    replies: Vec<(Flow, Vec<u8>)>,
}

pub(super) fn address(side: &str) -> SocketAddr {
    let known = SIDES.iter().find(|(name, ..)| *name == side).unwrap_or(&SIDES[2]);
    SocketAddr::from((known.1, known.2))
}

fn flow(side: &str, stream: bool) -> Flow {
    script::flow(address(side), stream)
}

/// The listener from which probes leave.
const MONITOR: u8 = 2;

impl Parties {
    /// The Proxy has sent something.
    pub(super) fn hear(&mut self, flow: Flow, bytes: Vec<u8>) {
        let Ok(message) = parse(&bytes, &Limits::DEFAULT) else { return };
        let method = message.method();
        match message.status() {
            None if flow.listener == MONITOR => {
                let answer = answer(&message, flow, 200, b"");
                self.replies.push((flow, answer));
            }
            None => {
                self.requests.insert(flow.remote, (flow, bytes));
            }
            Some(code) if method.as_str() == "INVITE" && code >= 300 => {
                self.replies.push((flow, acknowledgement(&message)));
            }
            Some(code) if code > 100 && message.to().tag().is_some() => {
                self.dialogs.insert(flow.remote, bytes);
            }
            Some(_) => {}
        }
    }

    pub(super) fn replies(&mut self) -> Vec<(Flow, Vec<u8>)> {
        std::mem::take(&mut self.replies)
    }
}

impl World {
    /// A side sends the text, with its placeholders filled.
    pub(super) fn from(&mut self, side: &str, stream: bool, mut text: Vec<u8>) {
        self.fill(&mut text);
        let flow = flow(side, stream);
        if text.starts_with(b"INVITE ") {
            self.parties.invite = Some((flow, text.clone()));
        }
        self.parties.last = Some((flow, text.clone()));
        if stream {
            self.stream(flow, &text);
        } else {
            self.input(Input::Packet { flow, bytes: &text, age: Duration::ZERO });
        }
    }

    fn fill(&self, text: &mut Vec<u8>) {
        let seen: Vec<_> = self.parties.requests.values().map(|(_, bytes)| bytes).collect();
        let messages = seen.iter().filter_map(|bytes| parse(bytes, &Limits::DEFAULT).ok());
        let (mut route, mut branch) = (Vec::new(), Vec::new());
        for message in messages {
            branch = message.top_via().branch.unwrap_or_default().into();
            if let Some(line) = message.header(Name::RecordRoute) {
                route = line.value.to_vec();
            }
        }
        let user = route.split(|byte| *byte == b'@').next().unwrap_or_default();
        let token = user.strip_prefix(b"<sip:").unwrap_or_default();
        replace(text, b"$token", token);
        replace(text, b"$route", &route);
        replace(text, b"$branch", &branch);
    }

    fn stream(&mut self, flow: Flow, bytes: &[u8]) {
        let (messages, broken) = messages(bytes);
        for bytes in &messages {
            self.input(Input::Packet { flow, bytes, age: Duration::ZERO });
        }
        if let Some((rest, error)) = broken {
            self.input(Input::Broken { flow, bytes: &rest, error });
            self.input(Input::FlowFailed { flow });
        }
    }

    /// The last request that a side got is answered.
    pub(super) fn answer(&mut self, side: &str, code: u16, headers: &[u8]) {
        let Some((flow, request)) = self.parties.requests.get(&address(side)).cloned() else {
            return;
        };
        let Ok(message) = parse(&request, &Limits::DEFAULT) else { return };
        let bytes = answer(&message, flow, code, headers);
        let invited = message.method().as_str() == "INVITE" && (101..300).contains(&code);
        if invited && message.to().tag().is_none() {
            self.parties.dialogs.insert(flow.remote, bytes.clone());
        }
        self.parties.last = Some((flow, bytes.clone()));
        self.input(Input::Packet { flow, bytes: &bytes, age: Duration::ZERO });
    }

    /// A side says something in its dialog, whatever it has of one.
    pub(super) fn in_dialog(&mut self, side: &str, method: &str, headers: &[u8]) {
        let remote = address(side);
        let Some(bytes) = self.parties.dialogs.get(&remote).cloned() else { return };
        let Ok(message) = parse(&bytes, &Limits::DEFAULT) else { return };
        self.parties.cseq += u32::from(method != "ACK");
        let text = request(&message, side, method, self.parties.cseq, headers);
        let flow = flow(side, false);
        self.parties.last = Some((flow, text.clone()));
        self.input(Input::Packet { flow, bytes: &text, age: Duration::ZERO });
    }

    /// CANCEL of the last INVITE: the same but for the method and the body.
    pub(super) fn cancel(&mut self) {
        let Some((flow, invite)) = self.parties.invite.clone() else { return };
        let Ok(message) = parse(&invite, &Limits::DEFAULT) else { return };
        let mut text = b"CANCEL ".to_vec();
        let line = message.request().map_or("sip:x", |line| line.target.text);
        text.extend_from_slice(format!("{line} SIP/2.0\r\n").as_bytes());
        for name in [Name::Via, Name::From, Name::To, Name::CallId, Name::Route] {
            let lines = message.all(name).take(if name == Name::Via { 1 } else { 9 });
            lines.for_each(|header| text.extend_from_slice(header.line));
        }
        text.extend_from_slice(format!("CSeq: {} CANCEL\r\n\r\n", message.cseq()).as_bytes());
        self.input(Input::Packet { flow, bytes: &text, age: Duration::ZERO });
    }

    /// The last packet comes once more.
    pub(super) fn again(&mut self) {
        if let Some((flow, bytes)) = self.parties.last.clone() {
            self.input(Input::Packet { flow, bytes: &bytes, age: Duration::ZERO });
        }
    }

    pub(super) fn fail(&mut self, side: &str) {
        let remote = address(side);
        let known = self.parties.requests.get(&remote).map(|(flow, _)| *flow);
        let flow = known.unwrap_or_else(|| flow(side, false));
        self.input(Input::ConnectFailed { flow });
        self.input(Input::FlowFailed { flow });
    }
}

/// An answer with further headers in front of its own.
fn answer(message: &Message<'_>, flow: Flow, code: u16, headers: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    response(message, code, "Any", Some("there"), &[], flow, &mut bytes);
    let line = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    bytes.splice(line..line, headers.iter().copied());
    bytes
}

/// What a caller says to a refused INVITE.
fn acknowledgement(message: &Message<'_>) -> Vec<u8> {
    let mut text = b"ACK sip:rm@10.0.0.5 SIP/2.0\r\n".to_vec();
    for name in [Name::Via, Name::From, Name::To, Name::CallId] {
        if let Some(header) = message.header(name) {
            text.extend_from_slice(header.line);
        }
    }
    text.extend_from_slice(format!("CSeq: {} ACK\r\n\r\n", message.cseq()).as_bytes());
    text
}

/// A request of the side that got, or gave, this answer.
fn request(answer: &Message<'_>, side: &str, method: &str, cseq: u32, headers: &[u8]) -> Vec<u8> {
    let called = side.starts_with("mcp");
    let (local, remote) = if called { (Name::To, Name::From) } else { (Name::From, Name::To) };
    let value = |name| answer.header(name).map(|header| header.value).unwrap_or_default();
    let target = answer.contacts().next().map_or("sip:x@10.0.0.11:5070", |contact| contact.uri);
    let cseq = if method == "ACK" { answer.cseq() } else { answer.cseq() + 1 + cseq };
    let from = address(side);
    let mut text = format!("{method} {target} SIP/2.0\r\n").into_bytes();
    text.extend_from_slice(
        format!("Via: SIP/2.0/UDP {from};branch=z9hG4bKd{cseq}{method}\r\n").as_bytes(),
    );
    text.extend_from_slice(headers);
    let mut routes: Vec<_> = answer.record_routes().map(|route| route.uri).collect();
    if !called {
        routes.reverse();
    }
    for route in routes {
        text.extend_from_slice(format!("Route: <{route}>\r\n").as_bytes());
    }
    for (name, value) in [("From", value(local)), ("To", value(remote))] {
        text.extend_from_slice(format!("{name}: ").as_bytes());
        text.extend_from_slice(value);
        text.extend_from_slice(b"\r\n");
    }
    let rest = format!("Call-ID: {}\r\nCSeq: {cseq} {method}\r\n", answer.call_id());
    text.extend_from_slice(rest.as_bytes());
    text.extend_from_slice(b"Contact: <sip:x@10.0.0.11:5070>\r\nContent-Length: 0\r\n\r\n");
    text
}
