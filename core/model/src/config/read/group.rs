//! Resource groups.

use std::time::Duration;

use super::capability::{capabilities, locations};
use super::discovery;
use super::head::Head;
use super::policy::code;
use super::resource::{self, ResourceDraft};
use super::values::{code_list, service, session_interval, status_set};
use crate::config::limits::MAX_URL;
use crate::config::{
    Capabilities, Cti, CtiAction, Discovery, HashOn, Method, Monitor, OnDead, PortUsage,
    ResourceTransport, Scheme, Service, StatusSet, UseCti,
};
use crate::schema::{Field, Object, Place, Placed};
use crate::tree::Value;

const ZERO: Duration = Duration::ZERO;
const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A resource group as it was written.
#[derive(Clone, Debug)]
pub(crate) struct GroupDraft {
    pub(crate) head: Head,
    pub(crate) services: Vec<Service>,
    pub(crate) scheme: Scheme,
    /// What `hash` looks at was said.
    pub(crate) hash_on: Option<Place>,
    pub(crate) shared_with_children: bool,
    pub(crate) preference: u16,
    pub(crate) locations: Vec<String>,
    pub(crate) capabilities: Capabilities,
    pub(crate) monitor: Placed<Monitor>,
    pub(crate) port_usage: PortUsage,
    pub(crate) conference_size: Option<Placed<u32>>,
    pub(crate) conference_count: Option<Placed<u32>>,
    pub(crate) on_dead: OnDead,
    pub(crate) release_after: Duration,
    pub(crate) port_capacity: Option<u32>,
    pub(crate) failover_codes: StatusSet,
    pub(crate) try_timeout: Option<Duration>,
    pub(crate) quarantine: Placed<Duration>,
    pub(crate) max_quarantine: Placed<Duration>,
    pub(crate) session_expires: Option<u32>,
    pub(crate) noresource_response_code: Option<Placed<i64>>,
    pub(crate) use_cti: UseCti,
    pub(crate) remove_ruri_capability_on_fallback: bool,
    pub(crate) cti: Cti,
    /// Fields that only a group of this service may have.
    pub(crate) only_with: Vec<Placed<(&'static str, Service)>>,
    pub(crate) resources: Vec<ResourceDraft>,
    pub(crate) discovery: Vec<Discovery>,
    /// Where the list of resources stands.
    pub(crate) place: Place,
}

pub(super) fn read(head: Head, spec: &Object<'_>) -> Option<GroupDraft> {
    let kind = head.kind.as_str();
    let services = spec.require("services", kind).and_then(|field| services(&field));
    let ofcti = cti_fields(spec);
    let duration = |key, least| spec.get(key).and_then(|field| field.duration(least, HOUR));
    let try_timeout = duration("try_timeout", MS);
    let (quarantine, max_quarantine) = quarantines(spec);
    let release_after = duration("release_after", ZERO);
    let shared = spec.get("shared").and_then(|f| f.choice(&[("tree", true), ("own", false)]));
    let preference = spec.get("preference").and_then(|field| field.whole(0, 1000));
    let port_capacity = spec.get("port_capacity").and_then(|field| field.whole(0, u32::MAX));
    let no_resource = spec.get("noresource_response_code").and_then(|field| code(&field));
    let session_expires = spec.get("session_expires").and_then(|f| session_interval(&f));
    let hash_on = spec.get("hash_on").map(|field| field.place().clone());
    let (scheme, monitor, failover) = (scheme(spec), monitor(spec), failover(spec));
    let list = spec.get("resources");
    let place = list.as_ref().map_or(spec.place(), Field::place).clone();
    let items = list.and_then(|field| field.list()).unwrap_or_default();
    let resources = items.iter().filter_map(|item| resource::read(item, kind)).collect();
    let (conference_size, conference_count) = resource::conferences(spec);
    later(spec);
    let services = services?;
    Some(GroupDraft {
        scheme,
        hash_on,
        shared_with_children: shared.unwrap_or(true),
        preference: preference.unwrap_or(100),
        locations: locations(spec, "geo_location"),
        capabilities: capabilities(spec, "capabilities"),
        monitor,
        port_usage: port_usage(spec),
        conference_size,
        conference_count,
        on_dead: on_dead(spec),
        release_after: release_after.unwrap_or(Duration::from_secs(15)),
        port_capacity,
        failover_codes: failover.unwrap_or_else(|| StatusSet::failover_default(&services)),
        try_timeout,
        quarantine,
        max_quarantine,
        session_expires,
        noresource_response_code: no_resource,
        use_cti: ofcti.use_cti,
        remove_ruri_capability_on_fallback: ofcti.drops_capability,
        cti: ofcti.cti,
        only_with: ofcti.only_with,
        resources,
        discovery: discovery::read(spec, kind),
        place,
        services,
        head,
    })
}

/// The first and the longest quarantine; one that is not given stands where the other one does.
fn quarantines(spec: &Object<'_>) -> (Placed<Duration>, Placed<Duration>) {
    let given = ["quarantine", "max_quarantine"].map(|key| {
        let field = spec.get(key)?;
        field.duration(ZERO, HOUR).map(|duration| field.placed(duration))
    });
    let place = |one: &Option<Placed<Duration>>| one.as_ref().map(|one| one.place.clone());
    let [first, longest] = given;
    let (at_first, at_longest) = (place(&first), place(&longest));
    let or = |given: Option<Placed<Duration>>, seconds, other: Option<Place>| {
        let place = other.unwrap_or_else(|| spec.place().clone());
        given.unwrap_or(Placed { value: Duration::from_secs(seconds), place })
    };
    (or(first, 10, at_longest), or(longest, 60, at_first))
}

/// The services that a group offers.
fn services(field: &Field<'_>) -> Option<Vec<Service>> {
    let items = field.list()?;
    if items.is_empty() {
        field.note("E106", "\"services\" must be between 1 and 12 services");
        return None;
    }
    let mut services = Vec::new();
    for item in &items {
        let Some(service) = service(item) else { continue };
        if !services.contains(&service) {
            services.push(service);
        }
    }
    (!services.is_empty()).then_some(services)
}

fn scheme(spec: &Object<'_>) -> Scheme {
    let keys = [
        ("call-id", HashOn::CallId),
        ("from-user", HashOn::FromUser),
        ("dnis", HashOn::Dnis),
        ("session", HashOn::Session),
    ];
    let hash_on = spec.get("hash_on").and_then(|field| field.choice(&keys)).unwrap_or_default();
    let schemes = [
        ("round-robin", Scheme::RoundRobin),
        ("least-used", Scheme::LeastUsed),
        ("least-percent", Scheme::LeastPercent),
        ("weighted", Scheme::Weighted),
        ("hash", Scheme::Hash(hash_on)),
    ];
    spec.get("scheme").and_then(|field| field.choice(&schemes)).unwrap_or_default()
}

fn port_usage(spec: &Object<'_>) -> PortUsage {
    let all = [("in-and-out", PortUsage::InAndOut), ("in", PortUsage::In), ("out", PortUsage::Out)];
    spec.get("port_usage").and_then(|field| field.choice(&all)).unwrap_or_default()
}

fn on_dead(spec: &Object<'_>) -> OnDead {
    let all = [("bye", OnDead::Bye), ("notify", OnDead::Notify), ("none", OnDead::None)];
    spec.get("on_dead").and_then(|field| field.choice(&all)).unwrap_or_default()
}

fn failover(spec: &Object<'_>) -> Option<StatusSet> {
    let object = spec.get("failover")?.object()?;
    // a 2xx is no failure, and after a 6xx nobody else is asked (RFC 3261 §16.7 step 5)
    let codes = object.get("codes").and_then(|field| status_set(&field, (300, 599)));
    object.finish();
    codes
}

fn monitor(spec: &Object<'_>) -> Placed<Monitor> {
    let mut monitor = Monitor::default();
    let absent = Placed { value: monitor.clone(), place: spec.place().clone() };
    let Some(field) = spec.get("monitor") else { return absent };
    let Some(object) = field.object() else { return absent };
    let duration = |key| object.get(key).and_then(|field| field.duration(MS * 10, HOUR));
    let times = |key| object.get(key).and_then(|field| field.whole(1, 1000));
    if let Some(method) = object.get("method") {
        match method.choice(&[("options", "options"), ("none", "none"), ("register", "register")]) {
            Some("none") => monitor.method = Method::None,
            Some("register") => method.unavailable().unwrap_or_default(),
            _ => {}
        }
    }
    monitor.interval = duration("interval").unwrap_or(monitor.interval);
    monitor.timeout = duration("timeout").unwrap_or(monitor.timeout);
    monitor.recovery_interval = duration("recovery_interval").unwrap_or(monitor.recovery_interval);
    monitor.down_after = times("down_after").unwrap_or(monitor.down_after);
    monitor.up_after = times("up_after").unwrap_or(monitor.up_after);
    if let Some(field) = object.get("alive_codes") {
        // a 1xx is no answer
        let codes = status_set(&field, (200, 699));
        if codes.as_ref().is_some_and(|codes| codes.0.is_empty()) {
            field.note("E106", "\"monitor.alive_codes\" must be between 1 and 500 codes");
        }
        monitor.alive_codes = codes.unwrap_or(monitor.alive_codes);
    }
    let transports = [
        ("udp", ResourceTransport::Udp),
        ("tcp", ResourceTransport::Tcp),
        ("tls", ResourceTransport::Tls),
    ];
    let transport = object.get("transport").filter(|field| !field.node().is_null());
    monitor.transport = transport.and_then(|field| field.choice(&transports));
    object.finish();
    field.placed(monitor)
}

/// Known fields of parts that are not built.
fn later(spec: &Object<'_>) {
    spec.unavailable("auto_register", |value| *value == Value::Bool(false));
}

/// What a group says of CTI.
#[derive(Default)]
struct CtiFields {
    use_cti: UseCti,
    drops_capability: bool,
    cti: Cti,
    only_with: Vec<Placed<(&'static str, Service)>>,
}

fn cti_fields(spec: &Object<'_>) -> CtiFields {
    let mut read = CtiFields::default();
    if let Some(field) = spec.get("use_cti") {
        read.use_cti = match field.whole(0, 2) {
            Some(1) => UseCti::AtOnce,
            Some(2) => UseCti::WithProfile,
            _ => UseCti::Never,
        };
        if read.use_cti != UseCti::Never {
            read.only_with.push(field.placed(("use_cti", Service::Gateway)));
        }
    }
    let name = "remove_ruri_capability_on_fallback";
    if let Some(field) = spec.get(name) {
        read.drops_capability = field.boolean().unwrap_or(false);
        if read.drops_capability {
            read.only_with.push(field.placed((name, Service::Gateway)));
        }
    }
    let codes = spec.get("cti_unavailable_respcode");
    read.cti.stops = codes.as_ref().and_then(code_list);
    let stopped = spec.get("cti_unavailable_action");
    read.cti.stopped = stopped.as_ref().and_then(cti_action);
    let exhausted = spec.get("fail_over_cti_handling");
    read.cti.exhausted = exhausted.as_ref().and_then(cti_action).unwrap_or_default();
    let given = [
        (codes, "cti_unavailable_respcode", true),
        (stopped, "cti_unavailable_action", read.cti.stopped != Some(CtiAction::Reject)),
        (exhausted, "fail_over_cti_handling", read.cti.exhausted != CtiAction::Reject),
    ];
    let given = given.into_iter().filter(|(.., matters)| *matters);
    let placed = given.filter_map(|(field, name, _)| Some(field?.placed((name, Service::Cti))));
    read.only_with.extend(placed);
    read
}

/// `reject`, `answer` or `script;<service>;<URL>`.
pub(super) fn cti_action(field: &Field<'_>) -> Option<CtiAction> {
    let text = field.text_up_to(MAX_URL)?;
    let action = CtiAction::parse(text);
    if action.is_none() {
        let name = field.name();
        let text = format!("{name}: expected reject, answer or script;<service>;<URL>");
        field.note("E411", text);
    }
    action
}
