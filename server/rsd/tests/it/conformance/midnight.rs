//! Sessions over midnight: the same rows and bins in any order and split (rs.md §2.9 rules 7
//! and 8).

use model::record::CallGuid;
use rs::Filter;
use rsd::store::{CallName, Leg, Store, Unit};
use serde_json::{Value, json};

use super::made::{Made, TIMELESS, arrivals, at, event, mcp, midnight, rm, split, timed};
use super::{NOW, answers, bins};

/// Records of a batch.
const SPLITS: [usize; 3] = [1, 5, 100];

/// `database` opens the one of a name.
pub(super) fn in_any_order(database: &dyn Fn(&str) -> Box<dyn Store>) {
    let forward = midnight();
    let backward: Vec<Made> = forward.iter().rev().chain(&forward[..9]).cloned().collect();
    let mut expected: Option<Vec<String>> = None;
    for (name, story) in [("forward", &forward), ("backward", &backward)] {
        for records in SPLITS {
            let store = database(&format!("midnight_{name}_{records}"));
            for batch in split(arrivals(story, 1, 1), records) {
                store.apply(&batch, NOW).unwrap();
            }
            whole(&*store);
            let mut told = of_calls(&*store);
            told.extend(bins::answers(&*store));
            let expected = expected.get_or_insert_with(|| told.clone());
            let differs = told.iter().zip(&*expected).find(|(told, expected)| told != expected);
            assert_eq!(differs, None, "{name} {records}");
            assert_eq!(told.len(), expected.len());
        }
    }
}

/// The plainest session over midnight: RM's only leg, of a GUID that carries no time, and a media
/// server's call on the day after. What is told of that one may be there before the leg is, and
/// nothing of it comes again.
pub(super) fn of_one_leg(database: &dyn Fn(&str) -> Box<dyn Store>) {
    let leg = rm(6, 86_390).told(TIMELESS).leg(1, 86_390);
    let leg = leg.tenant("beta", Some(103)).profile("beta-main", Some(190));
    let leg = [leg.start(), leg.end(86_460)];
    let call = mcp("E1", 86_405);
    let told = |kind: &str, time: u64, own: Value| {
        let mut record = json!({
            "schema": 1, "kind": kind, "id": format!("mcp-1:E1/{kind}/{time}"), "time": at(time),
            "producer": {"name": "mcp-1"}, "component": {"name": "mcp-1", "type": "MCP"},
            "session_id": "E1",
        });
        record.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        Made::of(&record)
    };
    let failures = json!([{"time": at(86_420), "type": "FETCH", "text": "t"}]);
    let media = [
        call.start(),
        call.told(TIMELESS).end(86_450),
        told("var", 86_410, json!({"verb": "action_start", "action": "pin"})),
        told("var", 86_412, json!({"verb": "action_end", "action": "pin", "result": "SUCCESS"})),
        told("var", 86_440, json!({"verb": "call_result", "result": "SUCCESS"})),
        told("sq.call", 86_420, json!({"failed": true, "failures": failures})),
        event("E1", 86_411, "asr_open"),
        event("E1", 86_413, "asr_close"),
    ];
    let leg_first = [&leg[..], &media].concat();
    let call_first = [&media[..], &leg].concat();
    let mut expected: Option<Vec<String>> = None;
    for (name, story) in [("leg", &leg_first), ("call", &call_first)] {
        for records in [1, 8, 100] {
            let store = database(&format!("one_leg_{name}_{records}"));
            for batch in split(arrivals(story, 1, 1), records) {
                store.apply(&batch, NOW).unwrap();
            }
            let found = store.call(&CallName::Guid(CallGuid::new(TIMELESS)), true).unwrap();
            let [_, Leg { call, events, var, .. }] = &*found else { panic!("{found:?}") };
            let tenants: Vec<u32> = call.tenants.iter().map(|tenant| tenant.id).collect();
            let profile = call.application.as_ref().map(|profile| profile.id);
            assert_eq!((&*tenants, profile), (&[1, 103][..], Some(190)), "{name} {records}");
            assert_eq!((events.first.len(), var.call.is_some(), var.actions.len()), (5, true, 1));
            let mut told = of_calls(&*store);
            let bins = bins::answers(&*store);
            for of in ["OutcomeRow", "ActionRow", "SqRow"] {
                let is_tenant = |row: &&String| row.starts_with(of) && row.contains(": 103");
                assert!(bins.iter().any(|row| is_tenant(&row)), "{of} {name} {records}: {bins:#?}");
            }
            told.extend(bins);
            let expected = expected.get_or_insert_with(|| told.clone());
            let differs = told.iter().zip(&*expected).find(|(told, expected)| told != expected);
            assert_eq!((differs, told.len()), (None, expected.len()), "{name} {records}");
        }
    }
}

