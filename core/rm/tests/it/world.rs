//! One engine with a wire of no delay: what it sends lies in `wire` until a test takes it.
//!
//! Records are durable as soon as they are made, unless `disk` is off. Media servers listed in
//! `alive` answer OPTIONS by themselves.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use model::config::Document;
use model::id::{BootEpoch, Dbid, NodeId, Revision};
use model::record::Arrived;
use model::snapshot::Snapshot;
use model::time::{Millis, Now};
use model::tree::{Key, Node, Position, Value};
use rm::{Event, FrameKind, Input, Keys, Listener, Match, NodeState, Peer, Proxy, Role, Settings};
use sip::locate::Listing;
use sip::transport::{Flow, Transport};

pub(crate) const CALLER: &str = "10.0.0.2:5090";
pub(crate) const MCP1: &str = "10.0.0.11:5070";
pub(crate) const MCP2: &str = "10.0.0.12:5070";
const START: Millis = Millis(1_767_225_600_000);

/// A message that the engine has sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) flow: Flow,
    pub(crate) text: String,
}

/// A record as the shell gets it.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) frame: FrameKind,
    pub(crate) key: [u8; 22],
    pub(crate) text: String,
    pub(crate) json: serde_json::Value,
    pub(crate) block: Vec<u8>,
}

