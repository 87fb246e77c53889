//! What the operations of a transaction mean: which objects are put, which are deleted, and
//! whether what they ask for holds (ops.md §1.5).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use config::settings::Access;
use model::config::{Document, Kind};
use model::id::Revision;
use model::schema::Problem;
use model::tree::Node;

use super::entry::Entry;
use super::history::document;
use super::rename;
use super::state::State;
use crate::limits::MAX_OPERATIONS;
use crate::refusal::Refusal;
use crate::transaction::{Operation, Target, Transaction, When};
use crate::who::{ENVIRONMENT, Who, chain, tenant_key};
use model::config::Key;

/// What a transaction comes to.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// In the order of the operations.
    pub(super) puts: Vec<PlannedPut>,
    pub(super) deletes: BTreeSet<Key>,
}

/// A document to be put.
#[derive(Debug)]
pub(super) struct PlannedPut {
    pub(super) document: Document,
    /// `None`: its head cannot be read, and validation says why.
    pub(super) key: Option<Key>,
    /// The object that it replaces, or whose name it changes.
    pub(super) before: Option<Entry>,
    /// The object of this number in an earlier revision, that comes back.
    pub(super) former: Option<Entry>,
}

impl PlannedPut {
    fn of(document: &Document, key: Option<Key>, before: Option<Entry>) -> Self {
        Self { document: document.clone(), key, before, former: None }
    }
}

/// Finds what the operations name, in the order of blame: may they, are they clear, does it hold.
pub(super) fn resolve(
    state: &State,
    transaction: &Transaction,
    who: &Who,
) -> Result<Plan, Refusal> {
    who.needs(Access::Editor)?;
    if transaction.base_revision.is_some_and(|base| base != state.revision) {
        return Err(Refusal::PreconditionFailed { current: state.revision });
    }
    if transaction.operations.len() > MAX_OPERATIONS {
        let count = transaction.operations.len();
        let text = format!("operations: {count} exceeds the limit of {MAX_OPERATIONS}");
        return Err(Refusal::TooLarge(text));
    }
    let plan = Plan::default();
    let (named, renamed, coming) = (BTreeMap::new(), BTreeMap::new(), coming(transaction));
    let mut resolving = Resolving { state, who, plan, named, coming, renamed };
    for operation in &transaction.operations {
        resolving.operation(operation)?;
    }
    resolving.follow();
    if let Some((key, value)) = &transaction.prune {
        resolving.prune(key, value);
    }
    Ok(resolving.plan)
}

struct Resolving<'a> {
    state: &'a State,
    who: &'a Who,
    plan: Plan,
    /// What operations have named so far, and whether a put gives it another name.
    named: BTreeMap<Key, Naming>,
    /// Tenants that the transaction puts.
    coming: BTreeSet<String>,
    /// Tenants that get another name: the old one and the new one.
    renamed: BTreeMap<String, String>,
}

