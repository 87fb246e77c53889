//! All limits of the configuration, with unit and reason.
//!
//! Those of ops.md §1.11 are checked in the last stage of validation (E501); the others bound what
//! a single value may be.

use std::time::Duration;

/// Bytes of one document.
pub const MAX_DOCUMENT: usize = 4 << 20;
/// Nesting of a document: deeper is no configuration but an attack on the stack.
pub const MAX_NESTING: usize = 32;
/// Tenants of a platform.
pub const MAX_TENANTS: usize = 20_000;
/// Tenants above each other below `Environment`: stage authorise walks them for every call.
pub const MAX_DEPTH: usize = 32;
/// Patterns of one number group.
pub const MAX_GROUP_PATTERNS: usize = 100_000;
/// Patterns of a platform.
pub const MAX_PATTERNS: usize = 2_000_000;
/// Resources of one group.
pub const MAX_GROUP_RESOURCES: usize = 5_000;
/// Resources of a platform.
pub const MAX_RESOURCES: usize = 20_000;
/// Problems reported of one stage: more only hide the first.
pub const MAX_PROBLEMS: usize = 100;
/// Patterns of `rm/priority-numbers`: emergency and operator numbers, not a numbering plan.
pub const MAX_PRIORITY_NUMBERS: usize = 1_000;
/// Characters of a number: also the bound of a look-up.
pub const MAX_NUMBER: usize = 64;
/// Digits of the ends of a range: they are kept as 64-bit numbers.
pub const MAX_RANGE_DIGITS: u8 = 18;
/// Capabilities that one object names: stage place compares them for every call that asks.
pub const MAX_CAPABILITIES: usize = 64;
/// Groups that a profile prefers.
pub const MAX_PREFERRED: usize = 64;
/// Labels of one object.
pub const MAX_LABELS: usize = 256;
/// Characters of a label's key.
pub const MAX_LABEL_KEY: usize = 255;
/// Characters of a label's value.
pub const MAX_LABEL_VALUE: usize = 4_096;
/// Characters of a name: call headers carry it.
pub const MAX_NAME: usize = 64;
/// Names under which one group finds members.
pub const MAX_DISCOVERIES: usize = 8;
/// Characters of the address of an application: a host name and a port.
pub const MAX_ADDRESS: usize = 260;
/// Applications that one talks to.
pub const MAX_CONNECTIONS: usize = 64;
/// Templates above each other: linking walks them for every application.
pub const MAX_TEMPLATES: usize = 8;
/// Characters of an alias.
pub const MAX_ALIAS: usize = 64;
/// Characters of a URL: a request line carries it (rm.md §1.9).
pub const MAX_URL: usize = 2_048;
/// Characters of a conference id: a user part carries it (rm.md §3.6).
pub const MAX_CONFERENCE: usize = 128;
/// Characters of a geo location.
pub const MAX_LOCATION: usize = 64;
/// Characters of free text and of a parameter's value.
pub const MAX_TEXT: usize = 4_096;
/// Dialling rules of one policy (rm.md §6.3).
pub const MAX_RULES: usize = 200;
/// Characters of a dialling rule: its pattern, and what it makes of a number.
pub const MAX_RULE: usize = 512;
/// Bytes of the pattern of a dialling rule (rm.md §6.3).
pub const MAX_RULE_PATTERN: usize = 256;
/// Bytes of a compiled pattern: what counts to more than numbers need is refused.
pub const MAX_RULE_COMPILED: usize = 64 << 10;
/// Different dialling rules of a platform: each takes some KiB.
pub const MAX_RULE_TEXTS: usize = 20_000;
/// Longest `max_call_duration`: a year.
pub const MAX_CALL: Duration = Duration::from_secs(365 * 86_400);
/// Bytes that RM may add to a forwarded request (rm.md §1.4).
pub const MAX_ADDED_HEADERS: usize = 1_000;
