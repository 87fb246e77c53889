//! A five-minute bin, of all facts that touch it.

use std::collections::{BTreeMap, BTreeSet};

use super::call::Call;
use super::figures::{Count, Figures};
use super::key::{CountKey, Dim, LevelKey, Target, text_id};
use super::level::{Deltas, Level, Types};
use super::own::{OwnCount, OwnLevel};
use super::part::{self, Part};
use super::zone::Bin;
use super::{outcome, quality};
use crate::sketch::Sketch;

/// Facts for a bin. More than it needs does no harm: what does not touch it adds nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// Calls that begin, end or change their owner in it, and all legs of their sessions.
    pub calls: Vec<Call>,
    /// Arrivals that producers counted.
    pub own_counts: Vec<OwnCount>,
    /// Concurrency that producers measured.
    pub own_levels: Vec<OwnLevel>,
    /// Response times: start of the producer's bin, component, type, times.
    pub latencies: Vec<(i64, i64, String, Sketch)>,
    /// Numbers that have figures on this day already.
    pub numbers: BTreeSet<i64>,
    /// How many of others may get some.
    pub room: usize,
}

/// The figures of a five-minute bin, as if there had been nothing before ([`Figures::carry`] puts
/// that right), and how many numbers were left out for want of room.
#[must_use]
pub fn five(bin: Bin, facts: &Facts) -> (Figures, usize) {
    let mut figures = Figures::default();
    let mut deltas: BTreeMap<LevelKey, Deltas> = BTreeMap::new();
    let parts = parts(&facts.calls);
    let left_out = left_out(bin, &parts, facts);
    for part in parts.iter().filter(|part| !left_out.contains(&part.target)) {
        count(bin, part, &mut figures.counts);
        if let Some(span) = part.span {
            let mut change = |at_ms: i64, by: i64| {
                let key = LevelKey { measure: part.measure, target: part.target };
                step(bin, at_ms, (key, part.call_type, by), &mut deltas);
            };
            change(span.from_ms, 1);
            span.to_ms.into_iter().for_each(|to| change(to, -1));
        }
    }
    own(bin, facts, &mut figures, &mut deltas);
    for (key, deltas) in deltas {
        let level = Level::of(bin.start_ms, Types::new(), deltas);
        if level.deltas.as_ref().is_some_and(|deltas| !deltas.is_empty()) {
            figures.levels.insert(key, level);
        }
    }
    let mut dns: BTreeSet<i64> = figures.counts.keys().filter_map(dn).collect();
    dns.extend(figures.levels.keys().filter_map(|key| dn_of(key.target)));
    for call in &facts.calls {
        let number = call.dn.as_deref().map(|text| (text_id(text), text));
        if let Some((id, text)) = number.filter(|(id, _)| dns.contains(id)) {
            figures.texts.entry(id).or_insert_with(|| text.to_owned());
        }
        if call.is_mcp() && call.ended_ms.is_some_and(|ended| bin.holds(ended)) {
            let Figures { outcomes, actions, texts, quality, .. } = &mut figures;
            outcome::count(call, outcomes, actions, texts);
            quality::count(call, quality);
        }
    }
    figures.limit();
    (figures, left_out.len())
}

/// Everything that the calls are in figures: each by itself, and sessions of the legs of RM.
fn parts(calls: &[Call]) -> Vec<Part> {
    let mut sessions: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    let mut parts = Vec::new();
    for call in calls {
        parts.extend(part::of_call(call));
        match call.guid.as_deref().filter(|_| call.is_rm()) {
            Some(guid) => sessions.entry(guid).or_default().push(call),
            None if call.is_rm() => parts.extend(part::of_session(&[call])),
            None => {}
        }
    }
    parts.extend(sessions.values().flat_map(|legs| part::of_session(legs)));
    parts
}

fn count(bin: Bin, part: &Part, counts: &mut BTreeMap<CountKey, Count>) {
    let mut sum = Count::default();
    if let Some(arrival) = part.arrival.filter(|arrival| bin.holds(arrival.at_ms)) {
        sum.count = 1;
        sum.rejected = i64::from(arrival.rejected);
    }
    if let Some(done) = part.done.filter(|done| bin.holds(done.at_ms)) {
        sum.ended = 1;
        sum.duration_ms = done.duration_ms;
        sum.max_duration_ms = done.duration_ms;
        sum.answered = i64::from(done.answered_ms.is_some());
        sum.answered_ms = done.answered_ms.unwrap_or(0);
        sum.port_ms = done.port_ms.unwrap_or(0);
    }
    if sum != Count::default() {
        let Part { measure, target, call_type, .. } = *part;
        counts.entry(CountKey { measure, target, call_type }).or_default().merge(&sum);
    }
}

/// A change of a level, if it lies in the bin.
fn step(
    bin: Bin,
    at_ms: i64,
    (key, call_type, by): (LevelKey, u8, i64),
    deltas: &mut BTreeMap<LevelKey, Deltas>,
) {
    if bin.holds(at_ms) {
        let offset = u32::try_from(at_ms - bin.start_ms).unwrap_or(u32::MAX);
        *deltas.entry(key).or_default().entry((offset, call_type)).or_default() += by;
    }
}

fn own(bin: Bin, facts: &Facts, figures: &mut Figures, deltas: &mut BTreeMap<LevelKey, Deltas>) {
    for own in facts.own_counts.iter().filter(|own| bin.holds(own.bin_ms)) {
        // how many ended was not told: as many as were let in
        let ended = own.count - own.rejected;
        let OwnCount { count, rejected, duration_ms, .. } = *own;
        let sum = Count { count, rejected, ended, duration_ms, ..Count::default() };
        figures.counts.entry(own.key).or_default().merge(&sum);
    }
    for own in &facts.own_levels {
        for (at_ms, by) in own.changes() {
            step(bin, at_ms, (own.key, own.call_type, by), deltas);
        }
    }
    for (at_ms, component, kind, sketch) in &facts.latencies {
        if bin.holds(*at_ms) {
            figures.latencies.entry((*component, kind.clone())).or_default().merge(sketch);
        }
    }
}

/// Numbers for which there is no room: the latest to appear in the bin.
fn left_out(bin: Bin, parts: &[Part], facts: &Facts) -> BTreeSet<Target> {
    let mut first: BTreeMap<Target, i64> = BTreeMap::new();
    let of_numbers = parts.iter().filter(|part| part.target.dim == Dim::Dn);
    for part in of_numbers.filter(|part| !facts.numbers.contains(&part.target.id)) {
        let instants = part.effects().map(|effect| effect.at_ms());
        if let Some(at) = instants.filter(|at| bin.holds(*at)).min() {
            let seen = first.entry(part.target).or_insert(at);
            *seen = at.min(*seen);
        }
    }
    let mut new: Vec<_> = first.into_iter().map(|(target, at)| (at, target)).collect();
    new.sort_unstable();
    new.into_iter().skip(facts.room).map(|(_, target)| target).collect()
}

fn dn(key: &CountKey) -> Option<i64> {
    dn_of(key.target)
}

fn dn_of(target: Target) -> Option<i64> {
    (target.dim == Dim::Dn).then_some(target.id)
}
