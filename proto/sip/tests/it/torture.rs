//! RFC 4475 and RFC 5118: what must come of each message, as a datagram and in a stream.
//!
//! What the RFCs leave open is decided as strictly as they allow, except where a proxy only
//! passes the value on (dates, bodies, unknown schemes): that is for later stages or endpoints.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use sip::limits::Limits;
use sip::message::Message;
use sip::parse::parse;
use sip::print::{Rewrite, refuse};
use sip::stream::{Frame, Framer};
use sip::transport::{Flow, Transport};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// What must come of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// A request of this method.
    Request(&'static str),
    /// A response of this status.
    Response(u16),
    /// Refused with this status, and an answer leaves.
    Answered(u16),
    /// Refused, and nothing leaves.
    Silent(u16),
}

/// What must come of the same bytes in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    /// One frame, and the same outcome for it.
    Same,
    /// One frame with the same outcome, and then more: the surplus bytes of a datagram.
    SameThenMore,
    /// The stream is closed, the answer would have this status.
    Broken(u16),
    /// More bytes are waited for.
    Waits,
}

use Outcome::{Answered, Request, Response, Silent};
use Stream::{Broken, Same, SameThenMore, Waits};

const RFC4475: &[(&str, Outcome, Stream)] = &[
    // 3.1.1 valid messages
    ("wsinv", Request("INVITE"), Same),
    ("intmeth", Request("!interesting-Method0123456789_*+`.%indeed'~"), Same),
    ("esc01", Request("INVITE"), Same),
    ("escnull", Request("REGISTER"), Same),
    ("esc02", Request("RE%47IST%45R"), Same),
    ("lwsdisp", Request("OPTIONS"), Same),
    ("longreq", Request("INVITE"), Same),
    ("dblreq", Request("REGISTER"), SameThenMore),
    ("semiuri", Request("OPTIONS"), Same),
    ("transports", Request("OPTIONS"), Same),
    ("mpart01", Request("MESSAGE"), Same),
    ("unreason", Response(200), Same),
    ("noreason", Response(100), Same),
    // 3.1.2 invalid messages
    ("badinv01", Answered(400), Same),
    ("clerr", Answered(400), Waits),
    ("ncl", Answered(400), Broken(400)),
    ("scalar02", Answered(400), Same),
    ("scalarlg", Silent(400), Same),
    ("quotbal", Answered(400), Same),
    ("ltgtruri", Answered(400), Same),
    ("lwsruri", Answered(400), Same),
    ("lwsstart", Answered(400), Same),
    ("trws", Answered(400), Same),
    ("escruri", Answered(400), Same),
    ("baddate", Request("INVITE"), Same),
    ("regbadct", Answered(400), Same),
    ("badaspec", Answered(400), Same),
    // without its blank line in the archive
    ("baddn", Answered(400), Waits),
    ("badvers", Answered(505), Same),
    ("mismatch01", Answered(400), Same),
    ("mismatch02", Answered(400), Same),
    ("bigcode", Silent(400), Same),
    // 3.2 transaction layer
    ("badbranch", Request("OPTIONS"), Same),
    // 3.3 application layer
    ("insuf", Silent(400), Same),
    ("unkscm", Request("OPTIONS"), Same),
    ("novelsc", Request("OPTIONS"), Same),
    ("unksm2", Request("REGISTER"), Same),
    ("bext01", Request("OPTIONS"), Same),
    ("invut", Request("INVITE"), Same),
    ("regaut01", Request("REGISTER"), Same),
    ("multi01", Answered(400), Same),
    ("mcl01", Answered(400), Broken(400)),
    ("bcast", Response(200), Same),
    ("zeromf", Request("OPTIONS"), Same),
    ("cparam01", Request("REGISTER"), Same),
    ("cparam02", Request("REGISTER"), Same),
    ("regescrt", Request("REGISTER"), Same),
    ("sdp01", Request("INVITE"), Same),
    // 3.4 backward compatibility
    ("inv2543", Request("INVITE"), Broken(400)),
    // in the archive only
    ("test", Silent(400), Broken(400)),
];

