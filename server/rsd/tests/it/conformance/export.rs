//! What goes is written down before, in any store; and what is read back is the same.

use std::collections::BTreeSet;
use std::path::Path;

use config::settings::{Export as Settings, ExportFormat, ExportKind, Retention};
use rs::Filter;
use rs::rollup::Zone;
use rsd::entry::Transport;
use rsd::retention::{
    Ages, Annexes, Before, Export, Kept, Leaving, Report, Under, Why, in_force, purge,
};
use rsd::store::sqlite::Sqlite;
use rsd::store::{CallName, Day, Lists as _, Store, Unit};
use serde_json::Value;

use super::NOW;
use super::keeping::{NIGHT, counts, fill, frames, ms};
use super::made::{Made, arrivals, at, rm};
use super::stories::{Step, stories};

fn export(dir: &Path, zstd: bool) -> Export {
    let kinds = ExportKind::ALL.to_vec();
    let settings = Settings { dir: dir.to_owned(), format: ExportFormat::Ndjson, kinds, zstd };
    Export::new(settings, "rs-1".to_owned(), "rs-1/1".to_owned())
}

/// Files with their manifests, by name, and the lines of those that hold records.
fn read(dir: &Path) -> (Vec<String>, Vec<Made>) {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut lines = Vec::new();
    for name in names.iter().filter(|name| !name.ends_with(".json")) {
        let bytes = std::fs::read(dir.join(name)).unwrap();
        let manifest = std::fs::read(dir.join(format!("{name}.manifest.json"))).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["blake3"], blake3::hash(&bytes).to_hex().as_str(), "{name}");
        let text =
            if name.ends_with(".zst") { zstd::stream::decode_all(&*bytes).unwrap() } else { bytes };
        let text = String::from_utf8(text).unwrap();
        assert_eq!(manifest["rows"], text.lines().count(), "{name}");
        if !name.starts_with("dead_letters") {
            lines.extend(text.lines().map(Made::text));
        }
    }
    (names, lines)
}

/// All legs with what hangs on them; ids that a database gives by itself are its own matter.
fn legs(store: &dyn Store) -> Vec<String> {
    let calls = store.page(&Filter::default(), 1, 1000, NOW).unwrap().calls;
    let mut legs: Vec<String> = calls
        .iter()
        .flat_map(|call| store.call(&CallName::Key(call.key), true).unwrap())
        .map(|leg| {
            let text = format!("{leg:?}");
            let parts = text.split("300000").enumerate();
            parts.map(|(n, part)| if n == 0 { part } else { &part[4..] }).collect()
        })
        .collect();
    legs.sort();
    legs
}