pub(crate) struct World {
    pub(crate) proxy: Proxy,
    pub(crate) now: Now,
    pub(crate) wire: VecDeque<Sent>,
    pub(crate) records: Vec<Recorded>,
    pub(crate) forgotten: Vec<[u8; 22]>,
    pub(crate) logs: Vec<(u16, Vec<(&'static str, String)>)>,
    /// Names that were to be resolved, in order.
    pub(crate) asked: Vec<String>,
    /// Names whose members were asked for, in order.
    pub(crate) listings: Vec<Listing>,
    /// Streams that may be used for another port of their far end.
    pub(crate) aliases: Vec<(Flow, u16)>,
    /// Where probes went.
    pub(crate) probed: Vec<Flow>,
    /// The latest of them.
    pub(crate) probe: String,
    pub(crate) alive: Vec<SocketAddr>,
    /// What they answer; 503 with Retry-After.
    pub(crate) alive_code: u16,
    pub(crate) disk: bool,
    /// Number of the latest record.
    pub(crate) made: u64,
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn secret() -> [u8; 32] {
    core::array::from_fn(|i| u8::try_from(i).unwrap())
}

pub(crate) fn settings() -> Settings {
    let listener = |transport, port: u16| Listener {
        transport,
        bound: SocketAddr::new([10, 0, 0, 5].into(), port),
        advertise: ("10.0.0.5".to_owned(), port),
        via: ("10.0.0.5".to_owned(), port),
    };
    Settings {
        name: "rm-1".to_owned(),
        node_id: NodeId(1),
        boot: BootEpoch(1),
        application_dbid: Some(Dbid(301)),
        listeners: vec![
            listener(Transport::Udp, 5060),
            listener(Transport::Tcp, 5060),
            listener(Transport::Udp, 5064),
        ],
        monitor_listener: 2,
        domains: vec!["gvp.example".to_owned()],
        peers: vec![Peer {
            name: "sip-server".to_owned(),
            matches: vec![Match::parse("10.0.0.2").unwrap()],
            names: Vec::new(),
            role: Role::SipServer,
            allow_route: false,
            trusted_headers: true,
            priority: false,
            session_expires: None,
            notify_failures: false,
            rate: None,
        }],
        routes: Vec::new(),
        keys: Keys::new(&[(1, secret())]).unwrap(),
        seed: [1, 2, 3, 4],
        application: "rm-1".to_owned(),
        options: rm::Options { trace_sample: 1, ..rm::Options::default() },
        timers: rm::SipTimers::default(),
    }
}

/// Example 1 of rm.md §4.3 with the addresses of this world; `edit` changes the documents.
pub(crate) fn objects() -> serde_json::Value {
    serde_json::json!([
        {"kind": "Tenant", "name": "acme", "dbid": 102, "spec": {
            "aliases": ["9350e2fc-a1dd-4c65-8d40-1f75a2e080dd"],
            "default_profile": "IVRAppDefault",
            "policy": {"usage_limit": 100, "burst": {"level2": 120, "level3": 150}}}},
        {"kind": "IvrProfile", "name": "IVRAppDefault", "tenant": "acme", "dbid": 205, "spec": {
            "service": "voicexml",
            "initial_page_url": "http://apps.acme.example/start.vxml?lang=en",
            "alternate_page_url": "http://backup.acme.example/sorry.vxml",
            "parameters": {"voicexml": {
                "gvp.appmodule": {"fixed": "VXML-NG"}, "lang": {"default": "en"}}},
            "policy": {"services": {"ccxml": {"allowed": false}}}}},
        {"kind": "DidGroup", "name": "acme-numbers", "tenant": "acme", "spec": {
            "profile": "IVRAppDefault",
            "dids": ["18005550100", "18005550200-18005550299", "1900*"]}},
        {"kind": "ResourceGroup", "name": "mcp", "spec": {
            "services": ["voicexml", "msml", "conference", "announcement", "media", "cpd",
                "recordingclient", "ccxml"],
            "resources": [
                {"name": "mcp-1", "address": "sip:10.0.0.11:5070", "capacity": 500, "dbid": 310},
                {"name": "mcp-2", "address": "sip:10.0.0.12:5070", "capacity": 500, "dbid": 311}
            ]}}
    ])
}

pub(crate) fn snapshot(objects: &serde_json::Value) -> Arc<Snapshot> {
    let (snapshot, _) = Snapshot::build(&documents(objects), Revision(42)).unwrap();
    Arc::new(snapshot)
}

pub(crate) fn documents(objects: &serde_json::Value) -> Vec<Document> {
    let document = |(object, number)| Document { file: None, number, size: 0, root: node(object) };
    objects.as_array().unwrap().iter().zip(1..).map(document).collect()
}

pub(crate) fn node(json: &serde_json::Value) -> Node {
    use serde_json::Value as Json;
    let at = Position { line: 1, column: 1 };
    let value = match json {
        Json::Null => Value::Null,
        Json::Bool(yes) => Value::Bool(*yes),
        Json::Number(number) => Value::Int(number.as_i64().unwrap()),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(list) => Value::Seq(list.iter().map(node).collect()),
        Json::Object(map) => {
            let entry =
                |(key, value): (&String, &Json)| (Key { text: key.clone(), at }, node(value));
            Value::Map(map.iter().map(entry).collect())
        }
    };
    Node { value, at }
}

impl World {
    /// Both media servers alive and probed, the node ready.
    pub(crate) fn new() -> Self {
        Self::with(&objects(), settings())
    }

    pub(crate) fn with(objects: &serde_json::Value, settings: Settings) -> Self {
        let mut world = Self::cold(objects, settings);
        world.ready();
        world
    }

    /// Nothing has happened yet.
    pub(crate) fn cold(objects: &serde_json::Value, settings: Settings) -> Self {
        let now = Now { mono: Duration::from_secs(1000), wall: START };
        let proxy = Proxy::new(settings, snapshot(objects), now);
        Self {
            proxy,
            now,
            wire: VecDeque::new(),
            records: Vec::new(),
            forgotten: Vec::new(),
            logs: Vec::new(),
            asked: Vec::new(),
            listings: Vec::new(),
            probed: Vec::new(),
            probe: String::new(),
            aliases: Vec::new(),
            alive: vec![address(MCP1), address(MCP2)],
            alive_code: 200,
            disk: true,
            made: 0,
        }
    }

    pub(crate) fn ready(&mut self) {
        self.input(Input::State(NodeState::Ready));
        self.run(Duration::from_millis(200));
        self.logs.clear();
    }

    pub(crate) fn input(&mut self, input: Input<'_>) {
        self.proxy.handle_input(self.now, input);
        self.drain();
    }

    /// A datagram for the proxy's UDP listener.
    pub(crate) fn udp(&mut self, from: &str, text: &str) {
        let flow =
            Flow { transport: Transport::Udp, listener: 0, remote: address(from), conn: None };
        self.packet(flow, text);
    }

    pub(crate) fn packet(&mut self, flow: Flow, text: &str) {
        self.input(Input::Packet { flow, bytes: text.as_bytes(), age: Duration::ZERO });
    }

    /// Lets time pass, firing what is due when it is due.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now.plus(time);
        while let Some((at, _)) = self.proxy.poll_timeout().filter(|(at, _)| *at <= end.mono) {
            self.now = self.now.plus(at.saturating_sub(self.now.mono));
            self.fire();
        }
        self.now = end;
    }

    /// What is due now, as far as one turn takes it.
    pub(crate) fn fire(&mut self) {
        self.proxy.handle_timeout(self.now);
        self.drain();
    }

    /// Whether more is due now.
    pub(crate) fn is_due(&self) -> bool {
        self.proxy.poll_timeout().is_some_and(|(at, _)| at <= self.now.mono)
    }

    fn drain(&mut self) {
        loop {
            let (mut out, mut refused) = (Vec::new(), Vec::new());
            while let Some(sent) = self.proxy.poll_transmit(&mut out) {
                let text = String::from_utf8(out.split_off(out.len() - sent.len)).unwrap();
                refused.extend(acknowledgement(&sent.flow, &text));
                self.wire.push_back(Sent { flow: sent.flow, text });
            }
            let acknowledged = refused.len();
            for (flow, ack) in refused {
                let bytes = ack.as_bytes();
                self.proxy
                    .handle_input(self.now, Input::Packet { flow, bytes, age: Duration::ZERO });
            }
            let mut durable = None;
            let mut bytes = Vec::new();
            while let Some(event) = self.proxy.poll_event(&mut bytes) {
                self.event(event, &std::mem::take(&mut bytes), &mut durable);
            }
            let probes = self.answer_probes();
            if let Some(no) = durable.filter(|_| self.disk) {
                self.proxy.handle_input(self.now, Input::Durable { no });
            } else if acknowledged == 0 && probes == 0 {
                return;
            }
        }
    }

    fn event(&mut self, event: Event, bytes: &[u8], durable: &mut Option<u64>) {
        match event {
            Event::Record { no, frame, key, json, block, .. } => {
                let (json, rest) = bytes.split_at(json);
                assert_eq!(rest.len(), block);
                let block = rest.to_vec();
                assert_eq!(no, self.made + 1, "record numbers have no gap");
                self.made = no;
                *durable = Some(no);
                let text = String::from_utf8(json.to_vec()).unwrap();
                let json = read(&text);
                self.records.push(Recorded { frame, key, text, json, block });
            }
            Event::Forget { key } => self.forgotten.push(key),
            Event::Log { id, fields, .. } => self.logs.push((id, fields)),
            Event::Alias { flow, port } => self.aliases.push((flow, port)),
            Event::Resolve { goal } => self.asked.push(goal.to_string()),
            Event::Discover { listing } => self.listings.push(listing),
        }
    }

    fn answer_probes(&mut self) -> usize {
        let probes: Vec<Sent> =
            self.wire.iter().filter(|sent| sent.text.starts_with("OPTIONS ")).cloned().collect();
        self.wire.retain(|sent| !sent.text.starts_with("OPTIONS "));
        self.probed.extend(probes.iter().map(|probe| probe.flow));
        if let Some(probe) = probes.last() {
            self.probe.clone_from(&probe.text);
        }
        for probe in probes.iter().filter(|probe| self.alive.contains(&probe.flow.remote)) {
            let later = if self.alive_code == 503 { "Retry-After: 5\r\n" } else { "" };
            let answer = reply(&probe.text, self.alive_code, "mcp", later);
            let flow = probe.flow;
            let bytes = answer.as_bytes();
            self.proxy.handle_input(self.now, Input::Packet { flow, bytes, age: Duration::ZERO });
        }
        probes.len()
    }

    /// The next message sent to this address; 100 Trying are passed over.
    pub(crate) fn take(&mut self, to: &str) -> String {
        self.try_take(to).expect("a message is on the wire")
    }

    pub(crate) fn try_take(&mut self, to: &str) -> Option<String> {
        self.take_flow(to).map(|sent| sent.text)
    }

    pub(crate) fn take_flow(&mut self, to: &str) -> Option<Sent> {
        let to = address(to);
        self.wire.retain(|sent| !sent.text.starts_with("SIP/2.0 100 "));
        let at = self.wire.iter().position(|sent| sent.flow.remote == to)?;
        self.wire.remove(at)
    }

    /// The end records of calls and attempts.
    pub(crate) fn ends(&self) -> Vec<&serde_json::Value> {
        self.phase("end")
    }

    pub(crate) fn phase(&self, phase: &str) -> Vec<&serde_json::Value> {
        self.records.iter().map(|one| &one.json).filter(|one| one["phase"] == phase).collect()
    }

    /// Alarms that are raised.
    pub(crate) fn alarms(&self) -> Vec<&'static str> {
        let all = self.proxy.alarm_states(self.now).into_iter();
        all.filter_map(|(name, raised)| raised.then_some(name)).collect()
    }

    /// The alarm that each log line of this id tells; empty: none.
    pub(crate) fn told_alarms(&self, id: u16) -> Vec<&str> {
        let lines = self.logs.iter().filter(|(own, _)| *own == id);
        let alarm =
            |fields: &'_ [(&str, String)]| fields.iter().position(|(name, _)| *name == "alarm");
        lines.map(|(_, fields)| alarm(fields).map_or("", |at| fields[at].1.as_str())).collect()
    }

    pub(crate) fn has_log(&self, id: u16) -> bool {
        self.logs.iter().any(|(one, _)| *one == id)
    }
}

/// A record, which must be one for the reader of everybody, and lose nothing there.
fn read(text: &str) -> serde_json::Value {
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    let arrived = Arrived { at: START.plus(Duration::from_secs(86_400)), message_id: None };
    let (record, _) = model::record::Record::read(text.as_bytes(), &arrived).unwrap();
    let mut again = Vec::new();
    record.write(&mut again);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&again).unwrap(), json);
    json
}

