//! Erasures that are cut, or kept from their end.

use rs::erase::Number;

use super::*;
use crate::store::custody::Audit;
use crate::store::keeping::Keeping as _;

const NUMBER: &str = "4930123456";
const DAY: &str = "days/20261122.db";

fn begin(store: &Sqlite) {
    let line = Audit {
        no: 0,
        time_ms: 1_795_344_000_000,
        user: None,
        address: "-".to_owned(),
        action: "erasure".to_owned(),
        object: String::new(),
        detail: "{}".to_owned(),
        outcome: "done".to_owned(),
    };
    store.begin(&Number::of(NUMBER).unwrap(), &line).unwrap();
}

fn to_its_end(store: &Sqlite) {
    for _ in 0..200 {
        if !store.go_on(1_795_344_000_000).unwrap() {
            return;
        }
    }
    panic!("it comes to no end");
}

fn has_it(path: &Path) -> bool {
    let mut bytes = std::fs::read(path).unwrap();
    bytes.extend(std::fs::read(path.with_extension("db-wal")).unwrap_or_default());
    bytes.windows(NUMBER.len()).any(|part| part == NUMBER.as_bytes())
}

/// Who makes bins looks into the files that have marks, also of a day without new records.
#[test]
fn the_job_is_told_of_the_marks_of_an_erasure() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let call = rm(1, 10).dn(NUMBER);
    store.apply(&arrivals(&[call.start(), call.end(40)], 1, 1), NOW).unwrap();
    let db = Connection::open(dir.path().join(DAY)).unwrap();
    db.execute_batch("DELETE FROM rs_dirty_bin").unwrap();
    assert_eq!(store.bins().unwrap().oldest_mark().unwrap(), None, "all bins are made");
    begin(&store);
    to_its_end(&store);
    assert!(store.bins().unwrap().oldest_mark().unwrap().is_some());
}

/// Whatever the slice, its rows may be stored when the power goes, and its note not.
#[test]
fn a_cut_between_a_slice_and_its_note_leaves_nothing_in_free_pages() {
    let mut cuts = 0;
    for fault in 0..30 {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let call = rm(1, 10).dn(NUMBER);
        let text = format!(r#"{{"text":"said {NUMBER}","#);
        let said = Made::text(&event("E1DE", 11, "log").body().replacen('{', &text, 1));
        let story = [call.start(), call.end(40), said, Made::text(NUMBER)];
        store.apply(&arrivals(&story, 1, 1), NOW).unwrap();
        begin(&store);
        set_fault(&store, Some(fault));
        let cut = (0..200).find_map(|_| match store.go_on(1_795_344_000_000) {
            Ok(true) => None,
            done => Some(done.is_err()),
        });
        cuts += u32::from(cut.unwrap());
        drop(store);
        let store = open(dir.path());
        to_its_end(&store);
        for file in ["rs.db", DAY] {
            assert!(!has_it(&dir.path().join(file)), "{file}, cut behind slice {fault}");
        }
    }
    assert!((5..30).contains(&cuts), "{cuts}");
}

#[test]
fn a_log_that_is_read_is_emptied_before_an_erasure_ends() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.apply(&arrivals(&[rm(1, 10).dn(NUMBER).start()], 1, 1), NOW).unwrap();
    let path = dir.path().join(DAY);
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM rs_call").unwrap();
    let read = || reader.query_row("SELECT count(*) FROM rs_call", [], |row| row.get::<_, i64>(0));
    assert_eq!(read().unwrap(), 1);
    begin(&store);
    let stuck = (0..200).find_map(|_| store.go_on(1_795_344_000_000).err()).unwrap();
    assert!(matches!(stuck, StoreError::Unavailable(_)), "{stuck:?}");
    assert!(store.go_on(1_795_344_000_000).is_err() && has_it(&path));
    assert_eq!(store.erasures(9).unwrap()[0].ended_ms, None);
    reader.execute_batch("COMMIT").unwrap();
    to_its_end(&store);
    assert!(!has_it(&path) && store.erasures(9).unwrap()[0].ended_ms.is_some());
}

/// An erasure in a day of which a part has gone brings the rest back into no list.
#[test]
fn an_erasure_shows_no_day_that_is_going() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let calls = [1, 2].map(|no| rm(no, 10 * no).dn(NUMBER));
    let story: Vec<Made> = calls.iter().flat_map(|call| [call.start(), call.end(40)]).collect();
    store.apply(&arrivals(&story, 1, 1), NOW).unwrap();
    let held = store.take_lease("retention", "a", 0, i64::MAX).unwrap().unwrap();
    assert!(store.delete_facts(&held, 20_261_122, i64::MAX, 1).unwrap() > 0);
    begin(&store);
    to_its_end(&store);
    let erased = store.erasures(1).unwrap()[0].calls;
    assert!(erased > 0, "there was something to erase");
    assert_eq!(store.count(&Filter::default(), Unit::Leg, NOW).unwrap(), 0);
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.count(&Filter::default(), Unit::Leg, NOW).unwrap(), 0, "nor does a start");
}

/// Another key would find none of the numbers that are erased.
#[test]
fn without_the_key_of_its_erasures_a_database_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("erasure.key");
    let own = {
        let store = open(dir.path());
        begin(&store);
        std::fs::read(&key).unwrap()
    };
    let again = || {
        let store = Sqlite::new(dir.path().to_owned(), NOW);
        store.ready().err().map(|error| error.reason())
    };
    std::fs::remove_file(&key).unwrap();
    assert!(again().unwrap().contains("erasure.key is missing"));
    std::fs::write(&key, format!("{}\n", "0a".repeat(32))).unwrap();
    assert!(again().unwrap().contains("copy it from another Reporting Server"));
    std::fs::write(&key, own).unwrap();
    assert_eq!(again(), None);
}
