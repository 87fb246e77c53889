//! A five-minute bin, of all facts that touch it.

use std::collections::{BTreeMap, BTreeSet};

use model::time::Millis;

use super::call::Call;
use super::figures::{Count, Figures};
use super::key::{CountKey, Dim, LevelKey, Target, text_id};
use super::level::{Deltas, Level, Types, add};
use super::own::{OwnCount, OwnLevel};
use super::part::{self, Part, Span};
use super::sum::plus;
use super::zone::Bin;
use super::{outcome, quality};
use crate::key::{self, Day};
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
    /// Numbers by the UTC day of what arrived; of a day that is absent all get figures.
    pub numbers: BTreeMap<Day, Numbers>,
}

/// The numbers of a day. One that has figures keeps them, and one that has found no room gets none,
/// so that what began without figures does not end with them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Numbers {
    /// Those that have figures already.
    pub known: BTreeSet<i64>,
    /// How many of others may get some.
    pub room: usize,
}

impl Facts {
    /// Goes on where others have found room or none.
    pub(super) fn after(&mut self, admitted: &Admitted) {
        for (day, id) in &admitted.numbers {
            if let Some(numbers) = self.numbers.get_mut(day) {
                numbers.room = numbers.room.saturating_sub(usize::from(numbers.known.insert(*id)));
            }
        }
        for (day, _) in &admitted.left_out {
            self.numbers.entry(*day).or_default().room = 0;
        }
    }
}

/// What became of new numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Admitted {
    /// Those that have figures from now on.
    pub numbers: DayNumbers,
    /// Those that were left out for want of room.
    pub left_out: DayNumbers,
}

/// The figures of a five-minute bin, as if there had been nothing before ([`Figures::carry`] puts
/// that right), and the numbers that are new. `entering`: what its first instant adds beside its
/// facts.
#[must_use]
pub(super) fn five(
    bin: Bin,
    facts: &Facts,
    entering: &BTreeMap<LevelKey, Types>,
) -> (Figures, Admitted) {
    let mut figures = Figures::default();
    let mut deltas: BTreeMap<LevelKey, Deltas> = BTreeMap::new();
    for (key, types) in entering {
        for (call_type, by) in types {
            step(bin, bin.start_ms, (*key, *call_type, *by), &mut deltas);
        }
    }
    let mut add = |part: &Part| {
        count(bin, part, &mut figures.counts);
        if let Some(span) = part.span {
            let mut change = |at_ms: i64, by: i64| {
                let key = LevelKey { measure: part.measure, target: part.target };
                step(bin, at_ms, (key, part.call_type, by), &mut deltas);
            };
            change(span.from_ms, 1);
            span.to_ms.into_iter().for_each(|to| change(to, -1));
        }
    };
    // numbers have to find room first
    let mut numbered = Vec::new();
    each_part(&facts.calls, |part| match number(&part) {
        Some(number) => numbered.push((number, part)),
        None => add(&part),
    });
    let admitted = admit(first_in(bin, &numbered), facts);
    numbered.retain(|(number, _)| !admitted.left_out.contains(number));
    numbered.iter().for_each(|(_, part)| add(part));
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
    (figures, admitted)
}

/// The levels of all objects just before an instant, of facts that are there then, and the numbers
/// that are new.
#[must_use]
pub(super) fn covering(at_ms: i64, facts: &Facts) -> (BTreeMap<LevelKey, Types>, Admitted) {
    let mut levels: BTreeMap<LevelKey, Types> = BTreeMap::new();
    let mut change = |key: LevelKey, call_type: u8, when_ms: i64, by: i64| {
        if when_ms < at_ms {
            add(levels.entry(key).or_default(), call_type, by);
        }
    };
    let mut numbered: Vec<((Day, i64), Part)> = Vec::new();
    let mut first: BTreeMap<(Day, i64), i64> = BTreeMap::new();
    each_part(&facts.calls, |part| {
        let there = |span: &Span| span.from_ms < at_ms && span.to_ms.is_none_or(|to| to >= at_ms);
        let Some(span) = part.span.filter(there) else { return };
        match number(&part) {
            Some(number) => {
                let seen = first.entry(number).or_insert(span.from_ms);
                *seen = span.from_ms.min(*seen);
                numbered.push((number, part));
            }
            None => {
                let key = LevelKey { measure: part.measure, target: part.target };
                change(key, part.call_type, span.from_ms, 1);
            }
        }
    });
    let admitted = admit(first, facts);
    for (_, part) in numbered.iter().filter(|(of, _)| !admitted.left_out.contains(of)) {
        let key = LevelKey { measure: part.measure, target: part.target };
        change(key, part.call_type, i64::MIN, 1);
    }
    for own in &facts.own_levels {
        for (when_ms, by) in own.changes() {
            change(own.key, own.call_type, when_ms, by);
        }
    }
    levels.retain(|_, types| !types.is_empty());
    (levels, admitted)
}

