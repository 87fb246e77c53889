//! The store against what the specification promises: once and only once whatever is replayed,
//! torn or permuted; lists that keep their order; letters for what cannot be stored.

mod cache;
mod damage;
mod due;
mod erasing;
mod going;
mod hanging;
mod keeping;
mod logs;
mod made;
mod midnight;
mod open;
mod orders;
mod uris;

use std::collections::BTreeSet;
use std::path::Path;

use model::record::{CallGuid, ComponentType};
use rs::query::Progress;
use rusqlite::Connection;
use rusqlite::types::Value;

use self::made::{Made, arrivals, books, event, mcp, rm, split, var};
use super::*;
use crate::store::FIGURES;
use crate::store::checkpoints::Due;

const NOW: Millis = Millis(1_795_344_000_000);

fn open(dir: &Path) -> Sqlite {
    let store = Sqlite::new(dir.to_owned(), NOW);
    store.ready().unwrap();
    store
}

/// Where the power goes.
fn set_fault(store: &Sqlite, fault: write::Fault) {
    let set = |writer: &mut Writer| {
        writer.fault = fault;
        Ok(())
    };
    store.write(set).unwrap();
}

/// Every row of every table of every file, as text.
fn dump(dir: &Path) -> Vec<String> {
    let mut paths = vec![dir.join("rs.db")];
    let days = std::fs::read_dir(dir.join("days")).unwrap().map(|entry| entry.unwrap().path());
    let mut days: Vec<_> = days.filter(|path| path.extension().unwrap() == "db").collect();
    days.sort();
    paths.extend(days);
    let mut lines = Vec::new();
    for path in paths {
        let db = Connection::open(&path).unwrap();
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
        let mut tables = db.prepare(tables).unwrap();
        let tables: Vec<String> =
            tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        for table in tables {
            let all = format!("SELECT * FROM {table}");
            let columns = db.prepare(&all).unwrap().column_count();
            let by = if columns > 1 { "1, 2" } else { "1" };
            let mut rows = db.prepare(&format!("{all} ORDER BY {by}")).unwrap();
            let rows = rows.query_map([], |row| {
                (0..columns).map(|at| row.get::<_, Value>(at)).collect::<Result<Vec<_>, _>>()
            });
            for row in rows.unwrap() {
                lines.push(format!("{} {table} {:?}", path.display(), row.unwrap()));
            }
        }
    }
    let home = dir.display().to_string();
    lines.into_iter().map(|line| line.replace(&home, "")).collect()
}

/// One day of a small platform: two sessions of RM, one with a media server, events and the rest.
fn story() -> Vec<Made> {
    let first = rm(1, 10).tenant("acme", Some(102)).profile("acme-main", Some(189));
    let second = rm(2, 20).tenant("beta", None);
    vec![
        first.start(),
        mcp("E1DE", 10).guid(1).profile("acme-main", None).start(),
        event("E1DE", 11, "incall_begin"),
        event("E1DE", 12, "asr_open"),
        second.start(),
        first.end(70),
        second.end(40),
        mcp("E1DE", 10).guid(1).end(69),
        var("E1DE", 15),
        books(0),
        Made::text("no json"),
        rm(3, 86_390).end(86_400 + 30),
        mcp("E2DE", 86_395).end(86_400 + 20),
        event("E2DE", 86_400 + 5, "incall_begin"),
    ]
}

/// All books, of minutes in `[from, to)`.
pub(super) fn all_books(store: &Sqlite, from: Millis, to: Millis) -> Books {
    let ms = |time: Millis| i64::try_from(time.0).unwrap_or(i64::MAX);
    let (minutes, heard_ms) = ((ms(from), ms(to)), Some(i64::MIN));
    store.books(&BooksAsked { producer: None, minutes, heard_ms, figures: &FIGURES }).unwrap()
}

