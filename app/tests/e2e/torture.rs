//! RFC 4475 and RFC 5118 against the running process, over UDP and over TCP: what comes of each
//! message is what the table of `core/rm` says, and after each the same process answers.
//!
//! A row counts only what came since it began, and of that only what is about its own message, by
//! Call-ID and CSeq: what is said again of an earlier one proves nothing. Three messages of RFC
//! 5118 belong, by branch, sender and method, to the transaction of an earlier one: they would
//! rightly be taken for its repetition, and go to a process that has not seen it.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sip::limits::Limits;
use sip::parse::parse;

use crate::capture::Watch;
use crate::platform::{CALLER, MEDIA, Process, Site, eventually, now};

const TABLE: &str = include_str!("../../../core/rm/tests/it/testdata/torture.txt");
const FOLDER: &str = "../proto/sip/tests/it/testdata/torture";

/// One look at a socket.
const GLANCE: Duration = Duration::from_millis(20);
/// So long an outcome may take on a machine whose cores are busy.
const DEADLINE: Duration = Duration::from_secs(10);

/// The requests that the media server got, but for ACK.
type Seen = Arc<Mutex<Vec<String>>>;

/// Its Route leads to the address of callers over TCP, which is declared here, but nobody listens.
const ROUTED: (&str, &str) = ("rfc4475/mpart01", "answered 480 hunt-failed");

/// Of what RM passes on, or repeats in an answer, Wireshark complains here, by Call-ID: NUL within
/// a quoted string, a body with `m =`, and one whose end is binary.
const ODD: &[&str] = &["intmeth.word%ZK", "dblreq.0ha0isnda97", "3d9485ad0c49859b@"];

/// A row of the table: file, outcome over UDP, outcome over TCP.
fn rows() -> Vec<[&'static str; 3]> {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    rows.map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if cells[1] == ROUTED.0 {
            return [ROUTED.0, ROUTED.1, ROUTED.1];
        }
        [cells[1], cells[2], if cells[3] == "the same" { cells[2] } else { cells[3] }]
    })
    .collect()
}

fn message(name: &str) -> Vec<u8> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    std::fs::read(path.join(format!("{name}.sip"))).unwrap()
}

/// A media server: OPTIONS and the like are answered with 200, calls are declined.
fn media() -> (SocketAddr, Seen) {
    let socket = UdpSocket::bind((MEDIA, 0)).unwrap();
    let (address, seen) = (socket.local_addr().unwrap(), Seen::default());
    let calls = Arc::clone(&seen);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 65_535];
        while let Ok((len, from)) = socket.recv_from(&mut buffer) {
            let request = String::from_utf8_lossy(&buffer[..len]).into_owned();
            if request.starts_with("ACK ") {
                continue;
            }
            // what is not UTF-8 stands in no line that is copied
            let code = if request.starts_with("INVITE ") { 603 } else { 200 };
            let _ = socket.send_to(answer(&request, code).as_bytes(), from);
            calls.lock().unwrap().push(request);
        }
    });
    (address, seen)
}

/// The value of a header, in its long or short name.
fn value<'m>(message: &'m str, names: &[&str]) -> Option<&'m str> {
    let lines = message.trim_start().split("\r\n");
    let mut lines = lines.take_while(|line| !line.is_empty());
    lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let known = names.iter().any(|one| name.trim().eq_ignore_ascii_case(one));
        known.then_some(value.trim())
    })
}

fn call_id(message: &str) -> String {
    value(message, &["Call-ID", "i"]).unwrap_or_default().to_owned()
}

/// What a message is about: Call-ID and CSeq.
fn about(message: &str) -> (String, String) {
    (call_id(message), value(message, &["CSeq"]).unwrap_or_default().to_owned())
}

/// What tells transactions apart (RFC 3261 §17.2.3), where a message is one.
fn transaction(bytes: &[u8]) -> Option<String> {
    let message = parse(bytes, &Limits::DEFAULT).ok().filter(sip::message::Message::is_request)?;
    let via = message.top_via();
    Some(format!("{} {} {:?} {:?}", message.method().as_str(), via.host, via.port, via.branch))
}

fn answer(request: &str, code: u16) -> String {
    let mut text = format!("SIP/2.0 {code} Any\r\n");
    let head = request.split("\r\n\r\n").next().unwrap();
    let mut keeps = false;
    for line in head.split("\r\n").skip(1) {
        if !line.starts_with([' ', '\t']) {
            let name = line.split(':').next().unwrap().trim().to_ascii_lowercase();
            keeps = ["via", "v", "from", "f", "to", "t", "call-id", "i", "cseq"]
                .contains(&name.as_str());
        }
        if keeps {
            text += &format!("{line}\r\n");
        }
    }
    text + "Content-Length: 0\r\n\r\n"
}

