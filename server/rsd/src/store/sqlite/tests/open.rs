//! How many files of days are open at once.

use std::fs;
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;

use super::*;

const DAY: u64 = 86_400;
const DAYS: u64 = 100;
/// As many ask at once: more than there are questions, since the server's own threads ask, too.
const ASKERS: u64 = 11;

/// The files of days that this process has open.
fn open_files(dir: &Path) -> BTreeSet<PathBuf> {
    let all = fs::read_dir("/proc/self/fd").unwrap();
    let all = all.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    let days = dir.canonicalize().unwrap().join("days");
    all.filter(|path| path.starts_with(&days) && path.extension().unwrap() == "db").collect()
}

/// The applier, as many as may ask, and the jobs, each in days of its own.
#[test]
fn at_most_64_files_of_days_are_open() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let later = Millis(NOW.0 + (DAYS + 1) * DAY * 1000);
    let story = |at: u64| -> Vec<Made> {
        (0..DAYS).map(|n| mcp(&format!("S{at}.{n}"), n * DAY + at).start()).collect()
    };
    let apply = |at: u64, first_seq: u64| {
        let mut frames = arrivals(&story(at), first_seq, 10);
        frames.iter_mut().for_each(|frame| frame.entry.as_mut().unwrap().received = later.0);
        store.apply(&frames, later).unwrap().stored
    };
    assert_eq!(apply(10, 1), DAYS);
    let days = store.write(|writer| writer.days.all()).unwrap();
    let nth = |n: u64| days[usize::try_from(n).unwrap()];
    let barrier = Barrier::new(usize::try_from(ASKERS).unwrap() + 1);
    let span = DAYS / ASKERS;
    thread::scope(|scope| {
        for asker in 0..ASKERS {
            let (barrier, store) = (&barrier, &store);
            scope.spawn(move || {
                let at = |n: u64| Some(made::at(n * DAY));
                let filter = Filter {
                    started_after: at(asker * span),
                    started_before: at((asker + 1) * span),
                    ..Filter::default()
                };
                let held = store.read(|reader| {
                    let items = reader.list(&filter, Unit::Leg, None, 1000, later)?;
                    barrier.wait();
                    barrier.wait();
                    Ok(items.len() as u64)
                });
                assert_eq!(held.unwrap(), span);
            });
        }
        barrier.wait();
        assert_eq!(apply(20, 1000), DAYS);
        let beside = |writer: &mut Writer| {
            (0..ASKERS).try_for_each(|n| writer.beside.get(nth(n * span + 6), 0).map(|_| ()))
        };
        store.write(beside).unwrap();
        for n in 0..ASKERS {
            store.bins().unwrap().marks_of_day(nth(n * span + 7)).unwrap();
            store.keep(|keeper| keeper.day(nth(n * span + 8)).map(|_| ())).unwrap();
        }
        let files = open_files(dir.path()).len();
        barrier.wait();
        assert!((50..=64).contains(&files), "{files} files");
    });
}
