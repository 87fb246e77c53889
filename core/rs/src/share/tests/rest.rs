//! Shares that may read little: the rest is left to the next ones, and nothing shows it.

use super::*;
use crate::limits::{CALL_BYTES, HELD_PER_BYTE};

/// A call of a session id that was used again.
fn again(session: usize, call: usize) -> Message {
    let begins = Millis(1_795_341_600_000 + u64::try_from(call).unwrap() * 60_000);
    let id = format!("mcp-1:s{session}/cdr.start/{call}");
    mcp("start", &format!("s{session}"), 700, json!({"id": id, "started_at": begins}))
}

fn report(session: usize) -> Message {
    let record = json!({
        "schema": 1, "kind": "var", "id": format!("mcp-1:s{session}/var/0.1"), "time": at(5),
        "producer": {"name": "mcp-1"}, "component": {"name": "mcp-1", "type": "MCP"},
        "session_id": format!("s{session}"), "verb": "call_result", "result": "SUCCESS",
    });
    made(record, json!({}))
}

/// So many sessions with so many calls each.
fn tables(sessions: usize, calls: usize) -> Tables {
    let mut tables = Tables::default();
    let all: Vec<_> =
        (0..sessions).flat_map(|of| (0..calls).map(move |call| again(of, call))).collect();
    tables.apply(&all.iter().collect::<Vec<_>>());
    tables.shares = 0;
    tables
}

#[test]
fn a_share_reads_so_much_and_leaves_the_rest() {
    let news: Vec<_> = (0..40).map(report).collect();
    // one after the other, and each of the sessions in both halves of the batch
    let twice: Vec<&Message> = news.iter().chain(&news).collect();
    let mut whole = tables(40, 10);
    whole.apply(&twice);
    assert_eq!(whole.shares, 1);
    for sessions in [1, 4, 39] {
        let mut small = tables(40, 10);
        // ten calls each and a bit
        let limit = sessions * 10 * (CALL_BYTES + 500);
        small.limit = Some(limit);
        small.most_read = 0;
        small.apply(&twice);
        assert!(small.shares >= 40_usize.div_ceil(sessions), "{sessions}: {}", small.shares);
        assert!(small.shares <= 41, "a session is read by one share: {}", small.shares);
        assert!(small.most_read <= limit, "{} of {limit}", small.most_read);
        assert_eq!(small.seen(), whole.seen());
    }
}

/// Calls have GUIDs, too: one of each call of a session, or one of all sessions.
#[test]
fn guids_neither_join_sessions_nor_part_them() {
    let own = |of: usize, call: usize| format!("g{of}-{call}");
    let told = |of: usize, call: usize, guid: &str| {
        let Message(text, _) = again(of, call);
        let record: Value = serde_json::from_str(&text).unwrap();
        made(record, json!({"guid": guid}))
    };
    let before: Vec<_> = (0..240).map(|n| told(n % 24, n / 24, &own(n % 24, n / 24))).collect();
    let news = [
        // each session again and again, each time with another GUID
        (0..240).map(|n| told(n % 24, 10 + n / 24, &own(n % 24, 10 + n / 24))).collect::<Vec<_>>(),
        (0..24)
            .map(report)
            .map(|Message(text, _)| {
                made(serde_json::from_str(&text).unwrap(), json!({"guid": GUID}))
            })
            .collect(),
    ];
    for batch in news {
        let mut read = Vec::new();
        let mut seen = Vec::new();
        for limit in [None, Some(6 * 25 * (CALL_BYTES + 1000))] {
            let mut tables = Tables::default();
            tables.apply(&before.iter().collect::<Vec<_>>());
            (tables.limit, tables.shares, tables.most_read, tables.read) = (limit, 0, 0, 0);
            tables.apply(&batch.iter().collect::<Vec<_>>());
            assert_eq!(tables.shares > 1, limit.is_some(), "{}", tables.shares);
            assert!(limit.is_none_or(|limit| tables.most_read <= limit), "{}", tables.most_read);
            read.push(tables.read);
            seen.push(tables.seen());
        }
        assert_eq!(seen[0], seen[1]);
        assert!(read[1] < 4 * read[0], "{read:?}: with what is read in vain");
    }
}

/// A call of a conference with much to tell.
fn of_conference(of: usize, phase: &str, bytes: usize) -> Message {
    let begins = Millis(1_795_341_600_000);
    let id = format!("mcp-1:s{of}/cdr.{phase}/0");
    let notes = "n".repeat(bytes);
    let more = json!({"id": id, "started_at": begins, "guid": GUID, "notes": notes});
    mcp(phase, &format!("s{of}"), 700, more)
}

