//! Ids that a producer uses again, for other calls and for other kinds of records: whatever came
//! first, there are the same rows, figures and dead letters (rs.md §2.8, §2.9 rule 8).

use std::sync::OnceLock;

use super::*;

const OTHER: &str = "01A202B2-C578-7487-A7D5-BA32B23886C6";

/// Where a record hangs: calls of one GUID, of one session, of one second, of another component;
/// two of them are one call, of which a record tells the GUID and another does not; legs of RM.
fn places() -> Vec<Value> {
    let half = |ms: u64| at(1).replace('Z', &format!(".{ms}Z"));
    let leg = |leg: &str| {
        json!({"guid": OTHER, "leg": leg, "session_id": format!("{OTHER}.{leg}"),
        "component": {"name": "rm-1", "type": "RM"}, "started_at": at(0)})
    };
    vec![
        json!({"session_id": "A", "guid": GUID}),
        json!({"session_id": "A"}),
        json!({"session_id": "B", "guid": GUID}),
        json!({"session_id": "A", "guid": GUID, "started_at": at(400)}),
        json!({"session_id": "C", "started_at": half(200)}),
        json!({"session_id": "C", "started_at": half(700)}),
        json!({"session_id": "A", "component": {"name": "mcp-2", "type": "MCP"}}),
        leg("00690001"),
        leg("00690002"),
    ]
}

/// A record of a place, a kind, an id, and one of two contents.
fn record(place: usize, kind: usize, id: usize, content: u64) -> Message {
    let place = &places()[place];
    let tenant = json!({"name": format!("t{content}"), "dbid": 102 + content});
    let (kind, mut own) = match kind {
        0 | 1 => ("cdr", json!({"tenant": tenant, "dn": content.to_string()})),
        2 => ("call.event", json!({"log_id": "asr_open", "text": content.to_string()})),
        3 => (
            "call.event",
            json!({"log_id": "log", "text": format!("FAILED|{content}"),
            "label": "com.genesyslab.var.CallResult"}),
        ),
        4 => ("var", json!({"verb": "custom", "name": "plan", "value": content.to_string()})),
        _ => (
            "sq.call",
            json!({"failed": content > 0,
            "failures": [{"time": at(5), "type": "FETCH", "text": content.to_string()}]}),
        ),
    };
    match kind {
        "cdr" => {
            own["phase"] = json!("end");
            own["epoch"] = json!(1);
            own["ended_at"] = json!(at(900 + content));
            own["end_state"] = json!("USER_END");
            for (name, value) in [("call_type", "INBOUND"), ("local_uri", "l"), ("remote_uri", "r")]
            {
                own[name] = json!(value);
            }
            own["started_at"] = json!(at(1));
        }
        "call.event" => own["level"] = json!("METRIC"),
        _ => {}
    }
    let common = json!({"schema": 1, "kind": kind, "id": format!("x/{id}"), "time": at(5),
        "producer": {"name": "mcp-1"}, "component": {"name": "mcp-1", "type": "MCP"}});
    for more in [&common, place] {
        for (name, value) in more.as_object().unwrap() {
            // only a call says when it began
            if kind == "cdr" || !["started_at", "leg"].contains(&&**name) {
                own[name] = value.clone();
            }
        }
    }
    if kind == "cdr" {
        // in the producer's books an end is of the minute of its time
        own["time"] = json!(at(905 + 60 * content));
    }
    Message(own.to_string(), None)
}

/// All names beforehand: which id a name gets goes by the order.
fn fresh() -> Rolled {
    static NAMES: OnceLock<BTreeMap<(ObjectKind, i64), ObjectRow>> = OnceLock::new();
    let learn = || {
        let mut tables = Tables::default();
        for (place, content) in (0..places().len()).zip([0, 1].into_iter().cycle()) {
            tables.apply(&[&record(place, 1, place, content)]);
        }
        tables.objects
    };
    let rolled = Rolled::default();
    rolled.0.borrow_mut().tables.objects = NAMES.get_or_init(learn).clone();
    rolled
}

/// What is left of these records: tables, figures, dead letters.
fn left(order: &[&Message], split: usize, by_day: bool) -> [Vec<String>; 3] {
    let (rolled, zone) = (fresh(), zone());
    for batch in order.chunks(split) {
        rolled.apply_as(batch, by_day);
        rolled.roll(&zone, 1);
    }
    rolled.roll(&zone, 1000);
    let rows = rolled.rows();
    let tables = &mut rolled.0.borrow_mut().tables;
    let letters = tables.letters.iter();
    let letters = letters.map(|letter| format!("{} {:?}", letter.code, letter.letter_key));
    let mut letters: Vec<String> = letters.collect();
    letters.sort();
    [tables.seen(), rows, letters]
}

