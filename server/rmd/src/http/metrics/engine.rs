//! The engine's numbers as metrics: requests and answers, calls, resources, sockets.

use super::{float, single, size, total};
use crate::figures::Figures;
use model::config::Source;
use rm::ResourceView;
use std::collections::BTreeMap;
use telemetry::names;
use telemetry::prometheus::{Exposition, Kind};

/// States of a resource that have a series each (rm.md §7.1).
const STATES: [&str; 7] =
    ["unknown", "healthy", "full", "quarantined", "dead", "draining", "disabled"];

pub(super) fn families(out: &mut Exposition, figures: &Figures) {
    messages(out, figures);
    names_of_hosts(out, figures);
    calls(out, figures);
    resources(out, &figures.resources);
    groups(out, &figures.resources);
    tries(out, figures);
    sockets(out, figures);
}

fn messages(out: &mut Exposition, figures: &Figures) {
    let counters = &figures.counters;
    out.family(names::RM_REQUESTS_TOTAL, Kind::Counter, "requests, without retransmissions");
    for ((stack, method), count) in &counters.requests {
        out.sample(&[("stack", stack), ("method", method)], float(*count));
    }
    out.family(names::RM_ANSWERS_TOTAL, Kind::Counter, "final answers, made or passed on");
    for ((code, reason), count) in &counters.answers {
        out.sample(&[("code", &code.to_string()), ("reason", reason)], float(*count));
    }
    out.family(names::RM_FORWARDED_TOTAL, Kind::Counter, "legs forwarded, by final code");
    for ((service, code), count) in &counters.forwarded {
        out.sample(&[("service", service), ("code", &code.to_string())], float(*count));
    }
    out.family(names::RM_DROPPED_TOTAL, Kind::Counter, "messages dropped without an answer");
    for (why, count) in &counters.dropped {
        out.sample(&[("why", why)], float(*count));
    }
    out.family(names::RM_RETRANSMISSIONS_TOTAL, Kind::Counter, "messages repeated, both ways");
    let transactions = &figures.transactions;
    out.sample(&[("direction", "in")], float(transactions.retransmissions_in));
    out.sample(&[("direction", "out")], float(transactions.retransmissions_out));
    let help = "finished transactions dropped before their timer";
    total(out, names::RM_TRANSACTIONS_FORGOTTEN_TOTAL, help, transactions.forgotten);
    out.family(names::RM_PARSE_ERRORS_TOTAL, Kind::Counter, "messages that are no SIP");
    for (transport, count) in &counters.parse_errors {
        out.sample(&[("transport", transport)], float(*count));
    }
    let mirrored = figures.mirrored;
    total(out, names::RM_HEP_SENT_TOTAL, "copies that left for the collector", mirrored.sent);
    let help = "messages without copy, and copies that were not taken";
    total(out, names::RM_HEP_LOST_TOTAL, help, mirrored.lost);
}

fn names_of_hosts(out: &mut Exposition, figures: &Figures) {
    let counters = &figures.counters;
    let help = "questions to the name service";
    total(out, names::RM_NAME_QUESTIONS_TOTAL, help, counters.names_asked);
    out.family(names::RM_NAME_FAILURES_TOTAL, Kind::Counter, "host names that led nowhere");
    for (reason, count) in &counters.names_failed {
        out.sample(&[("reason", reason)], float(*count));
    }
    let (known, stale) = figures.names;
    single(out, names::RM_NAMES_KNOWN, "host names whose answer is kept", size(known));
    let help = "age of the oldest answer that serves although its renewal failed";
    single(out, names::RM_NAME_STALE_SECONDS, help, stale.as_secs_f64());
    let help = "requests that went to the next address of the same name";
    out.family(names::RM_ADDRESS_FAILOVERS_TOTAL, Kind::Counter, help);
    for (reason, count) in &counters.address_failovers {
        out.sample(&[("reason", reason)], float(*count));
    }
}