/// All of it is read with each of its sessions, so they are read together.
#[test]
fn the_sessions_of_a_guid_are_few_shares() {
    let before: Vec<_> = (0..260).map(|of| of_conference(of, "start", 6000)).collect();
    let new = (260..300).map(|of| of_conference(of, "start", 10));
    let news: Vec<_> = (0..60).map(|of| of_conference(of, "end", 10)).chain(new).collect();
    let mut whole = Tables::default();
    whole.apply(&before.iter().collect::<Vec<_>>());
    let mut small = whole.clone();
    whole.apply(&news.iter().collect::<Vec<_>>());
    let weight = |line: &CallLine| CALL_BYTES + line.state.len() * HELD_PER_BYTE;
    let weighs: usize = whole.calls.values().map(weight).sum();
    // of what it weighs five eighths of a share at most, as its limit says
    (small.limit, small.shares, small.read) = (Some(weighs * 8 / 5), 0, 0);
    small.apply(&news.iter().collect::<Vec<_>>());
    assert!(small.shares <= 2, "{}", small.shares);
    assert!(small.read <= 3 * weighs, "{} of {weighs}", small.read);
    assert_eq!(small.seen(), whole.seen());
}

/// What there is room for does not depend on which of it is taken first.
#[test]
fn a_cut_share_has_as_much_room_as_a_whole_one() {
    let before: Vec<_> = (0..400)
        .map(|of| {
            let begins = Millis(1_795_255_200_000);
            let more = json!({"id": format!("mcp-1:s{of}/cdr.start/1"), "started_at": begins});
            mcp("start", &format!("s{of}"), 700, more)
        })
        .collect();
    let of = |phase: &'static str| (0..400).map(move |of| of_conference(of, phase, 15_000));
    let news: Vec<_> = of("start").chain(of("end")).collect();
    for limit in [None, Some(1_000_000)] {
        let mut tables = Tables::default();
        tables.apply(&before.iter().collect::<Vec<_>>());
        (tables.limit, tables.shares) = (limit, 0);
        let counts = tables.apply(&news.iter().collect::<Vec<_>>());
        assert_eq!((counts.stored, counts.dead), (800, 0), "{limit:?}");
        assert_eq!(tables.shares > 2, limit.is_some(), "{}", tables.shares);
    }
}

#[test]
fn what_is_of_one_session_is_read_whole() {
    let mut small = tables(2, 30);
    small.limit = Some(CALL_BYTES);
    let ends: Vec<_> = (0..60).map(|call| again(call % 2, 30 + call)).collect();
    small.apply(&ends.iter().collect::<Vec<_>>());
    assert_eq!(small.shares, 2, "one of each session");
    assert_eq!((small.calls.len(), small.letters.len()), (120, 0));
}

#[test]
fn what_is_made_again_is_no_more_at_once() {
    let sessions = 12;
    let keys = |tables: &Tables| -> BTreeSet<SessionKey> {
        let of = |line: &CallLine| {
            (line.day, line.component_id, SessionName::Id(line.row.session_id.clone()))
        };
        tables.calls.values().map(of).collect()
    };
    let tells: [fn(&mut Share<'_>, &Tables, BTreeSet<SessionKey>); 3] = [
        |share, _, keys| share.revisit(keys),
        |share, tables, _| tables.calls.keys().for_each(|at| share.erase(*at, None)),
        |share, _, _| (0..12).for_each(|item| share.touch(item)),
    ];
    for tell in tells {
        let mut written = Vec::new();
        for limit in [None, Some(3 * 5 * (CALL_BYTES + 500))] {
            let mut tables = tables(sessions, 5);
            let news: Vec<_> = (0..sessions).map(report).collect();
            tables.apply(&news.iter().collect::<Vec<_>>());
            (tables.limit, tables.shares, tables.most_read) = (limit, 0, 0);
            let batch = Batch::new(news.iter().map(Message::item).collect());
            let mut objects = Objects::default();
            tables.learn(&mut objects, &batch.mentions());
            let mut share = tables.share(&batch, None);
            tell(&mut share, &tables, keys(&tables));
            tables.run(share, &mut objects, Tables::save);
            let made = tables.calls.values().filter(|line| line.row_version > 2).count();
            assert_eq!(made, 60);
            assert!(limit.is_none_or(|limit| tables.most_read <= limit), "{}", tables.most_read);
            assert_eq!(tables.shares > 1, limit.is_some());
            written.push(tables.seen());
        }
        assert_eq!(written[0], written[1]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn however_little_a_share_may_read_the_tables_are_the_same(
        order in Just((0..story().len()).collect::<Vec<usize>>()).prop_shuffle(),
        limit in 0..200_000_usize,
        split in 1..40_usize,
    ) {
        let story = story();
        let order: Vec<&Message> = order.iter().map(|index| &story[*index]).collect();
        let expected = stored(&order, split).seen();
        for by_day in [false, true] {
            let mut small = Tables::default();
            small.limit = Some(limit);
            for batch in order.chunks(split) {
                if by_day { small.apply_days(batch) } else { _ = small.apply(batch) }
            }
            let seen = small.seen();
            prop_assert_eq!(seen.len(), expected.len());
            let other = seen.iter().zip(&expected).find(|(seen, expected)| seen != expected);
            prop_assert_eq!(other, None);
        }
    }
}
