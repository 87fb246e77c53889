//! Tables of messages: what passes, what does not, and why.

use super::*;
use crate::uri::Scheme;

const LIMITS: Limits = Limits::DEFAULT;

/// A request in which one line can be exchanged.
fn invite(edit: impl Fn(&mut Vec<String>)) -> Vec<u8> {
    let mut lines: Vec<String> = [
        "INVITE sip:bob@biloxi.example SIP/2.0",
        "Via: SIP/2.0/UDP pc33.atlanta.example;branch=z9hG4bKnashds8",
        "Max-Forwards: 70",
        "To: Bob <sip:bob@biloxi.example>",
        "From: Alice <sip:alice@atlanta.example>;tag=1928301774",
        "Call-ID: a84b4c76e66710",
        "CSeq: 314159 INVITE",
    ]
    .map(str::to_owned)
    .to_vec();
    edit(&mut lines);
    let mut text = lines.join("\r\n");
    text.push_str("\r\n\r\n");
    text.into_bytes()
}

fn with(lines: &[&str]) -> Vec<u8> {
    invite(|all| all.extend(lines.iter().map(|line| (*line).to_owned())))
}

fn replaced(index: usize, line: &str) -> Vec<u8> {
    invite(|all| all[index] = line.to_owned())
}

fn status(bytes: &[u8]) -> Option<u16> {
    parse(bytes, &LIMITS).err().map(|error| error.status)
}

#[test]
fn facts_of_a_request() {
    let bytes = with(&[
        "Route: <sip:p1.example;lr>, <sip:p2.example;lr>",
        "ROUTE: <sip:p3.example>",
        "m: \"A, B\" <sip:a@192.0.2.1>;q=0.5,sip:b@192.0.2.2",
        "X-Genesys-Foo: bar",
        "l: 4",
    ]);
    let bytes = [&bytes[..], b"bodySURPLUS"].concat();
    let message = parse(&bytes, &LIMITS).unwrap();
    let line = message.request().unwrap();
    assert_eq!((line.method, line.uri), (Method::Invite, "sip:bob@biloxi.example"));
    assert_eq!((line.target.user, line.target.scheme), (Some("bob"), Scheme::Sip));
    assert_eq!(message.status(), None);
    assert_eq!(message.top_via().branch, Some("z9hG4bKnashds8"));
    assert_eq!(message.from().tag(), Some("1928301774"));
    assert_eq!(message.to().tag(), None);
    assert_eq!((message.call_id(), message.cseq()), ("a84b4c76e66710", 314_159));
    assert_eq!(message.max_forwards(), Some(70));
    let routes: Vec<_> = message.routes().map(|route| route.uri).collect();
    assert_eq!(routes, ["sip:p1.example;lr", "sip:p2.example;lr", "sip:p3.example"]);
    let contacts: Vec<_> = message.contacts().map(|contact| contact.uri).collect();
    assert_eq!(contacts, ["sip:a@192.0.2.1", "sip:b@192.0.2.2"]);
    assert_eq!(message.record_routes().count(), 0);
    assert_eq!(message.named("x-genesys-FOO").unwrap().value, b"bar");
    assert_eq!(message.named("Contact").unwrap().spelled, b"m");
    assert!(message.named("X-Genesys").is_none());
    assert_eq!(message.body(), b"body");
    assert!(message.raw().ends_with(b"\r\n\r\nbody"));
    assert_eq!(
        message.header(Name::Route).unwrap().line,
        b"Route: <sip:p1.example;lr>, <sip:p2.example;lr>\r\n"
    );
    assert_eq!(
        message.headers().map(|header| header.index).collect::<Vec<_>>(),
        (0..11).collect::<Vec<_>>()
    );
}

#[test]
fn facts_of_a_response() {
    let bytes = invite(|lines| {
        lines[0] = "SIP/2.0 180 Es klingelt".to_owned();
        lines[1] = "Via: SIP/2.0/UDP a;branch=1 , SIP/2.0/TCP b;branch=2".to_owned();
        lines.push("v: SIP/2.0/TLS c;branch=3".to_owned());
    });
    let message = parse(&bytes, &LIMITS).unwrap();
    assert_eq!(message.status(), Some(180));
    assert_eq!(message.reason_phrase(), b"Es klingelt");
    assert_eq!(message.method(), Method::Invite);
    assert!(message.request().is_none());
    let branches: Vec<_> = message.vias().filter_map(|via| via.branch).collect();
    assert_eq!(branches, ["1", "2", "3"]);
}

