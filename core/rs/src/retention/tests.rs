//! Values in force, what may go, and what comes too late, against the rules of rs.md §10.

use std::collections::BTreeMap;

use model::record::{Arrived, Record};
use model::time::Millis;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::fact::Fact;
use crate::key;

const DAY_MS: i64 = 86_400_000;
/// 2026-11-22T12:00:00Z
const NOON: i64 = 1_795_348_800_000;

/// Root 1 ─ acme 102 ─ sales 103; profile 189 is of sales; 3·10⁹ is acme by name.
fn house(overrides: &[(Holder, Wanted)]) -> Terms {
    let known = |name: &str, parent, alias_of| Known { name: name.to_owned(), parent, alias_of };
    let tenants = BTreeMap::from([
        (1, known("Environment", None, None)),
        (102, known("acme", Some(1), None)),
        (103, known("sales", Some(102), None)),
        (3_000_000_000, known("acme", None, Some(102))),
    ]);
    let profiles = BTreeMap::from([(189, known("main", Some(103), None))]);
    let terms = Terms::new(Zone::utc(), Defaults { cdr: 40, events: 14 });
    terms.with(overrides.iter().copied().collect(), tenants, profiles)
}

fn cdr(days: u32) -> Wanted {
    Wanted { cdr: Some(days), ..Wanted::default() }
}

#[test]
fn the_nearest_wins() {
    let terms = house(&[
        (Holder::Tenant(102), cdr(90)),
        (Holder::Profile(189), cdr(5)),
        (Holder::Tenant(103), Wanted { events: Some(3), ..Wanted::default() }),
    ]);
    let days = |what, tenant, profile| terms.days(what, tenant, profile);
    assert_eq!(days(What::Cdr, None, None), 40);
    assert_eq!(days(What::Cdr, Some(1), None), 40);
    assert_eq!(days(What::Cdr, Some(102), None), 90);
    assert_eq!(days(What::Cdr, Some(103), None), 90, "of its ancestor");
    assert_eq!(days(What::Cdr, Some(103), Some(189)), 5);
    assert_eq!(days(What::Cdr, Some(3_000_000_000), None), 90, "the name's DBID");
    assert_eq!(days(What::Events, Some(103), Some(189)), 3);
    assert_eq!(days(What::Events, Some(102), None), 14);
    assert_eq!(days(What::Var, Some(103), Some(189)), 5, "as long as the call");
    assert_eq!((terms.longest(), terms.ledger_days()), (90, 92));
    assert_eq!(house(&[]).ledger_days(), 42);
}

#[test]
fn a_circle_of_parents_ends() {
    let known = |parent| Known { name: String::new(), parent, alias_of: None };
    let tenants = BTreeMap::from([(1, known(Some(2))), (2, known(Some(1)))]);
    let terms = Terms::new(Zone::utc(), Defaults { cdr: 40, events: 14 });
    let terms = terms.with(BTreeMap::from([(Holder::Tenant(9), cdr(1))]), tenants, BTreeMap::new());
    assert_eq!(terms.days(What::Cdr, Some(1), None), 40);
}

#[test]
fn whole_days_of_the_zone_after_the_end() {
    let berlin = Zone::new(3600, [], crate::rollup::Weekday::Monday);
    let terms = Terms::new(berlin, Defaults { cdr: 40, events: 14 });
    // midnight in the zone is 23:00 UTC
    let cutoff = terms.cutoff(40, NOON);
    assert_eq!(Millis(cutoff.cast_unsigned()).to_string(), "2026-10-12T23:00:00.000Z");
    assert_eq!(terms.cutoff(40, NOON + 11 * 3_600_000), cutoff + DAY_MS);
}

fn group(tenant: Option<i64>, live: u64, ended: (i64, i64)) -> Group {
    let (first, last) = (Some(ended.0), Some(ended.1));
    Group { tenant, profile: None, live, first_ended_ms: first, last_ended_ms: last }
}

