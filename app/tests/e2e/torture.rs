//! RFC 4475 and RFC 5118 against the running process, over UDP and over TCP: what comes of each
//! message is what the table of `core/rm` says, and after each the same process answers.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::platform::{CALLER, MEDIA, Process, Site, eventually};

const TABLE: &str = include_str!("../../../core/rm/tests/it/testdata/torture.txt");
const FOLDER: &str = "../proto/sip/tests/it/testdata/torture";

/// One look at a socket.
const GLANCE: Duration = Duration::from_millis(20);

/// Call-IDs of the requests that the media server got.
type Seen = Arc<Mutex<Vec<String>>>;

/// Its Route leads to the address of callers over TCP, which is declared here, but nobody listens.
const ROUTED: (&str, &str) = ("rfc4475/mpart01", "answered 480 hunt-failed");

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
            calls.lock().unwrap().push(call_id(&request));
            if !request.starts_with("ACK ") {
                // what is not UTF-8 stands in no line that is copied
                let code = if request.starts_with("INVITE ") { 603 } else { 200 };
                let _ = socket.send_to(answer(&request, code).as_bytes(), from);
            }
        }
    });
    (address, seen)
}

/// The value of a header, in its long or short name.
fn value<'m>(message: &'m str, names: [&str; 2]) -> Option<&'m str> {
    let lines = message.trim_start().split("\r\n");
    let mut lines = lines.take_while(|line| !line.is_empty());
    lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let known = names.iter().any(|one| name.trim().eq_ignore_ascii_case(one));
        known.then_some(value.trim())
    })
}

fn call_id(message: &str) -> String {
    value(message, ["Call-ID", "i"]).unwrap_or_default().to_owned()
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
        let process = site.start_rm_unwatched();
        let udp = UdpSocket::bind((CALLER, 0)).unwrap();
        udp.set_read_timeout(Some(GLANCE)).unwrap();
        let mut stand = Self { site, process, seen, udp, asked: 0 };
        crate::calls::healthy(&stand.site, 1);
        stand.alive(&mut None);
        stand
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

    /// What the caller has heard agrees with the part of an outcome.
    fn agrees(&self, part: &str, heard: &[String], original: &[u8], closed: bool) -> bool {
        let mut words = part.split(' ');
        match words.next().unwrap() {
            "answered" => {
                let line = format!("SIP/2.0 {} ", words.next().unwrap());
                let word = words.next().map(|word| format!("\"{word}\""));
                heard.iter().any(|text| {
                    text.starts_with(&line) && word.as_ref().is_none_or(|word| text.contains(word))
                })
            }
            "forwarded" => {
                let text = String::from_utf8_lossy(original);
                // the second message of a stream has the last Call-ID
                let ids = text.split("\r\n\r\n").map(call_id).filter(|id| !id.is_empty());
                let seen = self.seen.lock().unwrap();
                ids.last().is_some_and(|id| seen.contains(&id))
            }
            "closed" => closed,
            // what comes again of an earlier call is no answer to this
            "dropped" | "waited" => {
                let id = call_id(&String::from_utf8_lossy(original));
                heard.iter().all(|text| call_id(text) != id) && (part == "dropped" || !closed)
            }
            other => panic!("{other}: no such outcome"),
        }
    }
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
fn over_udp() {
    let mut stand = Stand::new();
    for [name, expected, _] in rows() {
        let bytes = message(name);
        stand.udp.send_to(&bytes, stand.site.sip()).unwrap();
        let mut heard = Some(Vec::new());
        stand.alive(&mut heard);
        let mut heard = heard.unwrap();
        let look = || {
            heard.extend(receive(&stand.udp));
            expected.split("; ").all(|part| stand.agrees(part, &heard, &bytes, false))
        };
        eventually(&format!("{name} over UDP: {expected}"), look, |so| *so);
    }
    stand.process.signal("TERM");
    assert!(stand.process.wait(Duration::from_secs(60)).success(), "it ends as it should");
}

#[test]
fn over_tcp() {
    let mut stand = Stand::new();
    for [name, _, expected] in rows() {
        let bytes = message(name);
        let mut stream = TcpStream::connect(stand.site.sip()).unwrap();
        stream.set_read_timeout(Some(GLANCE)).unwrap();
        stream.write_all(&bytes).unwrap();
        let (mut heard, mut closed) = (Vec::new(), false);
        stand.alive(&mut None);
        let look = || {
            closed |= listen(&mut stream, &mut heard);
            let heard = messages(&heard);
            expected.split("; ").all(|part| stand.agrees(part, &heard, &bytes, closed))
        };
        eventually(&format!("{name} over TCP: {expected}"), look, |so| *so);
    }
    stand.process.signal("TERM");
    assert!(stand.process.wait(Duration::from_secs(60)).success(), "it ends as it should");
}