#[test]
fn a_session_with_its_media_server() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let applied = store.apply(&arrivals(&story(), 1, 1), NOW).unwrap();
    assert_eq!((applied.seq, applied.stored, applied.dead), (14, 13, 1));
    assert_eq!(applied.changed.len(), 5);
    let legs = store.call(&CallName::Guid(CallGuid::new(&made::guid(1))), true).unwrap();
    let [rm, mcp] = &legs[..] else { panic!("{legs:?}") };
    assert_eq!(rm.call.component.kind, ComponentType::Rm);
    assert!(rm.trace.as_ref().unwrap().contains("least-used"));
    let tenants: Vec<_> =
        mcp.call.tenants.iter().map(|tenant| (tenant.id, tenant.name.as_str())).collect();
    assert_eq!(tenants, [(1, "Environment"), (102, "acme")], "lent by RM");
    assert_eq!(mcp.call.application.as_ref().unwrap().id, 189, "the name's DBID");
    let events: Vec<_> = mcp.events.first.iter().map(|event| event.log_id.as_str()).collect();
    assert_eq!(events, ["incall_begin", "asr_open", "var"]);
    let reported = mcp.var.call.as_ref().unwrap();
    assert_eq!((reported.result, reported.ignored), (Some(1), 0));
    assert_eq!(store.call(&CallName::Key(rm.call.key), false).unwrap().len(), 1);
    let crossing = store.list(&Filter::default(), Unit::Leg, None, 9, NOW).unwrap();
    let crossing = &crossing[0].legs[0];
    let legs = store.call(&CallName::Key(crossing.key), true).unwrap();
    assert_eq!(legs[0].events.first.len(), 1, "an event after midnight belongs to the call before");
    assert_eq!(store.dead_letters().unwrap(), BTreeMap::from([("not_json".to_owned(), 1)]));
}

/// What is released from the spool has to outlast the power (rs.md §1.4.6).
#[test]
fn every_commit_of_the_writer_is_synced() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert!(store.apply(&arrivals(&story(), 1, 5), NOW).unwrap().stored > 0);
    let levels = |writer: &mut Writer| {
        let level = |db: &Connection| {
            let told = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, Value>(0));
            (told("synchronous").unwrap(), told("journal_mode").unwrap())
        };
        Ok([&writer.main].into_iter().chain(writer.days.open()).map(level).collect::<Vec<_>>())
    };
    let full = (Value::Integer(2), Value::Text("wal".to_owned()));
    assert_eq!(store.write(levels).unwrap(), vec![full; 3], "the main file and two days");
}

#[test]
fn the_same_again_changes_nothing_but_the_counts() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.apply(&arrivals(&story(), 1, 1), NOW).unwrap();
    let before = store.page(&Filter::default(), 1, 100, NOW).unwrap();
    let again = store.apply(&arrivals(&story(), 15, 3), NOW).unwrap();
    assert_eq!((again.stored, again.duplicates), (0, 14), "a bad message is known, too");
    assert_eq!(store.page(&Filter::default(), 1, 100, NOW).unwrap(), before);
    let books = all_books(&store, Millis(0), Millis(u64::MAX));
    let cdr = books.streams.iter().find(|books| books.producer == "rm-1" && books.stream == 1);
    let cdr = cdr.unwrap();
    assert_eq!((cdr.duplicates, cdr.max_seq, cdr.announced_seq), (5, 6, 7));
    assert_eq!(cdr.received.gaps(7), [(5, 5), (7, 7)]);
    // frames that the cursor has passed are not even looked at
    let passed = store.apply(&arrivals(&story(), 1, 1), NOW).unwrap();
    assert_eq!((passed.stored, passed.duplicates, passed.seq), (0, 0, 19));
}

#[test]
fn a_crash_between_any_two_commits_changes_nothing() {
    let whole = tempfile::tempdir().unwrap();
    let batches: Vec<_> = [0..5, 5..9, 9..14]
        .map(|part| arrivals(&story()[part.clone()], part.start as u64 + 1, 1))
        .to_vec();
    let store = open(whole.path());
    for batch in &batches {
        store.apply(batch, NOW).unwrap();
    }
    drop(store);
    let expected = dump(whole.path());
    for fault in 0..40 {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        set_fault(&store, Some(fault));
        let mut crashes = 0;
        while store.applied_seq().unwrap() < 14 {
            let applied = store.applied_seq().unwrap();
            let batch = batches.iter().find(|batch| batch.last().unwrap().seq > applied).unwrap();
            if store.apply(batch, NOW).is_err() {
                crashes += 1;
                drop(store);
                store = open(dir.path());
            }
        }
        drop(store);
        let dumped = dump(dir.path());
        let other = dumped.iter().zip(&expected).find(|(one, other)| one != other);
        assert_eq!((other, dumped.len()), (None, expected.len()), "after {fault} commits");
        if crashes == 0 {
            assert!(fault >= 8, "some commits were hit: {fault}");
            return;
        }
    }
    panic!("no run came through");
}

