//! A resource group (GVP: logical resource group): media servers that offer the same services.
//!
//! Plain data of a snapshot; stage place reads it. Which groups a tenant sees, and in what order,
//! is the snapshot's.

use std::time::Duration;

use super::{
    Capabilities, Cti, Discovery, ResourceIx, ResourceTransport, Service, TenantIx, UseCti,
};
use crate::id::Dbid;

/// A resource group of a snapshot.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name, unique in its tenant.
    pub name: String,
    /// Its number in reports.
    pub dbid: Dbid,
    /// The tenant that owns it.
    pub tenant: TenantIx,
    /// Whether it and its owner (and the owner's ancestors) are enabled; if not, all its resources
    /// are [`super::Admin::Disabled`].
    pub enabled: bool,
    /// The services offered; never empty.
    pub services: Vec<Service>,
    /// How a resource is chosen.
    pub scheme: Scheme,
    /// Whether descendants of its tenant see it (`shared: tree`).
    pub shared_with_children: bool,
    /// Lower comes first among groups of one tenant, 0–1000.
    pub preference: u16,
    /// Where it is; lower case, compared without case (rm.md §7.5).
    pub locations: Vec<String>,
    /// What all its resources can do; each resource has them too.
    pub capabilities: Capabilities,
    /// How its resources are watched.
    pub monitor: Monitor,
    /// Which calls take a place of a resource.
    pub port_usage: PortUsage,
    /// Answers that lead to the next resource.
    pub failover_codes: StatusSet,
    /// How long one try may stay without any answer; `None` = option `rm/try-timeout`.
    pub try_timeout: Option<Duration>,
    /// How long a resource rests after a failed try; doubles with each failure in a row.
    pub quarantine: Duration,
    /// The longest rest.
    pub max_quarantine: Duration,
    /// The session interval asked for where a call of it says nothing, in seconds (RFC 4028).
    pub session_expires: Option<u32>,
    /// What becomes of the calls of a resource that is dead.
    pub on_dead: OnDead,
    /// How long a resource must be dead without a break before that.
    pub release_after: Duration,
    /// The answer when none of its resources can take the call, 400–699.
    pub noresource_response_code: Option<u16>,
    /// Whether calls of this gateway go to a CTI connector.
    pub use_cti: UseCti,
    /// `gvp.rm.resource-req` of a call of this gateway is dropped when no connector takes it.
    pub remove_ruri_capability_on_fallback: bool,
    /// What these connectors say of their failures.
    pub cti: Cti,
    /// How many calls a resource takes that says nothing; `None` = any number.
    pub port_capacity: Option<u32>,
    /// The largest conference of one; alike.
    pub conference_size: Option<u32>,
    /// How many conferences one takes at once; alike.
    pub conference_count: Option<u32>,
    /// Its resources in the order of the configuration, then those that were found.
    pub resources: Vec<ResourceIx>,
    /// Where more of them are found.
    pub discovery: Vec<Discovery>,
}

/// How a resource is chosen among those that can take the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Scheme {
    /// In turn.
    #[default]
    RoundRobin,
    /// The fewest calls.
    LeastUsed,
    /// The smallest part of its capacity.
    LeastPercent,
    /// In turn, in proportion to `weight`.
    Weighted,
    /// Always the same one for the same value, as long as it is there.
    Hash(HashOn),
}

impl Scheme {
    /// Its name in the configuration and in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::LeastUsed => "least-used",
            Self::LeastPercent => "least-percent",
            Self::Weighted => "weighted",
            Self::Hash(_) => "hash",
        }
    }
}

/// The value of a call that the scheme `hash` looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum HashOn {
    /// Its Call-ID.
    #[default]
    CallId,
    /// The user part of From.
    FromUser,
    /// The dialled number.
    Dnis,
    /// Its session.
    Session,
}

/// Which calls take a place of a resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PortUsage {
    /// All.
    #[default]
    InAndOut,
    /// Those that come into the platform.
    In,
    /// Those that leave it.
    Out,
}

/// What becomes of the calls of a resource that is dead (rm.md §7.10).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnDead {
    /// They are ended: BYE to the other side.
    #[default]
    Bye,
    /// Peers that want to know are told; the calls stay.
    Notify,
    /// Nothing.
    None,
}

/// How the resources of a group are watched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Monitor {
    /// By what.
    pub method: Method,
    /// From the start of one probe to the start of the next.
    pub interval: Duration,
    /// How long a probe waits for its answer; below `interval`.
    pub timeout: Duration,
    /// Misses in a row after which a resource is dead.
    pub down_after: u32,
    /// Answers in a row after which it is healthy.
    pub up_after: u32,
    /// From probe to probe while it is dead.
    pub recovery_interval: Duration,
    /// Answers that mean it is alive.
    pub alive_codes: StatusSet,
    /// By what probes leave, whatever the address says.
    pub transport: Option<ResourceTransport>,
}

/// What a resource is watched by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Method {
    /// SIP OPTIONS.
    #[default]
    Options,
    /// Nothing: always healthy, only quarantine applies.
    None,
}

/// A set of SIP status codes, as ranges in ascending order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StatusSet(pub Vec<(u16, u16)>);

impl StatusSet {
    /// Whether the code is in one of the ranges.
    #[must_use]
    pub fn contains(&self, code: u16) -> bool {
        self.0.iter().any(|(low, high)| (*low..=*high).contains(&code))
    }

    /// The default of `failover.codes` for these services (rm.md §7.8).
    #[must_use]
    pub fn failover_default(services: &[Service]) -> Self {
        if services.iter().any(|s| matches!(s, Service::Gateway | Service::Cti)) {
            return Self(vec![(500, 500), (502, 504)]);
        }
        Self(vec![(480, 480), (486, 486), (500, 505), (513, 513)])
    }
}

impl Default for Monitor {
    fn default() -> Self {
        let alive = [(200, 299), (401, 401), (403, 407), (415, 415), (420, 420), (501, 501)];
        Self {
            method: Method::Options,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            down_after: 2,
            up_after: 1,
            recovery_interval: Duration::from_secs(2),
            alive_codes: StatusSet(alive.to_vec()),
            transport: None,
        }
    }
}