#[test]
fn an_id_of_two_calls_is_of_two_records() {
    let pairs = [(0, 2), (0, 3), (4, 5), (0, 6), (7, 8)];
    for (one, other) in pairs {
        let [one, other] = [record(one, 1, 0, 0), record(other, 1, 0, 1)];
        let expected = left(&[&one, &other], 2, false);
        assert_eq!(expected[2], Vec::<String>::new());
        for (order, split) in [([&one, &other], 1), ([&other, &one], 1), ([&other, &one], 2)] {
            assert_eq!(left(&order, split, false), expected);
        }
        assert_eq!(stored(&[&one, &other], 1).calls.len(), 2);
    }
    // of one call, whose GUID one of them does not know
    let [one, other] = [record(0, 1, 0, 0), record(1, 1, 0, 1)];
    let expected = left(&[&one, &other], 2, false);
    assert_eq!((expected[2].len(), stored(&[&one, &other], 1).calls.len()), (1, 1));
    assert_eq!(left(&[&other, &one], 1, true), expected);
}

/// The session that the loser was of is told, and its letter says what it was.
#[test]
fn quality_that_loses_its_id_leaves_the_call_of_another_session() {
    for (one, other) in [(0, 2), (1, 6), (4, 6)] {
        let calls = [record(one, 1, 7, 0), record(other, 1, 8, 0)];
        let told = [record(one, 5, 0, 1), record(other, 5, 0, 1)];
        let expected = left(&[&calls[0], &calls[1], &told[0], &told[1]], 100, false);
        assert_eq!(expected[2].len(), 1);
        for order in [[0, 1], [1, 0]] {
            let all = [&calls[0], &calls[1], &told[order[0]], &told[order[1]]];
            assert_eq!(left(&all, 1, false), expected, "{one} {other}");
            let tables = stored(&all, 1);
            let failed = tables.calls.values().filter(|line| line.row.sq_failed == Some(true));
            assert_eq!((failed.count(), tables.failures.len()), (1, 1));
            assert!(!tables.letters[0].body.is_empty());
        }
    }
}

/// Both contents are ends that the producer made; of a minute counts what the winner tells, and of
/// streams what each of them announces.
#[test]
fn the_books_do_not_depend_on_which_content_came_first() {
    let ends = [0, 1].map(|content| record(0, 1, 0, content));
    let told = [0, 1].map(|content| {
        let record = json!({"schema": 1, "kind": "or.integrity", "id": "x/1", "time": at(70),
            "producer": {"name": "mcp-1", "boot": 7},
            "component": {"name": "mcp-1", "type": "MCP"}, "minute": at(0), "calls_in": content,
            "records_out": 1, "in_progress": 0, "rejected": 0, "streams": {"cdr": 3 + content}});
        Message(record.to_string(), None)
    });
    let books = |all: &[&Message], split: usize| {
        let mut tables = Tables::default();
        all.chunks(split).for_each(|batch| _ = tables.apply(batch));
        let announced = tables.streams.values().map(|row| row.announced_seq).collect::<Vec<_>>();
        (tables.stored_minutes, tables.minutes, announced)
    };
    for ([one, other], counts) in [(&ends, (2, 0, &[][..])), (&told, (0, 1, &[4][..]))] {
        let expected = books(&[one, other], 1);
        let (stored, minutes, announced) = &expected;
        assert_eq!((stored.values().sum::<i64>(), minutes.len(), &announced[..]), counts);
        for all in [[other, one, other], [one, other, one], [one, one, other]] {
            for split in 1..4 {
                assert_eq!(books(&all, split), expected, "{split}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn records_that_share_ids_give_the_same_in_any_order(
        set in prop::collection::vec(
            (0..places().len(), 0..6_usize, 0..3_usize, 0..2_u64, any::<[u16; 4]>()), 2..18),
        again in any::<u8>(),
        split in 1..6_usize,
        by_day in any::<bool>(),
    ) {
        let made = set.iter().map(|(place, kind, id, content, keys)| {
            let kind = if *place > 6 { 1 } else { *kind };
            (record(*place, kind, *id, *content), keys)
        });
        let made: Vec<(Message, &[u16; 4])> = made.collect();
        let way = |at: usize| {
            let once = made.iter().map(|(message, keys)| (keys[at], message));
            // some of them come once more
            let more = made.iter().filter(|(_, keys)| keys[3] % 256 < u16::from(again));
            let mut all: Vec<(u16, &Message)> =
                once.chain(more.map(|(message, keys)| (keys[at + 1], message))).collect();
            all.sort_by_key(|(key, _)| *key);
            all.into_iter().map(|(_, message)| message).collect::<Vec<_>>()
        };
        let [tables, rows, letters] = left(&way(0), split, by_day);
        let [all_tables, all_rows, all_letters] = left(&way(1), 100, false);
        prop_assert_eq!(letters, all_letters);
        prop_assert_eq!(tables.iter().zip(&all_tables).find(|(a, b)| a != b), None);
        prop_assert_eq!(tables.len(), all_tables.len());
        prop_assert_eq!(rows, all_rows);
    }
}
