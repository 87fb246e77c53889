//! Numbers of objects: a counter per kind from 101, none used twice (ops.md §1.1).
//!
//! Entries of a group's `resources` share the counter of applications, because both are components
//! in reports; they keep their number while their name stays.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use config::settings::Access;
use model::config::{Document, Kind};
use model::id::Dbid;
use model::schema::Problem;
use model::tree::{Node, Value};
use serde_json::Value as Json;

use super::resolve::{Plan, PlannedPut};
use super::state::State;
use crate::refusal::Refusal;
use crate::who::Who;
use model::config::{Object, Set};

/// The first number of a user's object.
const FIRST: u32 = 101;
/// Numbers from here on are computed from names where a file gives none (rm.md §4.1). An import
/// may bring them; the counters stay below, or one of them would use up all numbers at once.
const COMPUTED: u32 = 0x4000_0000;
/// The last number that an object may have.
const LAST: u32 = i32::MAX.unsigned_abs();

/// What numbers are next, and which are gone for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    next: BTreeMap<Kind, u32>,
    gone: Arc<BTreeSet<(Kind, Dbid)>>,
}

impl Counters {
    /// As they were stored.
    #[must_use]
    pub(super) fn of(next: BTreeMap<Kind, u32>, gone: BTreeSet<(Kind, Dbid)>) -> Self {
        Self { next, gone: Arc::new(gone) }
    }

    /// The next number of each kind that has one.
    pub(super) fn next(&self) -> impl Iterator<Item = (Kind, u32)> {
        self.next.iter().map(|(kind, next)| (*kind, *next))
    }

    /// The numbers that belonged to objects that are no more.
    pub(super) fn gone(&self) -> impl Iterator<Item = (Kind, Dbid)> {
        self.gone.iter().copied()
    }

    /// The first number that was given out, in use or gone, and would come again: of which kind,
    /// and what is next there.
    pub(super) fn behind(&self, used: &BTreeSet<(Kind, Dbid)>) -> Option<(Kind, u32, Dbid)> {
        let next = |kind: Kind| self.next.get(&kind).copied().unwrap_or(FIRST);
        let given = used.iter().chain(&*self.gone).filter(|(_, dbid)| dbid.0 < COMPUTED);
        let mut given = given.map(|(kind, dbid)| (*kind, next(*kind), *dbid));
        given.find(|(_, next, dbid)| dbid.0 >= *next)
    }

    /// These, behind all that another state has given out: what is not in this set is gone.
    pub(super) fn joined(&self, other: &State, set: &Set) -> Self {
        let mut joined = self.clone();
        for (kind, next) in other.counters.next() {
            let own = joined.next.entry(kind).or_insert(FIRST);
            *own = (*own).max(next);
        }
        let used: BTreeSet<_> = set.objects().flat_map(|object| numbers(object)).collect();
        let theirs = other.set.objects().flat_map(|object| numbers(object));
        let gone = Arc::make_mut(&mut joined.gone);
        gone.extend(theirs.chain(other.counters.gone()).filter(|number| !used.contains(number)));
        joined
    }

    /// Whether a number belonged to an object that is no more.
    #[must_use]
    pub(super) fn is_gone(&self, kind: Kind, dbid: Dbid) -> bool {
        self.gone.contains(&(kind, dbid))
    }

    /// Marks the numbers of what is no more, and frees those that came back.
    pub(super) fn settle(&mut self, left: &[(Kind, Dbid)], back: &[(Kind, Dbid)]) {
        if left.is_empty() && back.iter().all(|number| !self.gone.contains(number)) {
            return;
        }
        let gone = Arc::make_mut(&mut self.gone);
        gone.extend(left);
        for number in back {
            gone.remove(number);
        }
    }

    /// The next number that nobody has or had; `None`: they are used up.
    fn take(&mut self, kind: Kind, in_use: impl Fn(Dbid) -> bool) -> Option<Dbid> {
        let next = self.next.entry(kind).or_insert(FIRST);
        let is_free = |dbid: &Dbid| !self.gone.contains(&(kind, *dbid)) && !in_use(*dbid);
        let dbid = (*next..=LAST).map(Dbid).find(is_free)?;
        *next = dbid.0 + 1;
        Some(dbid)
    }

    fn pass(&mut self, kind: Kind, dbid: Dbid) {
        let next = self.next.entry(kind).or_insert(FIRST);
        if dbid.0 < COMPUTED {
            *next = (*next).max(dbid.0 + 1);
        }
    }
}

/// Gives every put its number, and moves the counters. The problems are those of numbers that
/// were given and cannot be.
pub(super) fn assign(
    set: &Set,
    counters: &mut Counters,
    plan: &mut Plan,
    who: &Who,
) -> Result<(), Refusal> {
    let (given, resources, problems) = (BTreeSet::new(), OnceCell::new(), Vec::new());
    let mut assigning = Assigning { set, counters, who, given, resources, problems };
    // numbers that are given move the counters before any is taken from them
    for put in &plan.puts {
        assigning.given(put)?;
    }
    for put in &mut plan.puts {
        assigning.missing(put)?;
    }
    let problems = assigning.problems;
    if problems.is_empty() { Ok(()) } else { Err(Refusal::Invalid(problems)) }
}

/// The numbers of an object: its own, and those of its resources.
pub(super) fn numbers(object: &Object) -> impl Iterator<Item = (Kind, Dbid)> {
    let resources = resources(object).map(|(_, dbid)| (Kind::Application, dbid));
    std::iter::once((object.key.kind, object.dbid)).chain(resources)
}

