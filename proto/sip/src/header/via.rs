//! `Via`: where the answer goes, and the key of a transaction.
//!
//! Reads RFC 3261 §20.42 and RFC 3581. Any protocol name, version and transport passes: whether
//! it is one of ours is decided where an answer is sent.

use super::params::{Params, Value, is_name};
use crate::limits::Limits;
use crate::parse::ParseError;
use crate::parse::chars::{Cursor, TOKEN, span, trim};
use crate::transport::Transport;
use crate::uri;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};

/// The cookie of RFC 3261 branches.
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// One Via value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// The whole value as it came.
    pub text: &'a str,
    /// Transport as spelled; `parsed_transport` knows ours.
    pub transport: &'a str,
    /// Host as spelled, IPv6 with its brackets.
    pub host: &'a str,
    /// Port, if one is given.
    pub port: Option<u16>,
    /// The branch; absent from peers older than RFC 3261.
    pub branch: Option<&'a str>,
    /// Value of `received`, as spelled.
    pub received: Option<&'a str>,
    /// `rport` of RFC 3581: `Some(None)` asks, `Some(Some(port))` answers.
    pub rport: Option<Option<u16>>,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one value that fills `value`.
    ///
    /// # Errors
    /// 400 when `value` is no single Via.
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(value);
        let via = Self::take(&mut cursor)?;
        match cursor.peek() {
            None => Ok(via),
            Some(_) => Err(ParseError::new("more than one Via", cursor.at)),
        }
    }

    /// The transport, when it is one of ours.
    pub fn parsed_transport(&self) -> Option<Transport> {
        Transport::parse(self.transport)
    }

    /// `host:port` as spelled, port only if given, for keys and loop checks.
    pub const fn sent_by(&self) -> (&'a str, Option<u16>) {
        (self.host, self.port)
    }

    /// The host is a multicast or broadcast address: whoever sent this asks others to be answered.
    pub fn is_to_many(&self) -> bool {
        match uri::host_ip(self.host) {
            Some(IpAddr::V4(ip)) => ip.is_multicast() || ip.is_broadcast(),
            Some(IpAddr::V6(ip)) => ip.is_multicast(),
            None => false,
        }
    }

    /// The branch, when it has the cookie of RFC 3261 and something behind it: then it alone
    /// tells the transaction (RFC 3261 §17.2.3).
    pub fn rfc3261_branch(&self) -> Option<&'a str> {
        self.branch.filter(|branch| {
            branch.len() > MAGIC_COOKIE.len()
                && branch
                    .get(..MAGIC_COOKIE.len())
                    .is_some_and(|cookie| cookie.eq_ignore_ascii_case(MAGIC_COOKIE))
        })
    }

    /// Appends this value with the source it came from: `received` always, the port in `rport`
    /// where that parameter was there (RFC 3261 §18.2.1, RFC 3581 §4). All else stays.
    pub fn write_received(&self, source: SocketAddr, out: &mut Vec<u8>) {
        let text = self.text.as_bytes();
        let params = self.params.as_str();
        let head = text.len().saturating_sub(params.len());
        out.extend_from_slice(text.get(..head).unwrap_or_default());
        for param in self.params.iter() {
            if param.name.eq_ignore_ascii_case("received") {
                continue;
            }
            out.push(b';');
            out.extend_from_slice(param.name.as_bytes());
            if param.name.eq_ignore_ascii_case("rport") {
                write(out, format_args!("={}", source.port()));
            } else if let Some(value) = param.value {
                out.push(b'=');
                out.extend_from_slice(value.as_bytes());
            }
        }
        write(out, format_args!(";received={}", source.ip().to_canonical()));
    }

    /// Takes one value; stops at a comma or the end.
    pub(crate) fn take(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        cursor.blanks();
        let from = cursor.at;
        take_protocol(cursor)?;
        let start = cursor.at;
        cursor.take(TOKEN);
        let transport = cursor.text(start, cursor.at)?;
        if transport.is_empty() || !cursor.blanks() {
            return Err(ParseError::new("Via transport", cursor.at));
        }
        let start = cursor.at;
        uri::take_host(cursor)?;
        let mut end = cursor.at;
        let host = cursor.text(start, end)?;
        cursor.blanks();
        let mut port = None;
        if cursor.eat(b':') {
            cursor.blanks();
            port = Some(uri::take_port(cursor)?);
            end = cursor.at;
        }
        let (mut branch, mut received, mut rport) = (None, None, None);
        let params = Params::take(cursor, |name, value| {
            if is_name(name, b"branch") {
                if branch.is_some() {
                    return Err(value.error("two branches"));
                }
                branch = Some(value.plain().ok_or(value.error("branch"))?);
            } else if is_name(name, b"received") {
                received = value.plain();
            } else if is_name(name, b"rport") {
                rport = Some(rport_of(&value)?);
            }
            Ok(())
        })?;
        if !params.as_str().is_empty() {
            end = from + trim(span(cursor.bytes, from, cursor.at)).len();
        }
        let text = cursor.text(from, end)?;
        Ok(Self { text, transport, host, port, branch, received, rport, params })
    }

    /// Checks the bounds of `limits`; `at` is where the value starts.
    pub(crate) fn check(&self, limits: &Limits, at: usize) -> Result<(), ParseError> {
        if self.branch.is_some_and(|branch| branch.len() > limits.branch) {
            return Err(ParseError::limit(400, "branch too long", at));
        }
        Ok(())
    }
}

