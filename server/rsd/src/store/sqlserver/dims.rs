//! Objects: their rows are written before anything that uses a new id, and read for their names.

use std::collections::BTreeSet;

use rs::share::{Learning, Mention, ObjectKind, ObjectRow, Objects};
use tiberius::ToSql;

use super::failure::Failure;
use super::link::{Cells, Link};
use super::save::one;
use super::statement::{Statement, ask, load, save};
use crate::store::Object;

/// Makes all of these known, in one transaction if any is new.
pub(super) async fn learn(
    link: &mut Link,
    objects: &mut Objects,
    mentions: &BTreeSet<Mention>,
    now_ms: i64,
) -> Result<(), Failure> {
    let unknown = objects.unknown(mentions);
    if unknown.is_empty() {
        return Ok(());
    }
    let mut learning = Learning::new(unknown, now_ms);
    link.begin().await?;
    for kind in ObjectKind::ALL {
        // nobody else makes ids of this kind from here to the end
        let greatest = link.ask(last(kind), &[], |cells| cells.number(0)).await?;
        let (names, ids) = learning.wants(kind);
        let mut rows = Vec::new();
        let (no_name, no_id): (Option<String>, Option<i64>) = (None, None);
        for name in &names {
            rows.extend(named(link, kind, &[name, &no_id]).await?);
        }
        for id in &ids {
            rows.extend(named(link, kind, &[&no_name, id]).await?);
        }
        learning.known(kind, rows, greatest.into_iter().flatten().next());
    }
    for row in learning.finish() {
        write(link, &row).await?;
    }
    link.commit().await?;
    learning.committed(objects);
    Ok(())
}

/// Notes that these were named by a record now.
pub(super) async fn touch(
    link: &mut Link,
    objects: &Objects,
    mentions: &BTreeSet<Mention>,
    now_ms: i64,
) -> Result<(), Failure> {
    for (kind, id) in objects.touched(mentions) {
        let statement = match kind {
            ObjectKind::Component => save::COMPONENT_TOUCH,
            ObjectKind::Tenant => save::TENANT_TOUCH,
            ObjectKind::Profile => save::PROFILE_TOUCH,
        };
        link.run(statement, &[&id, &now_ms]).await?;
    }
    Ok(())
}

/// All objects of a kind, by id.
pub(super) async fn all(link: &mut Link, kind: ObjectKind) -> Result<Vec<Object>, Failure> {
    let statement = match kind {
        ObjectKind::Component => ask::COMPONENTS,
        ObjectKind::Tenant => ask::TENANT_TREE,
        ObjectKind::Profile => ask::PROFILES,
    };
    let read = |cells: &Cells<'_>| {
        Ok(Object {
            id: cells.some(0, Cells::id)?,
            name: cells.some(1, Cells::text)?,
            synthetic: cells.some(2, Cells::number)? != 0,
            alias_of: cells.id(3)?,
            last_ms: cells.some(4, Cells::number)?,
            kind: cells.word(5)?,
            parent: cells.id(6)?,
        })
    };
    link.ask(statement, &[], read).await
}

const fn last(kind: ObjectKind) -> Statement {
    match kind {
        ObjectKind::Component => load::COMPONENT_LAST,
        ObjectKind::Tenant => load::TENANT_LAST,
        ObjectKind::Profile => load::PROFILE_LAST,
    }
}

async fn named(
    link: &mut Link,
    kind: ObjectKind,
    values: &[&dyn ToSql],
) -> Result<Vec<ObjectRow>, Failure> {
    let statement = match kind {
        ObjectKind::Component => load::COMPONENT_NAMED,
        ObjectKind::Tenant => load::TENANT_NAMED,
        ObjectKind::Profile => load::PROFILE_NAMED,
    };
    let read = |cells: &Cells<'_>| {
        Ok(ObjectRow {
            kind,
            id: cells.some(0, Cells::number)?,
            name: cells.some(1, Cells::text)?,
            detail: cells.word(2)?,
            parent: cells.number(3)?,
            path: cells.some(4, Cells::text)?,
            synthetic: cells.some(5, Cells::number)? != 0,
            alias_of: cells.number(6)?,
            first_ms: cells.some(7, Cells::number)?,
            last_ms: cells.some(8, Cells::number)?,
        })
    };
    link.ask(statement, values, read).await
}

async fn write(link: &mut Link, row: &ObjectRow) -> Result<(), Failure> {
    let ObjectRow { id, name, parent, path, synthetic, alias_of, first_ms, last_ms, .. } = row;
    let detail = row.detail;
    let kind = detail.unwrap_or(0);
    let mut values: Vec<&dyn ToSql> = vec![id, name];
    let statements = match row.kind {
        ObjectKind::Component => {
            values.push(&kind);
            [save::COMPONENT_UPDATE, save::COMPONENT_INSERT]
        }
        ObjectKind::Tenant => {
            values.extend([parent as &dyn ToSql, path]);
            [save::TENANT_UPDATE, save::TENANT_INSERT]
        }
        ObjectKind::Profile => {
            values.extend([parent as &dyn ToSql, &detail]);
            [save::PROFILE_UPDATE, save::PROFILE_INSERT]
        }
    };
    values.extend([synthetic as &dyn ToSql, alias_of, first_ms, last_ms]);
    one(link, statements, &values).await
}