/// The process, and who speaks with it.
struct Stand {
    site: Site,
    process: Process,
    seen: Seen,
    udp: UdpSocket,
    asked: u32,
}

impl Stand {
    fn new() -> Self {
        let (media, seen) = media();
        let site = Site::new(&format!(
            "kind: Tenant\nname: Environment\nspec: {{ default_profile: any }}\n---\n\
             kind: IvrProfile\nname: any\ntenant: Environment\nspec:\n  service: voicexml\n  \
               initial_page_url: \"http://a.example/x.vxml\"\n---\n\
             kind: ResourceGroup\nname: mcp\nspec:\n  services: [voicexml]\n  resources:\n    \
               - {{ name: mcp-1, address: \"sip:{media}\" }}\n"
        ));
        // loopback is a SIP Server by itself; this one may also preload routes
        let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
        let peers = "peers: [{ name: s, match: [\"127.0.0.1\", \"127.0.0.2\"], \
                      role: sip-server, allow_route: true }], listen:";
        site.write(
            "settings.yaml",
            &settings.replace("listen: [\"udp", &format!("{peers} [\"udp")),
        );
        let process = site.start_rm_watched(Watch { odd: ODD, ..Watch::default() });
        let udp = UdpSocket::bind((CALLER, 0)).unwrap();
        udp.set_read_timeout(Some(GLANCE)).unwrap();
        let mut stand = Self { site, process, seen, udp, asked: 0 };
        crate::calls::healthy(&stand.site, 1);
        stand.alive(&mut None);
        stand
    }

    /// It ends as it should.
    fn end(mut self) {
        self.process.signal("TERM");
        assert!(self.process.wait(Duration::from_secs(60)).success(), "it ends as it should");
    }

    fn options(&mut self, transport: &str) -> (String, Vec<u8>) {
        self.asked += 1;
        let id = format!("alive-{transport}-{}", self.asked);
        let text = format!(
            "OPTIONS sip:{to} SIP/2.0\r\nVia: SIP/2.0/{transport} {via};branch=z9hG4bK{id}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:a@127.0.0.2>;tag=1\r\nTo: <sip:{to}>\r\n\
             Call-ID: {id}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
            to = self.site.sip(),
            via = self.udp.local_addr().unwrap(),
        );
        (id, text.into_bytes())
    }

    /// The process answers over UDP and over a fresh TCP connection. What came over the UDP socket
    /// before the answer is kept in `before`.
    fn alive(&mut self, before: &mut Option<Vec<String>>) {
        let (id, text) = self.options("UDP");
        self.udp.send_to(&text, self.site.sip()).unwrap();
        let udp = &self.udp;
        let answered = || {
            let text = receive(udp).unwrap_or_default();
            let done = call_id(&text) == id;
            if let Some(kept) = before.as_mut().filter(|_| !done && !text.is_empty()) {
                kept.push(text);
            }
            done
        };
        eventually("an answer over UDP", answered, |done| *done);
        let (id, text) = self.options("TCP");
        let mut stream = TcpStream::connect(self.site.sip()).unwrap();
        stream.set_read_timeout(Some(GLANCE)).unwrap();
        stream.write_all(&text).unwrap();
        let mut heard = Vec::new();
        let answered = || {
            listen(&mut stream, &mut heard);
            call_id(&String::from_utf8_lossy(&heard)) == id
        };
        eventually("an answer over TCP", answered, |done| *done);
    }

    /// What of these outcomes has not come; empty when all have.
    fn missing(&self, row: &Row<'_>, heard: &[String], closed: bool) -> Vec<String> {
        let parts = row.expected.split("; ");
        parts.filter(|part| !self.agrees(row, part, heard, closed)).map(str::to_owned).collect()
    }

