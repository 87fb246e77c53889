//! The values in force: settings, overrides, and the objects that they are of.

use std::collections::BTreeMap;

use config::settings::{BinRetention, Retention};
use rs::retention::{Defaults, Known, Terms};
use rs::rollup::{BinDays, Zone};

use super::Desk;
use crate::store::{ObjectKind, Store, StoreError};

/// What is in force now.
///
/// # Errors
/// As the database says.
pub fn in_force(store: &dyn Store, settings: &Retention, zone: &Zone) -> Result<Terms, StoreError> {
    let Retention { cdr, events, failures: _, .. } = *settings;
    let terms = Terms::new(zone.clone(), Defaults { cdr, events });
    let keeping = store.keeping();
    let live = keeping.oldest_live()?;
    let overrides: BTreeMap<_, _> =
        keeping.overrides()?.into_iter().map(|one| (one.holder, one.wanted)).collect();
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
    let terms = in_force(store, &desk.settings(), &desk.zone)?.with_hush(desk.hush.clone());
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