#[test]
fn a_day_goes_when_its_last_call_is_past_its_time() {
    let terms = house(&[(Holder::Tenant(102), cdr(90))]);
    let day = key::day(Millis((NOON - 45 * DAY_MS).cast_unsigned()));
    let (start, now) = (key::start_ms(day), NOON);
    assert!(terms.is_old(day, now));
    assert!(!terms.is_old(key::day(Millis(NOON.cast_unsigned())), now));
    let all = terms.plan(day, &[group(None, 0, (start, start + 9))], now);
    assert!(all.facts && !all.ledger && all.due.is_empty(), "{all:?}");
    let live = terms.plan(day, &[group(None, 1, (start, start + 9))], now);
    assert!(!live.facts, "a call in progress keeps its day: {live:?}");
    let late = terms.plan(day, &[group(None, 0, (start, now))], now);
    assert!(!late.facts, "one that ended today too: {late:?}");
    let kept = [group(None, 0, (start, start + 9)), group(Some(102), 0, (start, start + 9))];
    let part = terms.plan(day, &kept, now);
    assert!(!part.facts, "{part:?}");
    let calls: Vec<_> = part.due.iter().filter(|due| due.what == What::Cdr).collect();
    let which = Which::Of { tenant: None, profile: None };
    let before_ms = terms.cutoff(40, now);
    assert_eq!(calls, [&Due { what: What::Cdr, which, before_ms }], "of the others alone");
    let old = key::day(Millis((NOON - 95 * DAY_MS).cast_unsigned()));
    let start = key::start_ms(old);
    let whole = terms.plan(old, &[group(Some(102), 0, (start, start + 9))], now);
    assert!(whole.facts && whole.ledger, "{whole:?}");
}

#[test]
fn events_go_before_the_rest() {
    let day = key::day(Millis((NOON - 20 * DAY_MS).cast_unsigned()));
    let start = key::start_ms(day);
    let groups = [group(None, 0, (start, start)), group(Some(103), 0, (start, start))];
    let plain = house(&[]).plan(day, &groups, NOON);
    let before_ms = house(&[]).cutoff(14, NOON);
    assert_eq!(plain.due, [Due { what: What::Events, which: Which::All, before_ms }]);
    let wanted = Wanted { events: Some(30), var: Some(3), ..Wanted::default() };
    let apart = house(&[(Holder::Tenant(103), wanted)]).plan(day, &groups, NOON);
    let of = |tenant| Which::Of { tenant, profile: None };
    let events = apart.due.iter().filter(|due| due.what == What::Events);
    let whose: Vec<_> = events.map(|due| due.which).collect();
    assert_eq!(whose, [of(None), Which::Loose], "those of the tenant stay");
    let var = apart.due.iter().filter(|due| due.what == What::Var);
    assert_eq!(var.map(|due| due.which).collect::<Vec<_>>(), [of(Some(103))]);
}

/// Code and field of what is refused; empty: it is stored.
fn judged(terms: &Terms, received: i64, more: &Value) -> String {
    judged_of(terms, received, more, false)
}

/// `own`: an RS has written it.
fn judged_of(terms: &Terms, received: i64, more: &Value, own: bool) -> String {
    let time = |ms: i64| Millis(ms.cast_unsigned()).to_string();
    let mut record = json!({
        "schema": 1, "kind": "cdr", "id": "a", "time": time(NOON), "phase": "end",
        "producer": {"name": "m"}, "component": {"name": "m", "type": "MCP"}, "session_id": "s",
        "started_at": time(NOON - 1000), "ended_at": time(NOON), "call_type": "INBOUND",
        "local_uri": "sip:a", "remote_uri": "sip:b", "end_state": "APP_END",
        "tenant": {"name": "root", "dbid": 1, "path": [{"name": "root", "dbid": 1}]},
    });
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    let arrived = Arrived { at: Millis(received.cast_unsigned()), message_id: None };
    let (record, notes) = Record::read(record.to_string().as_bytes(), &arrived).unwrap();
    let fact = Fact::of(&record, &notes);
    let refusal = terms.judge((&record, own), &fact, arrived.at);
    refusal.map(|refusal| format!("{} {}", refusal.code, refusal.field)).unwrap_or_default()
}

#[test]
fn ancestors_that_a_record_does_not_name_count() {
    let terms = house(&[(Holder::Tenant(102), cdr(90))]);
    let of = |leaf: Value| json!({"tenant": {"name": "x", "path": [leaf]}});
    for leaf in [json!({"name": "sales"}), json!({"name": "s", "dbid": 103})] {
        assert_eq!(judged(&terms, NOON + 80 * DAY_MS, &of(leaf.clone())), "", "{leaf}");
        assert_eq!(judged(&terms, NOON + 91 * DAY_MS, &of(leaf)), expired("ended_at"));
    }
    let new = of(json!({"name": "new"}));
    assert_eq!(judged(&terms, NOON + 80 * DAY_MS, &new), "", "it may be below any");
    assert_eq!(judged(&terms, NOON + 91 * DAY_MS, &new), expired("ended_at"));
}

fn expired(field: &str) -> String {
    format!("expired_partition {field}")
}

