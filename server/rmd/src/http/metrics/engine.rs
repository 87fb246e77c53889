//! The engine's numbers as metrics: requests and answers, calls, sockets.

use super::series::Label::{Name, Word};
use super::{Bound, float, nested, single, size, total};
use crate::figures::Figures;
use telemetry::names;
use telemetry::prometheus::{Exposition, Kind};

pub(super) fn families(out: &mut Exposition, figures: &Figures, bound: &Bound<'_>) {
    messages(out, figures);
    names_of_hosts(out, figures);
    calls(out, figures, bound);
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

fn calls(out: &mut Exposition, figures: &Figures, bound: &Bound<'_>) {
    let counters = &figures.counters;
    single(out, names::RM_SESSIONS, "live sessions of this node", size(figures.status.sessions));
    let of_tenant = |name: &str| bound.tenant(name);
    out.family(names::RM_REJECTED_TOTAL, Kind::Counter, "calls refused");
    let labels = &[Name("tenant"), Word("reason")];
    nested(labels, &counters.rejected, of_tenant).write(out, bound.most);
    out.family(names::RM_BURST_TOTAL, Kind::Counter, "sessions above level 1");
    let labels = &[Name("tenant"), Word("level")];
    nested(labels, &counters.burst, of_tenant).write(out, bound.most);
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