#[test]
fn start_lines() {
    for (line, expected) in [
        ("INVITE tel:+1 SIP/2.0", None),
        ("INVITE http://x/y?z SIP/2.0", None),
        ("INVITE sip:a@b sip/2.0", None),
        ("SIP/2.0 200", None),
        ("SIP/2.0 200 ", None),
        ("SIP/2.0 699 \u{fc}", None),
        ("INVITE sip:a@b SIP/3.0", Some(505)),
        ("INVITE sip:a@b SIP/2.1", Some(505)),
        ("SIP/7.0 200 OK", Some(505)),
        ("INVITE sip:a@b SIP/2", Some(400)),
        ("INVITE sip:a@b HTTP/1.1", Some(400)),
        ("INVITE sip:a@b", Some(400)),
        ("INVITE  sip:a@b SIP/2.0", Some(400)),
        ("INVITE sip:a@b  SIP/2.0", Some(400)),
        ("INVITE sip:a@b SIP/2.0 ", Some(400)),
        (" INVITE sip:a@b SIP/2.0", Some(400)),
        ("INVITE sip:a b SIP/2.0", Some(400)),
        ("INVITE\tsip:a@b SIP/2.0", Some(400)),
        ("INVITE <sip:a@b> SIP/2.0", Some(400)),
        ("INVITE sip:a@b?x=y SIP/2.0", Some(400)),
        ("IN/VITE sip:a@b SIP/2.0", Some(400)),
        ("INVITE nothing SIP/2.0", Some(400)),
        ("INVITE sip: SIP/2.0", Some(400)),
        ("SIP/2.0 099 x", Some(400)),
        ("SIP/2.0 700 x", Some(400)),
        ("SIP/2.0 20 x", Some(400)),
        ("SIP/2.0 2000 x", Some(400)),
        ("SIP/2.0  200 x", Some(400)),
        ("", Some(400)),
    ] {
        assert_eq!(status(&replaced(0, line)), expected, "{line}");
    }
}

#[test]
fn headers_that_must_be_there() {
    for index in [1, 3, 4, 5, 6] {
        let bytes = invite(|lines| drop(lines.remove(index)));
        assert_eq!(status(&bytes), Some(400), "{index}");
    }
    let bytes = invite(|lines| drop(lines.remove(2)));
    assert_eq!(parse(&bytes, &LIMITS).unwrap().max_forwards(), None);
    for line in ["To: <sip:x@y>", "f: <sip:x@y>", "i: x", "CSeq: 314159 INVITE", "Max-Forwards: 70"]
    {
        assert_eq!(status(&with(&[line])), Some(400), "{line}");
    }
}

#[test]
fn header_lines() {
    for (line, expected) in [
        ("X", Some(400)),
        (": x", Some(400)),
        ("X Y: z", Some(400)),
        ("X\r\n : z", Some(400)),
        (" X: folded into CSeq", Some(400)),
        ("X(: z", Some(400)),
        ("X: a\nb: c", Some(400)),
        ("X: a\rb", Some(400)),
        ("X: a\n", Some(400)),
        ("X:", None),
        ("X :\t", None),
        ("X\t: a\r\n\tb\r\n  \r\n c", None),
        ("extensionHeader-!.%*+_`'~: \u{5927}", None),
        ("Contact: *", None),
        ("Route: <sip:a>,", Some(400)),
        ("Contact: <sip:a>;;", Some(400)),
        ("Record-Route: sip:a?b", Some(400)),
        ("Via: SIP/2.0/UDP", Some(400)),
        ("To: *", Some(400)),
        ("CSeq: 1 ACK", Some(400)),
    ] {
        assert_eq!(status(&with(&[line])), expected, "{line:?}");
    }
    assert_eq!(status(&replaced(6, "CSeq: 1 ACK")), Some(400));
    assert_eq!(status(&replaced(6, "CSeq: 1 invite")), Some(400));
}

#[test]
fn folds_stay_inside_a_value() {
    let bytes = with(&["X \t:  \r\n a\r\n\tb  \r\n ", "Y: c"]);
    let message = parse(&bytes, &LIMITS).unwrap();
    let header = message.named("X").unwrap();
    assert_eq!(header.value, b"a\r\n\tb");
    assert_eq!(header.line, b"X \t:  \r\n a\r\n\tb  \r\n \r\n");
    assert_eq!(header.spelled, b"X");
    assert_eq!(message.named("y").unwrap().value, b"c");
}

