//! Objects: learned before a batch that uses them, in a transaction of their own; read for their
//! names.

use std::collections::{BTreeMap, BTreeSet};

use rs::rollup::Aliases;
use rs::share::{Learning, Mention, ObjectRow, Objects};
use tokio_postgres::Row;

use super::link::Link;
use super::save::column;
use crate::store::{Object, ObjectKind, StoreError};

/// One RS at a time makes ids.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7237405, 2)";

/// Makes all of these known.
pub(super) fn learn(
    link: &mut Link,
    objects: &mut Objects,
    mentions: &BTreeSet<Mention>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let unknown = objects.unknown(mentions);
    if unknown.is_empty() {
        return Ok(());
    }
    let mut learning = Learning::new(unknown, now_ms);
    link.batch(&format!("BEGIN; {LOCK}"))?;
    for kind in ObjectKind::ALL {
        let (names, ids) = learning.wants(kind);
        let (table, [detail, parent, path]) = (table(kind), columns(kind));
        let sql = format!(
            "SELECT id, name, synthetic, alias_of, first_ms, last_ms, {detail}, {parent}, {path}
             FROM {table} WHERE name = ANY($1) OR id = ANY($2)"
        );
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let ids: Vec<i64> = ids.into_iter().collect();
        let rows = link.query(&sql, &[&names, &ids])?;
        let greatest = format!("SELECT max(id) FROM {table} WHERE synthetic");
        let greatest = link.query(&greatest, &[])?;
        let greatest = greatest.first().and_then(|row| row.get(0));
        learning.known(kind, rows.iter().map(|row| stored(kind, row)).collect(), greatest);
    }
    let rows = learning.finish();
    for kind in ObjectKind::ALL {
        let rows: Vec<&ObjectRow> = rows.iter().filter(|row| row.kind == kind).collect();
        if !rows.is_empty() {
            save(link, kind, &rows)?;
        }
    }
    link.batch("COMMIT")?;
    learning.committed(objects);
    Ok(())
}

fn save(link: &mut Link, kind: ObjectKind, rows: &[&ObjectRow]) -> Result<(), StoreError> {
    let more = match kind {
        ObjectKind::Component => ["type", "coalesce(detail, 0::smallint)"],
        ObjectKind::Tenant => ["parent_id, path", "parent, path"],
        ObjectKind::Profile => ["tenant_id, service", "parent, detail"],
    };
    let [into, from] = more;
    let sets = into.split(", ").map(|name| format!("{name} = excluded.{name}"));
    let sets = sets.collect::<Vec<_>>().join(", ");
    let sql = format!(
        "INSERT INTO {} (id, name, synthetic, alias_of, first_ms, last_ms, {into})
         SELECT id, name, synthetic, alias_of, first_ms, last_ms, {from}
         FROM unnest($1::bigint[], $2::text[], $3::boolean[], $4::bigint[], $5::bigint[],
           $6::bigint[], $7::smallint[], $8::bigint[], $9::text[])
           AS n (id, name, synthetic, alias_of, first_ms, last_ms, detail, parent, path)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, synthetic = excluded.synthetic,
           alias_of = excluded.alias_of, first_ms = excluded.first_ms,
           last_ms = excluded.last_ms, {sets}",
        table(kind)
    );
    link.execute(
        &sql,
        &[
            &column(rows, |row| row.id),
            &column(rows, |row| &*row.name),
            &column(rows, |row| row.synthetic),
            &column(rows, |row| row.alias_of),
            &column(rows, |row| row.first_ms),
            &column(rows, |row| row.last_ms),
            &column(rows, |row| row.detail.map(i16::from)),
            &column(rows, |row| row.parent),
            &column(rows, |row| &*row.path),
        ],
    )?;
    Ok(())
}

/// Notes that these were named by a record now.
pub(super) fn touch(
    link: &mut Link,
    touched: &BTreeSet<(ObjectKind, i64)>,
    now_ms: i64,
) -> Result<(), StoreError> {
    for kind in ObjectKind::ALL {
        let ids = touched.iter().filter(|(of, _)| *of == kind).map(|(_, id)| *id);
        let ids: Vec<i64> = ids.collect();
        if !ids.is_empty() {
            let sql = format!("UPDATE {} SET last_ms = $1 WHERE id = ANY($2)", table(kind));
            link.execute(&sql, &[&now_ms, &ids])?;
        }
    }
    Ok(())
}

/// All objects of a kind, by id.
pub(super) fn objects(link: &mut Link, kind: ObjectKind) -> Result<Vec<Object>, StoreError> {
    let (table, [detail, parent, path]) = (table(kind), columns(kind));
    let sql = format!(
        "SELECT id, name, synthetic, alias_of, first_ms, last_ms, {detail}, {parent}, {path}
         FROM {table} ORDER BY id"
    );
    let id = |id: i64| u32::try_from(id).unwrap_or(u32::MAX);
    let rows = link.query(&sql, &[])?;
    let rows = rows.iter().map(|row| stored(kind, row)).map(|row| Object {
        id: id(row.id),
        name: row.name,
        synthetic: row.synthetic,
        alias_of: row.alias_of.map(id),
        kind: row.detail,
        parent: row.parent.map(id),
        last_ms: row.last_ms,
    });
    Ok(rows.collect())
}

/// Which ids are those of other objects.
pub(super) fn aliases(link: &mut Link) -> Result<Aliases, StoreError> {
    let mut all = Vec::new();
    for kind in ObjectKind::ALL {
        let sql = format!("SELECT id, alias_of FROM {} WHERE alias_of IS NOT NULL", table(kind));
        let rows = link.query(&sql, &[])?;
        all.extend(rows.iter().map(|row| (kind, row.get(0), row.get(1))));
    }
    Ok(all.into_iter().collect())
}

/// The ids and all synthetic ids whose name they have now.
pub(super) fn with_aliases(
    link: &mut Link,
    kind: ObjectKind,
    ids: &[u32],
) -> Result<Vec<i64>, StoreError> {
    let mut all: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
    let sql = format!("SELECT id FROM {} WHERE alias_of = ANY($1)", table(kind));
    let aliases = link.query(&sql, &[&all])?;
    all.extend(aliases.iter().map(|row| row.get::<_, i64>(0)));
    Ok(all)
}

/// Names, and services of profiles, by id.
pub(super) fn names(
    link: &mut Link,
    kind: ObjectKind,
    ids: &BTreeSet<i64>,
) -> Result<BTreeMap<i64, (String, Option<u8>)>, StoreError> {
    let [detail, ..] = columns(kind);
    let sql = format!("SELECT id, name, {detail} FROM {} WHERE id = ANY($1)", table(kind));
    let ids: Vec<i64> = ids.iter().copied().collect();
    let rows = link.query(&sql, &[&ids])?;
    Ok(rows.iter().map(|row| (row.get(0), (row.get(1), small(row.get(2))))).collect())
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
        ObjectKind::Component => ["type", "NULL::bigint", "''::text"],
        ObjectKind::Tenant => ["NULL::smallint", "parent_id", "path"],
        ObjectKind::Profile => ["service", "tenant_id", "''::text"],
    }
}

fn stored(kind: ObjectKind, row: &Row) -> ObjectRow {
    ObjectRow {
        kind,
        id: row.get(0),
        name: row.get(1),
        synthetic: row.get(2),
        alias_of: row.get(3),
        first_ms: row.get(4),
        last_ms: row.get(5),
        detail: small(row.get(6)),
        parent: row.get(7),
        path: row.get(8),
    }
}

fn small(number: Option<i16>) -> Option<u8> {
    number.and_then(|number| u8::try_from(number).ok())
}
