//! The requests that belong to an INVITE at one hop, ACK to a failure and CANCEL, made from the
//! bytes of the INVITE as it was sent (RFC 3261 §17.1.1.3 and §9.1); and what names a sent request.
//!
//! Works on bytes that we made ourselves, hence no parser and no limit: a request at the edge of
//! the limits has grown by our own Via. Header lines are copied as they stand.

use memchr::memchr;

use crate::buffers::Buffers;
use crate::method::Method;

/// Method and branch of a request that is about to be sent; `None`: it has no readable top Via.
pub(crate) fn identity(request: &[u8]) -> Option<(Method<'_>, &[u8])> {
    let name = request.get(..memchr(b' ', request)?)?;
    let method = Method::from_name(std::str::from_utf8(name).ok()?);
    let via = lines(request).find(|line| line.name == HopName::Via)?;
    let params = first_value(via.value).split(|byte| *byte == b';').skip(1);
    for param in params {
        let Some(equals) = memchr(b'=', param) else { continue };
        let (name, value) = (param.get(..equals)?, param.get(equals + 1..)?);
        if name.trim_ascii().eq_ignore_ascii_case(b"branch") && !value.trim_ascii().is_empty() {
            return Some((method, value.trim_ascii()));
        }
    }
    None
}

/// The ACK to a failure response; `to` is the whole To line of that response.
pub(crate) fn ack(invite: &[u8], to: &[u8], buffers: &mut Buffers) -> Vec<u8> {
    let mut out = buffers.room(head_len(invite) + to.len());
    same_hop(&mut out, "ACK", invite, Some(to));
    end(&mut out);
    out
}

/// The CANCEL. `reason`: header lines to add, or nothing for the Reason of a plain 487.
pub(crate) fn cancel(invite: &[u8], reason: &[u8], buffers: &mut Buffers) -> Vec<u8> {
    let reason = if reason.is_empty() { b"Reason: SIP;cause=487\r\n" } else { reason };
    let mut out = buffers.room(head_len(invite) + reason.len());
    same_hop(&mut out, "CANCEL", invite, None);
    out.extend_from_slice(reason);
    if !reason.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    end(&mut out);
    out
}

/// Start line, the top Via alone, and the lines that both requests share with the INVITE.
fn same_hop(out: &mut Vec<u8>, method: &str, invite: &[u8], to: Option<&[u8]>) {
    let rest = memchr(b' ', invite).and_then(|space| invite.get(space..));
    let target = rest.and_then(|rest| rest.get(..memchr(b'\r', rest)?)).unwrap_or_default();
    out.extend_from_slice(method.as_bytes());
    out.extend_from_slice(target);
    out.extend_from_slice(b"\r\n");
    let mut has_via = false;
    for line in lines(invite) {
        match line.name {
            HopName::Via if !has_via => {
                has_via = true;
                out.extend_from_slice(b"Via: ");
                out.extend_from_slice(first_value(line.value).trim_ascii());
                out.extend_from_slice(b"\r\nMax-Forwards: 70\r\n");
            }
            HopName::Route | HopName::From | HopName::CallId => out.extend_from_slice(line.line),
            HopName::To => out.extend_from_slice(to.unwrap_or(line.line)),
            HopName::CSeq => {
                let value = line.value.trim_ascii_start();
                let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
                out.extend_from_slice(b"CSeq: ");
                out.extend_from_slice(value.get(..digits).unwrap_or_default());
                out.push(b' ');
                out.extend_from_slice(method.as_bytes());
                out.extend_from_slice(b"\r\n");
            }
            HopName::Via | HopName::Other => {}
        }
    }
}

fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
}

/// Room for what is copied: everything up to the body, at most.
fn head_len(invite: &[u8]) -> usize {
    memchr::memmem::find(invite, b"\r\n\r\n").unwrap_or(invite.len()) + 64
}

/// The first of several values in one line; quoted text may hold commas.
fn first_value(value: &[u8]) -> &[u8] {
    let mut quoted = false;
    let comma = value.iter().position(|byte| {
        quoted ^= *byte == b'"';
        !quoted && *byte == b','
    });
    comma.and_then(|comma| value.get(..comma)).unwrap_or(value)
}

/// The header names that matter between two neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HopName {
    Via,
    Route,
    From,
    To,
    CallId,
    CSeq,
    Other,
}

struct Line<'a> {
    name: HopName,
    value: &'a [u8],
    /// The whole line, folded parts and CRLF included.
    line: &'a [u8],
}

