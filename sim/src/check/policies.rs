//! Nothing is admitted beyond a limit or against a permission, and nothing refused that would have
//! fitted (rm.md §6): every step counts the live sessions anew.
//!
//! What was taken over from a run before, or rebuilt from a token, is never refused; what has begun
//! goes on when a limit is lowered. So a session is judged once, when an object begins to count it,
//! and a leg when it begins or becomes of another service.

use std::collections::BTreeMap;

use model::id::Guid;
use rm::LegView;
use serde_json::Value as Json;

use super::live::{Counts, Known, Live};
use super::rules::{Object, Rules, What};

/// What was seen of every node, and the rules in force.
#[derive(Debug, Default)]
pub(super) struct Policies {
    /// Of the configuration.
    pub(super) rules: Rules,
    known: BTreeMap<(&'static str, Guid), Known>,
    /// Which sessions came in from outside; `None`: one that had ended and is there again, as it
    /// was or made anew.
    inbound: BTreeMap<(&'static str, Guid), Option<bool>>,
}

impl Policies {
    /// Whether a session came in from outside: so did its first leg. `inside`: who has placed a
    /// call is one of the platform's own.
    pub(super) fn is_inbound(
        &mut self,
        node: &'static str,
        guid: Guid,
        legs: &[LegView],
        inside: impl Fn(&str) -> bool,
    ) -> Option<bool> {
        let key = (node, guid);
        let is_known = |known: &Known| legs.iter().any(|leg| known.legs.contains_key(&leg.id));
        let again = self.inbound.contains_key(&key) && !self.known.get(&key).is_some_and(is_known);
        let own = self.inbound.entry(key).or_insert_with(|| {
            let first = legs.first();
            Some(first.is_none_or(|leg| leg.service != "gateway" && !inside(&leg.call_id)))
        });
        *own = own.filter(|_| !again);
        *own
    }

    /// Judges what is new among the live sessions of a node. `taken_over`: what is new came from a
    /// run before.
    ///
    /// # Errors
    /// A limit or a permission that does not hold.
    pub(super) fn admitted(
        &mut self,
        node: &'static str,
        sessions: &[Live],
        counts: &Counts,
        taken_over: bool,
    ) -> Result<(), String> {
        let mut known = BTreeMap::new();
        for live in sessions {
            let before = self.known.remove(&(node, live.guid)).unwrap_or_default();
            if !taken_over {
                let judged = self.judge(live, &before, counts);
                judged.map_err(|what| format!("{node}: {}: {what}", live.guid))?;
            }
            let legs = live.legs.iter().map(|leg| (leg.id, leg.service)).collect();
            known.insert((node, live.guid), Known { objects: live.chain.clone(), legs });
        }
        self.known.retain(|(of, _), _| *of != node);
        self.known.append(&mut known);
        Ok(())
    }

    fn judge(&self, live: &Live, before: &Known, counts: &Counts) -> Result<(), String> {
        let fits = |object: &Object, what: What| {
            let (have, most) = (counts.get(object, &what), self.rules.most(object, &what));
            match most {
                Some(most) if have > most => {
                    Err(format!("{object:?} has {have} {what:?} of {most}"))
                }
                _ => Ok(()),
            }
        };
        let new = |object: &&Object| !before.objects.contains(object);
        for object in live.chain.iter().filter(new) {
            fits(object, What::Sessions)?;
            if live.inbound == Some(true) {
                fits(object, What::Inbound)?;
            }
        }
        let new = |leg: &&LegView| before.legs.get(&leg.id) != Some(&leg.service);
        for leg in live.legs.iter().filter(new) {
            let service = leg.service;
            if let Some(object) = self.rules.forbids(&live.chain, service) {
                return Err(format!("{object:?} forbids {service}"));
            }
            for object in &live.chain {
                fits(object, What::Service(service.to_owned()))?;
                if service == "gateway" {
                    fits(object, What::Outbound)?;
                }
            }
            let most = self.rules.per_session(&live.chain, service).unwrap_or(usize::MAX);
            if live.of_service(service) > most {
                return Err(format!("more than {most} legs of {service} in one session"));
            }
        }
        Ok(())
    }

    /// Holds a refusal, as its record tells of it, against what lives.
    ///
    /// # Errors
    /// It was not full, or nobody forbids it.
    pub(super) fn refused(
        &self,
        record: &Json,
        sessions: &[Live],
        counts: &Counts,
    ) -> Result<(), String> {
        let Some(reason) = record["reason"].as_str().filter(|_| record["phase"] == "end") else {
            return Ok(());
        };
        let service = record["service"].as_str().unwrap_or_default();
        let policy = &record["policy"];
        let wrong = |why: &str| {
            let (call, policy) = (&record["call_id"], policy.to_string());
            Err(format!("{call}: {reason} by {policy}, but {why}"))
        };
        let (rule, name) = (policy["rule"].as_str(), policy["name"].as_str());
        let (Some(rule), Some(name)) = (rule, name) else { return Ok(()) };
        let (object, field) = match rule.strip_prefix("children.").and_then(|it| it.split_once('.'))
        {
            Some((child, field)) => (Object::Tenant(child.to_owned()), field),
            None if policy["scope"] == "profile" => (Object::Profile(name.to_owned()), rule),
            None => (Object::Tenant(name.to_owned()), rule),
        };
        let what = match (reason, field) {
            ("usage-limit", "usage_limit") => What::Sessions,
            ("usage-limit", "inbound_usage_limit") => What::Inbound,
            ("usage-limit", "outbound_usage_limit") => What::Outbound,
            ("service-limit", _) => What::Service(service.to_owned()),
            ("session-limit", _) => return self.full_session(record, sessions, service),
            ("service-forbidden" | "outbound-forbidden", _) => {
                let forbidden = self.rules.forbids(&[object], service).is_some();
                return if forbidden { Ok(()) } else { wrong("nobody forbids it") };
            }
            _ => return Ok(()),
        };
        let most = self.rules.most(&object, &what);
        let have = counts.get(&object, &what);
        let at_most = if what == What::Inbound { have + counts.unsure(&object) } else { have };
        let told = |field: &str| policy[field].as_u64().and_then(|n| usize::try_from(n).ok());
        if most.is_none_or(|most| at_most < most) {
            return wrong(&format!("{have} live of {most:?}"));
        }
        if told("usage").is_none_or(|told| !(have..=at_most).contains(&told)) {
            return wrong(&format!("{have} live"));
        }
        Ok(())
    }

    fn full_session(&self, record: &Json, sessions: &[Live], service: &str) -> Result<(), String> {
        let guid = record["guid"].as_str().and_then(Guid::parse);
        let own = sessions.iter().find(|live| Some(live.guid) == guid);
        let most = own.and_then(|live| self.rules.per_session(&live.chain, service));
        let have = own.map_or(0, |live| live.of_service(service));
        if most.is_none_or(|most| have < most) {
            let call = &record["call_id"];
            return Err(format!("{call}: session-limit with {have} legs of {service} of {most:?}"));
        }
        Ok(())
    }
}