const RFC5118: &[(&str, Outcome, Stream)] = &[
    ("ipv6-good", Request("REGISTER"), Same),
    ("ipv6-bad", Answered(400), Same),
    ("port-ambiguous", Request("REGISTER"), Same),
    ("port-unambiguous", Request("REGISTER"), Same),
    ("via-received-param-no-delim", Request("OPTIONS"), Same),
    ("via-received-param-with-delim", Request("BYE"), Same),
    ("ipv6-in-sdp", Request("INVITE"), Same),
    ("mult-ip-in-header", Request("BYE"), Same),
    ("mult-ip-in-sdp", Request("INVITE"), Same),
    ("ipv4-mapped-ipv6", Request("INVITE"), Same),
    ("ipv6-bug-abnf-3-colons", Request("OPTIONS"), Same),
    ("ipv6-correct-abnf-2-colons", Request("OPTIONS"), Same),
];

fn folder(rfc: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/testdata/torture").join(rfc)
}

fn load(rfc: &str, name: &str) -> Vec<u8> {
    fs::read(folder(rfc).join(format!("{name}.sip"))).unwrap()
}

/// Each message once; also the corpus of the property tests.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let all = RFC4475.iter().map(|row| ("rfc4475", row.0));
    all.chain(RFC5118.iter().map(|row| ("rfc5118", row.0)))
        .map(|(rfc, name)| load(rfc, name))
        .collect()
}

fn flow() -> Flow {
    let remote = "192.0.2.77:5060".parse().unwrap();
    Flow { transport: Transport::Udp, listener: 0, remote, conn: None }
}

fn outcome(bytes: &[u8]) -> Outcome {
    match parse(bytes, &Limits::DEFAULT) {
        Ok(message) => match message.status() {
            Some(status) => Response(status),
            None => {
                let method = message.method();
                let known = RFC4475.iter().chain(RFC5118).find_map(|row| match row.1 {
                    Request(name) if name == method.as_str() => Some(name),
                    _ => None,
                });
                Request(known.unwrap_or("a method of no row"))
            }
        },
        Err(error) => {
            let mut answer = Vec::new();
            if refuse(bytes, &error, &[], flow(), &mut answer) {
                assert!(answer.starts_with(format!("SIP/2.0 {} ", error.status).as_bytes()));
                Answered(error.status)
            } else {
                assert!(answer.is_empty());
                Silent(error.status)
            }
        }
    }
}

fn stream(bytes: &[u8], size: usize, expected: Outcome) -> Stream {
    let mut framer = Framer::new(Limits::DEFAULT);
    let mut frames = 0;
    for piece in bytes.chunks(size) {
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(Frame::Message(frame))) => {
                    frames += 1;
                    assert!(frames > 1 || outcome(frame) == expected);
                }
                Ok(Some(Frame::Ping)) => {}
                Ok(None) => break,
                Err(_) if frames > 0 => return SameThenMore,
                Err(error) => return Broken(error.0.status),
            }
        }
    }
    match (frames, framer.pending()) {
        (0, _) => Waits,
        (1, 0) => Same,
        _ => SameThenMore,
    }
}

