//! Where a resource can be reached: its address, or the targets of its name (rm.md §1.2).
//!
//! A target that gave no answer stands behind the others for a while. Must not ask for names:
//! `resolve` does, and tells.

use std::net::SocketAddr;
use std::time::Duration;

use model::chance::Chance;
use model::config::{ResourceAddress, ResourceHost};
use sip::locate::{Goal, Target, Targets};
use sip::transport::Transport;
use sip::uri::Uri;
use smallvec::SmallVec;

use crate::forward::egress;
use crate::resolve::Away;

/// The targets of one resource.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// What its name asks for; `None` for an IP address.
    goal: Option<Goal>,
    targets: Option<Targets>,
    away: Away,
}

impl Reach {
    /// The configuration says this address; the same name keeps what is known of it.
    pub(crate) fn set(&mut self, address: &ResourceAddress) {
        let goal = match address.host {
            ResourceHost::Ip(_) => None,
            ResourceHost::Name(_) => Uri::parse(&address.uri).ok().as_ref().and_then(Goal::of_uri),
        };
        if let ResourceHost::Ip(ip) = address.host {
            let transport = egress::fixed_transport(address).unwrap_or(Transport::Udp);
            let remote = SocketAddr::new(ip, address.port.unwrap_or(transport.default_port()));
            self.targets = Some(Targets::one(Target { transport, remote }));
        } else if goal != self.goal {
            self.targets = None;
        }
        self.goal = goal;
    }

    /// The goal of its name, if it has one.
    pub(crate) fn name(&self) -> Option<&Goal> {
        self.goal.as_ref()
    }

    /// Its name leads there, or nowhere.
    pub(crate) fn found(&mut self, targets: Option<&Targets>) {
        self.targets = targets.cloned();
        let all: SmallVec<[Target; 4]> = self.all().collect();
        self.away.keep(&all);
    }

    /// There is at least one target.
    pub(crate) fn is_known(&self) -> bool {
        self.targets.is_some()
    }

    /// All targets, by rank.
    pub(crate) fn all(&self) -> impl Iterator<Item = Target> + '_ {
        self.targets.iter().flat_map(Targets::iter)
    }

    /// The order for one request: the lot of RFC 2782, those that are away last.
    pub(crate) fn order(&self, now: Duration, chance: &mut Chance) -> SmallVec<[Target; 2]> {
        let Some(targets) = &self.targets else { return SmallVec::new() };
        if let Some(only) = targets.only() {
            return SmallVec::from_slice(&[only]);
        }
        let mut order: SmallVec<[Target; 2]> =
            targets.order(|below| chance.below(below)).into_iter().collect();
        self.away.sort(now, &mut order);
        order
    }

    /// A request there got no answer.
    pub(crate) fn failed(&mut self, now: Duration, target: Target) {
        if self.all().any(|own| own == target) {
            self.away.note(now, target);
        }
    }

    /// It answers.
    pub(crate) fn answered(&mut self, target: Target) {
        self.away.back(target);
    }
}
