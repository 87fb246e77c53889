//! Records as the resolver library gives them, as those that `sip::locate` knows.

use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use sip::locate::{HostName, Kind, Naptr, Records, Srv};
use std::net::IpAddr;
use std::time::Duration;

pub(super) fn record_type(kind: Kind) -> RecordType {
    match kind {
        Kind::Naptr => RecordType::NAPTR,
        Kind::Srv => RecordType::SRV,
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
    }
}

/// Those of the kind that was asked for, and the shortest TTL of the answer, aliases included;
/// what leads nowhere is left out.
#[must_use]
pub fn records(kind: Kind, answer: &[Record]) -> (Records, Duration) {
    let data = answer.iter().map(|record| &record.data);
    let records = match kind {
        Kind::Naptr => Records::Naptr(data.filter_map(naptr).collect()),
        Kind::Srv => Records::Srv(data.filter_map(srv).collect()),
        Kind::A | Kind::Aaaa => Records::Addresses(data.filter_map(address).collect()),
    };
    let ttl = answer.iter().map(|record| record.ttl).min();
    (records, ttl.map_or(Duration::MAX, |seconds| Duration::from_secs(u64::from(seconds))))
}

fn naptr(data: &RData) -> Option<Naptr> {
    let RData::NAPTR(naptr) = data else { return None };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(Naptr {
        order: naptr.order,
        preference: naptr.preference,
        flags: text(&naptr.flags),
        services: text(&naptr.services),
        regexp: text(&naptr.regexp),
        replacement: host(&naptr.replacement),
    })
}

/// A target that is no host name, or port 0, leads nowhere: not to be taken for the root, which
/// says that there is no such service.
fn srv(data: &RData) -> Option<Srv> {
    let RData::SRV(srv) = data else { return None };
    let target = host(&srv.target);
    let nowhere = srv.port == 0 || target.is_none();
    if nowhere && !srv.target.is_root() {
        return None;
    }
    Some(Srv { priority: srv.priority, weight: srv.weight, port: srv.port, target })
}

fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(ip) => Some(IpAddr::V4(ip.0)),
        RData::AAAA(ip) => Some(IpAddr::V6(ip.0)),
        _ => None,
    }
}

fn host(name: &Name) -> Option<HostName> {
    HostName::parse(&name.to_ascii())
}
