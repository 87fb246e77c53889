//! `rm.hep`: where copies of all SIP messages go (rm.md §10.1).

use std::path::PathBuf;

use model::schema::{Field, Object};

use super::address::{HostPort, parse_host_port};
use super::path;

/// `rm.hep`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hep {
    /// `rm.hep.target`: the collector, by UDP.
    pub target: HostPort,
    /// `rm.hep.id`: the capture agent's number; `None` = the node's.
    pub id: Option<u32>,
    /// `rm.hep.password_file`
    pub password_file: Option<PathBuf>,
}

pub(super) fn read(hep: &Object<'_>) -> Option<Hep> {
    let target = hep.require("target", "hep").and_then(|field| target(&field));
    let id = hep.get("id").and_then(|field| field.whole(0, u32::MAX));
    let password_file = hep.get("password_file").and_then(|field| path(&field));
    Some(Hep { target: target?, id, password_file })
}

/// `udp:host:port`.
fn target(field: &Field<'_>) -> Option<HostPort> {
    let text = field.text()?;
    let parsed = text.strip_prefix("udp:").and_then(parse_host_port);
    parsed.or_else(|| field.invalid("collector", "expected udp:host:port"))
}