/// An INVITE of example 1 (rm.md §5.4 a) from the caller.
pub(crate) fn invite(number: &str, call: &str) -> String {
    format!(
        "INVITE sip:{number}@10.0.0.5:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 10.0.0.2:5090;branch=z9hG4bK{call}\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:+4930123@10.0.0.2>;tag=from-{call}\r\n\
         To: <sip:{number}@10.0.0.5>\r\n\
         Call-ID: {call}@10.1.1.5\r\n\
         CSeq: 1 INVITE\r\n\
         Contact: <sip:10.0.0.2:5090>\r\n\
         X-Genesys-CallUUID: 0UJDMQHH2O8QV3P8P8R2LDAES0000001\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: 4\r\n\r\nv=0\n"
    )
}

/// What a caller says to a refused INVITE.
fn acknowledgement(flow: &Flow, text: &str) -> Option<(Flow, String)> {
    let code: u16 = text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()?;
    let cseq = header(text, "CSeq").strip_suffix(" INVITE").filter(|_| code >= 300)?;
    let ack = format!(
        "ACK sip:rm@10.0.0.5 SIP/2.0\r\nVia: {}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\n\
         Call-ID: {}\r\nCSeq: {cseq} ACK\r\nContent-Length: 0\r\n\r\n",
        header(text, "Via"),
        header(text, "From"),
        header(text, "To"),
        header(text, "Call-ID"),
    );
    Some((*flow, ack))
}