/// The tenants that a transaction puts.
fn coming(transaction: &Transaction) -> BTreeSet<String> {
    let key = |operation: &Operation| match operation {
        Operation::Put { document, .. } => head(&document.root),
        Operation::Delete { .. } => None,
    };
    let keys = transaction.operations.iter().filter_map(key);
    keys.filter(|key| key.kind == Kind::Tenant).map(|key| key.name).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Naming {
    Put,
    Delete,
    RenamedAway,
}

impl Resolving<'_> {
    fn operation(&mut self, operation: &Operation) -> Result<(), Refusal> {
        match operation {
            Operation::Put { document, when, rename_from } => {
                self.put(document, *when, rename_from.as_deref())
            }
            Operation::Delete { target, when, cascade } => self.delete(target, *when, *cascade),
        }
    }

    fn put(
        &mut self,
        document: &Document,
        when: When,
        rename_from: Option<&str>,
    ) -> Result<(), Refusal> {
        let Some(key) = head(&document.root) else {
            self.plan.puts.push(PlannedPut::of(document, None, None));
            return Ok(());
        };
        self.permit(&key)?;
        self.permit_parent(&key, &document.root)?;
        self.name(&key, Naming::Put)?;
        let before = match rename_from.filter(|old| *old != key.name) {
            Some(old) => Some(self.renamed(document, &key, old)?),
            None => self.state.get(&key),
        };
        holds(when, before.as_ref(), &key)?;
        self.plan.puts.push(PlannedPut::of(document, Some(key), before));
        Ok(())
    }

    /// The object that gets another name; the old one goes in the same transaction.
    fn renamed(&mut self, document: &Document, key: &Key, old: &str) -> Result<Entry, Refusal> {
        let old = Key { name: old.to_owned(), ..key.clone() };
        is_no_root(&old, "renamed")?;
        let problem = |code, message| {
            Refusal::Invalid(vec![Problem {
                code,
                at: document.root.at,
                path: "rename_from".to_owned(),
                message,
                file: document.file.clone(),
                object: Some(Arc::new(key.named())),
            }])
        };
        let (kind, tenant) = (key.kind, &key.tenant);
        let scope = &self.who.scope;
        let before = self.state.get(&old).filter(|_| scope.sees(&self.state.set, &old));
        let before = before.ok_or_else(|| {
            let text = format!("{kind} \"{}\" of tenant \"{tenant}\" does not exist", old.name);
            problem("E201", text)
        })?;
        self.permit(&old)?;
        if self.state.get(key).is_some() {
            let name = &key.name;
            let text = format!("{kind} \"{name}\" already exists in tenant \"{tenant}\"");
            return Err(problem("E204", format!("{text} as \"{name}\"")));
        }
        self.name(&old, Naming::RenamedAway)?;
        if kind == Kind::Tenant {
            self.renamed.insert(old.name.clone(), key.name.clone());
        }
        self.plan.deletes.insert(old);
        Ok(before)
    }

    /// What a tenant with another name has, and who speaks of it, goes with it, numbers and all,
    /// unless the transaction says itself what becomes of it.
    fn follow(&mut self) {
        let renamed = std::mem::take(&mut self.renamed);
        if renamed.is_empty() {
            return;
        }
        let old = |new: &str| renamed.iter().find(|(_, own)| *own == new).map(|(old, _)| old);
        for put in &mut self.plan.puts {
            // put under the new name as if it had always been there
            let Some(key) = put.key.as_ref().filter(|key| key.kind.is_owned()) else { continue };
            let was = old(&key.tenant).map(|old| Key { tenant: old.clone(), ..key.clone() });
            let Some(was) = was.filter(|was| put.before.is_none() && !self.named.contains_key(was))
            else {
                continue;
            };
            if let Some(before) = self.state.get(&was) {
                self.named.insert(was.clone(), Naming::RenamedAway);
                self.plan.deletes.insert(was);
                put.before = Some(before);
            }
        }
        let set = &self.state.set;
        let keys = renamed.keys().flat_map(|old| set.referrers(&tenant_key(old)));
        for key in keys.collect::<BTreeSet<_>>() {
            let Some(before) = self.state.get(&key).filter(|_| !self.named.contains_key(&key))
            else {
                continue;
            };
            let mut document = document(&before, 0);
            rename::tenants(&mut document.root, &renamed);
            let new = head(&document.root);
            if new.as_ref() != Some(&key) {
                self.plan.deletes.insert(key.clone());
            }
            self.named.insert(key, Naming::Put);
            self.plan.puts.push(PlannedPut {
                document,
                key: new,
                before: Some(before),
                former: None,
            });
        }
    }

    fn delete(&mut self, target: &Target, when: When, cascade: bool) -> Result<(), Refusal> {
        let entry = self.state.find(target, &self.who.scope)?;
        let key = &entry.object.key;
        is_no_root(key, "deleted")?;
        self.permit(key)?;
        self.name(key, Naming::Delete)?;
        holds(when, Some(&entry), key)?;
        if cascade {
            self.cascade(key)?;
        }
        self.plan.deletes.insert(key.clone());
        Ok(())
    }

    /// What cannot be without an object goes with it: what a tenant owns and the tenants below
    /// it, the numbers of a profile. Who merely mentions it keeps it: E203.
    fn cascade(&mut self, key: &Key) -> Result<(), Refusal> {
        let mut open = vec![key.clone()];
        while let Some(key) = open.pop() {
            for dependent in self.state.set.referrers(&key) {
                let belongs = match key.kind {
                    Kind::Tenant => {
                        let own = usize::from(dependent.kind == Kind::Tenant);
                        chain(&self.state.set, &dependent).get(own) == Some(&key.name)
                    }
                    Kind::IvrProfile => dependent.kind == Kind::DidGroup,
                    Kind::DidGroup | Kind::ResourceGroup | Kind::Application => false,
                };
                if belongs && !self.named.contains_key(&dependent) {
                    self.permit(&dependent)?;
                    if self.plan.deletes.insert(dependent.clone()) {
                        open.push(dependent);
                    }
                }
            }
        }
        Ok(())
    }

    fn prune(&mut self, label: &str, value: &str) {
        for object in self.state.set.objects() {
            let key = &object.key;
            let labelled = object.labels.get(label).is_some_and(|own| own == value);
            let root = key.kind == Kind::Tenant && key.name == ENVIRONMENT;
            let may = self.who.scope.changes(&self.state.set, key);
            if labelled && may && !root && !self.named.contains_key(key) {
                self.plan.deletes.insert(key.clone());
            }
        }
    }

    fn permit(&self, key: &Key) -> Result<(), Refusal> {
        let scope = &self.who.scope;
        let below = !matches!(key.kind, Kind::Tenant) || self.state.set.get(key).is_some();
        // a tenant to come is judged by its parent, when its document has been read
        if !below || scope.changes(&self.state.set, key) {
            return Ok(());
        }
        Err(outside())
    }

    /// The parent of a tenant is one that the scope sees or one to come: whether another exists
    /// is not told.
    fn permit_parent(&self, key: &Key, root: &Node) -> Result<(), Refusal> {
        let scope = &self.who.scope;
        if key.kind != Kind::Tenant || scope.is_all() {
            return Ok(());
        }
        let parent = root.get("spec").and_then(|spec| spec.get("parent"));
        let parent = parent.and_then(Node::as_text).unwrap_or(ENVIRONMENT);
        let set = &self.state.set;
        if scope.sees(set, &tenant_key(parent)) || self.coming.contains(parent) {
            return Ok(());
        }
        Err(outside())
    }

    fn name(&mut self, key: &Key, naming: Naming) -> Result<(), Refusal> {
        let together = |first, second| {
            matches!(
                (first, second),
                (Naming::Delete, Naming::RenamedAway) | (Naming::RenamedAway, Naming::Delete)
            )
        };
        match self.named.insert(key.clone(), naming) {
            Some(before) if !together(before, naming) => {
                Err(Refusal::Malformed(format!("{key} is named twice")))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// What a scoped token hears about everything else.
pub(super) fn outside() -> Refusal {
    Refusal::Forbidden("it is outside of the tenants of the token".to_owned())
}

fn is_no_root(key: &Key, what: &str) -> Result<(), Refusal> {
    if key.kind == Kind::Tenant && key.name == ENVIRONMENT {
        return Err(Refusal::Conflict(format!("the tenant {ENVIRONMENT} cannot be {what}")));
    }
    Ok(())
}

fn holds(when: When, before: Option<&Entry>, key: &Key) -> Result<(), Refusal> {
    let current = before.map_or(Revision(0), |entry| entry.meta.revision);
    match (when, before) {
        (When::Always, _) | (When::Absent | When::Named, None) => Ok(()),
        (When::Named, Some(_)) => Err(Refusal::PreconditionRequired),
        (When::At(revision), Some(_)) if revision == current => Ok(()),
        (When::At(_), _) => Err(Refusal::PreconditionFailed { current }),
        (When::Absent, Some(_)) => Err(Refusal::Conflict(format!("{key} exists"))),
    }
}

/// The key of a document, where its head can be read.
pub(super) fn head(root: &Node) -> Option<Key> {
    let kind = Kind::parse(root.get("kind")?.as_text()?)?;
    let name = root.get("name")?.as_text()?.to_owned();
    let tenant = match root.get("tenant").filter(|_| kind.is_owned()) {
        Some(tenant) => tenant.as_text()?,
        None => ENVIRONMENT,
    };
    Some(Key { kind, tenant: tenant.to_owned(), name })
}