/// `SIP / 2.0 /`, with blanks as RFC 3261 allows.
fn take_protocol(cursor: &mut Cursor<'_>) -> Result<(), ParseError> {
    if cursor.rest().starts_with(b"SIP/2.0/") {
        cursor.at += b"SIP/2.0/".len();
        cursor.blanks();
        return Ok(());
    }
    for _ in 0..2 {
        if cursor.take(TOKEN).is_empty() {
            return Err(ParseError::new("Via protocol", cursor.at));
        }
        cursor.blanks();
        if !cursor.eat(b'/') {
            return Err(ParseError::new("Via protocol", cursor.at));
        }
        cursor.blanks();
    }
    Ok(())
}

fn rport_of(value: &Value<'_, '_>) -> Result<Option<u16>, ParseError> {
    let Some(text) = value.plain() else { return Ok(None) };
    let mut cursor = Cursor::over(text, 0);
    match uri::take_port(&mut cursor) {
        Ok(port) if cursor.peek().is_none() => Ok(Some(port)),
        _ => Err(value.error("rport")),
    }
}

fn write(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted() {
        for (value, transport, host, port, branch) in [
            (
                &b"SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKa"[..],
                "UDP",
                "192.0.2.2",
                Some(5060),
                Some("z9hG4bKa"),
            ),
            (
                b"SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw",
                "UDP",
                "192.0.2.2",
                None,
                Some("390skdjuw"),
            ),
            (
                b"SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8",
                "TCP",
                "spindle.example.com",
                None,
                Some("z9hG4bK9ikj8"),
            ),
            (
                b"SIP/2.0/TLS [2001:db8::9:1] : 5061 ;rport",
                "TLS",
                "[2001:db8::9:1]",
                Some(5061),
                None,
            ),
            (b"SIP/2.0/UNKNOWN t4.example.com;hidden", "UNKNOWN", "t4.example.com", None, None),
            (b"SIP/2.0/UDP h ", "UDP", "h", None, None),
        ] {
            let via = Via::parse(value)
                .unwrap_or_else(|error| panic!("{}: {error}", value.escape_ascii()));
            assert_eq!(
                (via.transport, via.host, via.port, via.branch),
                (transport, host, port, branch)
            );
        }
    }

    #[test]
    fn parameters() {
        let via =
            Via::parse(b"SIP/2.0/UDP h;received=[2001:db8::1];rport=99;maddr=224.2.0.1;ttl=16")
                .unwrap();
        assert_eq!(via.received, Some("[2001:db8::1]"));
        assert_eq!(via.rport, Some(Some(99)));
        assert_eq!(via.params.get("ttl"), Some(Some("16")));
        assert_eq!(Via::parse(b"SIP/2.0/UDP h;rport").unwrap().rport, Some(None));
        assert_eq!(Via::parse(b"SIP/2.0/UDP h;rport=").unwrap().rport, Some(None));
    }

    #[test]
    fn refused() {
        for value in [
            &b""[..],
            b"SIP/2.0 h",
            b"SIP/2.0/UDP",
            b"SIP/2.0/UDPh",
            b"SIP/2.0/UDP h:0",
            b"SIP/2.0/UDP h:99999",
            b"SIP/2.0/UDP h;;",
            b"SIP/2.0/UDP 192.0.2.15;;,;,,",
            b"SIP/2.0/UDP h;branch",
            b"SIP/2.0/UDP h;branch=",
            b"SIP/2.0/UDP h;branch=a;branch=b",
            b"SIP/2.0/UDP h;rport=x",
            b"SIP/2.0/UDP h h",
            b"/2.0/UDP h",
            b"SIP/2.0/UDP h, SIP/2.0/UDP i",
            b"SIP/2.0/UDP [::1",
        ] {
            assert!(Via::parse(value).is_err(), "{}", value.escape_ascii());
        }
    }

    #[test]
    fn branch_of_rfc_3261() {
        for (branch, expected) in
            [("z9hG4bKx", true), ("Z9HG4BKx", true), ("z9hG4bK", false), ("abc", false)]
        {
            let value = format!("SIP/2.0/UDP h;branch={branch}");
            assert_eq!(
                Via::parse(value.as_bytes()).unwrap().rfc3261_branch().is_some(),
                expected,
                "{branch}"
            );
        }
    }

    #[test]
    fn received_is_written_over_what_the_sender_claims() {
        for (value, source, expected) in [
            (
                "SIP/2.0/UDP h;rport;branch=z",
                "192.0.2.1:99",
                "SIP/2.0/UDP h;rport=99;branch=z;received=192.0.2.1",
            ),
            ("SIP/2.0/UDP h:5", "192.0.2.1:99", "SIP/2.0/UDP h:5;received=192.0.2.1"),
            ("SIP/2.0/UDP h;x= \r\n ", "192.0.2.1:99", "SIP/2.0/UDP h;x=;received=192.0.2.1"),
            (
                "SIP/2.0/UDP h;received=1.1.1.1;x=\"a;b\"",
                "[2001:db8::1]:5",
                "SIP/2.0/UDP h;x=\"a;b\";received=2001:db8::1",
            ),
            (
                "SIP/2.0/UDP h;rport=1",
                "[::ffff:192.0.2.1]:5",
                "SIP/2.0/UDP h;rport=5;received=192.0.2.1",
            ),
        ] {
            let mut out = Vec::new();
            Via::parse(value.as_bytes()).unwrap().write_received(source.parse().unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
