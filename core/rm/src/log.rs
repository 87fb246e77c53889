//! Numbers of the log lines that the engine asks for (rm.md §12.1); level and name stand with
//! them in `io/telemetry`. Never reused.

pub(crate) const PARSE_ERROR: u16 = 20101;
pub(crate) const UNTRUSTED_SOURCE: u16 = 20102;
pub(crate) const RELAY_REFUSED: u16 = 20103;
pub(crate) const BAD_TOKEN: u16 = 20104;
pub(crate) const LOOP: u16 = 20110;
pub(crate) const OVERLOAD: u16 = 20111;
pub(crate) const UDP_ONLY: u16 = 20117;
pub(crate) const NAME_FAILED: u16 = 20118;
pub(crate) const RESOURCE_MOVED: u16 = 20119;
pub(crate) const NO_PROFILE: u16 = 20201;
pub(crate) const USAGE_LIMIT: u16 = 20301;
pub(crate) const SERVICE_FORBIDDEN: u16 = 20304;
pub(crate) const BURST_LEVEL_2: u16 = 20307;
pub(crate) const BURST_LEVEL_3: u16 = 20308;
pub(crate) const NO_RESOURCE: u16 = 20401;
pub(crate) const RESOURCE_DEAD: u16 = 20402;
pub(crate) const RESOURCE_HEALTHY: u16 = 20403;
pub(crate) const QUARANTINED: u16 = 20404;
pub(crate) const DRAINING: u16 = 20405;
pub(crate) const ADMIN_CHANGED: u16 = 20406;
pub(crate) const GROUP_FULL: u16 = 20407;
pub(crate) const CALLS_LOST: u16 = 20408;
pub(crate) const BYE_ANSWER_LATE: u16 = 20503;
pub(crate) const ADOPTED: u16 = 20704;
pub(crate) const INTERNAL: u16 = 20901;
