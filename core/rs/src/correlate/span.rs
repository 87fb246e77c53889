//! [`owner`] the other way round: when what happens is one call's. So a database is asked for what
//! belongs to a call, and looks at nothing that belongs to others of its session.
//!
//! [`owner`]: super::owner

use std::ops::RangeInclusive;

use super::{Candidate, order};
use crate::key::{self, Day, Key};
use crate::limits::AROUND_A_CALL_MS;

/// Times in ms, in their order; between two of them is something else.
pub type Spans = Vec<RangeInclusive<i64>>;

/// When something of this day belongs to this call, by [`owner`] among the same calls: the call is
/// one of them, or nothing belongs to it.
///
/// [`owner`]: super::owner
#[must_use]
pub fn spans(calls: &[Candidate], day: Day, of: (Day, Key)) -> Spans {
    let days = key::beside(day);
    among(calls.iter().filter(|call| days.contains(&call.day)), of)
}

/// When something of this day is shown with this call: what belongs to it, and on days that are not
/// beside its own, where figures look no more, what belongs to no call that is nearer to that day.
#[must_use]
pub fn shown(calls: &[Candidate], day: Day, of: (Day, Key)) -> Spans {
    let days = key::beside(day);
    if days.contains(&of.0) {
        return spans(calls, day, of);
    }
    let near = calls.iter().filter(|call| days.contains(&call.day));
    // from a minute before the first of them everything belongs to one of them
    let first = near.map(|call| call.started_ms.saturating_sub(AROUND_A_CALL_MS)).min();
    let all = among(calls.iter(), of);
    first.map_or_else(|| all.clone(), |first| without(all.clone(), &[first..=i64::MAX]))
}

fn among<'c>(calls: impl Iterator<Item = &'c Candidate> + Clone, of: (Day, Key)) -> Spans {
    let Some(own) = calls.clone().find(|call| (call.day, call.call_key) == of) else {
        return Spans::new();
    };
    let (start, end) = (own.started_ms, own.last_ms());
    let (mut first, mut last) = around(own).into_inner();
    let behind = last.saturating_add(1);
    let (mut inside, mut near, mut until) = (Spans::new(), Spans::new(), i64::MAX);
    for other in calls.filter(|call| (call.day, call.call_key) != of) {
        let (begins, ends) = (other.started_ms, other.last_ms());
        near.push(around(other));
        if order(other) > order(own) {
            inside.push(begins..=ends);
            until = until.min(begins.saturating_sub(1));
            // what is as near to both is the later one's
            first = if begins == start { start } else { first };
            if ends >= end {
                last = last.min(middle(end, begins.max(end)) - 1).max(end);
            }
        } else {
            if begins < start {
                first = first.max(middle(ends.min(start), start));
            }
            last = if ends > end { end } else { last };
        }
    }
    let mut spans = vec![first..=start.saturating_sub(1)];
    spans.extend(without(vec![start..=end], &inside));
    if end < i64::MAX {
        spans.push(end + 1..=last);
        spans.extend(without(vec![behind..=until], &near));
    }
    joined(spans)
}

/// A call with a minute at both ends.
fn around(call: &Candidate) -> RangeInclusive<i64> {
    let end = call.last_ms().saturating_add(AROUND_A_CALL_MS);
    call.started_ms.saturating_sub(AROUND_A_CALL_MS)..=end
}

/// The first time that is not nearer to the first of two.
const fn middle(one: i64, other: i64) -> i64 {
    one.saturating_add(other.saturating_sub(one).saturating_add(1) / 2)
}

fn without(spans: Spans, taken: &[RangeInclusive<i64>]) -> Spans {
    let mut taken = taken.to_vec();
    taken.sort_unstable_by_key(|span| *span.start());
    let mut left = Spans::new();
    for span in spans {
        let mut from = Some(*span.start());
        for cut in &taken {
            let Some(start) = from else { break };
            left.push(start..=cut.start().saturating_sub(1).min(*span.end()));
            from = cut.end().checked_add(1).map(|after| after.max(start));
        }
        left.extend(from.map(|from| from..=*span.end()));
    }
    left.retain(|span| !span.is_empty());
    left
}

/// Without empty ones; those that meet are one.
fn joined(spans: Spans) -> Spans {
    let mut joined = Spans::new();
    for span in spans.into_iter().filter(|span| !span.is_empty()) {
        match joined.last_mut() {
            Some(last) if last.end().checked_add(1) == Some(*span.start()) => {
                *last = *last.start()..=*span.end();
            }
            _ => joined.push(span),
        }
    }
    joined
}

#[cfg(test)]
mod tests;
