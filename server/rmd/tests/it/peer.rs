//! The other ends: a media server that answers everything, and a caller, by hand.
//!
//! Both keep to what RFC 3261 asks of them: Record-Route copied into the answer, routes followed in
//! order, tags echoed. Nothing of ours builds or reads their messages.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Media servers have an address of their own: a stream from there is a media server's, whatever
/// its port (rm.md §13.1), and callers are none.
const MEDIA: &str = "127.0.0.3:0";

/// The longest wait for a message.
const PATIENCE: Duration = Duration::from_secs(60);
/// After so long without an answer a request over UDP is said again.
const AGAIN: Duration = Duration::from_secs(1);

/// Requests that a media server has seen, whole.
pub(crate) type Seen = Arc<Mutex<Vec<String>>>;

/// Answers OPTIONS, INVITE and BYE with 200 over UDP, until the test ends.
pub(crate) fn udp_media() -> (SocketAddr, Seen) {
    let socket = UdpSocket::bind(MEDIA).unwrap();
    let (address, seen) = (socket.local_addr().unwrap(), Seen::default());
    let requests = Arc::clone(&seen);
    thread::spawn(move || {
        let mut buffer = [0; 65_535];
        while let Ok((len, from)) = socket.recv_from(&mut buffer) {
            let request = String::from_utf8(buffer[..len].to_vec()).unwrap();
            if let Some(answer) = answer(&request, address, "udp") {
                socket.send_to(answer.as_bytes(), from).unwrap();
            }
            requests.lock().unwrap().push(request);
        }
    });
    (address, seen)
}

/// The same over TCP.
pub(crate) fn tcp_media() -> (SocketAddr, Seen) {
    serve(TcpListener::bind(MEDIA).unwrap(), None)
}

/// The same over TCP for somebody before it, whose address and transport it says are its own.
pub(crate) fn tcp_media_as(shown: SocketAddr, transport: &'static str) -> (SocketAddr, Seen) {
    serve(TcpListener::bind(MEDIA).unwrap(), Some((shown, transport)))
}

fn serve(listener: TcpListener, shown: Option<(SocketAddr, &'static str)>) -> (SocketAddr, Seen) {
    let (address, seen) = (listener.local_addr().unwrap(), Seen::default());
    let (shown, transport) = shown.unwrap_or((address, "tcp"));
    let requests = Arc::clone(&seen);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, requests) = (Stream::of(stream.unwrap()), Arc::clone(&requests));
            thread::spawn(move || answers(&mut stream, shown, transport, &requests));
        }
    });
    (address, seen)
}

/// Answers all requests of a stream, until it ends.
fn answers(stream: &mut Stream, own: SocketAddr, transport: &str, requests: &Seen) {
    while let Some(request) = stream.next() {
        if let Some(answer) = answer(&request, own, transport) {
            stream.send(&answer);
        }
        requests.lock().unwrap().push(request);
    }
}

/// The lines of a header, in order.
pub(crate) fn lines<'a>(message: &'a str, name: &str) -> Vec<&'a str> {
    let head = message.split("\r\n\r\n").next().unwrap();
    head.split("\r\n")
        .filter_map(|line| line.split_once(": "))
        .filter(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .collect()
}

/// The only value of a header.
pub(crate) fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let all = lines(message, name);
    assert_eq!(all.len(), 1, "{name} in {message}");
    all[0]
}

