//! Who asks, and what of the platform that one may see and change (ops.md §1.12).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use config::settings::Access;
use model::config::Kind;
use serde_json::Value as Json;

use crate::refusal::Refusal;
use model::config::{Key, Object, Set};

/// The tenant above all.
pub const ENVIRONMENT: &str = "Environment";

/// Who asks: written into the history and the audit.
#[derive(Clone, Debug)]
pub struct Who {
    /// Name of the token; `anonymous`, `seed`, `restore`, … where there is none.
    pub actor: String,
    /// Id of the token.
    pub token: Option<String>,
    /// What it allows.
    pub role: Access,
    /// Where it allows that.
    pub scope: Scope,
    /// Address that it came from; empty where it came from no network.
    pub source: String,
    /// `User-Agent`
    pub user_agent: String,
    /// `X-Request-Id`
    pub request_id: String,
    /// Whether the audit says that it was refused.
    pub noted: Noted,
}

/// A mark that a request and its clones share: a refusal has one line in the audit.
#[derive(Clone, Debug, Default)]
pub struct Noted(Arc<AtomicBool>);

impl Noted {
    /// The line is written.
    pub(crate) fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it is.
    pub(crate) fn is_noted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Who {
    /// The server itself, under this name: an admin of everything.
    #[must_use]
    pub fn server(actor: &str) -> Self {
        Self {
            actor: actor.to_owned(),
            token: None,
            role: Access::Admin,
            scope: Scope::default(),
            source: String::new(),
            user_agent: String::new(),
            request_id: String::new(),
            noted: Noted::default(),
        }
    }

    /// # Errors
    /// `forbidden` to a role below `least`.
    pub fn needs(&self, least: Access) -> Result<(), Refusal> {
        if self.role >= least {
            return Ok(());
        }
        let role = match least {
            Access::None | Access::Reader => "reader",
            Access::Editor => "editor",
            Access::Admin => "admin",
        };
        Err(Refusal::Forbidden(format!("it needs the role {role}")))
    }

    /// # Errors
    /// `forbidden` to a token that is scoped: what concerns all tenants is not for it.
    pub fn needs_all_tenants(&self) -> Result<(), Refusal> {
        if self.scope.is_all() {
            return Ok(());
        }
        Err(Refusal::Forbidden("it needs a token that is not scoped to tenants".to_owned()))
    }
}

/// The tenants that a token is for; the default is all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope(Option<Vec<String>>);

impl Scope {
    /// These tenants with all below them; none = everything.
    #[must_use]
    pub fn of(tenants: Vec<String>) -> Self {
        Self(Some(tenants).filter(|tenants| !tenants.is_empty()))
    }

    /// Whether it is everything.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0.is_none()
    }

    /// The tenants named; empty = everything.
    #[must_use]
    pub fn tenants(&self) -> &[String] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether it sees an object of this set: the tenants of the scope, what lies below them and
    /// what they own.
    #[must_use]
    pub fn sees(&self, set: &Set, key: &Key) -> bool {
        self.is_all() || self.holds(&chain(set, key))
    }

    /// Whether it may change an object, be it one of the set or one to come: what it sees but the
    /// tenants of the scope themselves, whose limits belong to their parents.
    #[must_use]
    pub fn changes(&self, set: &Set, key: &Key) -> bool {
        let above = chain(set, key);
        let above = if key.kind == Kind::Tenant { above.get(1..) } else { Some(above.as_slice()) };
        self.is_all() || self.holds(above.unwrap_or_default())
    }

    pub(crate) fn holds(&self, chain: &[String]) -> bool {
        self.tenants().iter().any(|tenant| chain.contains(tenant))
    }
}

/// The tenants above an object, nearest first; of a tenant itself first. An application has none:
/// it is the platform's.
pub(crate) fn chain(set: &Set, key: &Key) -> Vec<String> {
    let first = match key.kind {
        Kind::Tenant => &key.name,
        Kind::Application => return vec![ENVIRONMENT.to_owned()],
        Kind::IvrProfile | Kind::DidGroup | Kind::ResourceGroup => &key.tenant,
    };
    let mut chain = vec![first.clone()];
    // a set that is valid has no cycle
    while let Some(tenant) = chain.last().filter(|tenant| *tenant != ENVIRONMENT) {
        let key = tenant_key(tenant);
        let Some(parent) = set.get(&key).map(|tenant| parent(tenant)) else { break };
        chain.push(parent);
    }
    chain
}

/// The key of the tenant of this name.
pub(crate) fn tenant_key(name: &str) -> Key {
    Key { kind: Kind::Tenant, tenant: ENVIRONMENT.to_owned(), name: name.to_owned() }
}

fn parent(tenant: &Object) -> String {
    let parent = tenant.json.pointer("/spec/parent").and_then(Json::as_str);
    parent.unwrap_or(ENVIRONMENT).to_owned()
}
