//! Stage 6, authorise: may this session begin, under its profile and every tenant above it?
//!
//! Between select and place (rm.md §6). Permissions first, then the limits, all in one step:
//! nothing is reserved unless everything fits. Must not change a session that is already there.

pub(crate) mod limit;

use std::fmt;

use model::config::{ProfileIx, Service, TenantIx};
use model::id::Dbid;
use model::record::{Policy as Refusal, Scope, Stage, Verdict};
use model::snapshot::Snapshot;

use smallvec::SmallVec;

use crate::record::Figure;
use crate::record::trace::{Figures, Step, Trace, step};
use crate::reject::{No, Reason};
use crate::session::Kind;
pub(crate) use limit::Usage;

/// One object with a policy: its kind and number.
pub(crate) type Object = (Scope, Dbid);

/// `Environment`: every session that is admitted is in its set.
pub(crate) const ROOT: Object = (Scope::Tenant, Dbid(1));

/// What is asked: a new session, or one more leg of one.
#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "direction, transfer and number are what the rules ask for")]
pub(crate) struct Asked<'a> {
    pub(crate) tenant: TenantIx,
    /// None while a CTI connector is asked first.
    pub(crate) profile: Option<ProfileIx>,
    pub(crate) service: Service,
    /// Counted, but never refused by a limit.
    pub(crate) priority: bool,
    /// The session is there already; the sets that it is in do not grow.
    pub(crate) joined: bool,
    pub(crate) direction: Kind,
    /// It leads outside, in a session with a call from outside that is up.
    pub(crate) transfer: bool,
    /// The number towards the outside, in normal form but with its `+`; else empty.
    pub(crate) number: &'a str,
}

/// Root → profile: all levels that judge a session.
pub(crate) fn levels<'s>(snapshot: &'s Snapshot, asked: &Asked<'_>) -> SmallVec<[Judge<'s>; 8]> {
    use model::config::Policy;
    fn judge<'s>(scope: Scope, dbid: Dbid, name: &'s str, policy: &'s Policy) -> Judge<'s> {
        Judge { object: (scope, dbid), name, policy }
    }
    let tenants = snapshot.path(asked.tenant).into_iter().map(|ix| {
        let tenant = snapshot.tenant(ix);
        judge(Scope::Tenant, tenant.dbid, &tenant.name, &tenant.policy)
    });
    let own = asked.profile.map(|ix| {
        let profile = snapshot.profile(ix);
        judge(Scope::Profile, profile.dbid, &profile.name, &profile.policy)
    });
    tenants.chain(own).collect()
}

/// One level with its policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judge<'s> {
    pub(crate) object: Object,
    pub(crate) name: &'s str,
    pub(crate) policy: &'s model::config::Policy,
}

impl fmt::Display for Judge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.object.0.as_str(), self.name)
    }
}

/// A place in every set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reserved {
    /// The highest burst level of all.
    pub(crate) burst: u8,
    /// How full each level is with the new session in it.
    pub(crate) figures: SmallVec<[Figure; 4]>,
    /// The number towards the outside, when dialling rules have changed it.
    pub(crate) number: Option<String>,
}

/// Judges a new session and reserves its place in all sets, or says who refused.
///
/// # Errors
/// The "no" and the policy behind it; then nothing is reserved.
pub(crate) fn authorise(
    usage: &mut Usage,
    judges: &[Judge<'_>],
    asked: &Asked<'_>,
    session: usize,
    trace: &mut Trace,
) -> Result<Reserved, Box<(No, Refusal)>> {
    for judge in judges {
        if !judge.policy.allows(asked.service) {
            return Err(Box::new(forbidden(judges, judge, asked.service, trace)));
        }
    }
    let mut burst = 1;
    let mut figures = SmallVec::new();
    for judge in judges {
        let used = usage.count(judge.object);
        if usage.contains(judge.object, session) {
            figures.push(Figure { usage: used, burst: 1 });
            continue;
        }
        let level = match limit::level(judge.policy, used) {
            Ok(level) => level,
            Err(_) if asked.priority => 1,
            Err(most) => return Err(Box::new(full(judges, judge, used, most, trace))),
        };
        if let Some(most) = judge.policy.usage_limit {
            trace.push(Step {
                figures: figures_of(used, u64::from(most)),
                ..step(Stage::Authorise, judge, Verdict::Passed, &"usage_limit")
            });
        }
        burst = level.max(burst);
        figures.push(Figure { usage: used + 1, burst: level });
    }
    for judge in judges {
        usage.insert(judge.object, session);
    }
    Ok(Reserved { burst, figures, number: None })
}

fn figures_of(used: u64, limit: u64) -> Figures {
    Figures { used: Some(used), limit: Some(limit), ..Figures::default() }
}

fn forbidden(
    judges: &[Judge<'_>],
    judge: &Judge<'_>,
    service: Service,
    trace: &mut Trace,
) -> (No, Refusal) {
    let rule = format!("services.{service}.allowed");
    trace.push(step(Stage::Authorise, judge, Verdict::Refused, &rule));
    let status = judges.iter().rev().find_map(|judge| judge.policy.respcodes.service_forbidden);
    let no = No::new(Reason::ServiceForbidden, format!("{judge} {rule}"));
    (no.with_status(status), refusal(judge, rule, None, None))
}

fn full(
    judges: &[Judge<'_>],
    judge: &Judge<'_>,
    used: u64,
    most: u64,
    trace: &mut Trace,
) -> (No, Refusal) {
    trace.push(Step {
        figures: figures_of(used, most),
        ..step(Stage::Authorise, judge, Verdict::Refused, &"usage_limit")
    });
    let status = judges.iter().rev().find_map(|judge| judge.policy.respcodes.usage_limit);
    let no = No::new(Reason::UsageLimit, format!("{judge} {used}/{most}"));
    (no.with_status(status), refusal(judge, "usage_limit".to_owned(), Some(most), Some(used)))
}

fn refusal(judge: &Judge<'_>, rule: String, limit: Option<u64>, usage: Option<u64>) -> Refusal {
    let (scope, dbid) = judge.object;
    let name = Some(judge.name.to_owned());
    Refusal { rule, scope: Some(scope), dbid: Some(dbid.0), name, limit, usage }
}
