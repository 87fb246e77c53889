//! Values that several kinds have: URLs, networks, status codes, services.

use std::net::IpAddr;
use std::time::Duration;

use crate::config::limits::MAX_URL;
use crate::config::{Network, Service, StatusSet};
use crate::schema::Field;
use crate::tree::{Node, Value};

/// The shortest session interval there is, in seconds (RFC 4028 §5).
pub(super) const LEAST_INTERVAL: u32 = 90;

/// A service by name.
pub(super) fn service(field: &Field<'_>) -> Option<Service> {
    let choices = Service::ALL.map(|service| (service.as_str(), service));
    field.choice(&choices)
}

/// An absolute http, https or file URL.
pub(super) fn url(field: &Field<'_>) -> Option<String> {
    let url = field.text()?;
    if url.chars().count() > MAX_URL {
        return field.invalid("URL", format_args!("it is longer than {MAX_URL} characters"));
    }
    if let Some(bad) = url.chars().find(|c| c.is_whitespace() || c.is_control()) {
        return field.invalid("URL", format_args!("{bad:?} is not allowed"));
    }
    let lower = url.get(..8).unwrap_or(url).to_ascii_lowercase();
    let rest = ["http://", "https://", "file://"].iter().find(|scheme| lower.starts_with(**scheme));
    match rest.and_then(|scheme| url.get(scheme.len()..)) {
        None => field.invalid("URL", "it must begin with http://, https:// or file://"),
        Some("") => field.invalid("URL", "nothing follows the scheme"),
        Some(rest) if rest.starts_with('/') && !lower.starts_with("file") => {
            field.invalid("URL", "there is no host")
        }
        Some(_) => Some(url.to_owned()),
    }
}

/// A session interval: a duration from 90 s to 24 h, in whole seconds.
pub fn session_interval(field: &Field<'_>) -> Option<u32> {
    let least = Duration::from_secs(u64::from(LEAST_INTERVAL));
    let interval = field.duration(least, Duration::from_secs(86_400))?;
    u32::try_from(interval.as_secs()).ok()
}

/// An IP address or a network such as `192.0.2.0/28`.
#[must_use]
pub fn network(text: &str) -> Option<Network> {
    let (ip, prefix) = match text.split_once('/') {
        Some((ip, prefix)) => (ip, Some(prefix)),
        None => (text, None),
    };
    let ip: IpAddr = ip.trim_matches(['[', ']']).parse().ok()?;
    let most = if ip.is_ipv4() { 32 } else { 128 };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let prefix = match prefix {
        Some(text) if digits(text) => text.parse().ok().filter(|prefix| *prefix <= most)?,
        Some(_) => return None,
        None => most,
    };
    Some(Network { ip, prefix })
}

/// What a code may be: the least and the most.
pub(super) type Bounds = (u16, u16);

/// A list of status codes and ranges within bounds: `[200-299, 401]`; sorted and joined.
pub(super) fn status_set(field: &Field<'_>, bounds: Bounds) -> Option<StatusSet> {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    let mut whole = true;
    for item in field.list()? {
        match code_range(&item, bounds) {
            Some(range) => ranges.push(range),
            None => whole = false,
        }
    }
    ranges.sort_unstable();
    let mut joined: Vec<(u16, u16)> = Vec::new();
    for (low, high) in ranges {
        match joined.last_mut() {
            Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
            _ => joined.push((low, high)),
        }
    }
    whole.then_some(StatusSet(joined))
}

/// Status codes of failures, and ranges of them, in a list, or in one text with semicolons or
/// commas (`486;600`).
pub(super) fn code_list(field: &Field<'_>) -> Option<StatusSet> {
    const FAILURES: Bounds = (300, 699);
    let at = field.node().at;
    let parts = match &field.node().value {
        Value::Seq(_) => return status_set(field, FAILURES),
        Value::Text(text) => text.split([';', ',']).map(str::trim).map(str::to_owned).collect(),
        Value::Int(number) => vec![number.to_string()],
        _ => return field.wrong_type("response codes, such as 486;600"),
    };
    let parts = parts.into_iter().filter(|part: &String| !part.is_empty()).map(|part| {
        let value = part.parse().map_or_else(|_| Value::Text(part), Value::Int);
        Node { value, at }
    });
    let list = Node { value: Value::Seq(parts.collect()), at };
    status_set(&field.with(&list), FAILURES)
}

fn code_range(item: &Field<'_>, (least, most): Bounds) -> Option<(u16, u16)> {
    let Value::Text(text) = &item.node().value else {
        return item.whole(least, most).map(|code| (code, code));
    };
    let code = |text: &str| text.parse().ok().filter(|code| (least..=most).contains(code));
    let range = text.split_once('-').and_then(|(low, high)| code(low).zip(code(high)));
    match range {
        Some((low, high)) if low <= high => Some((low, high)),
        _ => {
            let why = format_args!("expected such as 500-503, from {least} to {most}");
            item.invalid("range of response codes", why)
        }
    }
}
