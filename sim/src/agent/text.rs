//! Messages as text: what a simulated party reads of them, and how it answers.

use std::net::SocketAddr;

use sip::transport::Transport;

/// The header that names a session (rm.md §2.3).
pub const SESSION_ID: &str = "X-Genesys-GVP-Session-ID";

/// Values of all headers of this name, in order.
pub fn all<'m>(message: &'m str, name: &'m str) -> impl Iterator<Item = &'m str> {
    message
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .filter(move |(one, _)| one.trim_end().eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

/// Value of the first header of this name; empty without.
#[must_use]
pub fn header<'m>(message: &'m str, name: &'m str) -> &'m str {
    all(message, name).next().unwrap_or_default()
}

/// The tag of From or To; empty without.
#[must_use]
pub fn tag<'m>(message: &'m str, name: &'m str) -> &'m str {
    tag_of(header(message, name))
}

/// The tag in the value of a From or To; empty without.
#[must_use]
pub fn tag_of(value: &str) -> &str {
    let rest = value.split(";tag=").nth(1).unwrap_or_default();
    rest.split(';').next().unwrap_or_default()
}

/// Method of a request, or of what a response answers.
#[must_use]
pub fn method(message: &str) -> &str {
    match message.split(' ').next() {
        Some("SIP/2.0") | None => header(message, "CSeq").split(' ').nth(1).unwrap_or_default(),
        Some(method) => method,
    }
}

/// Number of the CSeq.
#[must_use]
pub fn number(message: &str) -> u32 {
    let number = header(message, "CSeq").split(' ').next().unwrap_or_default();
    number.parse().unwrap_or_default()
}

/// Who sent a request, by its topmost Via; `None`: that names no address.
#[must_use]
pub fn sent_by(request: &str) -> Option<SocketAddr> {
    let (_, rest) = header(request, "Via").split_once(' ')?;
    rest.split(';').next()?.trim().parse().ok()
}

/// The transport of its topmost Via.
#[must_use]
pub fn sent_over(request: &str) -> Transport {
    let via = header(request, "Via");
    let name = via.strip_prefix("SIP/2.0/").and_then(|rest| rest.split(' ').next());
    name.and_then(Transport::parse).unwrap_or(Transport::Udp)
}

/// The URI within a name-addr.
#[must_use]
pub fn uri(address: &str) -> &str {
    address.split('<').nth(1).unwrap_or(address).split('>').next().unwrap_or_default()
}

/// Outside any dialog.
#[must_use]
pub fn is_first(request: &str) -> bool {
    tag(request, "To").is_empty()
}

/// An answer to a request as a well-behaved server makes it. `lines`: further header lines.
#[must_use]
pub fn reply(request: &str, code: u16, own_tag: &str, lines: &str) -> String {
    let mut out = format!("SIP/2.0 {code} Whatever\r\n");
    for via in all(request, "Via") {
        out += &format!("Via: {via}\r\n");
    }
    if method(request) == "INVITE" && (101..300).contains(&code) {
        for route in all(request, "Record-Route") {
            out += &format!("Record-Route: {route}\r\n");
        }
    }
    let to = header(request, "To");
    let tagged = if is_first(request) { format!("{to};tag={own_tag}") } else { to.to_owned() };
    out += &format!(
        "From: {}\r\nTo: {tagged}\r\nCall-ID: {}\r\nCSeq: {}\r\n{lines}Content-Length: 0\r\n\r\n",
        header(request, "From"),
        header(request, "Call-ID"),
        header(request, "CSeq"),
    );
    out
}

/// The reason word of a refusal's Warning: `399 rm-1 "usage-limit …"`.
#[must_use]
pub fn reason(response: &str) -> &str {
    let quoted = header(response, "Warning").split('"').nth(1).unwrap_or_default();
    quoted.split(' ').next().unwrap_or_default()
}
