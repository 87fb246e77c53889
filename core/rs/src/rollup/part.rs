//! What one call, or one session, is in the figures that it counts in (rs.md §4.3).

use std::collections::{BTreeMap, BTreeSet};

use super::call::{Call, Ports};
use super::key::{Dim, Measure, Target, text_id};
use super::sum::sum;

/// What a call or session adds to the figures of one object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Part {
    pub(super) measure: Measure,
    pub(super) target: Target,
    pub(super) call_type: u8,
    pub(super) arrival: Option<Arrival>,
    pub(super) span: Option<Span>,
    pub(super) done: Option<Done>,
}

/// It arrived.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Arrival {
    pub(super) at_ms: i64,
    pub(super) rejected: bool,
}

/// It was there, `[from, to)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Span {
    pub(super) from_ms: i64,
    /// `None` = it still is.
    pub(super) to_ms: Option<i64>,
}

/// It is over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Done {
    pub(super) at_ms: i64,
    pub(super) duration_ms: i64,
    pub(super) answered_ms: Option<i64>,
    pub(super) port_ms: Option<i64>,
}

/// One thing that a part does to a bin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Effect {
    Arrives(Arrival),
    Changes { at_ms: i64, by: i64 },
    Ends(Done),
}

impl Effect {
    pub(super) const fn at_ms(&self) -> i64 {
        match self {
            Self::Arrives(arrival) => arrival.at_ms,
            Self::Changes { at_ms, .. } => *at_ms,
            Self::Ends(done) => done.at_ms,
        }
    }
}

impl Part {
    /// All that it does.
    pub(super) fn effects(&self) -> impl Iterator<Item = Effect> {
        let from = self.span.map(|span| Effect::Changes { at_ms: span.from_ms, by: 1 });
        let to = self.span.and_then(|span| span.to_ms);
        let to = to.map(|at_ms| Effect::Changes { at_ms, by: -1 });
        let (arrives, ends) = (self.arrival.map(Effect::Arrives), self.done.map(Effect::Ends));
        [arrives, from, to, ends].into_iter().flatten()
    }
}

/// The parts of one call by itself: legs and ports.
pub(super) fn of_call(call: &Call) -> Vec<Part> {
    let mut parts = Vec::new();
    let arrival = Arrival { at_ms: call.started_ms, rejected: call.is_rejected() };
    let done = call.ended_ms.map(|at_ms| Done {
        at_ms,
        duration_ms: at_ms - call.started_ms,
        answered_ms: call.answered_for(),
        port_ms: None,
    });
    let span = Span { from_ms: call.started_ms, to_ms: call.ended_ms };
    let whole = Part {
        measure: Measure::Calls,
        target: Target::default(),
        call_type: call.call_type,
        arrival: Some(arrival),
        span: call.counts().then_some(span),
        done,
    };
    let mut targets = BTreeSet::new();
    if call.is_rm() {
        targets.extend(session_targets(call));
        if let Some(service) = call.service {
            let tenants = call.tenants.iter().copied();
            targets.extend(tenants.chain([0]).map(|tenant| Target::service(service, tenant)));
        }
    }
    targets.insert(Target::new(Dim::Kind, i64::from(call.kind)));
    parts.extend(targets.into_iter().map(|target| Part { target, ..whole }));
    owned(call, &whole, &mut parts);
    if !call.is_rm() {
        ports(call, Measure::Asr, &call.asr, &whole, &mut parts);
        ports(call, Measure::Tts, &call.tts, &whole, &mut parts);
    }
    parts
}

/// What the sessions of a leg are counted for.
fn session_targets(call: &Call) -> impl Iterator<Item = Target> {
    let tenants = call.tenants.iter().map(|tenant| Target::new(Dim::Tenant, *tenant));
    let profile = call.profile.map(|profile| Target::new(Dim::Profile, profile));
    let dn = call.dn.as_deref().map(|dn| Target::new(Dim::Dn, text_id(dn)));
    [Target::default()].into_iter().chain(tenants).chain(profile).chain(dn)
}

