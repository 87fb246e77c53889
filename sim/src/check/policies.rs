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

use super::live::{Change, Ledger, Live};
use super::rules::{Object, Rules, What};

/// Reasons that a policy stands behind; of all others the truth and the placement judge.
const WORDS: [&str; 8] = [
    "usage-limit",
    "service-limit",
    "session-limit",
    "rate-limit",
    "service-forbidden",
    "outbound-forbidden",
    "transfer-forbidden",
    "dialing-rule",
];

/// What was seen of every node, and the rules in force.
#[derive(Debug, Default)]
pub(super) struct Policies {
    /// Of the configuration.
    pub(super) rules: Rules,
    /// Which sessions came in from outside; `None`: one that had ended and is there again, as it
    /// was or made anew.
    inbound: BTreeMap<(&'static str, Guid), Option<bool>>,
}

impl Policies {
    /// Whether a session came in from outside: so did its first leg. `inside`: who has placed a
    /// call is one of the platform's own. `before`: as it was at the last look.
    pub(super) fn is_inbound(
        &mut self,
        node: &'static str,
        guid: Guid,
        legs: &[LegView],
        before: Option<&Live>,
        inside: impl Fn(&str) -> bool,
    ) -> Option<bool> {
        let key = (node, guid);
        let is_known =
            |live: &Live| legs.iter().any(|leg| live.legs.iter().any(|own| own.id == leg.id));
        let again = self.inbound.contains_key(&key) && !before.is_some_and(is_known);
        let own = self.inbound.entry(key).or_insert_with(|| {
            let first = legs.first();
            Some(first.is_none_or(|leg| leg.service != "gateway" && !inside(&leg.call_id)))
        });
        *own = own.filter(|_| !again);
        *own
    }

    /// Judges what is new in a session. `has_priority`: no limit refuses this call.
    ///
    /// # Errors
    /// A limit or a permission that does not hold.
    pub(super) fn admitted(
        &self,
        change: &Change,
        ledger: &Ledger,
        has_priority: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        let Some(live) = ledger.get(change.guid) else { return Ok(()) };
        let fits = |object: &Object, what: What| {
            let (have, most) = (ledger.counts.get(object, &what), self.rules.most(object, &what));
            match most {
                Some(most) if have > most => {
                    Err(format!("{}: {object:?} has {have} {what:?} of {most}", live.guid))
                }
                _ => Ok(()),
            }
        };
        let before = change.before.as_ref();
        let is_new = |leg: &&LegView| before.is_none_or(|before| !before.has(leg));
        let new: Vec<&LegView> = live.legs.iter().filter(is_new).collect();
        let is_free = |leg: &LegView| has_priority(&leg.call_id);
        let counted = |object: &&Object| before.is_none_or(|was| !was.chain.contains(object));
        let free = new.iter().any(|leg| is_free(leg));
        for object in live.chain.iter().filter(|_| !free).filter(counted) {
            fits(object, What::Sessions)?;
            if live.inbound == Some(true) {
                fits(object, What::Inbound)?;
            }
        }
        for leg in new {
            let service = leg.service;
            if let Some(object) = self.rules.forbids(&live.chain, service) {
                return Err(format!("{}: {object:?} forbids {service}", live.guid));
            }
            for object in live.chain.iter().filter(|_| !is_free(leg)) {
                fits(object, What::Service(service.to_owned()))?;
                if service == "gateway" {
                    fits(object, What::Outbound)?;
                }
            }
            let most = self.rules.per_session(&live.chain, service).unwrap_or(usize::MAX);
            if live.of_service(service) > most {
                let guid = live.guid;
                return Err(format!("{guid}: more than {most} legs of {service} in one session"));
            }
        }
        Ok(())
    }

