//! A GUID that carries no time and is used again on other days, as a producer does that calls all
//! of its sessions "1": a call borrows from legs of RM on its own day and those beside it, whatever
//! came first (rs.md §2.9 rules 7 and 8).

use super::*;
use crate::limits::CALL_BYTES;
use crate::row::flag;

const ONE: &str = "1";
const DAY_MS: u64 = 86_400_000;

/// Ten o'clock of the day of this number, 0 = 2026-10-01, and seconds after it.
fn of_day(day: u64, second: u64) -> Millis {
    Millis(1_790_848_800_000 + day * DAY_MS + second * 1000)
}

/// A leg of RM that begins so many seconds after ten; it has a tenant, if any.
fn leg(day: u64, leg: u64, second: u64, tenant: Option<u32>) -> Message {
    let (of, start) = (format!("0069{leg:04}"), of_day(day, second));
    let mut more = json!({"guid": ONE, "leg": of, "session_id": format!("{ONE}.{of}/{day}"),
        "id": format!("{ONE}/{day}/{of}/cdr.end/1.1"), "producer": {"name": "rm-1"},
        "started_at": start, "time": of_day(day, second + 9), "ended_at": of_day(day, second + 9)});
    if let Some(dbid) = tenant {
        more["tenant"] = json!({"name": format!("t{dbid}"), "dbid": dbid});
        more["profile"] = json!({"name": format!("p{dbid}")});
    }
    rm("end", 1, 1, 0, more)
}

/// A media server's call, and what it says of its quality.
fn call(day: u64) -> [Message; 2] {
    let (session, start) = (format!("S{day}"), of_day(day, 100));
    let told = json!({"id": format!("mcp-1:{session}/cdr.end/0"), "guid": ONE,
        "started_at": start, "time": of_day(day, 110), "ended_at": of_day(day, 110)});
    let failed = json!({
        "schema": 1, "kind": "sq.call", "id": format!("mcp-1:{session}/sq/0.1"),
        "time": of_day(day, 105), "producer": {"name": "mcp-1"}, "session_id": session,
        "component": {"name": "mcp-1", "type": "MCP"}, "failed": true,
        "failures": [{"time": of_day(day, 104), "type": "FETCH", "text": "t"}],
    });
    [mcp("end", &session, 0, told), Message(failed.to_string(), None)]
}

/// Of each call, by its day: the tenant, that of its failure, and whether the leg is elsewhere.
fn borrowed(tables: &Tables) -> Vec<(Day, Option<i64>, Option<i64>, bool)> {
    let calls = tables.calls.values().filter(|line| line.row.leg.is_none());
    let of = |line: &CallLine| {
        let its = |it: &&FailureLine| it.row.session_id == line.row.session_id;
        let failure = tables.failures.values().find(its).unwrap();
        let led = line.row.flags & flag::LED != 0;
        (line.day % 100, line.tenant_id, failure.tenant_id, led)
    };
    calls.map(of).collect()
}

/// Legs on the days 3, 4, 9 and 12, and calls on all: each borrows from the earliest leg that has
/// something to lend, of those at most a day away.
fn records() -> Vec<Message> {
    let mut records: Vec<Message> = (0..14).flat_map(call).collect();
    records.extend([
        leg(3, 1, 20, Some(103)),
        leg(3, 2, 10, Some(203)),
        leg(3, 3, 0, None),
        leg(4, 1, 0, Some(104)),
        // of two that begin together the lower one
        leg(9, 7, 0, Some(209)),
        leg(9, 6, 0, Some(109)),
        leg(12, 1, 0, Some(112)),
    ]);
    records
}

/// What of it lies on both sides of the reach of one leg, for figures.
pub(super) fn few() -> Vec<Message> {
    let legs = [leg(51, 1, 20, Some(301)), leg(53, 1, 0, None)];
    [51, 52, 53].into_iter().flat_map(call).chain(legs).collect()
}

/// Numbers of days, from 1, as the month has them.
fn expected() -> Vec<(Day, Option<i64>, Option<i64>, bool)> {
    let lent = |day: u64| match day {
        2..=4 => Some(203),
        5 => Some(104),
        8..=10 => Some(109),
        11..=13 => Some(112),
        _ => None,
    };
    let of = |day: u64| {
        let lent = lent(day);
        let led = lent.is_some() && ![3, 9, 12].contains(&day);
        (Day::try_from(day + 1).unwrap(), lent, lent, led)
    };
    (0..14).map(of).collect()
}

#[test]
fn a_call_borrows_from_legs_of_the_days_beside_and_no_others() {
    let records = records();
    let forward: Vec<&Message> = records.iter().collect();
    let backward: Vec<&Message> = records.iter().rev().collect();
    for order in [&forward, &backward] {
        for split in [1, 5, 100] {
            for tables in [stored(order, split), stored_by_day(order, split)] {
                assert_eq!(borrowed(&tables), expected(), "{split}");
            }
        }
    }
}

