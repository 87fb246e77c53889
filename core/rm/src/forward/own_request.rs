//! Requests that RM itself makes inside dialogs: ACK and BYE of a late answer, CANCEL without
//! transaction, BYE for a call it must end (rm.md §1.1, §2.7, §7.8).
//!
//! Builds bytes only; who sends them, and when, is decided elsewhere.

/// A request inside a dialog as one party of it would send it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnRequest<'a> {
    pub(crate) method: &'a str,
    pub(crate) uri: &'a str,
    /// Value of the Via header; empty = none yet ([`with_via`]).
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
             {}{}Max-Forwards: 70\r\n\
             From: {from}\r\n\
             To: {to}\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\n\
             {}Content-Length: 0\r\n\r\n",
            line("Via", via),
            line("Route", route),
            line("Reason", reason),
        )
        .into_bytes()
    }
}

/// Where a request inside a dialog goes: target and route set as they stand in it (RFC 3261
/// §12.2.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// The Request-URI.
    pub(crate) uri: String,
    /// Value of the Route header; empty = none.
    pub(crate) route: String,
    /// The URI of the next hop.
    pub(crate) hop: String,
}

impl Way {
    /// `route`: entries in brackets, joined by a comma and a blank.
    pub(crate) fn through(target: &str, route: &str) -> Self {
        let (first, rest) = route.split_once(", ").unwrap_or((route, ""));
        let first = first.trim().trim_start_matches('<').trim_end_matches('>');
        let loose = sip::uri::Uri::parse(first).is_ok_and(|uri| uri.param("lr").is_some());
        let hop = if first.is_empty() { target } else { first }.to_owned();
        if first.is_empty() || loose {
            return Self { uri: target.to_owned(), route: route.to_owned(), hop };
        }
        // a strict router finds itself in the Request-URI
        let comma = if rest.is_empty() { "" } else { ", " };
        Self { uri: first.to_owned(), route: format!("{rest}{comma}<{target}>"), hop }
    }
}

/// CSeq of our request behind one that had this number. Behind the highest that can be written it
/// is the same again, which nobody refuses as out of order (RFC 3261 §12.2.2); whoever began with
/// 2³¹ or more is to blame (§8.1.1.5).
pub(crate) fn after(cseq: u32) -> u32 {
    cseq.saturating_add(1)
}

/// A request that has no Via yet, with this one.
pub(crate) fn with_via(bytes: &[u8], via: &str) -> Vec<u8> {
    let end = bytes.windows(2).position(|two| two == b"\r\n").map_or(0, |at| at + 2);
    let (start, rest) = bytes.split_at(end);
    [start, b"Via: ", via.as_bytes(), b"\r\n", rest].concat()
}

/// Value of a From or To header.
pub(crate) fn party(uri: &str, tag: &str) -> String {
    if tag.is_empty() { format!("<{uri}>") } else { format!("<{uri}>;tag={tag}") }
}

#[cfg(test)]
mod tests {
    use super::{OwnRequest, Way, party, with_via};

    #[test]
    fn the_way_through_loose_and_strict_routers() {
        for (route, expected) in [
            ("", ("sip:t", "", "sip:t")),
            ("<sip:a;lr>", ("sip:t", "<sip:a;lr>", "sip:a;lr")),
            ("<sip:a;lr=on>, <sip:b>", ("sip:t", "<sip:a;lr=on>, <sip:b>", "sip:a;lr=on")),
            ("<sip:a>", ("sip:a", "<sip:t>", "sip:a")),
            ("<sip:a>, <sip:b;lr>", ("sip:a", "<sip:b;lr>, <sip:t>", "sip:a")),
        ] {
            let Way { uri, route: rest, hop } = Way::through("sip:t", route);
            assert_eq!((uri.as_str(), rest.as_str(), hop.as_str()), expected, "{route}");
        }
    }

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
        let without = OwnRequest { via: "", ..request };
        assert_eq!(with_via(&without.bytes(), request.via), bytes, "wherever it comes from");
        let bare = OwnRequest { route: "", reason: "", ..request };
        assert!(!String::from_utf8(bare.bytes()).unwrap().contains("Route"));
    }
}
