//! Messages and flows for the transaction tests: as small as the parser takes them.
#![expect(clippy::unwrap_used, reason = "a test helper fails its test")]

use std::net::SocketAddr;
use std::time::Duration;

use sip::transport::{ConnId, Flow, Transport};

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn flow(transport: Transport, port: u16) -> Flow {
    let remote = SocketAddr::from(([10, 0, 0, 1], port));
    let conn = transport.is_stream().then_some(ConnId(u64::from(port)));
    Flow { transport, listener: 0, remote, conn }
}

/// A request under `branch`, sent by `port`.
pub(crate) fn request(method: &str, transport: Transport, port: u16, branch: &str) -> Vec<u8> {
    let (transport, seq) = (transport.as_str(), 7);
    format!(
        "{method} sip:bob@b.example SIP/2.0\r\n\
         Via: SIP/2.0/{transport} 10.0.0.1:{port};branch={branch}\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:alice@a.example>;tag=a1\r\n\
         To: <sip:bob@b.example>\r\n\
         Call-ID: call-{branch}\r\n\
         CSeq: {seq} {method}\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// A response to `request`, made of its own lines.
pub(crate) fn response(request: &[u8], code: u16) -> Vec<u8> {
    let text = String::from_utf8(request.to_vec()).unwrap();
    let mut out = format!("SIP/2.0 {code} Tested\r\n");
    for line in text.split("\r\n").skip(1) {
        let name = line.split(':').next().unwrap_or_default();
        if ["Via", "From", "Call-ID", "CSeq"].contains(&name) {
            out.push_str(&format!("{line}\r\n"));
        } else if name == "To" {
            let tag = if code > 100 && !line.contains(";tag=") { ";tag=b1" } else { "" };
            out.push_str(&format!("{line}{tag}\r\n"));
        }
    }
    out.push_str("Content-Length: 0\r\n\r\n");
    out.into_bytes()
}

/// `INVITE` of a request, `200 INVITE` of a response.
pub(crate) fn short(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut words = text.split_whitespace();
    let first = words.next().unwrap_or_default();
    if !first.starts_with("SIP/") {
        return first.to_owned();
    }
    let code = words.next().unwrap_or_default();
    let cseq = text.split("\r\nCSeq: ").nth(1).unwrap_or_default();
    let method = cseq.split_whitespace().nth(1).unwrap_or_default();
    format!("{code} {method}")
}