/// Everything that a story has left is written down, read back into an empty database, and into
/// the same one.
pub(super) fn round_trip(store: &dyn Store) {
    for (first_seq, wanted) in [(0, "golden"), (10_000, "day"), (20_000, "days")] {
        let (_, steps) = stories().into_iter().find(|(name, _)| *name == wanted).unwrap();
        for step in steps {
            let Step::Apply(mut batch) = step else { continue };
            batch.iter_mut().for_each(|frame| frame.seq += first_seq);
            store.apply(&batch, NOW).unwrap();
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let export = export(dir.path(), false);
    for day in store.keeping().days().unwrap() {
        let kept = keep(store, &export, &Leaving::Facts(day), &mut || Some(2));
        assert_eq!(kept, Kept::Whole);
    }
    let letters = keep(store, &export, &Leaving::Letters(i64::MAX), &mut || Some(2));
    assert_eq!(letters, Kept::Whole);
    let (names, lines) = read(dir.path());
    for kind in ["cdr", "events", "var", "dead_letters"] {
        assert!(names.iter().any(|name| name.starts_with(kind)), "{kind}: {names:?}");
    }
    let before = legs(store);
    assert!(before.len() > 30, "{}", before.len());

    let fresh = tempfile::tempdir().unwrap();
    let empty = Sqlite::new(fresh.path().to_owned(), NOW);
    // as `rs import` sends them
    let imported = |first_seq| {
        let mut frames = arrivals(&lines, first_seq, 50);
        let entries = frames.iter_mut().filter_map(|frame| frame.entry.as_mut());
        entries.for_each(|entry| entry.transport = Transport::Own);
        frames
    };
    let applied = empty.apply(&imported(1), NOW).unwrap();
    assert_eq!((applied.stored, applied.dead), (lines.len() as u64, 0));
    for (again, before) in legs(&empty).iter().zip(&before) {
        assert_eq!(again, before);
    }
    assert_eq!(legs(&empty).len(), before.len());

    let applied = store.apply(&imported(50_000), NOW).unwrap();
    let covered = lines.iter().filter(|line| line.body().contains("/cdr.covered/")).count();
    assert_eq!((applied.stored, applied.dead), (covered as u64, 0), "nothing is there twice");
    assert_eq!(legs(store), before);
}

/// Under the lease of the purge, at night.
fn keep(
    store: &dyn Store,
    export: &Export,
    leaving: &Leaving<'_>,
    next: &mut dyn FnMut() -> Option<u32>,
) -> Kept {
    let now_ms = ms(at(NIGHT));
    let keeping = store.keeping();
    let lease = keeping.take_lease("retention", "a", now_ms, now_ms + 30_000).unwrap().unwrap();
    export.keep(store, Under { lease: &lease, now: &|| now_ms }, leaving, next).unwrap()
}

fn run(store: &dyn Store, export: &Export, slices: usize) -> Report {
    let terms = in_force(store, (&Retention::default(), &Annexes::new()), &Zone::utc()).unwrap();
    let now_ms = ms(at(NIGHT));
    let keeping = store.keeping();
    let held = keeping.take_lease("retention", "a", now_ms, now_ms + 30_000).unwrap().unwrap();
    let mut left = slices;
    let mut next = || {
        left = left.checked_sub(1)?;
        Some(1000)
    };
    let clean = |_: Day, _: i64| Ok(true);
    let keep = |leaving: &Leaving<'_>, next: &mut dyn FnMut() -> Option<u32>| {
        export.keep(store, Under { lease: &held, now: &|| now_ms }, leaving, next)
    };
    let before =
        Before { clean: &clean, apart: &|_| Ok(true), keep: &keep, forget: &|| Ok(Vec::new()) };
    let ages = Ages { failures: 365 };
    purge(keeping, &terms, &held, ages, now_ms, before, &mut next).unwrap()
}

/// Days go only when they are written down, wherever a run is cut off (scenario 38).
pub(super) fn days(store: &dyn Store) {
    fill(store);
    let dir = tempfile::tempdir().unwrap();
    let no_dir = dir.path().join("file");
    std::fs::write(&no_dir, "").unwrap();
    let refused = run(store, &export(&no_dir, true), usize::MAX);
    assert!(!refused.finished && refused.gone.is_empty(), "{refused:?}");
    let told = |why: &Why| why.to_string().contains("cannot be written down");
    assert!(refused.blocked.len() > 40 && refused.blocked.values().all(told), "{refused:?}");
    assert_eq!(counts(store), (60, 60, 180));

    let dir = dir.path().join("made/by/us");
    for slices in (3..).step_by(7) {
        let report = run(store, &export(&dir, true), slices);
        assert!(slices < 2000, "it comes to an end: {report:?}");
        if report.finished {
            break;
        }
    }
    assert_eq!(counts(store), (40, 40, 120));
    let (names, lines) = read(&dir);
    assert!(names.iter().all(|name| !name.ends_with(".part")), "{names:?}");
    assert!(names.contains(&"cdr-20261122.ndjson.zst".to_owned()), "{names:?}");
    let fresh = tempfile::tempdir().unwrap();
    let empty = Sqlite::new(fresh.path().to_owned(), NOW);
    let applied = empty.apply(&frames(0, &lines, NIGHT), at(NIGHT)).unwrap();
    assert_eq!(applied.dead, 0);
    assert_eq!(counts(&empty), (20, 20, 60), "all that has gone");
    let filter = Filter::default();
    let ours = store.count(&filter, Unit::Leg, at(NIGHT)).unwrap();
    let theirs = empty.count(&filter, Unit::Leg, at(NIGHT)).unwrap();
    assert_eq!(ours + theirs, 180);
    assert_eq!(run(store, &export(&dir, true), usize::MAX).rows, 0);
    assert_eq!(read(&dir).0, names, "what has gone is not written again");
}

/// A day is written once, however often it cannot go, and again when something came.
pub(super) fn once(store: &dyn Store) {
    fill(store);
    let day = 20_261_122;
    let dir = tempfile::tempdir().unwrap();
    let files = export(dir.path(), false);
    let keep =
        |next: &mut dyn FnMut() -> Option<u32>| keep(store, &files, &Leaving::Facts(day), next);
    assert_eq!(keep(&mut || Some(2)), Kept::Whole);
    let (names, lines) = read(dir.path());
    assert_eq!(keep(&mut || Some(2)), Kept::Whole);
    assert_eq!(read(dir.path()).0, names, "the drop alone is tried again");

    let mut seq = 1000;
    let mut come = |on: u64| {
        seq += 1;
        let late = rm(seq, on).end(on + 60);
        assert_eq!(store.apply(&frames(seq, &[late], NIGHT), at(NIGHT)).unwrap().stored, 1);
    };
    come(7200);
    let mut left = 1;
    let mut one_comes = || {
        if left > 0 {
            left -= 1;
            come(7300);
        }
        Some(2)
    };
    assert_eq!(keep(&mut one_comes), Kept::Whole);
    let again = read(dir.path()).1;
    let ids: BTreeSet<String> = again.iter().map(Made::body).collect();
    assert!(ids.len() >= lines.len() + 2, "what came before and meanwhile is written");
    come(7350);
    let mut at_s = 7400;
    let mut all_come = || {
        at_s += 10;
        come(at_s);
        Some(1000)
    };
    let Kept::Not(why) = keep(&mut all_come) else { panic!("it goes while records come") };
    assert_eq!(why, "records of it still come");
    assert_eq!(keep(&mut || None), Kept::CutOff);
    let before = read(dir.path()).0;
    assert_eq!(keep(&mut || Some(1000)), Kept::Whole);
    assert!(read(dir.path()).0.len() > before.len());
}

/// The database knows what was written: another server does not write it again, nor does the same
/// after its end; unless its file is not in their directory.
pub(super) fn known(store: &dyn Store) {
    fill(store);
    let day = 20_261_122;
    let facts = Leaving::Facts(day);
    let dir = tempfile::tempdir().unwrap();
    let (own, other) = (dir.path().join("own"), dir.path().join("other"));
    let named = |dir: &Path, name: &str| {
        let kinds = ExportKind::ALL.to_vec();
        let settings =
            Settings { dir: dir.to_owned(), format: ExportFormat::Csv, kinds, zstd: true };
        Export::new(settings, name.to_owned(), format!("{name}/1"))
    };
    let mut left = 2;
    let mut cut_off = || {
        left -= 1;
        (left > 0).then_some(2)
    };
    assert_eq!(keep(store, &named(&own, "rs-1"), &facts, &mut cut_off), Kept::CutOff);
    assert_eq!(keep(store, &named(&own, "rs-1"), &facts, &mut || Some(2)), Kept::Whole);
    let names = |dir: &Path| {
        let all = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().file_name());
        all.map(|name| name.into_string().unwrap()).collect::<BTreeSet<_>>()
    };
    let before = names(&own);
    let runs = store.exporting().exports(Some(day), 100).unwrap();
    let states: Vec<_> = runs.iter().rev().map(|run| (&*run.kind, run.state.as_str())).collect();
    let expected = [("cdr", "stopped"), ("cdr", "done"), ("events", "done"), ("var", "done")];
    assert_eq!(states, expected);
    for run in runs.iter().filter(|run| run.file.is_some()) {
        let name = run.file.as_ref().unwrap();
        let bytes = std::fs::read(own.join(name)).unwrap();
        assert_eq!(run.blake3.as_deref(), Some(blake3::hash(&bytes).to_hex().as_str()), "{name}");
        assert!(run.rows > 0 && run.first.is_some() && run.ended_ms.is_some(), "{run:?}");
    }
    assert!(runs.iter().any(|run| run.kind == "cdr" && run.rows > 1), "{runs:?}");
    for name in ["rs-1", "rs-2"] {
        assert_eq!(keep(store, &named(&own, name), &facts, &mut || Some(2)), Kept::Whole);
    }
    assert_eq!(names(&own), before, "nothing is written twice");
    let of_log = |store: &dyn Store| super::custody::lines(store, "export");
    assert_eq!(of_log(store), before.len() / 2);
    // of the same names, and of something else
    std::fs::create_dir(&other).unwrap();
    for name in &before {
        std::fs::write(other.join(name), "{\"blake3\":\"\"}").unwrap();
    }
    for _ in 0..2 {
        let (rs_2, facts) = (named(&other, "rs-2"), &facts);
        assert_eq!(keep(store, &rs_2, facts, &mut || Some(2)), Kept::Whole);
        assert_eq!(names(&other).len(), 2 * before.len(), "it has what it drops, once");
        assert_eq!(of_log(store), before.len());
    }

    std::fs::remove_dir_all(&own).unwrap();
    assert_eq!(keep(store, &named(&own, "rs-1"), &facts, &mut || Some(2)), Kept::Whole);
    assert_eq!(names(&own), before, "its directory is lost");
}

/// One state that cannot be read keeps its own day, and no other.
#[test]
fn what_cannot_be_read_keeps_its_own_day() {
    let home = tempfile::tempdir().unwrap();
    let store = Sqlite::new(home.path().to_owned(), NOW);
    fill(&store);
    let db = rusqlite::Connection::open(home.path().join("days/20261123.db")).unwrap();
    let broken = db.execute("UPDATE rs_call_fact_state SET state = x'ff'", []).unwrap();
    assert_eq!(broken, 3);
    drop(db);
    let dir = tempfile::tempdir().unwrap();
    let report = run(&store, &export(dir.path(), true), usize::MAX);
    let blocked: Vec<_> = report.blocked.iter().map(|(day, why)| format!("{day} {why}")).collect();
    let told = "20261123 cannot be written down: stored facts of a call cannot be read";
    assert!(blocked.len() == 1 && blocked[0].starts_with(told), "{blocked:?}");
    assert_eq!(counts(&store), (41, 41, 123));
    let names = read(dir.path()).0;
    assert!(names.iter().all(|name| !name.ends_with(".part")), "{names:?}");
}