/// Value of the first header of this name.
pub(crate) fn header<'a>(text: &'a str, name: &str) -> &'a str {
    all(text, name).first().copied().unwrap_or_default()
}

pub(crate) fn all<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let head = text.split("\r\n\r\n").next().unwrap();
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(one, _)| one.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .collect()
}

/// An answer to a request as a well-behaved server makes it.
pub(crate) fn reply(request: &str, code: u16, tag: &str, extra: &str) -> String {
    let mut out = format!("SIP/2.0 {code} Whatever\r\n");
    for via in all(request, "Via") {
        out += &format!("Via: {via}\r\n");
    }
    let first = request.split(' ').next().unwrap();
    if first == "INVITE" && (101..300).contains(&code) {
        for route in all(request, "Record-Route") {
            out += &format!("Record-Route: {route}\r\n");
        }
    }
    let to = header(request, "To");
    let tag = if to.contains(";tag=") { String::new() } else { format!(";tag={tag}") };
    out += &format!(
        "From: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{extra}Content-Length: 0\r\n\r\n",
        header(request, "From"),
        header(request, "Call-ID"),
        header(request, "CSeq"),
    );
    out
}

/// A dialog as one of its parties knows it.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    pub(crate) local: String,
    pub(crate) remote: String,
    pub(crate) target: String,
    pub(crate) routes: Vec<String>,
    pub(crate) cseq: u32,
    pub(crate) contact: String,
}