fn of_resources(set: &Set) -> BTreeSet<Dbid> {
    let groups = set.objects().filter(|object| object.key.kind == Kind::ResourceGroup);
    groups.flat_map(|group| resources(group)).map(|(_, dbid)| dbid).collect()
}

/// Names and numbers of the resources of a group.
fn resources(object: &Object) -> impl Iterator<Item = (&str, Dbid)> {
    let group = object.key.kind == Kind::ResourceGroup;
    let list = object.json.pointer("/spec/resources").and_then(Json::as_array);
    list.filter(|_| group).into_iter().flatten().filter_map(|resource| {
        let dbid = u32::try_from(resource.get("dbid")?.as_u64()?).ok()?;
        Some((resource.get("name")?.as_str()?, Dbid(dbid)))
    })
}

struct Assigning<'a> {
    set: &'a Set,
    counters: &'a mut Counters,
    who: &'a Who,
    /// Numbers that the transaction brings.
    given: BTreeSet<(Kind, Dbid)>,
    /// Those of all resources of groups, once they are looked for.
    resources: OnceCell<BTreeSet<Dbid>>,
    problems: Vec<Problem>,
}

impl Assigning<'_> {
    fn given(&mut self, put: &PlannedPut) -> Result<(), Refusal> {
        let Some(key) = &put.key else { return Ok(()) };
        let before = put.before.as_ref().map(|entry| entry.object.dbid);
        let root = &put.document.root;
        self.check(put, root, key.kind, before)?;
        for resource in resources_of(root).filter(|_| key.kind == Kind::ResourceGroup) {
            let name = resource.get("name").and_then(Node::as_text);
            let before = name.and_then(|name| self.set.resource_dbid(name));
            self.check(put, resource, Kind::Application, before)?;
        }
        Ok(())
    }

    fn check(
        &mut self,
        put: &PlannedPut,
        node: &Node,
        kind: Kind,
        before: Option<Dbid>,
    ) -> Result<(), Refusal> {
        let Some(given) = number(node) else { return Ok(()) };
        let text = match before {
            Some(before) if before == given => return Ok(()),
            Some(_) => "dbid of an existing object cannot change".to_owned(),
            None if self.who.role < Access::Admin => {
                let text = "only an admin chooses the dbid of a new object: leave it out";
                return Err(Refusal::Forbidden(text.to_owned()));
            }
            None if self.is_taken(kind, given) => format!("dbid {given} is taken"),
            None => {
                self.counters.pass(kind, given);
                self.given.insert((kind, given));
                return Ok(());
            }
        };
        let place = node.get("dbid").map_or(node.at, |dbid| dbid.at);
        self.problems.push(Problem {
            code: "E206",
            at: place,
            path: "dbid".to_owned(),
            message: text,
            file: put.document.file.clone(),
            object: put.key.as_ref().map(|key| Arc::new(key.named())),
        });
        Ok(())
    }

    fn is_taken(&self, kind: Kind, dbid: Dbid) -> bool {
        self.counters.is_gone(kind, dbid) || self.set.by_dbid(kind, dbid).is_some()
    }

    fn missing(&mut self, put: &mut PlannedPut) -> Result<(), Refusal> {
        let Some(key) = &put.key else { return Ok(()) };
        let (kind, before) = (key.kind, put.before.as_ref().map(|entry| entry.object.dbid));
        let Document { root, .. } = &mut put.document;
        self.fill(root, kind, before)?;
        if kind != Kind::ResourceGroup {
            return Ok(());
        }
        for resource in resources_mut(root) {
            let name = resource.get("name").and_then(Node::as_text);
            let before = name.and_then(|name| self.set.resource_dbid(name));
            self.fill(resource, Kind::Application, before)?;
        }
        Ok(())
    }

    /// What is given stays, be it wrong: validation says so.
    fn fill(&mut self, node: &mut Node, kind: Kind, before: Option<Dbid>) -> Result<(), Refusal> {
        let is_open = node.get("dbid").is_none_or(Node::is_null);
        if is_open && matches!(node.value, Value::Map(_)) {
            let Self { set, counters, given, resources, .. } = self;
            let of_resources = || resources.get_or_init(|| of_resources(set));
            let in_use = |dbid| {
                given.contains(&(kind, dbid))
                    || set.by_dbid(kind, dbid).is_some()
                    || kind == Kind::Application && of_resources().contains(&dbid)
            };
            let dbid = before.or_else(|| counters.take(kind, in_use));
            let used_up = || Refusal::Conflict(format!("there is no number left for a {kind}"));
            node.put("dbid", Value::Int(i64::from(dbid.ok_or_else(used_up)?.0)));
        }
        Ok(())
    }
}

fn number(node: &Node) -> Option<Dbid> {
    match node.get("dbid")?.value {
        Value::Int(number) => u32::try_from(number).ok().filter(|number| *number > 0).map(Dbid),
        _ => None,
    }
}

fn resources_of(root: &Node) -> impl Iterator<Item = &Node> {
    let list = root.get("spec").and_then(|spec| spec.get("resources"));
    let items = list.map(|list| match &list.value {
        Value::Seq(items) => items.as_slice(),
        _ => &[],
    });
    items.unwrap_or_default().iter()
}

fn resources_mut(root: &mut Node) -> impl Iterator<Item = &mut Node> {
    let list = field(root, "spec").and_then(|spec| field(spec, "resources"));
    let items = list.map(|list| match &mut list.value {
        Value::Seq(items) => items.as_mut_slice(),
        _ => &mut [],
    });
    items.unwrap_or_default().iter_mut()
}

/// A member of a map.
pub(super) fn field<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    match &mut node.value {
        Value::Map(entries) => {
            entries.iter_mut().find(|(own, _)| own.text == key).map(|(_, node)| node)
        }
        _ => None,
    }
}
