//! Policies and parameters: what a tenant or profile may do and what its calls carry.
//!
//! Plain data of a snapshot; stage authorise applies the policy of every level (categories I and
//! II), and the nearest definition of category III (rm.md §6.1).

use super::{Service, ServiceSet};

/// The policy of one level (a tenant or a profile).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// Concurrent sessions, level 1; `None` = any number, 0 = none.
    pub usage_limit: Option<u32>,
    /// What may be admitted above level 1, marked.
    pub burst: Option<Burst>,
    /// Services with `allowed: false`.
    pub forbidden: ServiceSet,
    /// Response codes of refusals.
    pub respcodes: RespCodes,
    /// Which refusals raise an alarm.
    pub alarms: Alarms,
}

impl Policy {
    /// Whether this level allows the service.
    #[must_use]
    pub fn allows(&self, service: Service) -> bool {
        !self.forbidden.contains(service)
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

/// Response codes for refusals, 400–699; `None` = the next level's, at last the platform's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RespCodes {
    /// A usage limit is reached.
    pub usage_limit: Option<u16>,
    /// The service is forbidden.
    pub service_forbidden: Option<u16>,
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