/// The GUID of all sessions of a producer, used on forty days: calls of media servers borrow from
/// legs of the same day and the days beside, the earliest one first, and stand alone else.
pub(super) fn of_one_name(database: &dyn Fn(&str) -> Box<dyn Store>) {
    const DAYS: u64 = 40;
    const DAY: u64 = 86_400;
    let leg = |day: u64, leg: u32, dbid: u32| {
        let leg = rm(day + 10, day * DAY).told("1").leg(leg, day * DAY + 3600 - u64::from(leg));
        leg.tenant(&format!("t{dbid}"), Some(dbid)).end(day * DAY + 3700)
    };
    let mut forward: Vec<Made> = Vec::new();
    for day in 0..DAYS {
        forward.push(mcp(&format!("S{day:02}"), day * DAY + 3610).told("1").end(day * DAY + 3650));
        forward.extend(match day {
            5 => vec![leg(5, 1, 105), leg(5, 2, 205)],
            6 => vec![leg(6, 1, 106)],
            20 => vec![leg(20, 1, 120)],
            _ => Vec::new(),
        });
    }
    let lent = |day: u64| match day {
        4..=6 => Some(205),
        7 => Some(106),
        19..=21 => Some(120),
        _ => None,
    };
    let backward: Vec<Made> = forward.iter().rev().cloned().collect();
    let now = at(DAYS * DAY);
    for (name, story) in [("forward", &forward), ("backward", &backward)] {
        for records in [6, 100] {
            let store = database(&format!("one_name_{name}_{records}"));
            let mut frames = arrivals(story, 1, 1);
            frames.iter_mut().for_each(|it| it.entry.as_mut().unwrap().received = now.0);
            for batch in split(frames, records) {
                assert_eq!(store.apply(&batch, now).unwrap().dead, 0);
            }
            let found = store.call(&CallName::Guid(CallGuid::new("1")), false).unwrap();
            let media = found.iter().filter(|leg| leg.call.leg.is_none());
            let told: Vec<Option<u32>> =
                media.map(|leg| leg.call.tenants.last().map(|tenant| tenant.id)).collect();
            assert_eq!(told, (0..DAYS).map(lent).collect::<Vec<_>>(), "{name} {records}");
            // a list has the sessions of legs, and calls that no leg is near
            let items = store.list(&Filter::default(), Unit::Guid, None, 100, now).unwrap();
            let days = [4, 7, 19, 21];
            assert_eq!(items.len() as u64, DAYS - days.len() as u64, "{name} {records}");
            assert_eq!(items.iter().filter(|item| item.legs[0].leg.is_some()).count(), 3);
        }
    }
}

/// Lists and calls, without what depends on the order by decision: the books count what comes
/// again, and an object is what was told of it last (ADR 54).
fn of_calls(store: &dyn Store) -> Vec<String> {
    let mut told = answers(store);
    let is_of_calls = |told: &str| told.starts_with("[Item") || told.starts_with("[Leg");
    told.retain(|answer| is_of_calls(answer) || answer.starts_with("Page"));
    told
}

/// All legs of a session are one call, RM's first, with what hangs on them on both days.
fn whole(store: &dyn Store) {
    for (guid, n, rm, lent) in [(timed(), 1, 1, 102), (TIMELESS.to_owned(), 2, 2, 103)] {
        let found = store.call(&CallName::Guid(CallGuid::new(&guid)), true).unwrap();
        let media: Vec<&Leg> = found.iter().skip(rm).collect();
        let names: Vec<&str> = media.iter().map(|leg| &*leg.call.session_id).collect();
        assert_eq!(names, ["D", "A", "B", "C"].map(|name| format!("{name}{n}")));
        for Leg { call, .. } in &media {
            assert_eq!(call.tenants.last().map(|tenant| tenant.id), Some(lent), "{call:?}");
        }
        // a list has it once, by the legs of RM; those of another day of such a GUID are another
        let items = store.list(&Filter::default(), Unit::Guid, None, 100, NOW).unwrap();
        let shown = items.iter().filter(|item| item.legs[0].guid.as_ref() == Some(&guid));
        let shown: Vec<bool> = shown.map(|item| item.legs[0].leg.is_some()).collect();
        assert_eq!(shown, vec![true; rm], "{guid}");
        assert_eq!(store.count(&Filter::default(), Unit::Guid, NOW).unwrap(), items.len() as u64);
        let events: Vec<&str> = media[2].events.first.iter().map(|event| &*event.log_id).collect();
        assert_eq!(events, ["var", "asr_open"]);
        assert!(media[2].var.call.is_some());
    }
}
