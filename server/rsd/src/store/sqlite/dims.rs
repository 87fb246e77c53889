//! Objects by id: a DBID as it is, a synthetic id for a name without one (spec rs.md §3.2,
//! Identity). In the main file, committed before any day's file uses a new id.

use std::collections::{BTreeMap, BTreeSet};

use model::record::ComponentType;
use rs::fact::{CallFact, Object as FactObject};
use rs::{Fact, Told};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::store::{Object, ObjectKind, StoreError};

/// Synthetic ids begin here; DBIDs stay below 2³¹.
const SYNTHETIC: i64 = 3_000_000_000;

/// What a fact says of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mention {
    pub(super) kind: ObjectKind,
    pub(super) dbid: Option<u32>,
    pub(super) name: Option<String>,
    /// Component's type, profile's service.
    detail: Option<u8>,
    /// Names of the path, root first, and the parent's name and DBID.
    path: Vec<String>,
    parent: Option<(Option<u32>, Option<String>)>,
}

/// Ids that are known to be in the main file.
#[derive(Default)]
pub(super) struct Dims {
    by_name: BTreeMap<(ObjectKind, String), i64>,
    named: BTreeMap<(ObjectKind, i64), String>,
}

impl Mention {
    pub(super) fn plain(kind: ObjectKind, dbid: Option<u32>, name: Option<String>) -> Self {
        Self { kind, dbid, name, detail: None, path: Vec::new(), parent: None }
    }
}

/// All objects that a fact names.
pub(super) fn mentions(fact: &Fact, record: &model::record::Record) -> Vec<Mention> {
    let component = &record.component;
    let own = Mention {
        detail: Some(component.kind.number()),
        ..Mention::plain(ObjectKind::Component, component.dbid, Some(component.name.clone()))
    };
    let mut all = vec![own];
    if let Told::Call(call) = &fact.told {
        of_call(call, &mut all);
    }
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
        all.push(Mention {
            detail: Some(ComponentType::Rm.number()),
            ..Mention::plain(
                ObjectKind::Component,
                owner.component.dbid,
                owner.component.name.clone(),
            )
        });
    }
}

impl Dims {
    /// Makes all of these known, in one transaction if any is new.
    pub(super) fn learn(
        &mut self,
        main: &mut Connection,
        mentions: &BTreeSet<Mention>,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let new: Vec<_> = mentions.iter().filter(|mention| !self.knows(mention)).collect();
        if new.is_empty() {
            return Ok(false);
        }
        let transaction = main.transaction()?;
        let mut ids = Vec::new();
        for mention in new {
            if let Some(id) = take(&transaction, mention, now_ms)? {
                ids.push((mention, id));
            }
        }
        transaction.commit()?;
        for (mention, id) in ids {
            if let Some(name) = &mention.name {
                self.by_name.insert((mention.kind, name.clone()), id);
                self.named.insert((mention.kind, id), name.clone());
            }
        }
        Ok(true)
    }

    /// The id of an object; made if it is new.
    pub(super) fn id(
        &mut self,
        main: &mut Connection,
        kind: ObjectKind,
        dbid: Option<u32>,
        name: Option<&str>,
        now_ms: i64,
    ) -> Result<Option<i64>, StoreError> {
        if let Some(dbid) = dbid {
            return Ok(Some(i64::from(dbid)));
        }
        let Some(name) = name else { return Ok(None) };
        let key = (kind, name.to_owned());
        if !self.by_name.contains_key(&key) {
            let mention = Mention::plain(kind, None, Some(name.to_owned()));
            self.learn(main, &BTreeSet::from([mention]), now_ms)?;
        }
        Ok(self.by_name.get(&key).copied())
    }

    /// Notes that these were named by a record now.
    pub(super) fn touch(
        &self,
        db: &Transaction<'_>,
        mentions: &BTreeSet<Mention>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        for mention in mentions {
            let Some(name) = &mention.name else { continue };
            let named = self.by_name.get(&(mention.kind, name.clone())).copied();
            let id = mention.dbid.map(i64::from).or(named);
            let sql = format!("UPDATE {} SET last_ms = ?1 WHERE id = ?2", table(mention.kind));
            db.prepare_cached(&sql)?.execute(params![now_ms, id])?;
        }
        Ok(())
    }

    fn knows(&self, mention: &Mention) -> bool {
        // a DBID alone needs no row: it is its own id
        let Some(name) = &mention.name else { return true };
        match mention.dbid {
            Some(dbid) => self.named.get(&(mention.kind, i64::from(dbid))) == Some(name),
            None => self.by_name.contains_key(&(mention.kind, name.clone())),
        }
    }
}

const fn table(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Component => "rs_dim_component",
        ObjectKind::Tenant => "rs_dim_tenant",
        ObjectKind::Profile => "rs_dim_profile",
    }
}

