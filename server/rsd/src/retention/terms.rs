//! The values in force: settings, overrides, and the objects that they are of.

use std::collections::BTreeMap;

use config::settings::{BinRetention, Retention};
use model::config::KeptDays;
use model::snapshot::Snapshot;
use rs::retention::{Defaults, Holder, Known, Terms, Wanted};
use rs::rollup::{BinDays, Zone};

use super::Desk;
use crate::store::{ObjectKind, Store, StoreError};

/// What the Annexes of tenants and profiles say of themselves.
pub type Annexes = BTreeMap<Holder, Wanted>;

/// Out of a configuration (rs.md §10).
#[must_use]
pub fn annexes(snapshot: &Snapshot) -> Annexes {
    let tenants = snapshot.tenants().map(|(_, one)| (Holder::Tenant(one.dbid.0.into()), one.kept));
    let profiles =
        snapshot.profiles().map(|(_, one)| (Holder::Profile(one.dbid.0.into()), one.kept));
    let said = tenants.chain(profiles).filter(|(_, kept)| *kept != KeptDays::default());
    said.map(|(holder, KeptDays { cdr, events, var })| (holder, Wanted { cdr, events, var }))
        .collect()
}

/// What is in force now: what the API has set is nearer than an Annex.
///
/// # Errors
/// As the database says.
pub fn in_force(
    store: &dyn Store,
    (settings, annexes): (&Retention, &Annexes),
    zone: &Zone,
) -> Result<Terms, StoreError> {
    let Retention { cdr, events, failures: _, .. } = *settings;
    let terms = Terms::new(zone.clone(), Defaults { cdr, events });
    let keeping = store.keeping();
    let live = keeping.oldest_live()?;
    let mut overrides = annexes.clone();
    for one in keeping.overrides()? {
        let below = overrides.get(&one.holder).copied().unwrap_or_default();
        overrides.insert(one.holder, one.wanted.over(below));
    }
    if overrides.is_empty() {
        return Ok(terms.with_live(live));
    }
    let known = |kind| -> Result<BTreeMap<i64, Known>, StoreError> {
        let objects = store.objects(kind)?.into_iter().map(|object| {
            let (parent, alias_of) = (object.parent.map(i64::from), object.alias_of.map(i64::from));
            (i64::from(object.id), Known { name: object.name, parent, alias_of })
        });
        Ok(objects.collect())
    };
    let (tenants, profiles) = (known(ObjectKind::Tenant)?, known(ObjectKind::Profile)?);
    Ok(terms.with(overrides, tenants, profiles).with_live(live))
}

/// Has what comes judged by what is in force now.
///
/// # Errors
/// As the database says; what was in force stays so.
pub(crate) fn judge_by(store: &dyn Store, desk: &Desk) -> Result<Terms, StoreError> {
    let annexes = desk.annexes().unwrap_or_default();
    let terms = in_force(store, (&desk.settings(), &annexes), &desk.zone)?;
    let terms = terms.with_hush(desk.hush.clone());
    store.keeping().judge_by(terms.clone());
    Ok(terms)
}

/// Response times and quality are kept by five minutes and half hours as long as operations are.
pub(super) fn bin_days(settings: &BinRetention) -> BinDays {
    let BinRetention { operations, var, latencies, sq } = *settings;
    let [five, half, ..] = operations;
    let with = |[hour, day, week, month]: [u32; 4]| [five, half, hour, day, week, month];
    BinDays { operations, outcomes: var, latencies: with(latencies), quality: with(sq) }
}
