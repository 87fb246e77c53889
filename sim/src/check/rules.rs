//! The limits and permissions of a configuration as the specification means them (rm.md §6): read
//! from its objects here, not by the product.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

/// The root of all tenants.
const ROOT: &str = "Environment";

/// Whom a rule is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Object {
    /// A tenant, and all below it.
    Tenant(String),
    /// A profile.
    Profile(String),
}

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// Live sessions.
    Sessions,
    /// Live sessions whose first leg came in.
    Inbound,
    /// Live legs to the outside.
    Outbound,
    /// Live legs of a service.
    Service(String),
}

/// All rules of a configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    parents: BTreeMap<String, String>,
    /// The strictest of each.
    most: BTreeMap<(Object, What), usize>,
    /// Legs of a service in one session; with `true` laid over by a parent, which is nearer.
    per_session: BTreeMap<(Object, bool, String), usize>,
    /// New sessions a second; two where a parent lays one over.
    rates: BTreeSet<(Object, u64)>,
    /// Who rejects numbers.
    rejecting: BTreeSet<Object>,
    /// Who lets no call from outside be transferred.
    untransferable: BTreeSet<Object>,
    /// Services that are forbidden.
    forbidden: BTreeSet<(Object, String)>,
    /// Groups with their owner and services.
    groups: BTreeMap<String, (String, BTreeSet<String>)>,
}

impl Rules {
    /// Those of these objects.
    #[must_use]
    pub(super) fn of(objects: &Json) -> Self {
        let mut rules = Self::default();
        for object in objects.as_array().into_iter().flatten() {
            let name = object["name"].as_str().unwrap_or_default().to_owned();
            let spec = &object["spec"];
            match object["kind"].as_str() {
                Some("Tenant") => {
                    if let Some(parent) = spec["parent"].as_str().or((name != ROOT).then_some(ROOT))
                    {
                        rules.parents.insert(name.clone(), parent.to_owned());
                    }
                    rules.read(&Object::Tenant(name), false, &spec["policy"]);
                    let children = spec["policy"]["children"].as_object();
                    for (child, policy) in children.into_iter().flatten() {
                        rules.read(&Object::Tenant(child.clone()), true, policy);
                    }
                }
                Some("IvrProfile") => rules.read(&Object::Profile(name), false, &spec["policy"]),
                Some("ResourceGroup") => {
                    let owner = object["tenant"].as_str().unwrap_or(ROOT).to_owned();
                    let services = spec["services"].as_array().into_iter().flatten();
                    let services = services.filter_map(Json::as_str).map(ToOwned::to_owned);
                    rules.groups.insert(name, (owner, services.collect()));
                }
                _ => {}
            }
        }
        rules
    }

    fn read(&mut self, object: &Object, laid_over: bool, policy: &Json) {
        let levels =
            [&policy["usage_limit"], &policy["burst"]["level2"], &policy["burst"]["level3"]];
        self.limit(object, What::Sessions, levels.into_iter().filter_map(Json::as_u64).max());
        self.limit(object, What::Inbound, policy["inbound_usage_limit"].as_u64());
        self.limit(object, What::Outbound, policy["outbound_usage_limit"].as_u64());
        self.rates.extend(policy["rate_limit"].as_u64().map(|rate| (object.clone(), rate)));
        let dialing = policy["dialing_rules"].as_array().into_iter().flatten();
        if dialing.filter_map(Json::as_str).any(|rule| rule.starts_with("reject")) {
            self.rejecting.insert(object.clone());
        }
        if policy["transfer_allowed"] == false {
            self.untransferable.insert(object.clone());
        }
        if policy["outbound_allowed"] == false {
            self.forbidden.insert((object.clone(), "gateway".to_owned()));
        }
        if policy["recording_allowed"] == false {
            for service in ["recordingclient", "recordingserver"] {
                self.forbidden.insert((object.clone(), service.to_owned()));
            }
        }
        for (service, said) in policy["services"].as_object().into_iter().flatten() {
            self.limit(object, What::Service(service.clone()), said["usage_limit"].as_u64());
            if let Some(most) = said["per_session"].as_u64().and_then(narrow) {
                self.per_session.insert((object.clone(), laid_over, service.clone()), most);
            }
            if said["allowed"] == false {
                self.forbidden.insert((object.clone(), service.clone()));
            }
        }
    }

    fn limit(&mut self, object: &Object, what: What, most: Option<u64>) {
        if let Some(most) = most.and_then(narrow) {
            let own = self.most.entry((object.clone(), what)).or_insert(usize::MAX);
            *own = most.min(*own);
        }
    }

    /// Everything that judges a session: its profile, its tenant, and all above that.
    #[must_use]
    pub(super) fn chain(&self, tenant: Option<&str>, profile: Option<&str>) -> Vec<Object> {
        let above = |name: &&str| self.parents.get(*name).map(String::as_str);
        let tenants = std::iter::successors(tenant, above);
        let profile = profile.map(|name| Object::Profile(name.to_owned()));
        profile.into_iter().chain(tenants.map(|name| Object::Tenant(name.to_owned()))).collect()
    }

    /// The limit, if there is one.
    #[must_use]
    pub(super) fn most(&self, object: &Object, what: &What) -> Option<usize> {
        self.most.get(&(object.clone(), what.clone())).copied()
    }

    /// Most legs of a service in one session: the nearest definition counts.
    #[must_use]
    pub(super) fn per_session(&self, chain: &[Object], service: &str) -> Option<usize> {
        let said = |object: &Object, laid_over| {
            self.per_session.get(&(object.clone(), laid_over, service.to_owned())).copied()
        };
        chain.iter().find_map(|object| said(object, true).or_else(|| said(object, false)))
    }

    /// Who forbids a service, if anybody does.
    #[must_use]
    pub(super) fn forbids<'c>(&self, chain: &'c [Object], service: &str) -> Option<&'c Object> {
        let is =
            |object: &&Object| self.forbidden.contains(&((*object).clone(), service.to_owned()));
        chain.iter().find(is)
    }

    /// Whether new sessions are held to this rate.
    #[must_use]
    pub(super) fn has_rate(&self, object: &Object, rate: u64) -> bool {
        self.rates.contains(&(object.clone(), rate))
    }

    /// Whether numbers are rejected.
    #[must_use]
    pub(super) fn rejects(&self, object: &Object) -> bool {
        self.rejecting.contains(object)
    }

    /// Whether calls from outside may not be transferred.
    #[must_use]
    pub(super) fn forbids_transfer(&self, object: &Object) -> bool {
        self.untransferable.contains(object)
    }

    /// Whether any group offers a service to who is judged by these.
    #[must_use]
    pub(super) fn serves_any(&self, chain: &[Object], service: &str) -> bool {
        self.groups.keys().any(|group| self.serves(group, chain, service))
    }

    /// Whether a group offers a service to who is judged by these.
    #[must_use]
    pub(super) fn serves(&self, group: &str, chain: &[Object], service: &str) -> bool {
        self.groups.get(group).is_some_and(|(owner, services)| {
            let visible = owner == ROOT || chain.contains(&Object::Tenant(owner.clone()));
            visible && services.contains(service)
        })
    }
}

fn narrow(most: u64) -> Option<usize> {
    usize::try_from(most).ok()
}