/// Everything that the calls are in figures, one after the other, since all of a bin would be too
/// much at once: each call by itself, and sessions of the legs of RM.
fn each_part(calls: &[Call], mut then: impl FnMut(Part)) {
    let mut sessions: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for call in calls {
        part::of_call(call).into_iter().for_each(&mut then);
        match call.guid.as_deref().filter(|_| call.is_rm()) {
            Some(guid) => sessions.entry(guid).or_default().push(call),
            None if call.is_rm() => part::of_session(&[call]).into_iter().for_each(&mut then),
            None => {}
        }
    }
    for legs in sessions.values() {
        part::of_session(legs).into_iter().for_each(&mut then);
    }
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
        plus(deltas.entry(key).or_default().entry((offset, call_type)).or_default(), by);
    }
}

fn own(bin: Bin, facts: &Facts, figures: &mut Figures, deltas: &mut BTreeMap<LevelKey, Deltas>) {
    for own in facts.own_counts.iter().filter(|own| bin.holds(own.bin_ms)) {
        // how many ended was not told: as many as were let in
        let ended = own.count.saturating_sub(own.rejected);
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

/// Numbers by their days.
type DayNumbers = BTreeSet<(Day, i64)>;

/// When each number first does something in the bin.
fn first_in(bin: Bin, parts: &[((Day, i64), Part)]) -> BTreeMap<(Day, i64), i64> {
    let mut first: BTreeMap<(Day, i64), i64> = BTreeMap::new();
    for (number, part) in parts {
        let instants = part.effects().map(|effect| effect.at_ms());
        if let Some(at) = instants.filter(|at| bin.holds(*at)).min() {
            let seen = first.entry(*number).or_insert(at);
            *seen = at.min(*seen);
        }
    }
    first
}

/// Those of these numbers, by when they appear, that get figures, and those for which there is no
/// room: the latest.
fn admit(first: BTreeMap<(Day, i64), i64>, facts: &Facts) -> Admitted {
    let mut new: Vec<_> = first.into_iter().map(|(number, at)| (at, number)).collect();
    new.sort_unstable();
    let mut room: BTreeMap<Day, usize> = BTreeMap::new();
    let mut admitted = Admitted::default();
    for (_, (day, id)) in new {
        let Some(numbers) = facts.numbers.get(&day) else { continue };
        if numbers.known.contains(&id) {
            continue;
        }
        let room = room.entry(day).or_insert(numbers.room);
        if *room > 0 {
            *room -= 1;
            admitted.numbers.insert((day, id));
        } else {
            admitted.left_out.insert((day, id));
        }
    }
    admitted
}

/// The number that a part is about, and the day on which that has to find room.
fn number(part: &Part) -> Option<(Day, i64)> {
    let at = part.arrival.filter(|_| part.target.dim == Dim::Dn)?.at_ms;
    Some((key::day(Millis(u64::try_from(at).unwrap_or_default())), part.target.id))
}

/// The numbers that these facts tell of, and the day on which each has to find room.
#[must_use]
pub(super) fn numbers(facts: &Facts) -> BTreeMap<Day, BTreeSet<i64>> {
    let mut days: BTreeMap<Day, BTreeSet<i64>> = BTreeMap::new();
    each_part(&facts.calls, |part| {
        if let Some((day, id)) = number(&part) {
            days.entry(day).or_default().insert(id);
        }
    });
    days
}

fn dn(key: &CountKey) -> Option<i64> {
    dn_of(key.target)
}

fn dn_of(target: Target) -> Option<i64> {
    (target.dim == Dim::Dn).then_some(target.id)
}