impl Dialog {
    /// The caller's, from the 2xx it got.
    pub(crate) fn of_caller(answer: &str) -> Self {
        let mut routes = routes(answer);
        routes.reverse();
        Self {
            call_id: header(answer, "Call-ID").to_owned(),
            local: header(answer, "From").to_owned(),
            remote: header(answer, "To").to_owned(),
            target: uri(header(answer, "Contact")),
            routes,
            cseq: 1,
            contact: "<sip:10.0.0.2:5090>".to_owned(),
        }
    }

    /// The called side's, from the INVITE it got and the tag it gave.
    pub(crate) fn of_callee(invite: &str, tag: &str, contact: &str) -> Self {
        Self {
            call_id: header(invite, "Call-ID").to_owned(),
            local: format!("{};tag={tag}", header(invite, "To")),
            remote: header(invite, "From").to_owned(),
            target: uri(header(invite, "Contact")),
            routes: routes(invite),
            cseq: 0,
            contact: contact.to_owned(),
        }
    }

    /// A request of this party. ACK has the number of the INVITE before.
    pub(crate) fn request(&mut self, method: &str, host: &str, branch: &str) -> String {
        if method != "ACK" {
            self.cseq += 1;
        }
        let routes: String = self.routes.iter().map(|one| format!("Route: <{one}>\r\n")).collect();
        format!(
            "{method} {} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {host};branch=z9hG4bK{branch}\r\n\
             {routes}Max-Forwards: 70\r\n\
             From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} {method}\r\n\
             Contact: {}\r\nContent-Length: 0\r\n\r\n",
            self.target, self.local, self.remote, self.call_id, self.cseq, self.contact,
        )
    }
}

fn routes(text: &str) -> Vec<String> {
    all(text, "Record-Route").iter().map(|value| uri(value)).collect()
}

fn uri(address: &str) -> String {
    address.trim_start_matches('<').split('>').next().unwrap().to_owned()
}

/// A call that is up on a media server: both parties' dialogs.
pub(crate) struct Up {
    pub(crate) caller: Dialog,
    pub(crate) callee: Dialog,
    pub(crate) server: String,
}

impl World {
    /// Places a call and answers it wherever it goes.
    pub(crate) fn up(&mut self, number: &str, call: &str) -> Up {
        self.up_with(number, call, "")
    }

    /// The same with further header lines in the 200.
    pub(crate) fn up_with(&mut self, number: &str, call: &str, extra: &str) -> Up {
        self.udp(CALLER, &invite(number, call));
        let server = [MCP1, MCP2]
            .into_iter()
            .find(|server| self.wire.iter().any(|sent| sent.flow.remote == address(server)))
            .expect("a server got the call");
        let forwarded = self.take(server);
        let contact = format!("<sip:mcp@{server}>");
        let tag = format!("to-{call}");
        let lines = format!("Contact: {contact}\r\n{extra}");
        self.udp(server, &reply(&forwarded, 200, &tag, &lines));
        let answer = self.take(CALLER);
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
        let mut caller = Dialog::of_caller(&answer);
        self.udp(CALLER, &caller.request("ACK", "10.0.0.2:5090", &format!("ack{call}")));
        let ack = self.take(server);
        assert!(ack.starts_with("ACK "), "{ack}");
        let callee = Dialog::of_callee(&forwarded, &tag, &contact);
        Up { caller, callee, server: server.to_owned() }
    }

    /// The caller hangs up; gives back the final answer it gets, if it gets one at once.
    pub(crate) fn hang_up(&mut self, up: &mut Up, branch: &str) -> Option<String> {
        self.udp(CALLER, &up.caller.request("BYE", "10.0.0.2:5090", branch));
        let bye = self.take(&up.server);
        assert!(bye.starts_with("BYE "), "{bye}");
        self.udp(&up.server, &reply(&bye, 200, "", ""));
        self.try_take(CALLER)
    }
}
