//! Objects in the main file: written before any day's file uses a new id, read for their names.

use std::collections::BTreeSet;

use rs::rollup::Aliases;
use rs::share::{Learning, Mention, ObjectRow, Objects};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params, params_from_iter};

use super::write::begin;
use crate::store::{Object, ObjectKind, StoreError};

/// Makes all of these known, in one transaction if any is new; false: none was.
pub(super) fn learn(
    objects: &mut Objects,
    main: &mut Connection,
    mentions: &BTreeSet<Mention>,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let unknown = objects.unknown(mentions);
    if unknown.is_empty() {
        return Ok(false);
    }
    let mut learning = Learning::new(unknown, now_ms);
    let transaction = begin(main)?;
    for kind in ObjectKind::ALL {
        let (names, ids) = learning.wants(kind);
        let mut rows = Vec::new();
        for name in &names {
            rows.extend(stored(&transaction, kind, "name", name)?);
        }
        for id in &ids {
            rows.extend(stored(&transaction, kind, "id", id)?);
        }
        let greatest = format!("SELECT max(id) FROM {} WHERE synthetic", table(kind));
        let greatest = transaction.query_row(&greatest, [], |row| row.get(0))?;
        learning.known(kind, rows, greatest);
    }
    for row in learning.finish() {
        save(&transaction, &row)?;
    }
    transaction.commit()?;
    learning.committed(objects);
    Ok(true)
}

/// Notes that these were named by a record now.
pub(super) fn touch(
    objects: &Objects,
    db: &Transaction<'_>,
    mentions: &BTreeSet<Mention>,
    now_ms: i64,
) -> Result<(), StoreError> {
    for (kind, id) in objects.touched(mentions) {
        let sql = format!("UPDATE {} SET last_ms = ?1 WHERE id = ?2", table(kind));
        db.prepare_cached(&sql)?.execute(params![now_ms, id])?;
    }
    Ok(())
}

const fn table(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Component => "rs_dim_component",
        ObjectKind::Tenant => "rs_dim_tenant",
        ObjectKind::Profile => "rs_dim_profile",
    }
}

/// Columns of `detail`, `parent` and `path`.
const fn columns(kind: ObjectKind) -> [&'static str; 3] {
    match kind {
        ObjectKind::Component => ["type", "NULL", "''"],
        ObjectKind::Tenant => ["NULL", "parent_id", "path"],
        ObjectKind::Profile => ["service", "tenant_id", "''"],
    }
}

fn stored(
    db: &Connection,
    kind: ObjectKind,
    column: &'static str,
    value: &dyn rusqlite::ToSql,
) -> Result<Vec<ObjectRow>, StoreError> {
    let (table, columns) = (table(kind), columns(kind).join(", "));
    let sql = format!(
        "SELECT id, name, synthetic, alias_of, first_ms, last_ms, {columns} FROM {table}
         WHERE {column} = ?1"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([value], |row| {
        Ok(ObjectRow {
            kind,
            id: row.get(0)?,
            name: row.get(1)?,
            synthetic: row.get(2)?,
            alias_of: row.get(3)?,
            first_ms: row.get(4)?,
            last_ms: row.get(5)?,
            detail: row.get(6)?,
            parent: row.get(7)?,
            path: row.get(8)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn save(db: &Connection, row: &ObjectRow) -> Result<(), StoreError> {
    let sql = match row.kind {
        ObjectKind::Component => {
            "INSERT OR REPLACE INTO rs_dim_component
               (id, name, synthetic, alias_of, first_ms, last_ms, type)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ifnull(?7, 0))"
        }
        ObjectKind::Tenant => {
            "INSERT OR REPLACE INTO rs_dim_tenant
               (id, name, synthetic, alias_of, first_ms, last_ms, parent_id, path)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
        }
        ObjectKind::Profile => {
            "INSERT OR REPLACE INTO rs_dim_profile
               (id, name, synthetic, alias_of, first_ms, last_ms, tenant_id, service)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
        }
    };
    let ObjectRow { kind, id, name, detail, parent, path, synthetic, alias_of, first_ms, last_ms } =
        row;
    let mut values: Vec<&dyn rusqlite::ToSql> =
        vec![id, name, synthetic, alias_of, first_ms, last_ms];
    values.extend::<Vec<&dyn rusqlite::ToSql>>(match kind {
        ObjectKind::Component => vec![detail],
        ObjectKind::Tenant => vec![parent, path],
        ObjectKind::Profile => vec![parent, detail],
    });
    db.prepare_cached(sql)?.execute(params_from_iter(values))?;
    Ok(())
}

/// All objects of a kind, by id.
pub(super) fn objects(db: &Connection, kind: ObjectKind) -> Result<Vec<Object>, StoreError> {
    let [detail, parent, _] = columns(kind);
    let sql = format!(
        "SELECT id, name, synthetic, alias_of, last_ms, {detail}, {parent} FROM {} ORDER BY id",
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

/// Which ids are those of other objects.
pub(super) fn aliases(db: &Connection) -> Result<Aliases, StoreError> {
    let mut all = Vec::new();
    for kind in ObjectKind::ALL {
        let sql = format!("SELECT id, alias_of FROM {} WHERE alias_of IS NOT NULL", table(kind));
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map([], |row| Ok((kind, row.get(0)?, row.get(1)?)))?;
        all.extend(rows.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(all.into_iter().collect())
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
