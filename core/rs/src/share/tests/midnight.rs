//! Sessions whose legs begin on both sides of midnight: a media server's call borrows from RM's
//! leg all the same, whichever came first, and however late its GUID is told (rs.md §2.9 rules 7
//! and 8).

use super::night::{night, of, of_session, said, served};
use super::*;
use crate::row::flag;

/// Its time is 2026-11-22T23:59:50Z.
const TIMED: &str = "01A205B3-A8F0-7000-8000-000000000001";
const TIMELESS: &str = "5F000000-0000-4000-8000-000000000002";

/// A leg of RM of a GUID: its number, its phase, when it began and when this happened.
fn leg(guid: &str, leg: u64, phase: &str, (started, time): (u64, u64), more: Value) -> Message {
    let of = format!("0069{leg:04}");
    let mut record = json!({"guid": guid, "leg": of, "session_id": format!("{guid}.{of}"),
        "id": format!("{guid}/{of}/cdr.{phase}/1.1"), "producer": {"name": "rm-1"},
        "started_at": night(started), "time": night(time)});
    if phase == "end" {
        record["ended_at"] = json!(night(time));
    }
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    rm(phase, 1, 1, 0, record)
}

fn tenant(name: &str, dbid: u32) -> Value {
    json!({"tenant": {"name": name, "dbid": dbid, "path": [{"name": "Environment", "dbid": 1},
        {"name": name, "dbid": dbid}]}, "profile": {"name": format!("{name}-main")}})
}

/// Calls of a session that begin on this side of midnight and on the other: all of their records
/// tell the GUID, the first or the last, or none; with what hangs on them on both days.
fn of_guid(n: u64, guid: &str) -> Vec<Message> {
    let (whose, none) = (json!({ "guid": guid }), json!({}));
    let id = |of: &str| format!("{of}{n}");
    let (all, start, end, out) = (id("ALL"), id("START"), id("END"), id("NONE"));
    let early = id("EARLY");
    vec![
        of(&all, "start", 64, 64, whose.clone()),
        of(&all, "end", 64, 110, whose.clone()),
        of(&start, "start", 66, 66, whose.clone()),
        of(&start, "end", 66, 115, none.clone()),
        of(&end, "start", 68, 68, none.clone()),
        of(&end, "end", 68, 400, whose.clone()),
        of(&out, "start", 70, 70, none.clone()),
        of(&out, "end", 70, 120, none.clone()),
        of(&early, "start", 57, 57, none),
        of(&early, "end", 57, 125, whose.clone()),
        said(10 * n, 90, "CallResult", "SUCCESS|told", json!({ "session_id": end })),
        said(10 * n + 1, 80, "CustomVar", "plan|gold", whose),
        served(10 * n, 100, json!({ "session_id": end })),
        served(10 * n + 1, 58, json!({ "session_id": all })),
        event(
            0,
            json!({"id": format!("mcp-1:{end}/ev/0.7"), "session_id": end,
            "time": night(75), "log_id": "asr_open", "guid": guid}),
        ),
        event(
            0,
            json!({"id": format!("mcp-1:{end}/ev/0.8"), "session_id": end,
            "time": night(390), "log_id": "asr_close"}),
        ),
    ]
}

/// A GUID that carries its time, and one that does not. The first leg of RM says who lends, and
/// says it twice: what its start tells goes before what its end does.
pub(super) fn records() -> Vec<Message> {
    let mut records = vec![
        leg(TIMED, 1, "start", (51, 51), tenant("acme", 102)),
        leg(TIMED, 1, "end", (51, 130), tenant("beta", 103)),
        leg(TIMED, 2, "end", (61, 140), tenant("gamma", 104)),
        leg(TIMELESS, 1, "start", (61, 61), tenant("acme", 102)),
        leg(TIMELESS, 1, "end", (61, 130), tenant("acme", 102)),
        leg(TIMELESS, 2, "end", (59, 140), tenant("beta", 103)),
        leg(TIMELESS, 3, "end", (63, 150), tenant("gamma", 104)),
    ];
    records.extend(of_guid(1, TIMED));
    records.extend(of_guid(2, TIMELESS));
    records
}

/// Who is above the calls of a session id, and of which profile they are.
fn whose(tables: &Tables, session: &str, started: u64) -> (Vec<i64>, Option<String>) {
    let line = of_session(tables, session, started);
    let profile = line.row.profile.and_then(|profile| profile.name);
    (line.tenants.iter().map(|line| line.tenant_id).collect(), profile)
}

#[test]
fn a_call_after_midnight_borrows_from_the_leg_before_it() {
    let records = records();
    let forward: Vec<&Message> = records.iter().collect();
    let backward: Vec<&Message> = records.iter().rev().collect();
    for order in [&forward, &backward] {
        for split in [1, 3, 100] {
            for tables in [stored(order, split), stored_by_day(order, split)] {
                for (n, dbid, profile) in [(1, 102, "acme-main"), (2, 103, "beta-main")] {
                    let lent = (vec![1, dbid], Some(profile.to_owned()));
                    for (of, at) in [("ALL", 64), ("START", 66), ("END", 68), ("EARLY", 57)] {
                        let session = format!("{of}{n}");
                        assert_eq!(whose(&tables, &session, at), lent, "{session} {split}");
                        // both who lend lie before midnight
                        let line = of_session(&tables, &session, at);
                        let led = line.row.flags & flag::LED != 0;
                        assert_eq!(led, line.day == 20_261_123, "{session}");
                    }
                    let none = whose(&tables, &format!("NONE{n}"), 70);
                    assert_eq!(none, (Vec::new(), None));
                    let end = of_session(&tables, &format!("END{n}"), 68);
                    let told = end.var.call.as_ref().unwrap();
                    assert_eq!(
                        (told.reason.as_deref(), end.row.sq_failed),
                        (Some("told"), Some(true))
                    );
                    let of_end = |line: &&FailureLine| line.row.session_id == end.row.session_id;
                    let failure = tables.failures.values().find(of_end).unwrap();
                    assert_eq!(failure.tenant_id, Some(dbid), "what hangs on it borrows too");
                }
            }
        }
    }
}

/// The day of a call is that of its start, whoever tells its GUID and when: each has one row.
#[test]
fn a_call_has_one_day_whenever_its_guid_is_told() {
    let records = records();
    for split in [1, 100] {
        for tables in [
            stored(&records.iter().collect::<Vec<_>>(), split),
            stored_by_day(&records.iter().rev().collect::<Vec<_>>(), split),
        ] {
            let keys: BTreeSet<Key> = tables.calls.keys().map(|(_, key)| *key).collect();
            assert_eq!((tables.calls.len(), keys.len()), (15, 15));
            for line in tables.calls.values() {
                assert_eq!((line.day, line.row.ended_ms.is_some()), (line.row.day, true));
            }
            // both days of a GUID are known where its calls lie on both
            let days: Vec<(&str, Day)> =
                tables.call_days.iter().map(|(guid, day)| (&**guid, *day)).collect();
            let (before, after) = (20_261_122, 20_261_123);
            let both = |guid| [(guid, before), (guid, after)];
            assert_eq!(days, [both(TIMED), both(TIMELESS)].concat());
        }
    }
}
