//! `rs.http_cors_origins`: origins whose pages may ask (rs.md §8), as browsers write them.

use std::net::Ipv6Addr;

use model::schema::{Field, Object};

use super::address::is_host;

/// Origins, at most.
const ORIGINS: usize = 64;

/// The listed origins, `scheme://host[:port]`.
pub(super) fn read(rs: &Object<'_>) -> Vec<String> {
    let Some(field) = rs.get("http_cors_origins") else { return Vec::new() };
    let items = field.list().unwrap_or_default();
    if items.len() > ORIGINS {
        let text = format!("\"rs.http_cors_origins\" must be at most {ORIGINS} origins");
        field.note("E106", text);
    }
    items.iter().take(ORIGINS).filter_map(origin).collect()
}

fn origin(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    match fault(text) {
        Some(reason) => field.invalid("origin", reason),
        None => Some(text.to_owned()),
    }
}

/// Why no browser sends it, or why it is not taken. What is compared letter by letter must be
/// written as it is sent.
fn fault(text: &str) -> Option<&'static str> {
    if text.contains('*') {
        return Some("each origin is listed by its name, there is no wildcard");
    }
    let Some((scheme, authority)) = text.split_once("://") else {
        return Some("expected http://host[:port] or https://host[:port]");
    };
    let usual = match scheme {
        "http" => "80",
        "https" => "443",
        _ => return Some("expected http://host[:port] or https://host[:port]"),
    };
    if authority.contains(['/', '?', '#', '@', '\\']) {
        return Some("an origin has no user and no path, nor a / at its end");
    }
    if authority.contains(|c: char| c.is_ascii_uppercase()) {
        return Some("browsers send it in lower case");
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    match port {
        Some(port) if port == usual => return Some("browsers leave out the scheme's own port"),
        Some(port) if !is_port(port) => return Some("a port is a number from 1 to 65535"),
        _ => {}
    }
    let named = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok_and(|ip| ip.to_string() == inner),
        None => is_host(host),
    };
    (!named).then_some("expected a host name (in ASCII) or an address in its shortest form")
}

fn is_port(text: &str) -> bool {
    // as it is printed: without a sign, without zeros in front
    text.parse::<u16>().is_ok_and(|port| port > 0 && port.to_string() == text)
}
