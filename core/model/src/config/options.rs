//! The options of a daemon (rm.md §4.4, rs.md §9): typed, with defaults.
//!
//! GVP's names are kept in the configuration (`rm/max-tries`, `proxy/sip.mtusize`); here they are
//! fields. Only options that this version acts on are here.

mod reporting;
mod starting;

use std::time::Duration;

pub use self::reporting::{BrokerSaid, Keeping, Reporting, RollupSaid};
pub use self::starting::{AtStart, DATABASE_SERVERS, TlsSaid};
use super::{CtiAction, StatusSet};
use crate::did::Pattern;

/// Options of an `Application` object: of a Resource Manager, but for `verbose`, which everybody
/// has, and `reporting`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// `rm/sip-header-for-dnis`: where the called number is read.
    pub dnis_header: DnisHeader,
    /// `rm/ignore-ruri-tenant-dbid`: whether `gvp-tenant-id` is never a DBID.
    pub ignore_ruri_tenant_dbid: bool,
    /// `rm/trust-tenant-parameter`: whether `gvp-tenant-id` is heeded.
    pub trust_tenant_parameter: bool,
    /// `rm/ignore-gw-lrg-configuration`: whether the group of a gateway says nothing of its calls.
    pub ignore_gateway_group: bool,
    /// `rm/allow-direct-outbound`: where a tenant has no gateway, its calls to the outside may go
    /// to the host in their Request-URI.
    pub direct_outbound: bool,
    /// `rm/session-linger`: how long a session can be joined after its last leg.
    pub session_linger: Duration,
    /// `rm/cti-unavailable-respcode`: answers of a connector after which no other one is asked.
    pub cti_stops: StatusSet,
    /// `rm/cti-unavailable-action`: what follows such an answer.
    pub cti_stopped: CtiAction,
    /// `rm/forward-503`: whether a media server's 503 goes to the caller as it is.
    pub forward_503: bool,
    /// `rm/max-tries`: branches per group for one INVITE, 1–5.
    pub max_tries: u8,
    /// `rm/max-hunt`: the whole time of finding a resource.
    pub max_hunt: Duration,
    /// `rm/try-timeout`: how long one try may stay without any answer (a group's own wins).
    pub try_timeout: Duration,
    /// `rm/no-timer-lifetime`: silence after which a call without session timer is ended.
    pub no_timer_lifetime: Duration,
    /// `rm/orphan-lifetime`: the same for a rebuilt leg.
    pub orphan_lifetime: Duration,
    /// `rm/max-session-expires`: the longest session interval that is passed on, in seconds.
    pub max_session_expires: u32,
    /// `rm/max-spirals`: how often one call may pass through.
    pub max_spirals: u8,
    /// `rm/profile-not-found-respcode`
    pub profile_not_found_respcode: u16,
    /// `rm/resource-unavailable-respcode`
    pub resource_unavailable_respcode: u16,
    /// `rm/resource-no-match-respcode`
    pub resource_no_match_respcode: u16,
    /// `rm/resource-full-respcode`; `None` = `resource-unavailable-respcode`
    pub resource_full_respcode: Option<u16>,
    /// `rm/resource-draining-respcode`; alike
    pub resource_draining_respcode: Option<u16>,
    /// `rm/resource-dead-respcode`; alike
    pub resource_dead_respcode: Option<u16>,
    /// `rm/resource-disabled-respcode`; alike
    pub resource_disabled_respcode: Option<u16>,
    /// `rm/conference-sip-error-respcode`: the server of a conference is dead.
    pub conference_error_respcode: u16,
    /// `rm/overload-respcode`
    pub overload_respcode: u16,
    /// `rm/priority-numbers`: calls to them are not refused by limits, and not shed.
    pub priority_numbers: Vec<Pattern>,
    /// `rm/refused-methods`: methods answered with 405.
    pub refused_methods: Vec<String>,
    /// `rm/sos-number`: the number that `urn:service:sos` stands for.
    pub sos_number: Option<String>,
    /// `proxy/sip.mtusize`: bytes.
    pub mtu: u16,
    /// `proxy/sip.min_se`: the shortest session interval that is accepted, in seconds.
    pub min_se: u32,
    /// `proxy/sip.timer.t1`, `.t2`, `.t4`, `.c`, as far as they are given; read at the start only.
    pub timers: Timers,
    /// `proxy/sip.transport.setuptimer.tcp`: how long a TCP connect may take.
    pub connect_time: Duration,
    /// `proxy/sip.maxtcpconnections`: connections open at once, TCP and TLS together.
    pub max_connections: u16,
    /// `proxy/sip.transport.dnsharouting`: all addresses of a host name are tried before the
    /// resource counts as failed; else only the first.
    pub dns_routing: bool,
    /// `proxy/sip.headerutf8verification`: a request whose head is not UTF-8 is malformed.
    pub header_utf8: bool,
    /// `records/trace-sample`: one in so many calls placed at the first try has its trace in the
    /// record; 0 = none.
    pub trace_sample: u32,
    /// `records/update-interval`: how often the record of a call that is up is renewed; 0 = never.
    pub update_interval: Duration,
    /// `log/verbose`: what is logged; `None`: what the boot setting `log.level` says.
    pub verbose: Option<Verbose>,
    /// What a Reporting Server acts on.
    pub reporting: Reporting,
}

