//! Policies and parameters: what a tenant or profile may do and what its calls carry.
//!
//! Plain data of a snapshot; stage authorise applies the policy of every level (categories I and
//! II), and the nearest definition of category III (rm.md §6.1).

use std::sync::Arc;
use std::time::Duration;

use super::dialing::Rule;
use super::{Service, ServiceSet};

/// The policy of one level: a tenant, a profile, or what a parent lays over one of its children.
/// `None` is "not said here".
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// Concurrent sessions, level 1; `None` = any number, 0 = none.
    pub usage_limit: Option<u32>,
    /// What may be admitted above level 1, marked.
    pub burst: Option<Burst>,
    /// Concurrent sessions whose first leg is inbound.
    pub inbound_usage_limit: Option<u32>,
    /// Concurrent outbound legs of service gateway.
    pub outbound_usage_limit: Option<u32>,
    /// New sessions per second; two seconds of it may be saved up.
    pub rate_limit: Option<u32>,
    /// Services with `allowed: false`.
    pub forbidden: ServiceSet,
    /// What is said of single services, each once; most policies say nothing.
    pub services: Vec<ServicePolicy>,
    /// `outbound_allowed: false`.
    pub outbound_forbidden: bool,
    /// `transfer_allowed: false`.
    pub transfer_forbidden: bool,
    /// Rules for dialled numbers, in their order; equal rules of a snapshot are one.
    pub dialing_rules: Vec<Arc<Rule>>,
    /// Longest call; of all levels the shortest counts.
    pub max_call_duration: Option<Duration>,
    /// Whether CTI may handle the calls of a gateway.
    pub cti_allowed: Option<bool>,
    /// Whether calls may be recorded.
    pub recording_allowed: Option<bool>,
    /// Whether an outbound leg leaves through the gateway of the inbound one.
    pub use_same_gateway: Option<SameGateway>,
    /// Response codes of refusals.
    pub respcodes: RespCodes,
    /// Which refusals raise an alarm.
    pub alarms: Alarms,
    /// What voicexml and ccxml calls carry as `gvp.policy.<key>`, not interpreted.
    pub pass: Vec<(String, String)>,
}

impl Policy {
    /// Whether this level allows the service.
    #[must_use]
    pub fn allows(&self, service: Service) -> bool {
        !self.forbidden.contains(service)
    }

    /// What this level says of a service besides whether it is allowed.
    #[must_use]
    pub fn service(&self, service: Service) -> Option<&ServicePolicy> {
        self.services.iter().find(|one| one.service == service)
    }
}

/// What a policy says of one service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServicePolicy {
    /// The service.
    pub service: Service,
    /// Concurrent legs of it.
    pub usage_limit: Option<u32>,
    /// Legs of it inside one session.
    pub per_session: Option<u32>,
    /// Response code when one of the two is reached.
    pub respcode: Option<u16>,
    /// Response code when it is not allowed.
    pub forbidden_respcode: Option<u16>,
}

impl ServicePolicy {
    /// What is said of the same service under its other name holds too: the lower limits.
    pub(super) fn also(&mut self, other: &Self) {
        let lower = |one: Option<u32>, other: Option<u32>| one.into_iter().chain(other).min();
        self.usage_limit = lower(self.usage_limit, other.usage_limit);
        self.per_session = lower(self.per_session, other.per_session);
        self.respcode = self.respcode.or(other.respcode);
        self.forbidden_respcode = self.forbidden_respcode.or(other.forbidden_respcode);
    }
}

/// Levels above `usage_limit`: usage_limit ≤ level2 ≤ level3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Burst {
    /// The highest number of concurrent sessions at level 2.
    pub level2: u32,
    /// The same at level 3; `None` = there is no level 3.
    pub level3: Option<u32>,
}

/// Whether an outbound leg leaves through the gateway that its session came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SameGateway {
    /// Any gateway.
    No,
    /// That one if it can, else another.
    Preferred,
    /// That one or none.
    Required,
}

/// Response codes for refusals, 400–699; `None` = the next level's, at last the platform's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RespCodes {
    /// A usage limit is reached.
    pub usage_limit: Option<u16>,
    /// A rate limit is reached.
    pub rate_limit: Option<u16>,
    /// The service is forbidden.
    pub service_forbidden: Option<u16>,
    /// Outbound calls are forbidden.
    pub outbound_forbidden: Option<u16>,
    /// Transfers are forbidden.
    pub transfer_forbidden: Option<u16>,
    /// A dialling rule forbids the number.
    pub dialing_rule_forbidden: Option<u16>,
}

/// Alarms by refusal; `None` = as the next level says, at last `false`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Alarms {
    /// A usage limit is reached.
    pub usage_limit: Option<bool>,
    /// A rate limit is reached.
    pub rate_limit: Option<bool>,
    /// The service is forbidden.
    pub service_forbidden: Option<bool>,
    /// Outbound calls are forbidden.
    pub outbound_forbidden: Option<bool>,
    /// Transfers are forbidden.
    pub transfer_forbidden: Option<bool>,
    /// A dialling rule forbids the number.
    pub dialing_rule_forbidden: Option<bool>,
}

/// A parameter that calls of one service carry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parameter {
    /// The service whose calls carry it.
    pub service: Service,
    /// Its name: `^[A-Za-z0-9._-]{1,64}$`.
    pub name: String,
    /// Its value; `${…}` is replaced per call.
    pub value: String,
    /// Whether it replaces what the caller sent (`fixed`), or is added only when absent.
    pub fixed: bool,
}
