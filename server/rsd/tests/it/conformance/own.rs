//! What producers counted themselves, in any store: records that their messages name, and those
//! that lose their ids to another content.

use rs::rollup::{Granularity, Meta, Zone, rebuild};
use rs::share::{Mention, ObjectKind, SYNTHETIC};
use rsd::store::Store;
use rsd::store::bins::Bins;
use serde_json::json;

use super::NOW;
use super::figures::roll;
use super::made::{Made, arrivals, at, rm};

const IDS: u64 = 8;
const HOUR: u64 = 3600;

/// Six arrivals in the bin of this number.
fn counted(bin: u64, basis: &str) -> Made {
    let values = json!([{"dim": "component", "call_type": "NEWCALL", "count": 6}]);
    Made::of(&json!({
        "schema": 1, "kind": "or.arrivals", "time": at(HOUR), "producer": {"name": "ccp-1"},
        "component": {"name": "ccp-1", "type": "CCP"}, "bin_start": at(bin * 300),
        "bin_seconds": 300, "basis": basis, "values": values,
    }))
}

/// Stores it; the ids are told by the messages.
fn take(store: &dyn Store, number: u64, record: Made, seq: u64) {
    let mut frames = arrivals(&[record], seq, 1);
    let messages = frames.iter_mut().flat_map(|frame| &mut frame.entry.as_mut().unwrap().messages);
    messages.for_each(|message| message.fallback_id = Some(format!("ccp-1/or/{number}")));
    store.apply(&frames, NOW).unwrap();
    roll(store);
}

/// Bin, kind of object and count.
fn counts(bins: &dyn Bins) -> Vec<(i64, u8, i64)> {
    let rows = bins.rows(Granularity::FiveMinutes, 0, i64::MAX).unwrap().counts;
    let mut told: Vec<_> = rows.iter().map(|row| (row.at.bin_ms, row.dim, row.count)).collect();
    told.sort_unstable();
    told
}

fn whole(bins: &dyn Bins, dim: u8) -> i64 {
    counts(bins).iter().filter(|(_, of, _)| *of == dim).map(|(_, _, count)| count).sum()
}

pub(super) fn figures(store: &dyn Store) {
    let bins = store.bins().unwrap();
    for number in 0..IDS {
        take(store, number, counted(number, "own"), number + 1);
    }
    let first = counts(bins);
    let component = rs::rollup::Dim::Component.number();
    assert_eq!(whole(bins, component), 6 * i64::try_from(IDS).unwrap(), "{first:?}");
    // another content under each id, which is no source: the smaller hash holds it
    for number in 0..IDS {
        take(store, number, counted(number, "cdr"), IDS + number + 1);
    }
    let second = counts(bins);
    assert!(!second.is_empty() && second.len() < first.len(), "{second:?}");
    assert!(second.iter().all(|row| first.contains(row)), "{second:?}");
    let ms = |seconds: u64| i64::try_from(at(seconds).0).unwrap();
    bins.note(&rebuild(&Zone::utc(), ms(0), ms(6 * HOUR)), &Meta::new(), 0).unwrap();
    roll(store);
    assert_eq!(counts(bins), second, "made of the facts they are the same");
}

/// A record takes no id of an object that is known by name alone, and no DBID, however high it is
/// stored already, moves those ids on.
pub(super) fn ids(store: &dyn Store) {
    let high = Mention::plain(ObjectKind::Tenant, Some(u32::MAX), Some("high".to_owned()));
    store.know(&[high].into(), NOW).unwrap();
    let story = [rm(1, 10).tenant("named", None), rm(2, 20).tenant("thief", Some(3_000_000_000))];
    for (seq, call) in (1..).zip(&story) {
        store.apply(&arrivals(&[call.start()], seq, 1), NOW).unwrap();
    }
    let tenants = store.objects(ObjectKind::Tenant).unwrap();
    let of = |name: &str| {
        let known = tenants.iter().find(|tenant| tenant.name == name);
        known.map(|tenant| (i64::from(tenant.id) - SYNTHETIC, tenant.synthetic))
    };
    let told = [of("named"), of("thief")];
    assert!(told.iter().all(|of| of.is_some_and(|(id, known)| (0..9).contains(&id) && known)));
    assert_ne!(told[0], told[1], "{tenants:?}");
}