/// What a proxy only passes on leaves as it came, whatever it is.
#[test]
fn what_nobody_reads_is_untouched() {
    let text = "Content-Type: multipart/mixed;boundary=\"x y\"\r\n\
        MIME-Version: 1.0\r\n\
        c : application/sdp\r\n\
        SUBJECT:\r\n \u{fc}ber, \"quoted \\\" , ;\" (comment (nested))\r\n\
        k: timer,100rel , uui\r\n\
        P-Asserted-Identity: <tel:+1-201-555-0123;ext=5>, \"A\" <sips:a@[2001:db8::1]>\r\n\
        Geolocation: <cid:x@y>\r\n\
        Date: never\r\n\
        Warning: 399 h \"\u{5927}\"\r\n";
    let bytes = invite(|lines| lines.extend(text.trim_end().split("\r\n").map(str::to_owned)));
    let body = b"--x y\r\n\r\n\xff\x00\r\n.\n--x y--";
    let bytes = [&bytes[..], body].concat();
    let message = parse(&bytes, &LIMITS).unwrap();
    let kept: Vec<u8> = message.headers().flat_map(|header| header.line.to_vec()).collect();
    let from = memchr::memmem::find(&kept, b"Content-Type").unwrap();
    assert_eq!(&kept[from..], text.as_bytes());
    assert_eq!(message.body(), body);
}

#[test]
fn schemes_of_the_request_uri() {
    for (uri, scheme, user, host, port) in [
        ("sip:a@b", Scheme::Sip, Some("a"), "b", None),
        ("SIPS:a:p@[2001:db8::1]:5061;x", Scheme::Sips, Some("a"), "[2001:db8::1]", Some(5061)),
        ("tel:+1-201-555-0123;ext=5", Scheme::Tel, Some("+1-201-555-0123"), "", None),
        ("urn:service:sos.police", Scheme::Urn, None, "", None),
        ("Odd+1:any//thing", Scheme::Other("Odd+1"), None, "", None),
    ] {
        let bytes = replaced(0, &format!("INVITE {uri} SIP/2.0"));
        let target = parse(&bytes, &LIMITS).unwrap().request().unwrap().target;
        let got = (target.scheme, target.user, target.host, target.port);
        assert_eq!(got, (scheme, user, host, port), "{uri}");
    }
}

#[test]
fn bytes_that_are_no_text_pass() {
    let mut bytes = with(&["X: ?", "From-Name: y"]);
    let at = memchr::memmem::find(&bytes, b"?").unwrap();
    bytes[at] = 0xff;
    bytes.extend_from_slice(b"\x00\xff\r\n\r\n");
    let message = parse(&bytes, &LIMITS).unwrap();
    assert_eq!(message.named("X").unwrap().value, b"\xff");
    assert_eq!(message.body(), b"\x00\xff\r\n\r\n");
    assert_eq!(message.raw(), bytes);
}

#[test]
fn content_lengths() {
    for (lines, body, expected) in [
        (&["Content-Length: 4"][..], "body", Ok("body")),
        (&["Content-Length: 0000000002"], "body", Ok("bo")),
        (&["l : 0"], "body", Ok("")),
        (&[], "body", Ok("body")),
        (&["Content-Length: 4", "l: 4"], "body", Ok("body")),
        (&["Content-Length: 4", "l: 3"], "body", Err(400)),
        (&["Content-Length: 5"], "body", Err(400)),
        (&["Content-Length: -1"], "body", Err(400)),
        (&["Content-Length: +1"], "body", Err(400)),
        (&["Content-Length: 1 1"], "body", Err(400)),
        (&["Content-Length: 1\r\n 1"], "body", Err(400)),
        (&["Content-Length: 1,1"], "body", Err(400)),
        (&["Content-Length: 00000000004"], "body", Err(400)),
        (&["Content-Length: 65536"], "body", Err(400)),
        (&["Content-Length: 65537"], "body", Err(413)),
        (&["Content-Length: 9999999999"], "body", Err(413)),
        (&["Content-Length: 99999x"], "body", Err(400)),
        (&["Content-Length:"], "body", Err(400)),
    ] {
        let bytes = [with(lines), body.as_bytes().to_vec()].concat();
        let got =
            parse(&bytes, &LIMITS).map(|message| message.body()).map_err(|error| error.status);
        assert_eq!(got, expected.map(str::as_bytes), "{lines:?}");
    }
}

#[test]
fn blank_lines_before_the_start() {
    let bytes = [&b"\r\n\r\n"[..], &with(&[])].concat();
    assert_eq!(parse(&bytes, &LIMITS).unwrap().raw(), with(&[]));
    for bytes in
        [&b""[..], b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"INVITE", b"INVITE sip:a@b SIP/2.0\r\n"]
    {
        assert_eq!(status(bytes), Some(400), "{}", bytes.escape_ascii());
    }
}

#[test]
fn line_ends_must_be_crlf() {
    let text = String::from_utf8(with(&["X: y"])).unwrap();
    assert_eq!(status(text.replace("\r\n", "\n").as_bytes()), Some(400));
    assert_eq!(status(text.replace("\r\n", "\r").as_bytes()), Some(400));
    assert_eq!(status(text.replacen("70\r\n", "70\n", 1).as_bytes()), Some(400));
    assert_eq!(status(text.trim_end().as_bytes()), Some(400));
}

