//! Objects by id: a DBID as it is, a synthetic id for a name without one (rs.md §3.2, Identity).
//!
//! [`Objects`] remembers the ids of names; what it does not know is learned ([`Learning`]): the
//! store reads the rows of these names and ids, and writes the rows that come out. New ids are
//! committed before anything that uses them.

mod platform;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use model::record::{ComponentType, Record};

use crate::fact::{CallFact, Fact, Object as FactObject, Told};
use crate::limits::OBJECTS;
use crate::row::Named;

pub use self::platform::{news, platform};

/// Synthetic ids begin here; DBIDs stay below 2³¹.
pub const SYNTHETIC: i64 = 3_000_000_000;

/// What kind of object a name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectKind {
    /// Components: RM, media servers, …
    Component,
    /// Tenants.
    Tenant,
    /// Profiles.
    Profile,
}

impl ObjectKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Component, Self::Tenant, Self::Profile];
}

/// What a fact says of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mention {
    kind: ObjectKind,
    dbid: Option<u32>,
    name: Option<String>,
    /// Component's type, profile's service.
    detail: Option<u8>,
    /// Names of the path, root first, and the parent's name and DBID.
    path: Vec<String>,
    parent: Option<(Option<u32>, Option<String>)>,
    /// It is the object of this DBID under another one.
    alias_of: Option<u32>,
    /// It is no longer another object.
    alias_ends: bool,
}

impl Mention {
    /// An object of which no more is said.
    #[must_use]
    pub const fn plain(kind: ObjectKind, dbid: Option<u32>, name: Option<String>) -> Self {
        let path = Vec::new();
        Self {
            kind,
            dbid,
            name,
            detail: None,
            path,
            parent: None,
            alias_of: None,
            alias_ends: false,
        }
    }
}

/// One row of `dim_component`, `dim_tenant` or `dim_profile`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRow {
    /// Which table.
    pub kind: ObjectKind,
    /// DBID or synthetic id.
    pub id: i64,
    /// Last name.
    pub name: String,
    /// `type` of a component, 0 = unknown; `service` of a profile.
    pub detail: Option<u8>,
    /// `parent_id` of a tenant, `tenant_id` of a profile.
    pub parent: Option<i64>,
    /// `path` of a tenant: names, root first.
    pub path: String,
    /// Only the name is known.
    pub synthetic: bool,
    /// The object that it is: of a synthetic id the first one of its name that had a DBID.
    pub alias_of: Option<i64>,
    /// First record that named it.
    pub first_ms: i64,
    /// Last record that named it.
    pub last_ms: i64,
}

/// Ids that are known to be stored.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    by_name: BTreeMap<ObjectKind, BTreeMap<String, i64>>,
    named: BTreeMap<(ObjectKind, i64), String>,
}

impl Objects {
    /// Those of which something is to be learned.
    #[must_use]
    pub fn unknown(&self, mentions: &BTreeSet<Mention>) -> BTreeSet<Mention> {
        mentions.iter().filter(|mention| !self.knows(mention)).cloned().collect()
    }

    /// The id of an object; `None`: neither id nor name, or to be learned.
    #[must_use]
    pub fn id(&self, kind: ObjectKind, dbid: Option<u32>, name: Option<&str>) -> Option<i64> {
        match (dbid, name) {
            (Some(dbid), _) => Some(i64::from(dbid)),
            (None, Some(name)) => self.by_name.get(&kind)?.get(name).copied(),
            (None, None) => None,
        }
    }

    /// The rows that these mentions belong to: their `last_ms` is now.
    #[must_use]
    pub fn touched(&self, mentions: &BTreeSet<Mention>) -> BTreeSet<(ObjectKind, i64)> {
        let named = mentions.iter().filter(|mention| mention.name.is_some());
        let ids = named.filter_map(|Mention { kind, dbid, name, .. }| {
            Some((*kind, self.id(*kind, *dbid, name.as_deref())?))
        });
        ids.collect()
    }

    /// Those of these mentions whose name means something else by now are to be learned again.
    pub fn doubt(&mut self, mentions: &BTreeSet<Mention>) {
        for Mention { kind, dbid, name, alias_of, alias_ends, .. } in mentions {
            let ended = dbid.filter(|_| *alias_ends);
            ended.into_iter().for_each(|id| drop(self.named.remove(&(*kind, i64::from(id)))));
            let Some((dbid, name)) = dbid.zip(name.as_ref()) else { continue };
            let meant = self.id(*kind, None, Some(name));
            if meant != Some(i64::from(alias_of.unwrap_or(dbid))) {
                self.named.remove(&(*kind, i64::from(dbid)));
            }
        }
    }

