//! Permissions and dialling rules (category II, rm.md §6.1, §6.3): one "no" on the way is final.
//!
//! They hold for whatever is passed on; limits only for calls.

use std::borrow::Cow;

use model::config::Service;
use model::config::dialing::{self, Verdict as Dialled};
use model::record::{Stage, Verdict};

use super::refuse::{Refused, refuse};
use super::{Asked, Judges};
use crate::record::trace::{Trace, step};
use crate::reject::Reason;
use crate::session::Kind;

/// Whether every policy permits it; gives back the number as it is dialled, if rules changed it.
///
/// # Errors
/// The first that does not, from the root down; of the dialling rules, from the profile up.
pub(crate) fn permit(
    judges: &Judges<'_>,
    asked: &Asked<'_>,
    trace: &mut Trace,
) -> Result<Option<String>, Box<Refused>> {
    let service = asked.service;
    if let Some(judge) = judges.iter().find(|judge| !judge.policy.allows(service)) {
        let field = format_args!("services.{service}.allowed");
        return Err(refuse(judges, judge, asked, Reason::ServiceForbidden, &field, None, trace));
    }
    if matches!(service, Service::Recordingclient | Service::Recordingserver) {
        // of these the nearest counts, not the strictest
        let said = judges.iter().rev().find(|judge| judge.policy.recording_allowed.is_some());
        if let Some(judge) = said.filter(|judge| judge.policy.recording_allowed == Some(false)) {
            let (reason, field) = (Reason::ServiceForbidden, "recording_allowed");
            return Err(refuse(judges, judge, asked, reason, &field, None, trace));
        }
    }
    if asked.direction != Kind::Outbound {
        return Ok(None);
    }
    if let Some(judge) = judges.iter().find(|judge| judge.policy.outbound_forbidden) {
        let (reason, field) = (Reason::OutboundForbidden, "outbound_allowed");
        return Err(refuse(judges, judge, asked, reason, &field, None, trace));
    }
    let forbidden = judges.iter().find(|judge| judge.policy.transfer_forbidden);
    if let Some(judge) = forbidden.filter(|_| asked.transfer) {
        let (reason, field) = (Reason::TransferForbidden, "transfer_allowed");
        return Err(refuse(judges, judge, asked, reason, &field, None, trace));
    }
    dial(judges, asked, trace)
}

/// The number after the rules of the profile, then of each tenant up to the root.
fn dial(
    judges: &Judges<'_>,
    asked: &Asked<'_>,
    trace: &mut Trace,
) -> Result<Option<String>, Box<Refused>> {
    let mut dialled = Cow::Borrowed(asked.number);
    for judge in judges.iter().rev().filter(|judge| !judge.policy.dialing_rules.is_empty()) {
        let mut now = dialled.clone().into_owned();
        match dialing::judge(judge.policy.dialing_rules.iter().map(AsRef::as_ref), &mut now) {
            Dialled::Accepted => {}
            Dialled::Rejected(rule) => {
                let (reason, field) = (Reason::DialingRule, "dialing_rules");
                let mut refused = refuse(judges, judge, asked, reason, &field, None, trace);
                refused.no.subject = format!("{judge} {}: {rule}", judge.field(&field));
                return Err(refused);
            }
        }
        if now != dialled {
            let why = format_args!("dialing_rules: {dialled} to {now}");
            trace.push(step(Stage::Authorise, judge, Verdict::Passed, &judge.field(&why)));
            dialled = Cow::Owned(now);
        }
    }
    Ok(match dialled {
        Cow::Owned(number) => Some(number),
        Cow::Borrowed(_) => None,
    })
}