/// One case per limit: the largest that passes, the smallest that does not, its status.
#[test]
fn limits() {
    let repeat = |line: &str, count: usize| vec![line.to_owned(); count];
    let via = "Via: SIP/2.0/UDP a;branch=b";
    let long = |before: &str, length: usize, after: &str| {
        format!("{before}{}{after}", "x".repeat(length - before.len() - after.len()))
    };
    type Case<'a> = (&'a str, u16, [Vec<String>; 2]);
    let cases: [Case<'_>; 10] = [
        ("vias", 400, [repeat(via, 69), repeat(via, 70)]),
        (
            "routes",
            400,
            [repeat("Route: <sip:a>,<sip:b>", 16), repeat("Route: <sip:a>,<sip:b>,<sip:c>", 11)],
        ),
        (
            "record routes",
            400,
            [repeat("Record-Route: <sip:a>", 32), repeat("Record-Route: <sip:a>", 33)],
        ),
        ("contacts", 400, [repeat("m: <sip:a>", 16), repeat("m: <sip:a>", 17)]),
        ("lines", 400, [repeat("X: y", 122), repeat("X: y", 123)]),
        ("line", 400, [vec![long("X: ", 8_190, "")], vec![long("X: ", 8_191, "")]]),
        ("section", 513, [repeat(&long("X: ", 8_000, ""), 4), repeat(&long("X: ", 8_150, ""), 4)]),
        (
            "uri",
            414,
            [
                vec![format!("Route: <{}>", long("sip:", 2_048, ""))],
                vec![format!("Route: <{}>", long("sip:", 2_049, ""))],
            ],
        ),
        (
            "branch",
            400,
            [vec![format!("{via}{}", "x".repeat(255))], vec![format!("{via}{}", "x".repeat(256))]],
        ),
        (
            "uri params",
            414,
            [
                vec![format!("m: <sip:a{}>", ";p".repeat(64))],
                vec![format!("m: <sip:a{}>", ";p".repeat(65))],
            ],
        ),
    ];
    for (name, expected, [most, more]) in cases {
        let text = |lines: &[String]| with(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(status(&text(&most)), None, "{name}: most");
        assert_eq!(status(&text(&more)), Some(expected), "{name}: more");
    }
    let line = |uri: &str| format!("INVITE {uri} SIP/2.0");
    assert_eq!(status(&replaced(0, &line(&long("sip:a@", 2_048, "")))), None);
    assert_eq!(status(&replaced(0, &line(&long("sip:a@", 2_049, "")))), Some(414));
    assert_eq!(status(&replaced(0, &line(&format!("sip:a{}", ";p".repeat(65))))), Some(414));
    let method = |length: usize| {
        invite(|lines| {
            lines[0] = format!("{} sip:a SIP/2.0", "M".repeat(length));
            lines[6] = format!("CSeq: 1 {}", "M".repeat(length));
        })
    };
    assert_eq!((status(&method(64)), status(&method(65))), (None, Some(400)));
    let tag = |length: usize| replaced(3, &format!("To: <sip:a>;tag={}", "t".repeat(length)));
    assert_eq!((status(&tag(256)), status(&tag(257))), (None, Some(400)));
    let call_id = |length: usize| replaced(5, &long("Call-ID: ", length + 9, ""));
    assert_eq!((status(&call_id(256)), status(&call_id(257))), (None, Some(400)));
    let tail = |length: usize| [with(&[]), vec![b'x'; length]].concat();
    let head = with(&[]).len();
    assert_eq!(status(&tail(65_536 - head)), None);
    assert_eq!(status(&tail(65_537 - head)), Some(513));
}

#[test]
fn errors_say_where() {
    let bytes = [&b"\r\n"[..], &with(&["X y: z"])].concat();
    let error = parse(&bytes, &LIMITS).unwrap_err();
    assert_eq!(&bytes[error.at..error.at + 2], b"y:");
    assert_eq!(error.blame, Blame::Sender);
    assert_eq!(error.to_string(), format!("no colon after header name at byte {} (400)", error.at));
    let bytes = with(&["Max-Forwards: 1"]);
    let error = parse(&bytes, &LIMITS).unwrap_err();
    assert_eq!(&bytes[error.at..], b"1\r\n\r\n");
}

#[test]
fn more_lines_than_fit_inline() {
    let lines: Vec<String> = (0..100).map(|number| format!("X-{number}: {number}")).collect();
    let bytes = with(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let message = parse(&bytes, &LIMITS).unwrap();
    assert_eq!(message.headers().count(), 106);
    assert_eq!(message.named("X-99").unwrap().value, b"99");
}