/// What a media server answers: nothing to an ACK.
pub(crate) fn answer(request: &str, own: SocketAddr, transport: &str) -> Option<String> {
    let method = request.split(' ').next()?;
    if method == "ACK" {
        return None;
    }
    let mut answer = "SIP/2.0 200 OK\r\n".to_owned();
    for name in ["Via", "Record-Route"] {
        for value in lines(request, name) {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    let to = header(request, "To");
    let tag = if to.contains("tag=") { "" } else { ";tag=media" };
    answer.push_str(&format!("From: {}\r\nTo: {to}{tag}\r\n", header(request, "From")));
    for name in ["Call-ID", "CSeq"] {
        answer.push_str(&format!("{name}: {}\r\n", header(request, name)));
    }
    answer.push_str(&format!("Contact: <sip:dialog@{own};transport={transport}>\r\n"));
    answer.push_str("Content-Length: 0\r\n\r\n");
    Some(answer)
}

/// An answer to a request, made of its own lines.
pub(crate) fn response(request: &str, status: u16) -> String {
    let mut answer = format!("SIP/2.0 {status} Answer\r\n");
    for name in ["Via", "From", "Call-ID", "CSeq"] {
        for value in lines(request, name) {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    answer + &format!("To: {};tag=media\r\nContent-Length: 0\r\n\r\n", header(request, "To"))
}

/// A stream of SIP messages: TCP, or the pipes of a process that speaks for us.
pub(crate) struct Stream {
    reader: Box<dyn Read + Send>,
    writer: Box<dyn Write + Send>,
    buffer: Vec<u8>,
}

/// A pipe that is waited for no longer than a socket.
struct Piped {
    pieces: Receiver<Vec<u8>>,
    rest: Vec<u8>,
}

impl Read for Piped {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.rest.is_empty() {
            self.rest = match self.pieces.recv_timeout(PATIENCE) {
                Ok(piece) => piece,
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
                Err(RecvTimeoutError::Timeout) => return Err(std::io::ErrorKind::TimedOut.into()),
            };
        }
        let count = self.rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        Ok(count)
    }
}

impl Stream {
    pub(crate) fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let writer = Box::new(stream.try_clone().unwrap());
        Self { reader: Box::new(stream), writer, buffer: Vec::new() }
    }

    pub(crate) fn of_pipes(
        input: impl Write + Send + 'static,
        mut output: impl Read + Send + 'static,
    ) -> Self {
        let (sender, pieces) = sync_channel(64);
        thread::spawn(move || {
            let mut buffer = [0; 65_536];
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let reader = Box::new(Piped { pieces, rest: Vec::new() });
        Self { reader, writer: Box::new(input), buffer: Vec::new() }
    }

    pub(crate) fn send(&mut self, message: &str) {
        self.writer.write_all(message.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// The next bytes, whatever they mean; fewer when the stream has ended.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.buffer);
        let mut piece = [0; 64];
        while bytes.len() < count
            && let Ok(read @ 1..) = self.reader.read(&mut piece)
        {
            bytes.extend_from_slice(&piece[..read]);
        }
        bytes
    }

    /// The next message; `None` when the stream has ended.
    pub(crate) fn next(&mut self) -> Option<String> {
        loop {
            let text = String::from_utf8(self.buffer.clone()).unwrap();
            if let Some((head, rest)) = text.split_once("\r\n\r\n") {
                let length: usize = header(head, "Content-Length").parse().unwrap();
                if rest.len() >= length {
                    let end = head.len() + 4 + length;
                    let message = text[..end].to_owned();
                    self.buffer.drain(..end);
                    return Some(message);
                }
            }
            let mut bytes = [0; 4096];
            match self.reader.read(&mut bytes).ok()? {
                0 => return None,
                count => self.buffer.extend_from_slice(&bytes[..count]),
            }
        }
    }
}

/// How a caller reaches RM.
pub(crate) enum Wire {
    Udp(UdpSocket, SocketAddr),
    Stream(Stream, &'static str),
}

/// A caller with one call.
pub(crate) struct Caller {
    wire: Wire,
    own: SocketAddr,
    call_id: String,
    cseq: u32,
    /// `sip` or `sips`.
    scheme: &'static str,
    /// From the answer to the INVITE.
    dialog: Option<Dialog>,
}

struct Dialog {
    to: String,
    target: String,
    routes: Vec<String>,
}

impl Caller {
    pub(crate) fn udp(rm: SocketAddr, call_id: &str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(AGAIN)).unwrap();
        let own = socket.local_addr().unwrap();
        Self {
            wire: Wire::Udp(socket, rm),
            own,
            call_id: call_id.into(),
            cseq: 0,
            scheme: "sip",
            dialog: None,
        }
    }

    pub(crate) fn tcp(rm: SocketAddr, call_id: &str) -> Self {
        let stream = TcpStream::connect(rm).unwrap();
        let own = stream.local_addr().unwrap();
        let wire = Wire::Stream(Stream::of(stream), "TCP");
        Self { wire, own, call_id: call_id.into(), cseq: 0, scheme: "sip", dialog: None }
    }

    /// One whose own address stands nowhere but in what it says.
    pub(crate) fn over(stream: Stream, transport: &'static str, call_id: &str) -> Self {
        let own = "127.0.0.1:9".parse().unwrap();
        let wire = Wire::Stream(stream, transport);
        Self { wire, own, call_id: call_id.into(), cseq: 0, scheme: "sip", dialog: None }
    }

    /// From now on as `sips:`.
    pub(crate) fn secure(&mut self) {
        self.scheme = "sips";
    }

    /// INVITE to a number, final answer; a 2xx is acknowledged, and so is a refusal.
    pub(crate) fn invite(&mut self, number: &str) -> String {
        self.cseq += 1;
        let target = format!("{}:{number}@rm.example", self.scheme);
        let request = self.request("INVITE", self.cseq, &target, &[], &format!("<{target}>"));
        self.send(&request);
        let answer = self.final_answer("INVITE", &request);
        let to = header(&answer, "To").to_owned();
        if answer.starts_with("SIP/2.0 2") {
            let contact = header(&answer, "Contact");
            let contact = contact.trim_start_matches('<').split('>').next().unwrap().to_owned();
            let record: Vec<_> = lines(&answer, "Record-Route");
            let routes = record.iter().rev().map(|route| (*route).to_owned()).collect();
            self.dialog = Some(Dialog { to, target: contact, routes });
            let ack = self.in_dialog("ACK", self.cseq);
            self.send(&ack);
        } else {
            let branch = header(&request, "Via").to_owned();
            let ack = self.request("ACK", self.cseq, &target, &[], &to);
            let own = header(&ack, "Via").to_owned();
            self.send(&ack.replace(&own, &branch));
        }
        answer
    }

    /// BYE and its answer.
    pub(crate) fn bye(&mut self) -> String {
        self.cseq += 1;
        let bye = self.in_dialog("BYE", self.cseq);
        self.send(&bye);
        self.final_answer("BYE", &bye)
    }

    /// From now on over this address, as after a restart of RM.
    pub(crate) fn move_to(&mut self, rm: SocketAddr) {
        match &mut self.wire {
            Wire::Udp(_, to) => {
                let dialog = self.dialog.as_mut().unwrap();
                for route in &mut dialog.routes {
                    *route = route.replace(&to.to_string(), &rm.to_string());
                }
                *to = rm;
            }
            Wire::Stream(..) => panic!("only callers over UDP move"),
        }
    }

    fn in_dialog(&self, method: &str, cseq: u32) -> String {
        let Dialog { to, target, routes } = self.dialog.as_ref().unwrap();
        self.request(method, cseq, target, routes, to)
    }

    fn request(
        &self,
        method: &str,
        cseq: u32,
        target: &str,
        routes: &[String],
        to: &str,
    ) -> String {
        let Self { own, call_id, .. } = self;
        let transport = match self.wire {
            Wire::Udp(..) => "UDP",
            Wire::Stream(_, transport) => transport,
        };
        let mut text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/{transport} {own};\
             branch=z9hG4bK-{call_id}-{cseq}-{method}\r\nMax-Forwards: 70\r\n"
        );
        for route in routes {
            text.push_str(&format!("Route: {route}\r\n"));
        }
        text.push_str(&format!(
            "From: <sip:caller@127.0.0.1>;tag=caller\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <{}:caller@{own};transport={}>\r\n\
             Content-Length: 0\r\n\r\n",
            self.scheme,
            transport.to_lowercase()
        ));
        text
    }

    fn send(&mut self, message: &str) {
        match &mut self.wire {
            Wire::Udp(socket, rm) => {
                socket.send_to(message.as_bytes(), *rm).unwrap();
            }
            Wire::Stream(stream, _) => stream.send(message),
        }
    }

    /// The final answer to a request, which is said again where it may have got lost.
    fn final_answer(&mut self, method: &str, request: &str) -> String {
        let mut silence = Duration::ZERO;
        loop {
            let message = match &mut self.wire {
                Wire::Udp(socket, rm) => {
                    let mut buffer = [0; 65_535];
                    let Ok(len) = socket.recv(&mut buffer) else {
                        silence += AGAIN;
                        assert!(silence < PATIENCE, "no answer to {request}");
                        socket.send_to(request.as_bytes(), *rm).unwrap();
                        continue;
                    };
                    String::from_utf8(buffer[..len].to_vec()).unwrap()
                }
                Wire::Stream(stream, _) => stream.next().expect("an answer in time"),
            };
            let answers = message.starts_with("SIP/2.0 ") && !message.starts_with("SIP/2.0 1");
            if answers && header(&message, "CSeq").ends_with(method) {
                return message;
            }
        }
    }
}
