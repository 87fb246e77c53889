//! Answers and copies, byte by byte.

use super::*;
use crate::limits::Limits;
use crate::parse::parse;
use crate::transport::Transport;

const REQUEST: &[u8] = b"INVITE sip:bob@h SIP/2.0\r\n\
v:  SIP/2.0/UDP a;branch=z9hG4bK1 ;rport , SIP/2.0/UDP b\r\n ;branch=z9hG4bK2\r\n\
Via: SIP/2.0/TCP c;branch=z9hG4bK3\r\n\
Record-Route: <sip:p;lr>\r\n\
t: Bob <sip:bob@h>\r\n\
From:   <sip:alice@h>;tag=1\r\n\
i: x@y\r\n\
CSeq: 7 INVITE\r\n\
Timestamp: 54\r\n\
X: z\r\n\
Content-Length: 4\r\n\
\r\n\
body";

fn flow() -> Flow {
    let remote = "192.0.2.9:4567".parse().unwrap();
    Flow { transport: Transport::Udp, listener: 0, remote, conn: None }
}

fn answer(request: &[u8], code: u16, tag: Option<&str>, extra: &[(&str, &str)]) -> String {
    let message = parse(request, &Limits::DEFAULT).unwrap();
    let mut out = Vec::new();
    response(&message, code, phrase(code), tag, extra, flow(), &mut out);
    parse(&out, &Limits::DEFAULT).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_provisional_answer() {
    assert_eq!(
        answer(REQUEST, 180, Some("t9"), &[("Server", "Ringmaster\r\nX: y")]),
        "SIP/2.0 180 Ringing\r\n\
         Via: SIP/2.0/UDP a;branch=z9hG4bK1;rport=4567;received=192.0.2.9, \
         SIP/2.0/UDP b\r\n ;branch=z9hG4bK2\r\n\
         Via: SIP/2.0/TCP c;branch=z9hG4bK3\r\n\
         Record-Route: <sip:p;lr>\r\n\
         To: Bob <sip:bob@h>;tag=t9\r\n\
         From:   <sip:alice@h>;tag=1\r\n\
         i: x@y\r\n\
         CSeq: 7 INVITE\r\n\
         Server: Ringmaster  X: y\r\n\
         Content-Length: 0\r\n\r\n"
    );
}

#[test]
fn what_depends_on_the_code() {
    for (code, tag, routes, time) in [
        (100, false, false, true),
        (101, true, true, false),
        (199, true, true, false),
        (200, true, true, false),
        (302, true, false, false),
        (480, true, false, false),
        (603, true, false, false),
    ] {
        let text = answer(REQUEST, code, Some("t9"), &[]);
        assert_eq!(text.contains(";tag=t9"), tag, "{code}");
        assert_eq!(text.contains("Record-Route"), routes, "{code}");
        assert_eq!(text.contains("Timestamp"), time, "{code}");
        assert!(text.contains("t: Bob") || text.contains("To: Bob"));
    }
}

#[test]
fn what_depends_on_the_request() {
    let request = String::from_utf8(REQUEST.to_vec()).unwrap();
    let tagged = request.replace("<sip:bob@h>", "<sip:bob@h>;tag=mine");
    let text = answer(tagged.as_bytes(), 200, Some("t9"), &[]);
    assert!(text.contains("t: Bob <sip:bob@h>;tag=mine\r\n") && !text.contains("t9"));
    let bye = request.replace("INVITE", "BYE");
    assert!(!answer(bye.as_bytes(), 200, Some("t9"), &[]).contains("Record-Route"));
    assert!(!answer(REQUEST, 404, None, &[]).contains(";tag=t"));
}

#[test]
fn a_copy_without_edits_is_the_message() {
    let message = parse(REQUEST, &Limits::DEFAULT).unwrap();
    let mut out = b"before".to_vec();
    Rewrite::new(&message).write(&mut out);
    assert_eq!(out, [b"before", REQUEST].concat());
}

#[test]
fn edits() {
    let message = parse(REQUEST, &Limits::DEFAULT).unwrap();
    let mut via = Vec::new();
    stamped_via(&message, flow(), &mut via);
    let mut copy = Rewrite::new(&message);
    copy.start_line("INVITE sip:carol@h SIP/2.0")
        .top(b"Via: SIP/2.0/UDP me\r\n")
        .top(b"X-A: b\r\n");
    copy.drop(8)
        .drop(2)
        .replace(0, &via)
        .replace(5, b"i: old\r\n")
        .replace(5, b"i: new\r\n")
        .drop(99);
    let mut out = Vec::new();
    copy.write(&mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "INVITE sip:carol@h SIP/2.0\r\n\
         Via: SIP/2.0/UDP me\r\n\
         X-A: b\r\n\
         Via: SIP/2.0/UDP a;branch=z9hG4bK1;rport=4567;received=192.0.2.9, \
         SIP/2.0/UDP b\r\n ;branch=z9hG4bK2\r\n\
         Via: SIP/2.0/TCP c;branch=z9hG4bK3\r\n\
         t: Bob <sip:bob@h>\r\n\
         From:   <sip:alice@h>;tag=1\r\n\
         i: new\r\n\
         CSeq: 7 INVITE\r\n\
         Timestamp: 54\r\n\
         Content-Length: 4\r\n\
         \r\n\
         body"
    );
}

fn refused(text: &str) -> Option<String> {
    let error = parse(text.as_bytes(), &Limits::DEFAULT).unwrap_err();
    let mut out = Vec::new();
    refuse(text.as_bytes(), &error, &[], flow(), &mut out).then(|| String::from_utf8(out).unwrap())
}

const BROKEN: &str = "INVITE sip:a b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\n\
v: SIP/2.0/UDP i\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n ;x=y\r\nCall-ID: i\r\n\
CSeq: 1 INVITE\r\n\r\nTo: body";

#[test]
fn an_answer_leads_back_over_as_many_hops_as_we_bear() {
    let hops = "v: SIP/2.0/UDP i\r\n".repeat(70);
    let text = refused(&BROKEN.replace("v: SIP/2.0/UDP i\r\n", &hops)).unwrap();
    assert_eq!(text.matches("Via: ").count(), 70);
    assert!(text.contains("branch=z9hG4bK1;rport=4567"), "the top one stays: {text}");
}

#[test]
fn broken_requests_are_answered() {
    let text = refused(BROKEN).unwrap();
    let tag = text.split("tag=").nth(2).unwrap().split("\r\n").next().unwrap();
    assert_eq!(tag.len(), 16);
    assert_eq!(
        text.replace(tag, "TAG"),
        "SIP/2.0 400 Bad Request\r\n\
         Via: SIP/2.0/UDP h;branch=z9hG4bK1;rport=4567;received=192.0.2.9\r\n\
         Via: SIP/2.0/UDP i\r\n\
         From: <sip:a@b>;tag=1\r\n\
         To: <sip:c@d>   ;x=y;tag=TAG\r\n\
         Call-ID: i\r\n\
         CSeq: 1 INVITE\r\n\
         Content-Length: 0\r\n\r\n"
    );
    assert_eq!(refused(BROKEN).unwrap(), text, "each copy gets the same answer");
    let other = refused(&BROKEN.replace("Call-ID: i", "Call-ID: j")).unwrap();
    assert!(!other.contains(tag));
}

#[test]
fn what_can_be_answered() {
    for (change, with, answered) in [
        ("\r\n", "\n", true),
        ("SIP/2.0/UDP h", "SIP/2.0 h", true),
        ("<sip:c@d>", "\"open <sip:c@d>", true),
        ("INVITE sip", "ACK sip", false),
        ("INVITE sip", "SIP/2.0 sip", false),
        ("INVITE sip", "(x) sip", false),
        ("Via: SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\nv", "x", false),
        ("From", "X", false),
        ("To: <", "X: <", false),
        ("Call-ID", "X", false),
        ("CSeq", "X", false),
        ("1 INVITE", "", false),
    ] {
        assert_eq!(refused(&BROKEN.replace(change, with)).is_some(), answered, "{change} {with}");
    }
    assert!(refused("\r\n\r\n").is_none());
    assert!(
        refused(&BROKEN.replacen("SIP/2.0", "SIP/9.0", 1).replace("a b", "a@b"))
            .unwrap()
            .starts_with("SIP/2.0 505 ")
    );
}

#[test]
fn phrases() {
    for (code, text) in [
        (100, "Trying"),
        (184, "Session Progress"),
        (299, "OK"),
        (399, "Redirection"),
        (481, "Call/Transaction Does Not Exist"),
        (499, "Request Failure"),
        (513, "Message Too Large"),
        (599, "Server Failure"),
        (699, "Global Failure"),
        (0, "Request Failure"),
    ] {
        assert_eq!(phrase(code), text);
    }
}
