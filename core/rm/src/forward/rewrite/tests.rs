//! Edits on messages as they come, and headers in every spelling.

use super::{hop, is_internal};
use crate::forward::draft::Draft;
use crate::forward::routes;
use sip::limits::Limits;
use sip::message::Message;
use sip::transport::{Flow, Transport};

const INVITE: &str = "INVITE sip:a@b SIP/2.0\r\n\
    v: SIP/2.0/UDP 10.0.0.2:5090;rport;branch=z9hG4bK77ef, SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\n\
    Route: <sip:rm@x;lr>, <sip:q@y;lr>\r\n\
    Route: <sip:z@z>\r\n\
    Max-Forwards: 70\r\n\
    From: <sip:a@b>;tag=1\r\n\
    To: <sip:c@d>\r\n\
    Call-ID: 1@b\r\n\
    CSeq: 1 INVITE\r\n\
    x-genesys-gvp-session-id : abc;\r\n def\r\n\
    X-GENESYS-GSW-IVR-PROFILE-NAME: x\r\n\
    X-Genesys-CallUUID: U\r\n\
    Content-Length: 0\r\n\r\n";

fn parsed(bytes: &[u8]) -> Message<'_> {
    sip::parse::parse(bytes, &Limits::DEFAULT).unwrap()
}

#[test]
fn a_hop_stamps_counts_down_and_takes_its_routes() {
    let message = parsed(INVITE.as_bytes());
    let flow = Flow {
        transport: Transport::Udp,
        listener: 0,
        remote: "192.0.2.7:4000".parse().unwrap(),
        conn: None,
    };
    let mut draft = Draft::default();
    draft.start.push_str("INVITE sip:new@h SIP/2.0");
    draft.top.push_str("Via: own\r\n");
    hop(&message, flow, &mut draft.edits);
    routes::write(&message, 1, None, &mut draft.edits);
    draft.write(&message);
    let text = String::from_utf8(draft.bytes).unwrap();
    assert!(text.starts_with("INVITE sip:new@h SIP/2.0\r\nVia: own\r\n"), "{text}");
    assert!(
        text.contains(
            "SIP/2.0/UDP 10.0.0.2:5090;rport=4000;branch=z9hG4bK77ef;received=192.0.2.7, \
             SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\n"
        ),
        "{text}"
    );
    assert!(text.contains("\r\nRoute: <sip:q@y;lr>\r\nRoute: <sip:z@z>\r\n"), "{text}");
    assert!(text.contains("\r\nMax-Forwards: 69\r\n"), "{text}");
}

#[test]
fn internal_headers_in_every_spelling() {
    let message = parsed(INVITE.as_bytes());
    let internal = |trusted| message.headers().filter(|one| is_internal(one, trusted)).count();
    assert_eq!(internal(true), 1);
    assert_eq!(internal(false), 2);
}