    /// What was heard and seen since the row began agrees with a part of its outcome.
    fn agrees(&self, row: &Row<'_>, part: &str, heard: &[String], closed: bool) -> bool {
        let text = String::from_utf8_lossy(row.bytes);
        let own = about(&text);
        let seen = self.seen.lock().unwrap();
        let seen = &seen[row.seen..];
        let of = |all: &'_ [String], own: &(String, String)| -> Vec<String> {
            all.iter().filter(|one| about(one) == *own).cloned().collect()
        };
        let mut words = part.split(' ');
        match words.next().unwrap() {
            "answered" => {
                let line = format!("SIP/2.0 {} ", words.next().unwrap());
                let word = words.next().map_or(String::new(), |word| format!("\"{word}\""));
                of(heard, &own).iter().any(|one| one.starts_with(&line) && one.contains(&word))
            }
            "forwarded" => {
                // the second message of a stream has the last Call-ID
                let ids = text.rsplit("\r\n\r\n").map(about);
                let last = ids.into_iter().find(|own| !own.0.is_empty()).unwrap_or_default();
                let call = part.starts_with("forwarded as a call");
                let seen = of(seen, &last);
                let recorded = |one: &String| one.contains("\r\nRecord-Route: <sip:rm-A");
                let line = if call { "SIP/2.0 603 " } else { "SIP/2.0 200 " };
                // what the media server says comes back, unless nobody listens any more
                let back = of(heard, &last).iter().any(|one| one.starts_with(line));
                !seen.is_empty()
                    && seen.iter().all(|one| recorded(one) == call)
                    && (back || row.expected.ends_with("closed"))
            }
            "closed" => closed,
            "dropped" => of(heard, &own).is_empty() && of(seen, &own).is_empty(),
            "waited" => of(heard, &own).is_empty() && !closed,
            other => panic!("{other}: no such outcome"),
        }
    }
}

/// One message of the table on its way.
struct Row<'a> {
    name: &'a str,
    expected: &'a str,
    bytes: &'a [u8],
    /// Requests that the media server had got before.
    seen: usize,
}

/// Both tests: each message is sent by `play`, which looks until nothing is missing or the time is
/// over, and tells what is still missing and what came.
fn every_row(column: usize, play: impl Fn(&mut Stand, &Row<'_>) -> (Vec<String>, Vec<String>)) {
    let mut stand = Stand::new();
    let (mut had, mut wrong) = (BTreeSet::new(), Vec::new());
    for row in rows() {
        let bytes = message(row[0]);
        if transaction(&bytes).is_some_and(|own| !had.insert(own)) {
            stand.end();
            stand = Stand::new();
        }
        let seen = stand.seen.lock().unwrap().len();
        let row = Row { name: row[0], expected: row[column], bytes: &bytes, seen };
        let (missing, heard) = play(&mut stand, &row);
        if !missing.is_empty() {
            let sent = String::from_utf8_lossy(&bytes);
            let seen = &stand.seen.lock().unwrap()[row.seen..];
            wrong.push(format!(
                "{}: no {missing:?}\n--- sent\n{sent}\n--- heard {heard:#?}\n--- seen {seen:#?}",
                row.name
            ));
        }
    }
    stand.end();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn receive(udp: &UdpSocket) -> Option<String> {
    let mut buffer = vec![0; 65_535];
    let (len, _) = udp.recv_from(&mut buffer).ok()?;
    Some(String::from_utf8_lossy(&buffer[..len]).into_owned())
}

/// Takes what has come; true when the other side has closed.
fn listen(stream: &mut TcpStream, heard: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 4096];
    match stream.read(&mut buffer) {
        Ok(0) => true,
        Ok(len) => {
            heard.extend_from_slice(&buffer[..len]);
            false
        }
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

/// The messages in what came over a stream; none of our answers has a body.
fn messages(heard: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(heard).into_owned();
    text.split_inclusive("\r\n\r\n").map(str::to_owned).collect()
}

#[test]
fn scenario_37_over_udp() {
    every_row(1, |stand, row| {
        stand.udp.send_to(row.bytes, stand.site.sip()).unwrap();
        let mut heard = Some(Vec::new());
        stand.alive(&mut heard);
        let (mut heard, until) = (heard.unwrap(), now() + DEADLINE);
        loop {
            let missing = stand.missing(row, &heard, false);
            if missing.is_empty() || now() > until {
                return (missing, heard);
            }
            heard.extend(receive(&stand.udp));
        }
    });
}

#[test]
fn scenario_37_over_tcp() {
    every_row(2, |stand, row| {
        let mut stream = TcpStream::connect(stand.site.sip()).unwrap();
        stream.set_read_timeout(Some(GLANCE)).unwrap();
        stream.write_all(row.bytes).unwrap();
        stand.alive(&mut None);
        let (mut heard, mut closed, until) = (Vec::new(), false, now() + DEADLINE);
        loop {
            closed |= listen(&mut stream, &mut heard);
            let heard = messages(&heard);
            let missing = stand.missing(row, &heard, closed);
            if missing.is_empty() || now() > until {
                return (missing, heard);
            }
        }
    });
}