#[test]
fn what_is_older_is_refused_by_its_end_else_its_time() {
    let terms = house(&[(Holder::Tenant(102), cdr(90)), (Holder::Tenant(103), cdr(5))]);
    let plain = json!({});
    assert_eq!(judged(&terms, NOON + 40 * DAY_MS, &plain), "", "40 whole days after its own");
    assert_eq!(judged(&terms, NOON + 41 * DAY_MS, &plain), expired("ended_at"));
    let root = json!({"name": "root", "dbid": 1});
    let path = |leaf: Value| json!({"tenant": {"name": "x", "path": [root.clone(), leaf]}});
    let acme = path(json!({"name": "acme"}));
    assert_eq!(judged(&terms, NOON + 80 * DAY_MS, &acme), "", "by its name");
    assert_eq!(judged(&terms, NOON + 91 * DAY_MS, &acme), expired("ended_at"));
    let sales = path(json!({"name": "sales", "dbid": 103}));
    assert_eq!(judged(&terms, NOON + 6 * DAY_MS, &sales), expired("ended_at"));
    let update = json!({"phase": "update", "ended_at": null, "end_state": null});
    assert_eq!(judged(&terms, NOON + 41 * DAY_MS, &update), expired("time"));
    let nobody = json!({"tenant": null});
    assert_eq!(judged(&terms, NOON + 80 * DAY_MS, &nobody), "", "it may be of any");
    let ours = json!({"id": format!("k{TIMED_OUT}1.2")});
    let late = |own| judged_of(&terms, NOON + 41 * DAY_MS, &ours, own);
    assert_eq!(late(true), "", "however long it was silent");
    assert_eq!(late(false), expired("ended_at"), "an id like any other");
}

#[test]
fn a_day_outside_those_that_are_kept_is_refused() {
    let guid = |ms: i64| {
        let ms = ms.cast_unsigned();
        json!({"guid": format!("{:08X}-{:04X}-7000-8000-000000000001", ms >> 16, ms & 0xFFFF)})
    };
    let terms = house(&[]);
    assert_eq!(judged(&terms, NOON, &guid(NOON + DAY_MS - 1)), "");
    let far = judged(&terms, NOON, &guid(NOON + DAY_MS + 1));
    assert_eq!(far, "bad_time guid");
    assert_eq!(judged(&terms, NOON, &guid(NOON - 42 * DAY_MS)), "");
    let old = NOON - 44 * DAY_MS;
    assert_eq!(judged(&terms, NOON, &guid(old)), expired("guid"));
    let oldest = key::day(Millis(old.cast_unsigned()));
    let living = house(&[]).with_live(Some(oldest));
    assert_eq!(judged(&living, NOON, &guid(old)), "", "a call that lasts that long");
    assert_eq!(judged(&living, NOON, &guid(old - DAY_MS)), expired("guid"));
}

proptest! {
    /// Whatever GUIDs a producer invents, its records lie in few days.
    #[test]
    fn wild_guids_make_few_days(times in prop::collection::vec(any::<u64>(), 300)) {
        let terms = house(&[]);
        let mut days = std::collections::BTreeSet::new();
        for time in times {
            let guid = format!("{:08X}-{:04X}-7000-8000-000000000001",
                (time >> 16) & 0xFFFF_FFFF, time & 0xFFFF);
            let near = NOON.cast_unsigned() - (time % (9000 * 86_400_000));
            let close = format!("{:08X}-{:04X}-7000-8000-000000000001", near >> 16, near & 0xFFFF);
            for guid in [guid, close] {
                if judged(&terms, NOON, &json!({"guid": guid})).is_empty() {
                    days.insert(guid[..6].to_owned());
                }
            }
        }
        prop_assert!(days.len() <= 44, "{}", days.len());
    }

    /// What may go may also go later, and what is kept longer never goes earlier.
    #[test]
    fn days_only_become_older(
        age in 0_i64..200,
        days in 1_u32..120,
        more in 0_u32..50,
        later in 0_i64..90,
    ) {
        let plan = |days, now| {
            let terms = Terms::new(Zone::utc(), Defaults { cdr: days, events: 14 });
            let day = key::day(Millis((NOON - age * DAY_MS).cast_unsigned()));
            let start = key::start_ms(day);
            terms.plan(day, &[group(Some(7), 0, (start, start + 5))], now)
        };
        let (now, then) = (plan(days, NOON), plan(days, NOON + later * DAY_MS));
        prop_assert!(!now.facts || then.facts);
        prop_assert!(!now.ledger || then.ledger);
        prop_assert!(!plan(days + more, NOON).facts || now.facts);
        prop_assert!(!now.ledger || now.facts);
        prop_assert_eq!(now.facts, age > i64::from(days));
    }
}