fn run(rfc: &str, table: &[(&str, Outcome, Stream)]) {
    let files: BTreeSet<String> = fs::read_dir(folder(rfc))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let rows: BTreeSet<String> = table.iter().map(|row| format!("{}.sip", row.0)).collect();
    assert_eq!(files, rows, "each file has its row");
    let mut wrong = Vec::new();
    for (name, expected, in_stream) in table {
        let bytes = load(rfc, name);
        let got = outcome(&bytes);
        if got != *expected {
            wrong.push(format!("{name}: {got:?}, not {expected:?}"));
            continue;
        }
        for size in [1, 13, bytes.len()] {
            let got = stream(&bytes, size, *expected);
            if got != *in_stream {
                wrong.push(format!("{name} in pieces of {size}: {got:?}, not {in_stream:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rfc4475() {
    run("rfc4475", RFC4475);
}

#[test]
fn rfc5118() {
    run("rfc5118", RFC5118);
}

fn with<T>(name: &str, look: impl FnOnce(&Message<'_>) -> T) -> T {
    let rfc = if RFC4475.iter().any(|row| row.0 == name) { "rfc4475" } else { "rfc5118" };
    let bytes = load(rfc, name);
    look(&parse(&bytes, &Limits::DEFAULT).unwrap())
}

#[test]
fn wsinv_is_read_as_meant() {
    with("wsinv", |message| {
        assert_eq!(message.max_forwards(), Some(68));
        assert_eq!(message.cseq(), 9);
        assert_eq!(message.to().tag(), Some("1918181833n"));
        assert_eq!(message.from().display, br#""J Rosenberg \\\"""#);
        let vias: Vec<_> =
            message.vias().map(|via| (via.transport, via.host, via.branch.unwrap())).collect();
        assert_eq!(
            vias,
            [
                ("UDP", "192.0.2.2", "390skdjuw"),
                ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
                ("UDP", "192.168.255.111", "z9hG4bK30239"),
            ]
        );
        let contact = message.contacts().next().unwrap();
        assert_eq!(contact.param("newparam"), Some(Some("newvalue")));
        assert_eq!(contact.param("secondparam"), Some(None));
        assert_eq!(contact.param("q"), Some(Some("0.33")));
        assert_eq!(
            message.routes().next().unwrap().uri,
            "sip:services.example.com;lr;unknownwith=value;unknown-no-value"
        );
        assert_eq!(message.named("unknownheaderwithunusualvalue").unwrap().value, b";;,,;;,;");
        assert_eq!(message.named("Subject").unwrap().value, b"");
        assert_eq!(message.body().len(), 150);
    });
}

#[test]
fn surplus_bytes_do_not_leave() {
    with("dblreq", |message| {
        let mut copy = Vec::new();
        Rewrite::new(message).write(&mut copy);
        assert_eq!(copy, message.raw());
        assert!(!String::from_utf8(copy).unwrap().contains("INVITE"));
    });
}

#[test]
fn percent_is_no_escape_in_names() {
    with("esc02", |message| {
        assert_eq!(message.contacts().count(), 2);
        assert_eq!(message.from().display, b"\"%Z%45\"");
    });
    with("semiuri", |message| {
        assert_eq!(message.request().unwrap().target.user, Some("user;par=u%40example.net"));
    });
}

#[test]
fn parameters_belong_to_the_header_or_to_the_uri() {
    with("cparam01", |message| {
        let contact = message.contacts().next().unwrap();
        assert_eq!(contact.param("unknownparam"), Some(None));
        assert_eq!(contact.parsed_uri().unwrap().param("unknownparam"), None);
    });
    with("cparam02", |message| {
        let contact = message.contacts().next().unwrap();
        assert_eq!(contact.param("unknownparam"), None);
        assert_eq!(contact.parsed_uri().unwrap().param("unknownparam"), Some(None));
    });
}

#[test]
fn schemes_and_ports_are_told_apart() {
    use sip::uri::Scheme;
    with("unkscm", |message| {
        let scheme = message.request().unwrap().target.scheme;
        assert_eq!(scheme, Scheme::Other("nobodyKnowsThisScheme"));
    });
    with("port-ambiguous", |message| {
        let uri = message.request().unwrap().target;
        assert_eq!((uri.host, uri.port), ("[2001:db8::10:5070]", None));
    });
    with("port-unambiguous", |message| {
        let uri = message.request().unwrap().target;
        assert_eq!((uri.host, uri.port), ("[2001:db8::10]", Some(5070)));
    });
    with("badbranch", |message| {
        assert_eq!(message.top_via().branch, Some("z9hG4bK"));
        assert_eq!(message.top_via().rfc3261_branch(), None);
    });
    with("inv2543", |message| {
        assert_eq!((message.top_via().branch, message.from().tag()), (None, None));
        assert!(message.body().ends_with(b"RTP/AVP 0\r\n"));
    });
}
