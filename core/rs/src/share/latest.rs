//! Figures of which the latest count: outbound totals and values of MIBs (rs.md §2.6).

use std::collections::BTreeSet;

use model::record::{Body, ObjectRef, Record};

use super::item::Good;
use super::objects::{Mention, ObjectKind, Objects};
use crate::key::Key;
use crate::row::Named;

/// Rows that are to take the place of older ones, and of those that another content of their id
/// made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latest {
    /// `outbound_total`.
    pub outbound: Vec<OutboundRow>,
    /// `snmp_value`.
    pub snmp: Vec<SnmpRow>,
}

/// A row of `outbound_total`; its key are the ids, 0 = none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns; values as of `or.outbound`")]
pub struct OutboundRow {
    pub component_id: i64,
    pub tenant_id: i64,
    pub profile_id: i64,
    pub queued: i64,
    pub successful: i64,
    pub failed: i64,
    /// `time` of the record.
    pub updated_ms: i64,
    pub id_key: Key,
}

/// A row of `snmp_value`; its key are `component_id` and `name`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns; values as of `or.snmp`")]
pub struct SnmpRow {
    pub component_id: i64,
    pub name: String,
    pub value: String,
    /// `time` of the record.
    pub updated_ms: i64,
    pub id_key: Key,
}

/// Objects that outbound totals name.
pub(super) fn mentions(record: &Record) -> impl Iterator<Item = Mention> {
    let values = match &record.body {
        Body::Outbound(totals) => &totals.values[..],
        _ => &[],
    };
    values.iter().flat_map(|value| {
        let of = |kind, object: &Option<ObjectRef>| {
            object.as_ref().map(|it| Mention::plain(kind, it.dbid, it.name.clone()))
        };
        let tenant = of(ObjectKind::Tenant, &value.tenant);
        tenant.into_iter().chain(of(ObjectKind::Profile, &value.profile))
    })
}

/// Those of them whose ids are not known.
pub(super) fn unknown(good: &Good, objects: &Objects) -> BTreeSet<Mention> {
    objects.unknown(&mentions(&good.record).collect())
}

impl Latest {
    /// Adds what a record tells.
    pub(super) fn take(&mut self, good: &Good, component_id: i64, objects: &Objects) {
        let updated_ms = i64::try_from(good.record.time.0).unwrap_or(i64::MAX);
        let id_key = good.fact.keys.id_key;
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let id = |kind, object: &Option<ObjectRef>| {
            let named = object.as_ref().map(|it| Named { dbid: it.dbid, name: it.name.clone() });
            let named = named.unwrap_or_default();
            objects.id(kind, named.dbid, named.name.as_deref()).unwrap_or(0)
        };
        match &good.record.body {
            Body::Outbound(totals) => {
                self.outbound.extend(totals.values.iter().map(|value| OutboundRow {
                    component_id,
                    tenant_id: id(ObjectKind::Tenant, &value.tenant),
                    profile_id: id(ObjectKind::Profile, &value.profile),
                    queued: whole(value.queued),
                    successful: whole(value.successful),
                    failed: whole(value.failed),
                    updated_ms,
                    id_key,
                }));
            }
            Body::Snmp(figures) => self.snmp.extend(figures.values.iter().map(|value| SnmpRow {
                component_id,
                name: value.name.clone(),
                value: value.value.clone(),
                updated_ms,
                id_key,
            })),
            _ => {}
        }
    }
}
