//! One engine whose messages are looked at only when asked for: what is fed in is all that costs
//! time or memory. Records are durable as soon as they are made; no resource is probed.

use std::net::SocketAddr;
use std::time::Duration;

use model::time::{Millis, Now};
use rm::{Event, Input, NodeState, Proxy};
use sip::transport::{Flow, Transport};

use crate::world::{CALLER, Dialog, address, header, objects, reply, settings, snapshot};

pub(crate) struct Line {
    pub(crate) proxy: Proxy,
    pub(crate) now: Now,
    bytes: Vec<u8>,
    sent: Vec<(SocketAddr, usize)>,
    records: Vec<u8>,
    /// The blocks of open frames, where somebody wants them.
    pub(crate) blocks: Option<Vec<Vec<u8>>>,
    /// The disk keeps up; else records are durable when the engine is told.
    pub(crate) disk: bool,
    /// Number of the latest record.
    pub(crate) made: u64,
    /// Where somebody measures: the clock, and the longest turn so far.
    pub(crate) watch: Option<(fn() -> Duration, Duration)>,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// With settings that are changed.
    pub(crate) fn with(change: impl FnOnce(&mut rm::Settings)) -> Self {
        let mut objects = objects();
        objects[0]["spec"]["policy"] = serde_json::json!({"usage_limit": 1_000_000});
        objects[3]["spec"]["monitor"] = serde_json::json!({"method": "none"});
        for server in objects[3]["spec"]["resources"].as_array_mut().unwrap() {
            server["capacity"] = serde_json::json!(100_000);
        }
        Self::of(&objects, change)
    }

    /// With these objects, none of which is probed.
    pub(crate) fn of(objects: &serde_json::Value, change: impl FnOnce(&mut rm::Settings)) -> Self {
        let mut settings = settings();
        settings.options.trace_sample = 100;
        change(&mut settings);
        let now = Now { mono: Duration::from_secs(1000), wall: Millis(1_767_225_600_000) };
        let proxy = Proxy::new(settings, snapshot(objects), now);
        let (bytes, records) = (Vec::with_capacity(1 << 16), Vec::with_capacity(1 << 16));
        let sent = Vec::with_capacity(64);
        let mut line = Self {
            proxy,
            now,
            bytes,
            sent,
            records,
            blocks: None,
            disk: true,
            made: 0,
            watch: None,
        };
        line.input(Input::State(NodeState::Ready));
        line
    }

    /// Whose engine keeps the heads of messages, as that of a node does.
    pub(crate) fn remembering(self) -> Self {
        Self { proxy: self.proxy.remembering(), ..self }
    }

    /// A datagram, and all that follows from it at once.
    pub(crate) fn feed(&mut self, from: SocketAddr, bytes: &[u8]) {
        let flow = Flow { transport: Transport::Udp, listener: 0, remote: from, conn: None };
        self.input(Input::Packet { flow, bytes, age: Duration::ZERO });
    }

    /// The kernel had no room for so many.
    pub(crate) fn kernel_drops(&mut self, packets: u64) {
        self.input(Input::KernelDrops { packets });
    }