/// The row of an object, made or brought up to date; gives its id.
fn take(db: &Transaction<'_>, mention: &Mention, now_ms: i64) -> Result<Option<i64>, StoreError> {
    let table = table(mention.kind);
    let Some(name) = mention.name.as_deref() else { return Ok(None) };
    let (id, synthetic) = match mention.dbid {
        Some(dbid) => (i64::from(dbid), false),
        None => {
            let known =
                format!("SELECT id FROM {table} WHERE name = ?1 ORDER BY synthetic LIMIT 1");
            let known: Option<i64> = db.query_row(&known, [name], |row| row.get(0)).optional()?;
            if known.is_some() {
                return Ok(known);
            }
            let next = format!("SELECT max(max(id) + 1, {SYNTHETIC}) FROM {table}");
            let next: Option<i64> = db.query_row(&next, [], |row| row.get(0))?;
            (next.unwrap_or(SYNTHETIC), true)
        }
    };
    insert(db, mention, id, name, synthetic, now_ms)?;
    if !synthetic {
        let alias = format!("UPDATE {table} SET alias_of = ?1 WHERE name = ?2 AND synthetic = 1");
        db.execute(&alias, params![id, name])?;
    }
    Ok(Some(id))
}

fn insert(
    db: &Transaction<'_>,
    mention: &Mention,
    id: i64,
    name: &str,
    synthetic: bool,
    now_ms: i64,
) -> Result<(), StoreError> {
    let parent = match &mention.parent {
        Some((Some(dbid), _)) => Some(i64::from(*dbid)),
        Some((None, Some(name))) => {
            let parent = Mention::plain(ObjectKind::Tenant, None, Some(name.clone()));
            take(db, &parent, now_ms)?
        }
        _ => None,
    };
    match mention.kind {
        ObjectKind::Component => db.execute(
            "INSERT INTO rs_dim_component (id, name, type, synthetic, first_ms, last_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5) ON CONFLICT (id) DO UPDATE SET name = excluded.name,
             type = CASE excluded.type WHEN 0 THEN type ELSE excluded.type END, last_ms = ?5",
            params![id, name, mention.detail.unwrap_or(0), synthetic, now_ms],
        )?,
        ObjectKind::Tenant => db.execute(
            "INSERT INTO rs_dim_tenant (id, name, parent_id, path, synthetic, first_ms, last_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT (id) DO UPDATE SET
             name = excluded.name, parent_id = ifnull(excluded.parent_id, parent_id),
             path = CASE excluded.path WHEN '' THEN path ELSE excluded.path END, last_ms = ?6",
            params![id, name, parent, mention.path.join("/"), synthetic, now_ms],
        )?,
        ObjectKind::Profile => db.execute(
            "INSERT INTO rs_dim_profile (id, name, tenant_id, service, synthetic, first_ms, last_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT (id) DO UPDATE SET
             name = excluded.name, tenant_id = ifnull(excluded.tenant_id, tenant_id),
             service = ifnull(excluded.service, service), last_ms = ?6",
            params![id, name, parent, mention.detail, synthetic, now_ms],
        )?,
    };
    Ok(())
}

/// All objects of a kind, by id.
pub(super) fn objects(db: &Connection, kind: ObjectKind) -> Result<Vec<Object>, StoreError> {
    let columns = match kind {
        ObjectKind::Component => "type, NULL",
        ObjectKind::Tenant => "NULL, parent_id",
        ObjectKind::Profile => "service, tenant_id",
    };
    let sql = format!(
        "SELECT id, name, synthetic, alias_of, last_ms, {columns} FROM {} ORDER BY id",
        table(kind)
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([], |row| {
        Ok(Object {
            id: row.get(0)?,
            name: row.get(1)?,
            synthetic: row.get(2)?,
            alias_of: row.get(3)?,
            last_ms: row.get(4)?,
            kind: row.get(5)?,
            parent: row.get(6)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The ids and all synthetic ids whose name they have now.
pub(super) fn with_aliases(
    db: &Connection,
    kind: ObjectKind,
    ids: &[u32],
) -> Result<Vec<i64>, StoreError> {
    let mut all: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
    let sql = format!("SELECT id FROM {} WHERE alias_of = ?1", table(kind));
    for id in ids {
        let mut statement = db.prepare_cached(&sql)?;
        let aliases = statement.query_map([id], |row| row.get(0))?;
        all.extend(aliases.collect::<Result<Vec<i64>, _>>()?);
    }
    Ok(all)
}

/// The last name of an id.
pub(super) fn name_of(
    db: &Connection,
    kind: ObjectKind,
    id: i64,
) -> Result<Option<String>, StoreError> {
    let sql = format!("SELECT name FROM {} WHERE id = ?1", table(kind));
    let mut statement = db.prepare_cached(&sql)?;
    Ok(statement.query_row([id], |row| row.get(0)).optional()?)
}