#[test]
fn a_failed_main_commit_without_a_restart_loses_no_live_call() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let batch = arrivals(&[rm(1, 10).start(), rm(1, 10).tenant("x", None).end(20)], 1, 1);
    store.apply(&batch[..1], NOW).unwrap();
    // the day's commit succeeds, then the power goes before the main file's
    set_fault(&store, Some(1));
    store.apply(&batch[1..], NOW).unwrap_err();
    set_fault(&store, None);
    store.apply(&batch[1..], NOW).unwrap();
    let live = Filter { progress: Progress::Live, ..Filter::default() };
    assert_eq!(store.count(&live, Unit::Leg, NOW).unwrap(), 0);
    let main = Connection::open(dir.path().join("rs.db")).unwrap();
    let keys: i64 = main.query_row("SELECT count(*) FROM rs_live_key", [], |r| r.get(0)).unwrap();
    assert_eq!(keys, 0);
}

#[test]
fn any_order_and_any_split_give_the_same_calls() {
    let mut expected = None;
    let mut chance = model::chance::Chance::new([7, 1, 1, 1]);
    for round in 0..30 {
        let mut story = story();
        for at in (1..story.len()).rev() {
            let other = usize::try_from(chance.below(at as u64 + 1)).unwrap();
            story.swap(at, other);
        }
        let repeated: Vec<_> = story.iter().chain(&story[..round % 10]).cloned().collect();
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let per_frame = 1 + round % 3;
        for batch in split(arrivals(&repeated, 1, per_frame), 1 + round % 5) {
            store.apply(&batch, NOW).unwrap();
        }
        let mut page = store.page(&Filter::default(), 1, 100, NOW).unwrap();
        // a name that was met before its DBID has a synthetic id beside it; names are the same
        for call in &mut page.calls {
            call.component.id = 0;
            call.application.iter_mut().for_each(|profile| profile.id = 0);
            call.tenants.iter_mut().for_each(|tenant| tenant.id = 0);
        }
        let books = all_books(&store, Millis(0), Millis(u64::MAX));
        let state = (page, books.told, books.stored);
        assert_eq!(expected.get_or_insert_with(|| state.clone()), &state, "round {round}");
    }
}

#[test]
fn of_two_contents_of_one_id_the_smaller_hash_wins_in_any_order() {
    let versions = || {
        [rm(1, 10).dn("1111").start(), rm(1, 10).dn("2222").start(), rm(1, 10).dn("3333").start()]
    };
    let mut winners = BTreeSet::new();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let story: Vec<_> = order.iter().map(|at| versions()[*at].clone()).collect();
        let applied = store.apply(&arrivals(&story, 1, 1), NOW).unwrap();
        assert_eq!((applied.stored, applied.dead), (1, 2));
        let page = store.page(&Filter::default(), 1, 9, NOW).unwrap();
        winners.insert(page.calls[0].dn.clone());
        let letters = store.dead_letters().unwrap();
        assert_eq!(letters, BTreeMap::from([("id_conflict".to_owned(), 2)]));
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
}

#[test]
fn one_record_that_the_database_refuses_becomes_a_letter_and_the_rest_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.apply(&arrivals(&[rm(9, 5).start()], 1, 1), NOW).unwrap();
    let day = dir.path().join("days/20261122.db");
    let sql = "CREATE TRIGGER refuse BEFORE INSERT ON rs_call WHEN NEW.dn = '666'
               BEGIN SELECT RAISE(ABORT, 'not this one'); END";
    Connection::open(day).unwrap().execute_batch(sql).unwrap();
    let story = [rm(1, 10).start(), rm(2, 11).dn("666").start(), rm(3, 12).start()];
    let applied = store.apply(&arrivals(&story, 2, 3), NOW).unwrap();
    assert_eq!((applied.seq, applied.stored, applied.dead), (2, 2, 1));
    assert_eq!(store.count(&Filter::default(), Unit::Leg, NOW).unwrap(), 3);
    let letters = store.dead_letters().unwrap();
    assert_eq!(letters, BTreeMap::from([("db_rejected".to_owned(), 1)]));
}

