//! Resources: the media servers of a group.

use std::net::IpAddr;

use super::capability::capabilities;
use super::head::name;
use super::values::network;
use crate::config::{
    Admin, Capabilities, Network, ResourceAddress, ResourceHost, ResourceTransport,
};
use crate::id::Dbid;
use crate::schema::{Field, Object, Placed};

/// A resource as it was written.
#[derive(Clone, Debug)]
pub(crate) struct ResourceDraft {
    pub(crate) name: Placed<String>,
    pub(crate) dbid: Option<Placed<Dbid>>,
    pub(crate) address: Placed<ResourceAddress>,
    pub(crate) capacity: Option<u32>,
    pub(crate) weight: Option<Placed<u16>>,
    pub(crate) passive: bool,
    pub(crate) capabilities: Capabilities,
    pub(crate) conference_size: Option<Placed<u32>>,
    pub(crate) conference_count: Option<Placed<u32>>,
    pub(crate) state: Admin,
    pub(crate) source_addresses: Vec<Network>,
}

pub(super) fn read(item: &Field<'_>, kind: &str) -> Option<ResourceDraft> {
    let object = item.object()?;
    let name = object.require("name", kind).and_then(|field| name(&field, true));
    let address = object.require("address", kind).and_then(|field| address(&field));
    let dbid = object.get("dbid").and_then(|field| {
        field.whole(1, i32::MAX.unsigned_abs()).map(|dbid| field.placed(Dbid(dbid)))
    });
    let states =
        [("enabled", Admin::Enabled), ("disabled", Admin::Disabled), ("draining", Admin::Draining)];
    let state = object.get("state").and_then(|field| field.choice(&states));
    let capacity = object.get("capacity").and_then(|field| field.whole(0, u32::MAX));
    let weight = object
        .get("weight")
        .and_then(|field| field.whole(1, 1000).map(|weight| field.placed(weight)));
    let source_addresses = sources(&object);
    object.unavailable("aor", |_| false);
    let redundancy = [("active", false), ("passive", true)];
    let passive = object.get("redundancy").and_then(|field| field.choice(&redundancy));
    let capabilities = capabilities(&object, "capabilities");
    let (conference_size, conference_count) = conferences(&object);
    object.finish();
    Some(ResourceDraft {
        name: name?,
        dbid,
        address: address?,
        capacity,
        weight,
        passive: passive.unwrap_or(false),
        capabilities,
        conference_size,
        conference_count,
        state: state.unwrap_or_default(),
        source_addresses,
    })
}

/// The largest conference, and how many of them.
pub(super) fn conferences(object: &Object<'_>) -> (Option<Placed<u32>>, Option<Placed<u32>>) {
    let number = |key, least| {
        let field = object.get(key)?;
        field.whole(least, u32::MAX).map(|number| field.placed(number))
    };
    // there is no conference of nobody, but a server may have none
    (number("confmaxsize", 1), number("confmaxcount", 0))
}

fn sources(object: &Object<'_>) -> Vec<Network> {
    let items = object.get("source_addresses").and_then(|field| field.list()).unwrap_or_default();
    let source = |item: &Field<'_>| {
        let text = item.text()?;
        let reason = "expected an IP address or a network such as 192.0.2.0/28";
        network(text).or_else(|| item.invalid("source address", reason))
    };
    items.iter().filter_map(source).collect()
}

/// `sip:[user@]host[:port][;parameters]`.
fn address(field: &Field<'_>) -> Option<Placed<ResourceAddress>> {
    let text = field.text_up_to(256)?;
    let bad = |reason: &str| field.invalid("SIP URI", reason);
    let Some((scheme, rest)) = text.split_once(':') else {
        return bad("expected such as sip:10.0.0.11:5070;transport=tcp");
    };
    let secure = scheme.eq_ignore_ascii_case("sips");
    if !secure && !scheme.eq_ignore_ascii_case("sip") {
        return bad("it must begin with sip: or sips:");
    }
    if rest
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '?'))
    {
        return bad("it has a character that does not belong in an address");
    }
    let mut parts = rest.split(';');
    let host_port = parts.next().unwrap_or_default();
    let host_port = host_port.rsplit_once('@').map_or(host_port, |(_, host)| host);
    let (host, port) = match split_port(host_port) {
        Ok(split) => split,
        Err(reason) => return bad(reason),
    };
    let transport = parts.find_map(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("transport") => Some(value),
        _ => None,
    });
    let transport = match transport.map(str::to_ascii_lowercase).as_deref() {
        None if secure => Some(ResourceTransport::Tls),
        None => None,
        // TLS over TCP, which is what `sips:` always is (RFC 3261 §26.2.2).
        Some("tcp") if secure => Some(ResourceTransport::Tls),
        Some("udp") if secure => return bad("sips: does not go by udp"),
        Some("udp") => Some(ResourceTransport::Udp),
        Some("tcp") => Some(ResourceTransport::Tcp),
        Some("tls") => Some(ResourceTransport::Tls),
        Some(_) => return bad("transport must be udp, tcp or tls"),
    };
    let host = match host.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() || ip.is_multicast() => {
            return bad("it is not the address of one host");
        }
        Ok(ip) => ResourceHost::Ip(ip),
        Err(_) => match host_name(host) {
            Some(name) => ResourceHost::Name(name),
            None if host.is_empty() => return bad("there is no host"),
            None => return bad("the host is neither an IP address nor a name"),
        },
    };
    let uri = text.to_owned();
    Some(field.placed(ResourceAddress { uri, secure, host, port, transport }))
}

/// A name that can be asked for (RFC 1123 §2.1): its last label is not a number, else it would be
/// a damaged address.
pub(super) fn host_name(text: &str) -> Option<String> {
    let bare = text.strip_suffix('.').unwrap_or(text);
    let fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let last = bare.rsplit('.').next().unwrap_or_default();
    let good = bare.len() <= 253
        && bare.split('.').all(fits)
        && !last.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| bare.to_ascii_lowercase())
}

/// The host without brackets, and the port if there is one.
fn split_port(text: &str) -> Result<(&str, Option<u16>), &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("a bracket is open")?;
            match port.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if port.is_empty() => (host, None),
                None => return Err("expected a port"),
            }
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let Some(port) = port else { return Ok((host, None)) };
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    let number = port.parse().ok().filter(|port| digits && *port > 0);
    number.map(|port| (host, Some(port))).ok_or("the port must be between 1 and 65535")
}
