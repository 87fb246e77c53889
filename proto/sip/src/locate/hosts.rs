//! RFC 3263 §4.2, the last question: addresses of hosts, in the families that we speak.

use super::answers::{Answers, Kind, Records};
use super::goal::{HostName, Spoken};
use super::targets::{Choice, Targets};
use super::{Failure, Step};
use crate::transport::Transport;
use std::net::SocketAddr;

/// A host whose transport and port are decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) transport: Transport,
    pub(super) host: &'a HostName,
    pub(super) port: u16,
    /// Where it stands among others: lower ones first.
    pub(super) rank: u32,
    pub(super) weight: u16,
}

impl<'a> Place<'a> {
    /// One without siblings.
    pub(super) const fn plain(transport: Transport, host: &'a HostName, port: u16) -> Self {
        Self { transport, host, port, rank: 0, weight: 0 }
    }
}

/// Addresses of all places. "The client performs an A or AAAA record lookup of the domain name"
/// (§4.2); with both families the IPv6 addresses stand first (RFC 7984 §3.1, RFC 6724 §2.1).
pub(super) fn addresses(places: &[Place<'_>], spoken: Spoken, answers: &Answers) -> Step {
    let mut open = Vec::new();
    let mut choices = Vec::new();
    let mut failure = Failure::Unspoken;
    for place in places {
        let mut found = Vec::new();
        for (kind, is_ipv4) in [(Kind::Aaaa, false), (Kind::A, true)] {
            if !spoken.reaches(place.transport, is_ipv4) {
                continue;
            }
            match answers.get(place.host, kind) {
                Err(question) => open.push(question),
                Ok(Records::Addresses(list)) => {
                    let fits = list.iter().filter(|ip| ip.is_ipv4() == is_ipv4);
                    found.extend(fits.map(|ip| SocketAddr::new(*ip, place.port)));
                }
                Ok(Records::Failed) => failure = Failure::Unanswered,
                Ok(Records::Naptr(_) | Records::Srv(_) | Records::Nothing) => {}
            }
            if failure == Failure::Unspoken {
                failure = Failure::Nothing;
            }
        }
        let Place { transport, rank, weight, .. } = *place;
        choices.push(Choice { transport, rank, weight, addresses: found });
    }
    if !open.is_empty() {
        open.sort();
        open.dedup();
        return Step::Ask(open);
    }
    Targets::of(choices).map_or(Step::Failed(failure), Step::Found)
}