    /// Holds a refusal, as its record tells of it, against what lives.
    ///
    /// # Errors
    /// It was not full, nobody forbids it, or no policy is told or known for its reason.
    pub(super) fn refused(
        &self,
        record: &Json,
        ledger: &Ledger,
        has_priority: impl Fn(&str) -> bool,
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
        let is_judged = WORDS.contains(&reason);
        let (Some(rule), Some(name)) = (rule, name) else {
            return if is_judged { wrong("nobody is told") } else { Ok(()) };
        };
        let (object, field) = match rule.strip_prefix("children.").and_then(|it| it.split_once('.'))
        {
            Some((child, field)) => (Object::Tenant(child.to_owned()), field),
            None if policy["scope"] == "profile" => (Object::Profile(name.to_owned()), rule),
            None => (Object::Tenant(name.to_owned()), rule),
        };
        let limited = matches!(reason, "usage-limit" | "service-limit" | "rate-limit");
        if limited && record["call_id"].as_str().is_some_and(has_priority) {
            return wrong("it has priority");
        }
        let what = match (reason, field) {
            ("usage-limit", "usage_limit") => What::Sessions,
            ("usage-limit", "inbound_usage_limit") => What::Inbound,
            ("usage-limit", "outbound_usage_limit") => What::Outbound,
            ("service-limit", _) => What::Service(service.to_owned()),
            ("session-limit", _) => return self.full_session(record, ledger, service),
            _ => {
                let right = self.permits_not(reason, &object, service, policy);
                return if right { Ok(()) } else { wrong("it does not say so") };
            }
        };
        let most = self.rules.most(&object, &what);
        let have = ledger.counts.get(&object, &what);
        let at_most =
            if what == What::Inbound { have + ledger.counts.unsure(&object) } else { have };
        let told = |field: &str| policy[field].as_u64().and_then(|n| usize::try_from(n).ok());
        if most.is_none_or(|most| at_most < most) {
            return wrong(&format!("{have} live of {most:?}"));
        }
        if told("usage").is_none_or(|told| !(have..=at_most).contains(&told)) {
            return wrong(&format!("{have} live"));
        }
        Ok(())
    }

    /// Whether an object has the permission, rule or rate that a refusal names.
    fn permits_not(&self, reason: &str, object: &Object, service: &str, policy: &Json) -> bool {
        let outside = service == "gateway";
        match reason {
            "service-forbidden" | "outbound-forbidden" => {
                self.rules.forbids(std::slice::from_ref(object), service).is_some()
            }
            "transfer-forbidden" => outside && self.rules.forbids_transfer(object),
            "dialing-rule" => outside && self.rules.rejects(object),
            "rate-limit" => {
                let rate = policy["limit"].as_u64();
                rate.is_some_and(|rate| self.rules.has_rate(object, rate))
            }
            _ => false,
        }
    }

    fn full_session(&self, record: &Json, ledger: &Ledger, service: &str) -> Result<(), String> {
        let guid = record["guid"].as_str().and_then(Guid::parse);
        let own = guid.and_then(|guid| ledger.get(guid));
        let most = own.and_then(|live| self.rules.per_session(&live.chain, service));
        let have = own.map_or(0, |live| live.of_service(service));
        if most.is_none_or(|most| have < most) {
            let call = &record["call_id"];
            return Err(format!("{call}: session-limit with {have} legs of {service} of {most:?}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Ledger, Policies, Rules};
    use serde_json::{Value as Json, json};

    #[test]
    fn a_refusal_names_what_the_configuration_says() {
        let objects = json!([
            {"kind": "Tenant", "name": "north", "spec": {"policy": {"rate_limit": 8,
                "dialing_rules": ["reject ^0900"], "transfer_allowed": false}}},
            {"kind": "Tenant", "name": "south", "spec": {"policy": {
                "dialing_rules": ["translate ^0([1-9]) -> 49$1"]}}}]);
        let policies = Policies { rules: Rules::of(&objects), ..Policies::default() };
        let is_right = |reason: &str, policy: Json| {
            let record = json!({"phase": "end", "reason": reason, "service": "gateway",
                "call_id": "a@b", "policy": policy});
            policies.refused(&record, &Ledger::default(), |_| false).is_ok()
        };
        let of = |name: &str, rule: &str, limit: Option<u64>| -> Json {
            json!({"scope": "tenant", "name": name, "rule": rule, "limit": limit})
        };
        for (reason, rule, limit) in [
            ("rate-limit", "rate_limit", Some(8)),
            ("dialing-rule", "dialing_rules", None),
            ("transfer-forbidden", "transfer_allowed", None),
        ] {
            assert!(is_right(reason, of("north", rule, limit)), "{reason}");
            assert!(!is_right(reason, of("south", rule, limit)), "{reason} of another");
            assert!(!is_right(reason, Json::Null), "{reason} of nobody");
        }
        assert!(!is_right("rate-limit", of("north", "rate_limit", Some(9))));
        assert!(!is_right("some-word", of("north", "rate_limit", Some(8))));
        assert!(is_right("no-profile", Json::Null));
    }
}
