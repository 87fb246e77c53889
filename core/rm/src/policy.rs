//! Stage 6, authorise: may this leg begin, under its profile and every tenant above it?
//!
//! Between select and place (rm.md §6). Permissions first, then the number that is dialled, then
//! rates and limits, all in one step: nothing is taken unless everything fits. Must not change a
//! session that is already there.

pub(crate) mod alarm;
pub(crate) mod judge;
pub(crate) mod limit;
mod members;
pub(crate) mod permit;
pub(crate) mod rate;
pub(crate) mod refuse;
pub(crate) mod usage;

use std::time::Duration;

use model::config::{ProfileIx, Service, TenantIx};
use model::id::Dbid;
use model::record::Scope;
use model::snapshot::Snapshot;
use model::time::Now;

use crate::limits;
use crate::record::Figures;
use crate::record::trace::Trace;
use crate::session::Kind;
pub(crate) use judge::{Field, Judge, Judges, Rule, judges};
pub(crate) use refuse::Refused;
pub(crate) use usage::{Numbers, Object, Usage};

/// `Environment`: every session that is admitted is in its set.
pub(crate) const ROOT: Object = (Scope::Tenant, Dbid(1));

/// What is asked: one new leg, of a session that lives, or of one that is new or lives again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) tenant: TenantIx,
    /// None while a CTI connector is asked first.
    pub(crate) profile: Option<ProfileIx>,
    pub(crate) service: Service,
    pub(crate) direction: Kind,
    /// As what its session counts: the kind of its first leg.
    pub(crate) counts_as: Kind,
    /// It leads outside, in a session with a call from outside that is up.
    pub(crate) transfer: bool,
    /// The number towards the outside, in normal form but with its `+`; else empty.
    pub(crate) number: &'a str,
    /// Key of its session. Where that is in a set already, the set does not grow.
    pub(crate) session: usize,
    /// Other legs of this service in its session.
    pub(crate) inside: usize,
    /// Counted, but never refused by a limit.
    pub(crate) priority: bool,
}

/// A leg may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Granted {
    /// The highest burst level of all whose sets grow, else 1.
    pub(crate) burst: u8,
    /// What the dialling rules have made of the number, where they changed it.
    pub(crate) number: Option<String>,
    /// All objects that judged, by their numbers: a new session is in their sets.
    pub(crate) objects: Numbers,
}

/// The longest life of a call: of all policies the shortest; without any twelve hours.
pub(crate) fn longest(
    snapshot: &Snapshot,
    tenant: TenantIx,
    profile: Option<ProfileIx>,
) -> Duration {
    let said = snapshot.policies(tenant, profile);
    let shortest = said.filter_map(|layer| layer.policy.max_call_duration).min();
    shortest.unwrap_or(limits::MAX_CALL_DURATION)
}

/// Judges a leg, or says who refused. What it takes is entered by [`Usage::enter`], at once.
///
/// # Errors
/// The "no" and the policy behind it; then nothing was taken.
pub(crate) fn authorise(
    now: Now,
    snapshot: &Snapshot,
    usage: &mut Usage,
    asked: &Asked<'_>,
    figures: &mut Figures,
    trace: &mut Trace,
) -> Result<Granted, Box<Refused>> {
    let judges = judges(snapshot, asked.tenant, asked.profile);
    let number = permit::permit(&judges, asked, trace)?;
    limit::per_session(&judges, asked, trace)?;
    if !asked.priority {
        rate::judge(now.mono, usage, &judges, asked, trace)?;
    }
    let (burst, objects) = limit::judge(usage, &judges, asked, figures, trace)?;
    rate::take(now.mono, usage, &judges, asked);
    Ok(Granted { burst, number, objects })
}