/// A row that cannot be read any more costs the records of its call, and no other ones.
#[test]
fn facts_that_cannot_be_read_stop_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let first = [rm(1, 10).tenant("acme", Some(102)).start(), mcp("S1", 10).guid(1).start()];
    store.apply(&arrivals(&first, 1, 1), NOW).unwrap();
    let db = Connection::open(dir.path().join("days/20261122.db")).unwrap();
    let damage = "UPDATE rs_call_fact_state SET state = x'01FF' WHERE call_key =
        (SELECT call_key FROM rs_call WHERE component_type = 1)";
    assert_eq!(db.execute(damage, []).unwrap(), 1);
    let story = [
        mcp("S1", 10).guid(1).end(50),
        rm(1, 10).end(51),
        rm(2, 12).start(),
        mcp("S2", 13).guid(1).start(),
    ];
    let applied = store.apply(&arrivals(&story, 3, 4), NOW).unwrap();
    assert_eq!((applied.seq, applied.stored, applied.dead), (3, 3, 1));
    let letters = store.dead_letters().unwrap();
    assert_eq!(letters, BTreeMap::from([("db_rejected".to_owned(), 1)]));
    assert_eq!(store.count(&Filter::default(), Unit::Leg, NOW).unwrap(), 4);
}

#[test]
fn lists_keep_their_order_across_days_and_under_inserts() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let day = 86_400;
    // sessions of three days; the second leg of one begins after midnight
    let mut story: Vec<_> = (1..31).map(|n| rm(n, 1000 + n * day / 10).start()).collect();
    story.push(rm(8, 1000 + 8 * day / 10).leg(2, day + 2000).start());
    store.apply(&arrivals(&story, 1, 1), NOW).unwrap();
    let filter = Filter { component_type: Some(ComponentType::Rm), ..Filter::default() };
    let mut walked = Vec::new();
    let mut after = None;
    loop {
        let items = store.list(&filter, Unit::Leg, after, 7, NOW).unwrap();
        let Some(last) = items.last() else { break };
        after = Some(last.position);
        walked.extend(items.into_iter().map(|item| item.position));
        // what is newer than the walk never shifts it
        let newer = rm(100 + walked.len() as u64, 3 * day + walked.len() as u64).start();
        store.apply(&arrivals(&[newer], 100 + walked.len() as u64, 1), NOW).unwrap();
    }
    assert_eq!(walked.len(), 31);
    assert!(walked.windows(2).all(|pair| pair[0] > pair[1]), "newest start first");
    let mut paged = Vec::new();
    let records = store.page(&filter, 1, 10, NOW).unwrap().records;
    for page in 1..=records.div_ceil(10) {
        let page = store.page(&filter, u32::try_from(page).unwrap(), 10, NOW).unwrap();
        assert_eq!(page.records, records);
        paged.extend(page.calls.iter().map(|call| (call.started, call.key)));
    }
    assert_eq!(paged.len() as u64, records);
    assert!(paged.windows(2).all(|pair| pair[0] > pair[1]));
    let sessions = store.list(&filter, Unit::Guid, None, 100, NOW).unwrap();
    assert_eq!(sessions.len() as u64, records - 1);
    let two: Vec<_> = sessions.iter().filter(|item| item.legs.len() == 2).collect();
    assert_eq!(two.len(), 1);
    assert_eq!(store.count(&filter, Unit::Guid, NOW).unwrap(), records - 1);
}