    fn knows(&self, mention: &Mention) -> bool {
        // a DBID alone needs no row: it is its own id
        let Some(name) = &mention.name else { return !mention.alias_ends };
        match mention.dbid {
            Some(dbid) => self.named.get(&(mention.kind, i64::from(dbid))) == Some(name),
            None => self.id(mention.kind, None, Some(name)).is_some(),
        }
    }

    fn note(&mut self, Noted { kind, id, name, meant }: Noted) {
        self.by_name.entry(kind).or_default().insert(name.clone(), meant);
        self.named.insert((kind, id), name);
    }
}

/// New objects on their way into the database.
#[derive(Clone, Debug)]
pub struct Learning {
    mentions: BTreeSet<Mention>,
    rows: BTreeMap<(ObjectKind, i64), ObjectRow>,
    /// Their ids by their names: one record names a tenant's whole path, and a batch many records.
    named: BTreeMap<(ObjectKind, String), BTreeSet<i64>>,
    next: BTreeMap<ObjectKind, i64>,
    changed: BTreeSet<(ObjectKind, i64)>,
    ids: Vec<Noted>,
    now_ms: i64,
}

/// An id that is known from now on, and the one that its name means.
#[derive(Clone, Debug)]
struct Noted {
    kind: ObjectKind,
    id: i64,
    name: String,
    meant: i64,
}

impl Learning {
    /// Of these mentions.
    #[must_use]
    pub fn new(mentions: BTreeSet<Mention>, now_ms: i64) -> Self {
        let (rows, named, next) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { mentions, rows, named, next, changed: BTreeSet::new(), ids: Vec::new(), now_ms }
    }

    /// The rows to be read of a kind: those with one of these names or ids.
    #[must_use]
    pub fn wants(&self, kind: ObjectKind) -> (BTreeSet<String>, BTreeSet<i64>) {
        let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::new());
        for mention in &self.mentions {
            if mention.kind == kind {
                names.extend(mention.name.clone());
                ids.extend(mention.dbid.map(i64::from));
            }
            let parent = mention.parent.as_ref().filter(|_| kind == ObjectKind::Tenant);
            names.extend(parent.and_then(|(_, name)| name.clone()));
        }
        (names, ids)
    }

    /// What was found, and the greatest synthetic id of the kind.
    pub fn known(&mut self, kind: ObjectKind, rows: Vec<ObjectRow>, greatest: Option<i64>) {
        for row in rows {
            self.named.entry((kind, row.name.clone())).or_default().insert(row.id);
            self.rows.insert((kind, row.id), row);
        }
        self.next.insert(kind, greatest.map_or(SYNTHETIC, |id| SYNTHETIC.max(id + 1)));
    }

    /// The rows to be written, whole, each in place of the one that has its id.
    pub fn finish(&mut self) -> Vec<ObjectRow> {
        for mention in std::mem::take(&mut self.mentions) {
            let Some((meant, name)) = self.take(&mention).zip(mention.name) else { continue };
            let id = mention.dbid.map_or(meant, i64::from);
            self.ids.push(Noted { kind: mention.kind, id, name, meant });
        }
        self.changed.iter().filter_map(|key| self.rows.get(key).cloned()).collect()
    }

    /// They are stored: [`Objects`] may use their ids.
    pub fn committed(self, objects: &mut Objects) {
        if objects.named.len() >= OBJECTS {
            *objects = Objects::default();
        }
        self.ids.into_iter().for_each(|noted| objects.note(noted));
    }

    /// The row of an object, made or brought up to date; gives the id that its name means.
    fn take(&mut self, mention: &Mention) -> Option<i64> {
        let kind = mention.kind;
        let ended = mention.dbid.filter(|_| mention.alias_ends).map(|id| (kind, i64::from(id)));
        if let Some(key) = ended
            && let Some(row) = self.rows.get_mut(&key)
        {
            row.alias_of = None;
            self.changed.insert(key);
        }
        let name = mention.name.as_deref()?;
        if let Some(dbid) = mention.dbid {
            let id = i64::from(dbid);
            self.write(mention, id, name, false);
            let row = self.rows.get_mut(&(kind, id))?;
            row.alias_of = mention.alias_of.map(i64::from).or(row.alias_of);
            let meant = row.alias_of.unwrap_or(id);
            for same in self.ids_of(kind, name) {
                let Some(row) = self.rows.get_mut(&(kind, same)) else { continue };
                // what was counted for one object is not taken away by the next one of its name
                if row.synthetic && row.alias_of.is_none_or(|of| of == id) {
                    row.alias_of = Some(meant);
                    self.changed.insert((kind, same));
                }
            }
            return Some(meant);
        }
        let same = self.ids_of(kind, name).into_iter();
        let same = same.filter_map(|id| self.rows.get(&(kind, id)));
        // of those of a name the one that was named last: others may be gone
        let order = |row: &&ObjectRow| (row.synthetic, Reverse(row.last_ms), row.id);
        if let Some(known) = same.min_by_key(order) {
            return Some(known.alias_of.filter(|_| !known.synthetic).unwrap_or(known.id));
        }
        let next = self.next.entry(kind).or_insert(SYNTHETIC);
        let id = *next;
        *next += 1;
        self.write(mention, id, name, true);
        Some(id)
    }

    fn ids_of(&self, kind: ObjectKind, name: &str) -> BTreeSet<i64> {
        self.named.get(&(kind, name.to_owned())).cloned().unwrap_or_default()
    }

    fn write(&mut self, mention: &Mention, id: i64, name: &str, synthetic: bool) {
        let parent = match &mention.parent {
            Some((Some(dbid), _)) => Some(i64::from(*dbid)),
            Some((None, Some(name))) => {
                self.take(&Mention::plain(ObjectKind::Tenant, None, Some(name.clone())))
            }
            _ => None,
        };
        let (kind, now_ms) = (mention.kind, self.now_ms);
        let row = self.rows.entry((kind, id)).or_insert_with(|| ObjectRow {
            kind,
            id,
            name: String::new(),
            detail: (kind == ObjectKind::Component).then_some(0),
            parent: None,
            path: String::new(),
            synthetic,
            alias_of: None,
            first_ms: now_ms,
            last_ms: now_ms,
        });
        if let Some(old) = self.named.get_mut(&(kind, row.name.clone())) {
            old.remove(&id);
        }
        name.clone_into(&mut row.name);
        self.named.entry((kind, name.to_owned())).or_default().insert(id);
        row.last_ms = now_ms;
        row.parent = parent.or(row.parent);
        let is_known = |detail: &u8| kind != ObjectKind::Component || *detail != 0;
        row.detail = mention.detail.filter(is_known).or(row.detail);
        if !mention.path.is_empty() {
            row.path = mention.path.join("/");
        }
        self.changed.insert((kind, id));
    }
}

