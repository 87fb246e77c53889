//! Requests that RM itself makes inside dialogs: ACK and BYE of a late answer, CANCEL without
//! transaction, BYE for a call it must end (rm.md §1.1, §2.7, §7.8).
//!
//! Builds bytes only; who sends them, and when, is decided elsewhere.

/// A request inside a dialog as one party of it would send it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnRequest<'a> {
    pub(crate) method: &'a str,
    pub(crate) uri: &'a str,
    /// Value of the Via header.
    pub(crate) via: &'a str,
    /// Value of one Route header; empty = none.
    pub(crate) route: &'a str,
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) call_id: &'a str,
    pub(crate) cseq: u32,
    /// Value of Reason; empty = none.
    pub(crate) reason: &'a str,
}

impl OwnRequest<'_> {
    /// The whole request.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let Self { method, uri, via, route, from, to, call_id, cseq, reason } = self;
        let line = |name: &str, value: &str| {
            if value.is_empty() { String::new() } else { format!("{name}: {value}\r\n") }
        };
        format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: {via}\r\n\
             {}Max-Forwards: 70\r\n\
             From: {from}\r\n\
             To: {to}\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\n\
             {}Content-Length: 0\r\n\r\n",
            line("Route", route),
            line("Reason", reason),
        )
        .into_bytes()
    }
}

/// Value of a From or To header.
pub(crate) fn party(uri: &str, tag: &str) -> String {
    if tag.is_empty() { format!("<{uri}>") } else { format!("<{uri}>;tag={tag}") }
}

#[cfg(test)]
mod tests {
    use super::{OwnRequest, party};

    #[test]
    fn the_bytes_parse_as_what_they_are() {
        let (from, to) = (party("sip:a@x", "1"), party("sip:b@y", "2"));
        let request = OwnRequest {
            method: "BYE",
            uri: "sip:b@10.0.0.11:5070",
            via: "SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKq",
            route: "<sip:p@10.0.0.9;lr>",
            from: &from,
            to: &to,
            call_id: "c@x",
            cseq: 2,
            reason: "SIP;cause=408;text=\"max-duration\"",
        };
        let bytes = request.bytes();
        let message = sip::parse::parse(&bytes, &sip::limits::Limits::DEFAULT).unwrap();
        assert_eq!(message.method().as_str(), "BYE");
        assert_eq!((message.from().tag(), message.to().tag()), (Some("1"), Some("2")));
        assert_eq!(message.routes().count(), 1);
        let bare = OwnRequest { route: "", reason: "", ..request };
        assert!(!String::from_utf8(bare.bytes()).unwrap().contains("Route"));
    }
}