fn calls(out: &mut Exposition, figures: &Figures) {
    let counters = &figures.counters;
    single(out, names::RM_SESSIONS, "live sessions of this node", size(figures.status.sessions));
    nested(out, names::RM_REJECTED_TOTAL, "calls refused", ("tenant", "reason"), {
        &counters.rejected
    });
    nested(out, names::RM_BURST_TOTAL, "sessions above level 1", ("tenant", "level"), {
        &counters.burst
    });
    total(out, names::RM_ADOPTED_TOTAL, "legs taken over", counters.adopted);
    total(out, names::RM_REBUILT_TOTAL, "legs rebuilt from a token", counters.rebuilt);
    total(out, names::RM_INTERRUPTED_TOTAL, "legs ended without BYE", counters.interrupted);
    out.family(names::RM_CALLS_CUT_TOTAL, Kind::Counter, "calls that RM itself ended");
    for (why, count) in &counters.calls_cut {
        out.sample(&[("why", why)], float(*count));
    }
    total(out, names::RM_LEDGER_IN_TOTAL, "legs begun, adopted or rebuilt", counters.ledger_in);
    total(out, names::RM_LEDGER_OUT_TOTAL, "end records made", counters.ledger_out);
    let open = counters.ledger_in.saturating_sub(counters.ledger_out);
    single(out, names::RM_LEDGER_OPEN, "in less out", float(open));
    let help = "0 normal, 1 shedding some new requests, 2 shedding all";
    single(out, names::RM_OVERLOAD_STATE, help, f64::from(figures.overload));
    single(out, names::RM_DRAINING, "the node is leaving", f64::from(u8::from(figures.draining)));
    total(out, names::RM_INVITE_4XX, "4xx to INVITE sent upstream", counters.invite_4xx_sent);
    total(out, names::RM_INVITE_5XX, "5xx to INVITE sent upstream", counters.invite_5xx_sent);
}

fn resources(out: &mut Exposition, resources: &[ResourceView]) {
    out.family(names::RM_RESOURCE_STATE, Kind::Gauge, "1 for the state that a resource is in");
    for resource in resources {
        for state in STATES {
            let labels =
                [("group", &*resource.group), ("resource", &*resource.name), ("state", state)];
            out.sample(&labels, f64::from(u8::from(resource.state == state)));
        }
    }
    out.family(names::RM_RESOURCE_USED, Kind::Gauge, "legs and watched tries");
    for resource in resources {
        out.sample(&of(resource), size(resource.used));
    }
    out.family(names::RM_RESOURCE_CAPACITY, Kind::Gauge, "places; -1 = unlimited");
    for resource in resources {
        out.sample(&of(resource), resource.capacity.map_or(-1.0, f64::from));
    }
    out.family(names::RM_PR_NAME, Kind::Gauge, "a resource, always 1");
    for resource in resources {
        out.sample(&[("rmPRName", &resource.name)], 1.0);
    }
    out.family(names::RM_PR_STATUS, Kind::Gauge, "a resource's state, always 1");
    for resource in resources {
        let status = pr_status(resource.state);
        out.sample(&[("rmPRName", &resource.name), ("rmPRStatus", status)], 1.0);
    }
    out.family(names::RM_PR_ACTIVE_CALLS, Kind::Gauge, "legs on a resource");
    for resource in resources {
        out.sample(&[("rmPRName", &resource.name)], size(resource.used));
    }
    out.family(names::RM_PR_TOTAL_CALLS, Kind::Counter, "legs placed on a resource");
    for resource in resources {
        out.sample(&[("rmPRName", &resource.name)], float(resource.total));
    }
}

/// The word of GVP's MIB for a state (rm.md §7.1).
fn pr_status(state: &str) -> &'static str {
    if matches!(state, "healthy" | "full") { "AVAILABLE" } else { "UNAVAILABLE" }
}

/// What the resources of a group are together.
#[derive(Default)]
struct Group {
    /// By state and source.
    states: BTreeMap<(&'static str, &'static str), usize>,
    /// None: one of them is without bound.
    capacity: Option<u64>,
    used: usize,
}

fn groups(out: &mut Exposition, resources: &[ResourceView]) {
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    for resource in resources {
        let first = || Group { capacity: Some(0), ..Group::default() };
        let group = groups.entry(&resource.group).or_insert_with(first);
        *group.states.entry((resource.state, resource.source)).or_default() += 1;
        let both = group.capacity.zip(resource.capacity);
        group.capacity = both.map(|(sum, own)| sum.saturating_add(u64::from(own)));
        group.used += resource.used;
    }
    out.family(names::RM_GROUP_RESOURCES, Kind::Gauge, "resources of a group in a state");
    for (group, own) in &groups {
        for state in STATES {
            for source in Source::ALL.map(Source::as_str) {
                let labels = [("group", *group), ("state", state), ("source", source)];
                let count = own.states.get(&(state, source)).copied().unwrap_or_default();
                out.sample(&labels, size(count));
            }
        }
    }
    out.family(names::RM_GROUP_CAPACITY, Kind::Gauge, "places of a group; -1 = unlimited");
    for (group, own) in &groups {
        out.sample(&[("group", group)], own.capacity.map_or(-1.0, float));
    }
    out.family(names::RM_GROUP_USED, Kind::Gauge, "legs and watched tries of a group");
    for (group, own) in &groups {
        out.sample(&[("group", group)], size(own.used));
    }
}