/// All objects that a fact names.
pub(super) fn mentions(fact: &Fact, record: &Record) -> Vec<Mention> {
    let component = &record.component;
    let own = Mention {
        detail: Some(component.kind.number()),
        ..Mention::plain(ObjectKind::Component, component.dbid, Some(component.name.clone()))
    };
    let mut all = vec![own];
    if let Told::Call(call) = &fact.told {
        of_call(call, &mut all);
    }
    all.extend(super::latest::mentions(record));
    all
}

fn of_call(call: &CallFact, all: &mut Vec<Mention>) {
    let mut path: Vec<String> = Vec::new();
    let mut parent: Option<&FactObject> = None;
    for tenant in &call.tenant {
        path.push(tenant.name.clone().unwrap_or_default());
        all.push(Mention {
            path: path.clone(),
            parent: parent.map(|parent| (parent.dbid, parent.name.clone())),
            ..Mention::plain(ObjectKind::Tenant, tenant.dbid, tenant.name.clone())
        });
        parent = Some(tenant);
    }
    if let Some(profile) = &call.profile {
        let object = profile.object.clone();
        all.push(Mention {
            detail: profile.service,
            parent: parent.map(|tenant| (tenant.dbid, tenant.name.clone())),
            ..Mention::plain(ObjectKind::Profile, object.dbid, object.name)
        });
    }
    for owner in call.values.owners.iter().flatten() {
        let FactObject { dbid, name } = owner.component.clone();
        all.push(Mention {
            detail: Some(ComponentType::Rm.number()),
            ..Mention::plain(ObjectKind::Component, dbid, name)
        });
    }
}