#[test]
fn filters_find_what_they_name() {
    use rs::query::{Number, Uri};
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let story = [
        rm(1, 10).tenant("acme", Some(102)).profile("main", Some(189)).dn("18005550100").end(15),
        rm(2, 20).tenant("beta", None).dn("18005550150").start(),
        rm(3, 30).dn("1900a").end(100),
        mcp("S1", 40).end(50),
    ];
    store.apply(&arrivals(&story, 1, 1), NOW).unwrap();
    // the name's object appears: its DBID finds the calls of the synthetic id too
    store.apply(&arrivals(&[rm(4, 50).tenant("beta", Some(103)).start()], 5, 1), NOW).unwrap();
    let base = Filter::default;
    let at = |seconds: u64| Some(made::at(seconds));
    let number = |number: Number| Filter { numbers: vec![number], ..base() };
    let uri = |text: &str, prefix| Uri { text: text.to_owned(), prefix };
    let cases = [
        (base(), 5),
        (Filter { progress: Progress::Live, ..base() }, 2),
        (Filter { progress: Progress::Completed, ..base() }, 3),
        (Filter { component_type: Some(ComponentType::Mcp), ..base() }, 1),
        (Filter { started_after: at(10), started_before: at(40), ..base() }, 2),
        (Filter { ended_after: at(15), ended_before: at(101), ..base() }, 2),
        (Filter { profiles: vec![189], ..base() }, 1),
        (Filter { tenants: vec![1], ..base() }, 3),
        (Filter { tenants: vec![103], ..base() }, 2),
        (Filter { tenants: vec![102, 103], ..base() }, 3),
        (Filter { components: vec![101], ..base() }, 4),
        (number(Number::Exact("1900a".to_owned())), 1),
        (number(Number::Prefix("1800".to_owned())), 2),
        (number(Number::Range { from: "18005550000".into(), to: "18005550100".into() }), 1),
        (Filter { remote_uris: vec![uri("sip:+4930", true)], ..base() }, 5),
        (Filter { remote_uris: vec![uri("sip:+4930123@gw.example", false)], ..base() }, 5),
        (Filter { local_uris: vec![uri("sip:nobody", true)], ..base() }, 0),
        (Filter { session_id: Some("S1".to_owned()), ..base() }, 1),
        (Filter { guid: Some(CallGuid::new(&made::guid(2))), ..base() }, 1),
        (Filter { duration_min: Some(10_000), duration_max: Some(10_000), ..base() }, 1),
        (Filter { end_states: vec![model::record::EndState::UserEnd], ..base() }, 3),
        (Filter { services: vec![model::config::Service::Voicexml], ..base() }, 5),
        (Filter { call_types: vec![model::record::CallType::Outbound], ..base() }, 0),
    ];
    for (filter, expected) in cases {
        let page = store.page(&filter, 1, 100, NOW).unwrap();
        let found = (page.records, page.calls.len());
        assert_eq!(found, (expected, usize::try_from(expected).unwrap()), "{filter:?}");
        assert_eq!(store.count(&filter, Unit::Leg, NOW).unwrap(), expected, "{filter:?}");
    }
    let tenants = store.objects(ObjectKind::Tenant).unwrap();
    let beta: Vec<_> = tenants.iter().filter(|tenant| tenant.name == "beta").collect();
    assert_eq!(beta.iter().map(|t| t.alias_of).collect::<Vec<_>>(), [None, Some(103)]);
    assert!(beta[1].synthetic && beta[1].id >= 3_000_000_000);
}

#[test]
fn kinds_without_a_table_are_kept_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.apply(&arrivals(&story(), 1, 1), NOW).unwrap();
    let kept = |file: &str| -> Vec<String> {
        let db = Connection::open(dir.path().join(file)).unwrap();
        let mut kept = db.prepare("SELECT body FROM rs_kept_record ORDER BY no").unwrap();
        kept.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(kept("rs.db"), [books(0).body()]);
    assert!(kept("days/20261122.db").is_empty());
    let books = all_books(&store, made::at(0), made::at(60));
    let told = books.told.iter().find(|minute| minute.producer == "rm-1").unwrap();
    let stored = books.stored.iter().find(|minute| minute.producer == "rm-1").unwrap();
    assert_eq!((told.boot, told.records_out, stored.boot, stored.stored), (7, 3, 7, 1));
}