fn tries(out: &mut Exposition, figures: &Figures) {
    let counters = &figures.counters;
    out.family(names::RM_RESOURCE_TRIES_TOTAL, Kind::Counter, "tries, by outcome");
    for (group, resources) in &counters.tries {
        for (resource, outcomes) in resources {
            for (outcome, count) in outcomes {
                let labels = [("group", &**group), ("resource", resource), ("outcome", outcome)];
                out.sample(&labels, float(*count));
            }
        }
    }
    nested(out, names::RM_FAILOVERS_TOTAL, "next resource tried", ("group", "reason"), {
        &counters.failovers
    });
    nested(out, names::RM_LATE_ANSWERS_TOTAL, "answers to tries given up", ("group", "code"), {
        &counters.late_answers
    });
    out.family(names::RM_GROUP_EXHAUSTED_TOTAL, Kind::Counter, "requests that found no resource");
    for (group, count) in &counters.exhausted {
        out.sample(&[("group", group)], float(*count));
    }
}

fn sockets(out: &mut Exposition, figures: &Figures) {
    let (streams, udp) = (&figures.transport.streams, &figures.transport.udp_errors);
    let tls = figures.transport.tls.as_ref();
    let kinds = [("tcp", Some(streams)), ("tls", tls.map(|seen| &seen.streams))];
    let kinds = || kinds.into_iter().filter_map(|(name, streams)| Some((name, streams?)));
    out.family(names::RM_CONNECTIONS, Kind::Gauge, "streams open");
    for (transport, streams) in kinds() {
        out.sample(&[("transport", transport)], size(streams.open));
    }
    out.family(names::RM_CONNECTIONS_REFUSED_TOTAL, Kind::Counter, "streams refused by a limit");
    for (transport, streams) in kinds() {
        out.sample(&[("transport", transport)], float(streams.refused));
    }
    out.family(names::RM_TRANSPORT_ERRORS_TOTAL, Kind::Counter, "connects and streams that failed");
    let full = ("tls", &figures.transport.tls_errors);
    let errors = kinds().map(|(transport, streams)| (transport, &streams.errors));
    for (transport, errors) in errors.chain([("udp", udp), full]) {
        for (reason, count) in errors {
            out.sample(&[("transport", transport), ("reason", reason)], float(*count));
        }
    }
    if let Some(left) = tls.and_then(|seen| seen.certificate) {
        let help = "until the first certificate expires";
        out.family(names::TLS_CERTIFICATE_EXPIRY_SECONDS, Kind::Gauge, help);
        out.sample(&[("use", "sip")], left.as_secs_f64());
    }
}

fn of(resource: &ResourceView) -> [(&str, &str); 2] {
    [("group", &resource.group), ("resource", &resource.name)]
}

/// A counter by two labels.
fn nested<K: ToString>(
    out: &mut Exposition,
    name: &'static str,
    help: &str,
    (outer, inner): (&str, &str),
    counts: &BTreeMap<String, BTreeMap<K, u64>>,
) {
    out.family(name, Kind::Counter, help);
    for (first, all) in counts {
        for (second, count) in all {
            out.sample(&[(outer, first), (inner, &second.to_string())], float(*count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{STATES, pr_status};

    #[test]
    fn the_word_of_each_state_is_that_of_the_table() {
        let table = [
            ("unknown", "UNAVAILABLE"),
            ("healthy", "AVAILABLE"),
            ("full", "AVAILABLE"),
            ("draining", "UNAVAILABLE"),
            ("quarantined", "UNAVAILABLE"),
            ("dead", "UNAVAILABLE"),
            ("disabled", "UNAVAILABLE"),
        ];
        assert_eq!(table.len(), STATES.len());
        for (state, word) in table {
            assert!(STATES.contains(&state), "{state}");
            assert_eq!(pr_status(state), word, "{state}");
        }
    }
}
