//! What of the files is kept in memory, as the connections themselves say it.

use super::super::cache::Caches;
use super::*;

/// KiB of each connection: as asked by `PRAGMA cache_size`.
fn sizes<'c>(all: impl IntoIterator<Item = &'c Connection>) -> Vec<i64> {
    let size = |db: &Connection| {
        db.pragma_query_value(None, "cache_size", |row| row.get::<_, i64>(0)).unwrap()
    };
    let mut sizes: Vec<i64> = all.into_iter().map(|db| -size(db)).collect();
    sizes.sort_unstable();
    sizes
}

/// Those of the writer, and of who has asked for calls.
fn held(dir: &Path, cache: Option<u64>) -> [Vec<i64>; 2] {
    let store = Sqlite::new(dir.to_owned(), NOW);
    let store = cache.into_iter().fold(store, Sqlite::with_cache);
    assert!(store.apply(&arrivals(&story(), 1, 5), NOW).unwrap().stored > 0);
    let of_writer =
        |writer: &mut Writer| Ok(sizes([&writer.main].into_iter().chain(writer.days.open())));
    let of_reader = |reader: &mut Reader| {
        reader.page(&Filter::default(), 1, 100, NOW)?;
        Ok(sizes([&reader.main].into_iter().chain(reader.days.open())))
    };
    [store.write(of_writer).unwrap(), store.read(of_reader).unwrap()]
}

#[test]
fn every_connection_has_its_part_of_the_budget() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(held(dir.path(), None)[0], [4096, 4096, 65_536]);
    let dir = tempfile::tempdir().unwrap();
    let Caches { hot, each } = Caches::within(32 << 20);
    assert_eq!(hot, 16_384);
    assert_eq!(held(dir.path(), Some(32 << 20)), [vec![each, each, hot], vec![each; 2]]);
}

#[test]
fn the_sum_of_all_is_within_the_budget_and_no_larger_than_of_use() {
    for mib in [16, 32, 102, 256, 376, 4096] {
        let caches = Caches::within(mib << 20);
        let (sum, most) = (caches.bytes(), Caches::default().bytes());
        assert!(sum <= (mib << 20).min(most), "{mib}: {caches:?}");
        assert!(sum >= (mib << 20).min(most) / 10 * 9, "{mib}: {caches:?}");
    }
    let whole = config::settings::Rs::default().database.cache;
    assert_eq!(
        Caches::within(whole),
        Caches::default(),
        "nothing is taken away without being told"
    );
}
