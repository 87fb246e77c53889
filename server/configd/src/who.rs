//! Who asks, and what of the platform that one may see and change (ops.md §1.12).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use config::settings::Access;
use model::config::Kind;
use model::id::Dbid;
use serde_json::Value as Json;

use crate::refusal::Refusal;
use crate::transaction::Name;
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

/// The tenants that a token is for, by their numbers: one that is renamed stays the token's, and
/// one that is made anew under an old name is another one. The default is all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope(Option<Vec<Dbid>>);

impl Scope {
    /// These tenants with all below them; none = nothing.
    #[must_use]
    pub fn of(tenants: Vec<Dbid>) -> Self {
        Self(Some(tenants))
    }

    /// As it is stored: `dbid:101`, or the name that a tenant of the set has (of an earlier
    /// version); what is neither is no tenant. None = everything.
    pub(crate) fn stored(tenants: &[String], set: &Set) -> Self {
        let number = |text: &String| match Name::parse(text) {
            Name::Dbid(dbid) => Some(dbid),
            Name::Text(name) => set.get(&tenant_key(&name)).map(|tenant| tenant.dbid),
        };
        let numbers = || tenants.iter().filter_map(number).collect();
        Self((!tenants.is_empty()).then(numbers))
    }

    /// As [`Scope::stored`] reads it.
    pub(crate) fn to_stored(&self) -> Vec<String> {
        self.tenants().iter().map(|dbid| format!("dbid:{dbid}")).collect()
    }

    /// The tenants as people call them now; one that is no more by its number.
    #[must_use]
    pub fn names(&self, set: &Set) -> Vec<String> {
        let name = |dbid: &Dbid| {
            let tenant = set.by_dbid(Kind::Tenant, *dbid);
            tenant.map_or_else(|| format!("dbid:{dbid}"), |tenant| tenant.key.name.clone())
        };
        self.tenants().iter().map(name).collect()
    }

    /// Whether it is everything.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0.is_none()
    }

    /// The numbers of its tenants; nothing is named where it is everything.
    #[must_use]
    pub fn tenants(&self) -> &[Dbid] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether it sees an object of this set: the tenants of the scope, what lies below them and
    /// what they own.
    #[must_use]
    pub fn sees(&self, set: &Set, key: &Key) -> bool {
        self.is_all() || self.holds(&above(set, key))
    }

    /// Whether it may change an object, be it one of the set or one to come: what it sees but the
    /// tenants of the scope themselves, whose limits belong to their parents.
    #[must_use]
    pub fn changes(&self, set: &Set, key: &Key) -> bool {
        let above = above(set, key);
        let above = if key.kind == Kind::Tenant { above.get(1..) } else { Some(above.as_slice()) };
        self.is_all() || self.holds(above.unwrap_or_default())
    }

    pub(crate) fn holds(&self, above: &[Dbid]) -> bool {
        self.tenants().iter().any(|tenant| above.contains(tenant))
    }
}

/// The numbers of the tenants above an object, as [`chain`] names them; it ends before one that the
/// set has not.
pub(crate) fn above(set: &Set, key: &Key) -> Vec<Dbid> {
    let chain = chain(set, key).into_iter();
    chain.map_while(|name| set.get(&tenant_key(&name)).map(|tenant| tenant.dbid)).collect()
}

/// The tenant that has an object; of a tenant itself.
pub(crate) fn owner(key: &Key) -> &str {
    match key.kind {
        Kind::Tenant => &key.name,
        Kind::Application => ENVIRONMENT,
        Kind::IvrProfile | Kind::DidGroup | Kind::ResourceGroup => &key.tenant,
    }
}

/// The names of the tenants above an object, nearest first; of a tenant itself first. An
/// application is the platform's.
pub(crate) fn chain(set: &Set, key: &Key) -> Vec<String> {
    let mut chain = vec![owner(key).to_owned()];
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
