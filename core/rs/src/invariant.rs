//! What holds for every row, whatever the facts: checked after every fact in debug builds, in the
//! simulator and in fuzzing.

use crate::row::{CallRow, flag};

/// Checks a row; an error names what is broken.
///
/// # Errors
/// The first invariant that does not hold.
pub fn check(row: &CallRow) -> Result<(), &'static str> {
    let ended = row.ended_ms;
    let rules = [
        (ended.is_none_or(|ended| ended >= row.started_ms), "a call ends before it starts"),
        (ended.map(|ended| ended - row.started_ms) == row.duration_ms, "wrong duration"),
        (ended.is_some() == row.end_state.is_some(), "an end without a state, or the reverse"),
        (ended.is_none() || row.flags & flag::HAS_END != 0, "a call is over without an end record"),
        (
            (ended.is_none() && row.flags & flag::HAS_END != 0)
                == (row.flags & flag::REOPENED != 0),
            "reopened is: an end is there, and the call is in progress",
        ),
        (
            (0..).zip(&row.tenants).all(|(depth, tenant)| tenant.depth == depth),
            "tenants out of order",
        ),
        (
            row.tenants.last().map(|tenant| &tenant.tenant) == row.tenant.as_ref(),
            "the leaf is not the end of the path",
        ),
        ((1..).zip(&row.owners).all(|(n, owner)| owner.n == n), "owners out of order"),
        (row.guid.as_ref().is_none_or(|guid| !guid.is_empty()), "an empty GUID"),
    ];
    rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, broken)| Err(broken))
}