/// The header lines of a message, in order.
fn lines(message: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let start = line_len(message);
    let mut rest = message.get(start..).unwrap_or_default();
    std::iter::from_fn(move || {
        let len = line_len(rest);
        let line = rest.get(..len)?;
        let colon = memchr(b':', line)?;
        rest = rest.get(len..)?;
        let name = named(line.get(..colon)?.trim_ascii_end());
        Some(Line { name, value: line.get(colon + 1..)?.trim_ascii_end(), line })
    })
}

/// Length of the first line, with the lines folded into it.
fn line_len(bytes: &[u8]) -> usize {
    let mut len = 0;
    while let Some(rest) = bytes.get(len..)
        && let Some(feed) = memchr(b'\n', rest)
    {
        len += feed + 1;
        if !matches!(bytes.get(len), Some(b' ' | b'\t')) {
            break;
        }
    }
    len
}

fn named(name: &[u8]) -> HopName {
    let known: [(&[u8], &[u8], HopName); 6] = [
        (b"via", b"v", HopName::Via),
        (b"route", b"route", HopName::Route),
        (b"from", b"f", HopName::From),
        (b"to", b"t", HopName::To),
        (b"call-id", b"i", HopName::CallId),
        (b"cseq", b"cseq", HopName::CSeq),
    ];
    let found = known.iter().find(|(long, short, _)| {
        name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(short)
    });
    found.map_or(HopName::Other, |(_, _, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &[u8] = b"INVITE sip:mcp@10.0.0.9:5070 SIP/2.0\r\n\
        v: SIP/2.0/UDP rm:5060;x=\"a,b\" ; branch=z9hG4bK-rm1 , SIP/2.0/TCP c;branch=z9hG4bK2\r\n\
        Via: SIP/2.0/TCP first;branch=z9hG4bK3\r\n\
        Route: <sip:a;lr>,\r\n <sip:b;lr>\r\n\
        Record-Route: <sip:rm;lr>\r\n\
        route : <sip:c;lr>\r\n\
        f: \"A\" <sip:a@b>;tag=1\r\n\
        To: <sip:c@d>\r\n\
        Call-ID: abc@x\r\n\
        CSeq:  0042   INVITE\r\n\
        Max-Forwards: 12\r\n\
        Contact: <sip:a@b>\r\n\
        Content-Length: 4\r\n\r\nTo: ";

    #[test]
    fn a_sent_request_is_named_by_method_and_first_branch() {
        assert_eq!(identity(INVITE), Some((Method::Invite, &b"z9hG4bK-rm1"[..])));
        for nameless in [
            &b""[..],
            b"BYE",
            b"BYE sip:a SIP/2.0\r\nCSeq: 1 BYE\r\n\r\n",
            b"BYE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;rport\r\n\r\nVia: x;branch=1",
            b"BYE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=\r\n\r\n",
        ] {
            assert_eq!(identity(nameless), None);
        }
    }

    #[test]
    fn the_ack_shares_the_hop_and_takes_the_to_of_the_response() {
        let ack = ack(INVITE, b"t: <sip:c@d>;tag=9\r\n", &mut Buffers::default());
        let expected = "ACK sip:mcp@10.0.0.9:5070 SIP/2.0\r\n\
            Via: SIP/2.0/UDP rm:5060;x=\"a,b\" ; branch=z9hG4bK-rm1\r\n\
            Max-Forwards: 70\r\n\
            Route: <sip:a;lr>,\r\n <sip:b;lr>\r\n\
            route : <sip:c;lr>\r\n\
            f: \"A\" <sip:a@b>;tag=1\r\n\
            t: <sip:c@d>;tag=9\r\n\
            Call-ID: abc@x\r\n\
            CSeq: 0042 ACK\r\n\
            Content-Length: 0\r\n\r\n";
        assert_eq!(String::from_utf8(ack).unwrap(), expected);
    }

    #[test]
    fn the_cancel_carries_the_callers_reason_or_the_usual_one() {
        for (given, expected) in [
            (&b""[..], "Reason: SIP;cause=487\r\n"),
            (b"Reason: Q.850;cause=16\r\n", "Reason: Q.850;cause=16\r\n"),
            (b"Reason: SIP;cause=200", "Reason: SIP;cause=200\r\n"),
        ] {
            let cancel = String::from_utf8(cancel(INVITE, given, &mut Buffers::default())).unwrap();
            assert!(cancel.starts_with("CANCEL sip:mcp@10.0.0.9:5070 SIP/2.0\r\nVia: SIP/2.0/UDP"));
            assert!(cancel.contains("\r\nTo: <sip:c@d>\r\n"), "{cancel}");
            assert!(cancel.contains("\r\nCSeq: 0042 CANCEL\r\n"), "{cancel}");
            let end = format!("\r\n{expected}Content-Length: 0\r\n\r\n");
            assert!(cancel.ends_with(&end), "{cancel}");
        }
    }
}