/// The components that carried it: it arrived at the first, ended at the last, and counts at
/// each while that had it.
fn owned(call: &Call, whole: &Part, parts: &mut Vec<Part>) {
    let last = call.owners.len().saturating_sub(1);
    for (n, (owner, from)) in call.owners.iter().enumerate() {
        let from_ms = if n == 0 { call.started_ms } else { (*from).max(call.started_ms) };
        let next = call.owners.get(n + 1).map(|(_, from)| *from);
        let to_ms = match (next, call.ended_ms) {
            (Some(next), Some(ended)) => Some(next.max(call.started_ms).min(ended)),
            (next, ended) => next.map(|next| next.max(call.started_ms)).or(ended),
        };
        let some = call.counts() && to_ms.is_none_or(|to| to > from_ms);
        parts.push(Part {
            target: Target::new(Dim::Component, *owner),
            arrival: whole.arrival.filter(|_| n == 0),
            span: some.then_some(Span { from_ms, to_ms }),
            done: whole.done.filter(|_| n == last),
            ..*whole
        });
    }
}

/// Ports: of a component, its tenants, its profile and of all.
fn ports(call: &Call, measure: Measure, ports: &Ports, whole: &Part, parts: &mut Vec<Part>) {
    if !ports.used && ports.spans.is_empty() {
        return;
    }
    let (component, _) = call.owners.last().copied().unwrap_or_default();
    let tenants = call.tenants.iter().map(|tenant| Target::new(Dim::Tenant, *tenant));
    let profile = call.profile.map(|profile| Target::new(Dim::Profile, profile));
    let targets = [Target::default(), Target::new(Dim::Component, component)];
    let open = |(from, to): &(i64, Option<i64>)| Some(to.or(call.ended_ms)? - from);
    let spans = sum(ports.spans.iter().filter_map(open));
    let port_ms = ports.total_ms.or((!ports.spans.is_empty()).then_some(spans));
    let port_ms = port_ms.or(whole.done.map(|done| done.duration_ms));
    let done = whole.done.map(|done| Done { port_ms, ..done });
    let targets: BTreeSet<_> = targets.into_iter().chain(tenants).chain(profile).collect();
    for target in targets {
        let span = whole.span.filter(|_| ports.spans.is_empty());
        parts.push(Part { measure, target, span, done, ..*whole });
        for (from, to) in &ports.spans {
            let to_ms = to.or(call.ended_ms);
            let span = to_ms.is_none_or(|to| to > *from).then_some(Span { from_ms: *from, to_ms });
            parts.push(Part { measure, target, span, arrival: None, done: None, ..*whole });
        }
    }
}

/// The parts of one session: all legs of RM of one GUID. For each object it is made of the legs
/// that count for that object.
pub(super) fn of_session(legs: &[&Call]) -> Vec<Part> {
    let mut by_target: BTreeMap<Target, Vec<&Call>> = BTreeMap::new();
    for leg in legs {
        // a path that names a tenant twice counts it once
        for target in session_targets(leg).collect::<BTreeSet<_>>() {
            by_target.entry(target).or_default().push(leg);
        }
    }
    let parts = by_target.iter().filter_map(|(target, legs)| session(*target, legs));
    parts.collect()
}

fn session(target: Target, legs: &[&Call]) -> Option<Part> {
    let first = legs.iter().min_by_key(|leg| (leg.started_ms, leg.call_key))?;
    let counted: Vec<_> = legs.iter().filter(|leg| leg.counts()).collect();
    let rejected = legs.iter().all(|leg| leg.is_rejected());
    let of: Vec<_> = if counted.is_empty() { legs.iter().collect() } else { counted.clone() };
    let from_ms = of.iter().map(|leg| leg.started_ms).min()?;
    let ends: Option<Vec<i64>> = of.iter().map(|leg| leg.ended_ms).collect();
    let to_ms = ends.and_then(|ends| ends.into_iter().max());
    let answered = of.iter().filter_map(|leg| leg.answered_ms).min();
    Some(Part {
        measure: Measure::Sessions,
        target,
        call_type: first.call_type,
        arrival: Some(Arrival { at_ms: first.started_ms, rejected }),
        span: (!counted.is_empty()).then_some(Span { from_ms, to_ms }),
        done: to_ms.map(|at_ms| Done {
            at_ms,
            duration_ms: at_ms - from_ms,
            answered_ms: answered.map(|answered| (at_ms - answered).max(0)),
            port_ms: None,
        }),
    })
}