impl Named {
    /// To be learned, unless its id is known or it has neither id nor name.
    pub(super) fn unknown(&self, kind: ObjectKind, objects: &Objects) -> Option<Mention> {
        let known = objects.id(kind, self.dbid, self.name.as_deref()).is_some();
        (!known && self.name.is_some()).then(|| Mention::plain(kind, self.dbid, self.name.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: ObjectKind, id: i64, name: &str) -> ObjectRow {
        let (name, path) = (name.to_owned(), String::new());
        let (detail, parent, alias_of) = (None, None, None);
        let synthetic = id >= SYNTHETIC;
        ObjectRow {
            kind,
            id,
            name,
            detail,
            parent,
            path,
            synthetic,
            alias_of,
            first_ms: 1,
            last_ms: 1,
        }
    }

    fn named(kind: ObjectKind, dbid: Option<u32>, name: &str) -> Mention {
        Mention::plain(kind, dbid, Some(name.to_owned()))
    }

    #[test]
    fn names_that_change_hands_are_found_where_they_are_now() {
        let tenant = ObjectKind::Tenant;
        let profile = Mention {
            parent: Some((None, Some("a".to_owned()))),
            ..named(ObjectKind::Profile, None, "p")
        };
        let mentions = [named(tenant, Some(102), "b"), named(tenant, Some(103), "a"), profile];
        let mut learning = Learning::new(mentions.into(), 5);
        let rows =
            [(102, "a"), (103, "b"), (SYNTHETIC, "a")].map(|(id, name)| row(tenant, id, name));
        learning.known(tenant, rows.into(), Some(SYNTHETIC));
        learning.known(ObjectKind::Profile, Vec::new(), None);
        let rows = learning.finish();
        let told = |row: &ObjectRow| (row.id, row.name.clone(), row.parent, row.alias_of);
        let expected = [
            (102, "b".to_owned(), None, None),
            (103, "a".to_owned(), None, None),
            (SYNTHETIC, "a".to_owned(), None, Some(103)),
            (SYNTHETIC, "p".to_owned(), Some(103), None),
        ];
        assert_eq!(rows.iter().map(told).collect::<Vec<_>>(), expected);
    }

    /// What is stored of these after a configuration.
    fn after(
        rows: Vec<ObjectRow>,
        objects: &mut Objects,
        all: &BTreeSet<Mention>,
    ) -> Vec<ObjectRow> {
        objects.doubt(all);
        let mut learning = Learning::new(objects.unknown(all), 5);
        let kind = ObjectKind::Component;
        let (names, ids) = learning.wants(kind);
        let wanted = |row: &&ObjectRow| names.contains(&row.name) || ids.contains(&row.id);
        learning.known(kind, rows.iter().filter(wanted).cloned().collect(), None);
        let written = learning.finish();
        learning.committed(objects);
        let kept = rows.into_iter().filter(|row| written.iter().all(|new| new.id != row.id));
        kept.chain(written.clone()).collect()
    }

    #[test]
    fn an_alias_lasts_as_long_as_the_configuration_has_it() {
        let component = ObjectKind::Component;
        let mcp = named(component, Some(310), "mcp-7");
        let alias = Mention { alias_of: Some(310), ..named(component, Some(402), "mcp-7") };
        let renamed = named(component, Some(402), "other");
        let (mut rows, mut objects) = (Vec::new(), Objects::default());
        for (platform, expected) in [
            (vec![mcp.clone(), alias.clone()], Some(310)),
            (vec![mcp.clone()], None),
            (vec![mcp.clone(), alias.clone()], Some(310)),
            (vec![mcp.clone(), renamed], None),
            (vec![mcp, alias], Some(310)),
        ] {
            let known =
                rows.iter().filter_map(|row: &ObjectRow| Some((component, row.id, row.alias_of?)));
            let all = news(&known.collect(), &platform.into_iter().collect());
            rows = after(rows, &mut objects, &all);
            let app = rows.iter().find(|row| row.id == 402).unwrap();
            assert_eq!(app.alias_of, expected, "{all:?}");
            assert_eq!(rows.iter().find(|row| row.id == 310).unwrap().alias_of, None);
            let of_name = objects.id(component, None, Some("mcp-7"));
            assert_eq!(of_name, Some(310));
        }
    }

    #[test]
    fn a_batch_may_name_very_many() {
        let name = |number: u32| format!("t{number}");
        let mentions: BTreeSet<_> =
            (0..50_000).map(|number| named(ObjectKind::Tenant, None, &name(number))).collect();
        let mut learning = Learning::new(mentions.clone(), 5);
        learning.known(ObjectKind::Tenant, Vec::new(), None);
        let ids: BTreeSet<i64> = learning.finish().iter().map(|row| row.id).collect();
        assert_eq!(ids, (SYNTHETIC..SYNTHETIC + 50_000).collect());
        let mut objects = Objects::default();
        learning.committed(&mut objects);
        assert_eq!(objects.unknown(&mentions), BTreeSet::new());
    }
}
