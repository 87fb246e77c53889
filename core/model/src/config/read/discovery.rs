//! `discovery` of a resource group: an object or a list of them (ops.md §3.4).

use std::time::Duration;

use super::resource::host_name;
use crate::config::Discovery;
use crate::config::limits::MAX_DISCOVERIES;
use crate::schema::{Field, Object};
use crate::tree::Value;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
/// The usual port of a media server without SRV records (RFC 3261 §19.1.2).
const PORT: u16 = 5060;

/// All names under which the group finds members.
pub(super) fn read(spec: &Object<'_>, kind: &str) -> Vec<Discovery> {
    let Some(field) = spec.get("discovery") else { return Vec::new() };
    let items = match field.node().value {
        Value::Seq(_) => field.list().unwrap_or_default(),
        _ => vec![field.clone()],
    };
    if items.len() > MAX_DISCOVERIES {
        field.note("E106", format!("\"discovery\" must be between 0 and {MAX_DISCOVERIES} names"));
    }
    items.iter().filter_map(|item| one(item, kind)).collect()
}

fn one(item: &Field<'_>, kind: &str) -> Option<Discovery> {
    let object = item.object()?;
    let capacity = object.get("capacity").and_then(|field| field.whole(0, u32::MAX));
    let keep_gone =
        object.get("keep_gone").and_then(|field| field.duration(Duration::ZERO, HOUR * 24));
    let kubernetes = object.get("kubernetes");
    if let Some(field) = &kubernetes {
        object.refuse("kubernetes", field);
    }
    let dns = match kubernetes {
        Some(_) => object.get("dns"),
        None => object.require("dns", kind),
    };
    let dns = dns.and_then(|field| field.object());
    object.finish();
    let dns = dns?;
    let name = dns.require("name", kind).and_then(|field| name(&field));
    let refresh = dns.get("refresh").and_then(|field| field.duration(SECOND, HOUR));
    let port = dns.get("port");
    let number = port.as_ref().and_then(|field| field.whole(1, u16::MAX));
    if let (Some(port), true) = (port, name.as_ref().is_some_and(|name| name.starts_with('_'))) {
        port.invalid::<()>("port", "SRV records tell it").unwrap_or_default();
    }
    dns.finish();
    Some(Discovery {
        name: name?,
        port: number.unwrap_or(PORT),
        refresh: refresh.unwrap_or(SECOND * 2),
        capacity,
        keep_gone: keep_gone.unwrap_or(HOUR),
    })
}

fn name(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    let Some(name) = host_name(text) else {
        return field.invalid("name", "expected such as _sip._tcp.mcp.voice.example");
    };
    let mut labels = name.split('.');
    match (labels.next(), labels.next()) {
        (Some("_sips"), Some("_tcp")) => return field.unavailable(),
        (Some(service), Some("_udp" | "_tcp")) if service.starts_with('_') => {}
        (Some(service), _) if service.starts_with('_') => {
            return field.invalid("name", "_udp or _tcp must follow the service");
        }
        _ => {}
    }
    Some(name)
}