    /// Lets time pass, firing what is due when it is due.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now.plus(time);
        while let Some((at, _)) = self.proxy.poll_timeout().filter(|(at, _)| *at <= end.mono) {
            self.now = self.now.plus(at.saturating_sub(self.now.mono));
            let now = self.now;
            self.turn(|proxy| proxy.handle_timeout(now));
        }
        self.now = end;
    }

    /// The latest message that was sent, but 100 Trying, and to whom.
    pub(crate) fn last(&self) -> (SocketAddr, String) {
        self.latest(|_| true)
    }

    /// The latest one to somebody of these.
    pub(crate) fn latest(&self, wanted: impl Fn(SocketAddr) -> bool) -> (SocketAddr, String) {
        let mut rest = self.bytes.as_slice();
        let texts = self.sent.iter().rev().map(|(to, len)| {
            let (before, text) = rest.split_at(rest.len() - len);
            rest = before;
            (*to, std::str::from_utf8(text).unwrap().to_owned())
        });
        let mut texts = texts.filter(|(to, text)| wanted(*to) && !text.starts_with("SIP/2.0 100 "));
        texts.next().expect("something was sent")
    }

    pub(crate) fn input(&mut self, input: Input<'_>) {
        let now = self.now;
        self.turn(|proxy| proxy.handle_input(now, input));
    }

    /// One step of the engine, and all that it has to say.
    fn turn(&mut self, step: impl FnOnce(&mut Proxy)) {
        self.bytes.clear();
        self.sent.clear();
        let begun = self.watch.map(|(clock, _)| clock());
        step(&mut self.proxy);
        self.drain();
        if let Some((clock, longest)) = &mut self.watch {
            *longest = (*longest).max(clock().saturating_sub(begun.unwrap_or_default()));
        }
    }

    fn drain(&mut self) {
        loop {
            while let Some(sent) = self.proxy.poll_transmit(&mut self.bytes) {
                self.sent.push((sent.flow.remote, sent.len));
            }
            let mut durable = None;
            while let Some(event) = self.proxy.poll_event(&mut self.records) {
                if let Event::Record { no, json, block, .. } = event {
                    durable = Some(no);
                    self.made = no;
                    if let Some(blocks) = self.blocks.as_mut().filter(|_| block > 0) {
                        blocks.push(self.records[json..].to_vec());
                    }
                }
                self.records.clear();
            }
            let Some(no) = durable.filter(|_| self.disk) else { return };
            self.proxy.handle_input(self.now, Input::Durable { no });
        }
    }
}

/// One call on a line: what each party says next.
pub(crate) struct Call {
    name: String,
    /// The INVITE as the server got it.
    forwarded: String,
    server: SocketAddr,
    caller: Option<Dialog>,
}

impl Call {
    pub(crate) fn new(name: &str) -> Self {
        let (name, server) = (name.to_owned(), address(CALLER));
        Self { name, forwarded: String::new(), server, caller: None }
    }

    /// The INVITE of a SIP Server, with an offer of usual size.
    pub(crate) fn invite(&self) -> String {
        let body = "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\n\
            m=audio 10000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n";
        let invite = crate::world::invite("18005550100", &self.name);
        let (head, _) = invite.split_once("\r\n\r\n").unwrap();
        let head = head.replace("Content-Length: 4", &format!("Content-Length: {}", body.len()));
        format!("{head}\r\n\r\n{body}")
    }

    /// The line has passed the INVITE on.
    pub(crate) fn placed(&mut self, line: &Line) {
        (self.server, self.forwarded) = line.last();
    }

    pub(crate) fn server(&self) -> SocketAddr {
        self.server
    }

    /// An answer of the server to the INVITE.
    pub(crate) fn answer(&self, code: u16) -> String {
        let contact = format!("Contact: <sip:mcp@{}>\r\n", self.server);
        reply(&self.forwarded, code, "9f1c1a2b3c", if code == 100 { "" } else { &contact })
    }

    /// The line has passed the 200 back.
    pub(crate) fn answered(&mut self, line: &Line) {
        let (_, answer) = line.last();
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
        self.caller = Some(Dialog::of_caller(&answer));
    }

    /// A request of the caller inside the dialog.
    pub(crate) fn request(&mut self, method: &str) -> String {
        let branch = format!("{}-{method}", self.name);
        let caller = self.caller.as_mut().unwrap();
        caller.request(method, CALLER, &branch)
    }

    /// The server's 200 to what the line has just passed on.
    pub(crate) fn ok(&self, line: &Line) -> String {
        let (to, request) = line.last();
        assert_eq!(to, self.server, "{request}");
        assert!(!header(&request, "CSeq").is_empty());
        let contact = format!("Contact: <sip:mcp@{}>\r\n", self.server);
        reply(&request, 200, "9f1c1a2b3c", &contact)
    }
}