/// What a share reads of a GUID that is on forty days does not grow with them.
#[test]
fn the_other_days_of_a_guid_are_not_read() {
    let days = 40;
    let mut tables = Tables::default();
    for day in 0..days {
        let legs = (1..=5).map(|n| leg(day, n, n, Some(100 + u32::try_from(day).unwrap())));
        let records: Vec<Message> = call(day).into_iter().chain(legs).collect();
        tables.apply(&records.iter().collect::<Vec<_>>());
    }
    assert_eq!((tables.calls.len(), tables.call_days.len()), (240, 40));
    for message in [&call(20)[0], &leg(20, 6, 0, Some(7))] {
        for only in [None, Some(20_261_021)] {
            let again = Message(message.0.replace("\"time\":", "\"x_more\":1,\"time\":"), None);
            let batch = Batch::new(vec![again.item()]);
            let mut objects = Objects::default();
            tables.learn(&mut objects, &batch.mentions());
            let mut share = Share::new(&batch, only);
            share.store(0);
            let read = fed(&mut share, &mut tables, &mut objects);
            let days: BTreeSet<Day> = read.iter().map(|(day, _)| *day - 20_261_000).collect();
            let near = (17..=25).collect::<BTreeSet<Day>>();
            assert!(days.is_subset(&near), "{days:?}");
            assert!(read.len() <= 9 * 6, "{}", read.len());
        }
    }
}

/// Gives a share all that it wants, and tells which calls it has read.
fn fed(share: &mut Share<'_>, tables: &mut Tables, objects: &mut Objects) -> BTreeSet<(Day, Key)> {
    let mut read = BTreeSet::new();
    while let Some(wants) = share.wants(objects) {
        if !wants.mentions.is_empty() {
            tables.learn(objects, &wants.mentions);
            continue;
        }
        let found = tables.load(&wants);
        read.extend(found.calls.iter().map(|call| (call.day, call.call_key)));
        share.found(found, objects).unwrap();
    }
    read
}

/// Nor does what a share reads grow with the days that its batch has of such a GUID.
#[test]
fn a_batch_over_many_days_is_read_in_shares() {
    let days = 40;
    let again = |text: &str| Message(text.replace("\"time\":", "\"x_more\":1,\"time\":"), None);
    let news: Vec<Message> = (0..days).map(|day| again(&leg(day, 6, 0, Some(7)).0)).collect();
    for (limit, shares) in [(None, 1..=1), (Some(9 * 7 * 2 * (CALL_BYTES + 500)), 3..=20)] {
        let mut tables = Tables::default();
        for day in 0..days {
            let legs = (1..=5).map(|n| leg(day, n, n, Some(100 + u32::try_from(day).unwrap())));
            let records: Vec<Message> = call(day).into_iter().chain(legs).collect();
            tables.apply(&records.iter().collect::<Vec<_>>());
        }
        (tables.limit, tables.shares, tables.most_read) = (limit, 0, 0);
        tables.apply(&news.iter().collect::<Vec<_>>());
        assert!(shares.contains(&tables.shares), "{}", tables.shares);
        assert!(limit.is_none_or(|limit| tables.most_read <= limit), "{}", tables.most_read);
        assert_eq!(borrowed(&tables).len(), 40);
        assert!(borrowed(&tables).iter().all(|(_, tenant, ..)| *tenant == Some(7)));
    }
}

/// A producer that names its sessions alike on many days, in batches that have to be cut: as if
/// each of them had come alone.
fn alike() -> Vec<Message> {
    let legs = |day: u64| [leg(day, 1, 30 + day, Some(300)), leg(day, 2, 20, Some(400))];
    (0..24)
        .flat_map(|day| {
            call(day).into_iter().chain(legs(day).into_iter().take(usize::from(day % 3 != 0) * 2))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]
    #[test]
    fn a_batch_that_is_cut_shows_nothing_of_it(
        order in Just((0..alike().len()).collect::<Vec<usize>>()).prop_shuffle(),
        split in 1..90_usize,
        limit in 0..1_000_000_usize,
    ) {
        let records = alike();
        let way: Vec<&Message> = order.iter().map(|index| &records[*index]).collect();
        let plain: Vec<&Message> = records.iter().collect();
        let expected = stored(&plain, 1).seen();
        let mut small = Tables::default();
        small.limit = Some(limit);
        way.chunks(split).for_each(|batch| _ = small.apply(batch));
        for seen in [small.seen(), stored_by_day(&way, split).seen()] {
            prop_assert_eq!(seen.iter().zip(&expected).find(|(a, b)| a != b), None);
            prop_assert_eq!(seen.len(), expected.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn what_is_borrowed_does_not_depend_on_the_way(
        (order, again) in (
            Just((0..records().len()).collect::<Vec<usize>>()).prop_shuffle(),
            proptest::collection::vec(0..records().len(), 0..8),
        ),
        left_out in 0..records().len(),
        split in 1..9_usize,
    ) {
        let records = records();
        let kept = |index: &&usize| **index % records.len() != left_out;
        let order: Vec<usize> = order.into_iter().chain(again).collect();
        let way: Vec<&Message> = order.iter().filter(kept).map(|index| &records[*index]).collect();
        let mut sorted: Vec<&usize> = order.iter().filter(kept).collect();
        sorted.sort_unstable();
        let plain: Vec<&Message> = sorted.into_iter().map(|index| &records[*index]).collect();
        let expected = stored(&plain, 100).seen();
        for seen in [stored(&way, split).seen(), stored_by_day(&way, split).seen()] {
            prop_assert_eq!(seen.iter().zip(&expected).find(|(a, b)| a != b), None);
            prop_assert_eq!(seen.len(), expected.len());
        }
    }
}
