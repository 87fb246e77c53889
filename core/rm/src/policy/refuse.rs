//! A refusal of policy: which policy, which field, which number of which, and with what code.

use std::fmt::Display;

use model::config::{Alarms, Policy, RespCodes};
use model::record::{Policy as Refusal, Stage, Verdict};

use super::alarm::Kind;
use super::{Asked, Judge, Judges};
use crate::alarm::About;
use crate::record::trace::{Figures, Step, Trace, step};
use crate::reject::{No, Reason};

/// Who refused a leg, and what follows from it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refused {
    pub(crate) no: No,
    /// For the record.
    pub(crate) policy: Refusal,
    /// It raises the alarm of policies, about this.
    pub(crate) alarm: Option<About>,
}

/// How full something was: used, and at most.
pub(crate) type Full = Option<(u64, u64)>;

/// Tells the trace, and works out code and alarm: of both the nearest definition counts.
pub(crate) fn refuse(
    judges: &Judges<'_>,
    judge: &Judge<'_>,
    asked: &Asked<'_>,
    reason: Reason,
    field: &dyn Display,
    full: Full,
    trace: &mut Trace,
) -> Box<Refused> {
    let (used, limit) = full.unzip();
    let field = judge.field(field);
    trace.push(Step {
        figures: Figures { used, limit, ..Figures::default() },
        ..step(Stage::Authorise, judge, Verdict::Refused, &field)
    });
    let (scope, dbid) = judge.by();
    let object = judge.full_name();
    let mut subject = format!("{} {object} {field}", scope.as_str());
    if let Some((used, limit)) = full {
        subject += &format!(" {used}/{limit}");
    }
    let policies = || judges.iter().rev().map(|judge| judge.policy);
    let own = policies().find_map(|policy| own_code(policy, asked, reason));
    let code = own.or_else(|| policies().find_map(|policy| code(&policy.respcodes, reason)));
    let kind = Kind::of(reason);
    let alarm = kind.filter(|kind| {
        policies().find_map(|policy| said(&policy.alarms, *kind)).unwrap_or_default()
    });
    let policy = Refusal {
        rule: field.to_string(),
        scope: Some(scope),
        dbid: Some(dbid.0),
        name: Some(judge.name().to_owned()),
        limit,
        usage: used,
    };
    let no = No::new(reason, subject).with_status(code);
    let object = object.into_owned();
    let about =
        |kind: Kind| About { kind: scope.as_str(), object, dbid: dbid.0, what: kind.as_str() };
    Box::new(Refused { no, policy, alarm: alarm.map(about) })
}

/// The code that a policy has for this service alone.
fn own_code(policy: &Policy, asked: &Asked<'_>, reason: Reason) -> Option<u16> {
    let service = policy.service(asked.service)?;
    match reason {
        Reason::ServiceLimit | Reason::SessionLimit => service.respcode,
        Reason::ServiceForbidden => service.forbidden_respcode,
        _ => None,
    }
}

fn code(codes: &RespCodes, reason: Reason) -> Option<u16> {
    match reason {
        Reason::UsageLimit => codes.usage_limit,
        Reason::RateLimit => codes.rate_limit,
        Reason::ServiceForbidden => codes.service_forbidden,
        Reason::OutboundForbidden => codes.outbound_forbidden,
        Reason::TransferForbidden => codes.transfer_forbidden,
        Reason::DialingRule => codes.dialing_rule_forbidden,
        _ => None,
    }
}

fn said(alarms: &Alarms, kind: Kind) -> Option<bool> {
    match kind {
        Kind::UsageLimit => alarms.usage_limit,
        Kind::RateLimit => alarms.rate_limit,
        Kind::ServiceForbidden => alarms.service_forbidden,
        Kind::OutboundForbidden => alarms.outbound_forbidden,
        Kind::TransferForbidden => alarms.transfer_forbidden,
        Kind::DialingRule => alarms.dialing_rule_forbidden,
    }
}
