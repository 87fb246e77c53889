//! What is asked: an INVITE as text, or the parts of one that matter (rm.md §10).
//!
//! Parts become a whole message that is read like any other, so there is one way of reading. Must
//! not look at the configuration.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use sip::parse::ParseError;
use sip::transport::{Flow, Transport};

/// Body of `POST /v1/explain`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Question {
    /// A whole INVITE as text, instead of `uri`, `from`, `to` and `headers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Request-URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// From: a URI, or the value of the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// To; without it the Request-URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Further headers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Who sends it: an address, or the name of a peer or resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The revision that is meant; another one than that in force is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_rev: Option<u64>,
    /// What is to be taken for granted.
    pub assume: Assume,
}

/// What is assumed while a call is explained.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Assume {
    /// States of resources, by name (rm.md §7.1).
    pub resources: BTreeMap<String, String>,
}

impl Question {
    /// The INVITE that is asked about, as if it came over `flow`.
    ///
    /// # Errors
    /// What is missing, or what no header can hold.
    pub(super) fn invite(&self, flow: Flow) -> Result<String, String> {
        let parts = self.uri.is_some() || self.from.is_some() || self.to.is_some();
        match (&self.message, &self.uri) {
            (Some(_), _) if parts || !self.headers.is_empty() => {
                Err("message: stands for uri, from, to and headers, not beside them".to_owned())
            }
            (Some(text), _) => Ok(whole(text)),
            (None, Some(uri)) => self.put_together(uri, flow),
            (None, None) => Err("uri: expected, or message".to_owned()),
        }
    }

    /// A fault of the message in the words of whoever has asked.
    pub(super) fn fault(&self, error: &ParseError) -> String {
        let ParseError { what, at, .. } = error;
        match self.message {
            Some(_) => format!("message: byte {at}: {what}"),
            None => format!("uri, from, to or headers: {what}"),
        }
    }

    /// Names and states, in the order of the names.
    pub(super) fn assumed(&self) -> Vec<(String, String)> {
        let pair = |(name, word): (&String, &String)| (name.clone(), word.clone());
        self.assume.resources.iter().map(pair).collect()
    }

    fn put_together(&self, uri: &str, flow: Flow) -> Result<String, String> {
        let remote = flow.remote;
        let from = self.from.clone().unwrap_or_else(|| format!("sip:explain@{remote}"));
        let to = self.to.clone().unwrap_or_else(|| uri.to_owned());
        let transport = match flow.transport {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
        };
        let usual = [
            ("Via", format!("SIP/2.0/{transport} {remote};branch=z9hG4bK-explain")),
            ("Max-Forwards", "70".to_owned()),
            ("From", tagged(&party(&from))),
            ("To", party(&to)),
            ("Call-ID", format!("explain@{remote}")),
            ("CSeq", "1 INVITE".to_owned()),
            ("Contact", format!("<sip:{remote}>")),
            ("Content-Length", "0".to_owned()),
        ];
        let given = |name: &str| self.headers.keys().any(|one| one.eq_ignore_ascii_case(name));
        let mut text = String::new();
        // writing to a String cannot fail
        let _ = write!(text, "INVITE {} SIP/2.0\r\n", clean("uri", uri)?);
        for (name, value) in usual.iter().filter(|(name, _)| !given(name)) {
            let _ = write!(text, "{name}: {}\r\n", clean(name, value)?);
        }
        for (name, value) in &self.headers {
            let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
            if name.is_empty() || !name.bytes().all(token) {
                return Err(format!("headers: {name:?} is no name of a header"));
            }
            let _ = write!(text, "{name}: {}\r\n", clean(name, value)?);
        }
        text.push_str("\r\n");
        Ok(text)
    }
}

/// An address, with port 5060 where it has none.
pub(super) fn address(text: &str) -> Option<SocketAddr> {
    let bare = |ip: IpAddr| SocketAddr::new(ip, 5060);
    text.parse().ok().or_else(|| text.parse().ok().map(bare))
}

/// A text that stays within its line.
fn clean<'t>(name: &str, text: &'t str) -> Result<&'t str, String> {
    if text.chars().any(char::is_control) {
        return Err(format!("{name}: control characters"));
    }
    Ok(text)
}

/// The value of From or To: as it is given, or around a bare URI.
fn party(text: &str) -> String {
    if text.contains('<') { text.to_owned() } else { format!("<{text}>") }
}

fn tagged(party: &str) -> String {
    if party.contains(";tag=") { party.to_owned() } else { format!("{party};tag=explain") }
}

/// A message from a file: with the line ends of the wire, and the blank line behind its headers.
fn whole(text: &str) -> String {
    let text = if text.contains("\r\n") { text.to_owned() } else { text.replace('\n', "\r\n") };
    if text.contains("\r\n\r\n") {
        return text;
    }
    format!("{}\r\n\r\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::{Question, address, whole};
    use sip::transport::{Flow, Transport};

    fn flow() -> Flow {
        let remote = address("10.0.0.2").unwrap();
        Flow { transport: Transport::Udp, listener: 0, remote, conn: None }
    }

    #[test]
    fn parts_become_a_message_that_can_be_read() {
        let mut question = Question {
            uri: Some("sip:+18005550234@rm".to_owned()),
            from: Some("sip:+4930123@x".to_owned()),
            ..Question::default()
        };
        question.headers.insert("X-Genesys-geo-location".to_owned(), "berlin".to_owned());
        question.headers.insert("Max-Forwards".to_owned(), "7".to_owned());
        let text = question.invite(flow()).unwrap();
        let message = sip::parse::parse(text.as_bytes(), &sip::limits::Limits::DEFAULT).unwrap();
        assert_eq!(message.max_forwards(), Some(7));
        assert_eq!(message.from().uri, "sip:+4930123@x");
        assert_eq!(message.to().uri, "sip:+18005550234@rm");
        assert_eq!(message.named("X-Genesys-geo-location").unwrap().text(), Some("berlin"));
    }

    #[test]
    fn what_no_header_can_hold_is_named() {
        type Change = fn(&mut Question);
        let ask = |change: Change| {
            let mut question = Question { uri: Some("sip:a@b".to_owned()), ..Question::default() };
            change(&mut question);
            question.invite(flow()).unwrap_err()
        };
        let cases: [(Change, &str); 5] = [
            (|one| one.uri = None, "uri: expected, or message"),
            (|one| one.uri = Some("sip:a@b\r\nX: y".to_owned()), "uri: control characters"),
            (
                |one| drop(one.headers.insert("X".to_owned(), "a\nVia: b".to_owned())),
                "X: control characters",
            ),
            (
                |one| drop(one.headers.insert("X:".to_owned(), "a".to_owned())),
                "headers: \"X:\" is no name of a header",
            ),
            (
                |one| one.message = Some("INVITE".to_owned()),
                "message: stands for uri, from, to and headers, not beside them",
            ),
        ];
        for (change, expected) in cases {
            assert_eq!(ask(change), expected);
        }
    }

    #[test]
    fn a_message_from_a_file_has_the_line_ends_of_the_wire() {
        assert_eq!(whole("INVITE a\nTo: b\n"), "INVITE a\r\nTo: b\r\n\r\n");
        assert_eq!(whole("INVITE a\r\n\r\nbody\n"), "INVITE a\r\n\r\nbody\n");
    }
}