/// What is logged, in GVP's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verbose {
    /// `all`
    All,
    /// `debug`
    Debug,
    /// `trace`
    Trace,
    /// `interaction`
    Interaction,
    /// `standard`
    Standard,
    /// `none`
    None,
}

/// Timers of RFC 3261 that are not the RFC's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Timers {
    /// T1: estimate of a round trip.
    pub t1: Option<Duration>,
    /// T2: longest gap between repeated requests.
    pub t2: Option<Duration>,
    /// T4: longest life of a message in the network.
    pub t4: Option<Duration>,
    /// Timer C: longest wait for the final answer to an INVITE, restarted by each 101–199.
    pub c: Option<Duration>,
}

/// Where the called number is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DnisHeader {
    /// The Request-URI.
    #[default]
    RequestUri,
    /// The To header.
    To,
    /// The first entry of History-Info.
    HistoryInfo,
    /// P-Called-Party-ID.
    PCalledPartyId,
    /// Diversion.
    Diversion,
}

impl Options {
    /// The options of `configured` that count only after a restart of who works with these
    /// (ops.md §1.10); all others count at once.
    #[must_use]
    pub fn restart_required(&self, configured: &Self) -> Vec<&'static str> {
        let (timers, new) = (&self.timers, &configured.timers);
        let of_rs = self.reporting.at_start.differing(&configured.reporting.at_start);
        let own = [
            ("proxy/sip.timer.t1", timers.t1 != new.t1),
            ("proxy/sip.timer.t2", timers.t2 != new.t2),
            ("proxy/sip.timer.t4", timers.t4 != new.t4),
            ("proxy/sip.timer.c", timers.c != new.c),
        ];
        let own = own.into_iter().filter_map(|(name, differs)| differs.then_some(name));
        own.chain(of_rs).collect()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dnis_header: DnisHeader::RequestUri,
            ignore_ruri_tenant_dbid: true,
            trust_tenant_parameter: true,
            ignore_gateway_group: false,
            direct_outbound: false,
            session_linger: Duration::from_secs(5),
            cti_stops: StatusSet::default(),
            cti_stopped: CtiAction::Reject,
            forward_503: false,
            max_tries: 3,
            max_hunt: Duration::from_secs(20),
            try_timeout: Duration::from_secs(2),
            no_timer_lifetime: Duration::from_secs(6 * 3600),
            orphan_lifetime: Duration::from_secs(3600),
            max_session_expires: 7200,
            max_spirals: 5,
            profile_not_found_respcode: 404,
            resource_unavailable_respcode: 480,
            resource_no_match_respcode: 480,
            resource_full_respcode: None,
            resource_draining_respcode: None,
            resource_dead_respcode: None,
            resource_disabled_respcode: None,
            conference_error_respcode: 503,
            overload_respcode: 503,
            priority_numbers: Vec::new(),
            refused_methods: vec!["REFER".to_owned(), "PUBLISH".to_owned()],
            sos_number: None,
            mtu: 1500,
            min_se: 90,
            timers: Timers::default(),
            connect_time: Duration::from_secs(5),
            max_connections: 10_000,
            dns_routing: true,
            header_utf8: false,
            trace_sample: 100,
            update_interval: Duration::from_secs(15 * 60),
            verbose: None,
            reporting: Reporting::default(),
        }
    }
}
