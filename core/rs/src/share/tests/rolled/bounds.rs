//! Where bins meet what is no more: facts that come too late for some of them, numbers without
//! room, and objects that get another id.

use super::*;
use crate::rollup::{Dim, State};

const FIVE_MS: i64 = 300_000;

/// A leg of a session of its own, in seconds after ten o'clock.
fn call(n: u64, start: i64, end: i64, more: Value) -> [Message; 2] {
    let time = |second: i64| Millis((OWN_MS + second * 1000).cast_unsigned()).to_string();
    let guid = format!("01A202B2-0000-7000-8000-{n:012X}");
    ["start", "end"].map(|phase| {
        let mut of = json!({
            "guid": guid, "session_id": format!("{guid}.1"), "leg": "00000001",
            "id": format!("{guid}/00000001/cdr.{phase}/1.1"), "started_at": time(start),
            "tenant": {"name": "acme"}, "profile": {"name": "main"}, "dn": format!("180{n}"),
        });
        of.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let time = if phase == "end" { end } else { start };
        let time = Millis((OWN_MS + time * 1000).cast_unsigned()).to_string();
        of["time"] = json!(time);
        if phase == "end" {
            of["ended_at"] = json!(time);
        }
        rm(phase, 1, n, 0, of)
    })
}

fn apply(rolled: &Rolled, messages: &[Message]) {
    rolled.apply(&messages.iter().collect::<Vec<_>>());
}

/// Start, level after it, and peak of the five-minute bins of an object from an instant on.
fn levels(rolled: &Rolled, key: LevelKey, from_ms: i64) -> Vec<(i64, i64, i64)> {
    let bins = &rolled.0.borrow().bins;
    let five = |row: &&LevelRow| row.at.gran == 1 && row.at.bin_ms >= from_ms;
    let mine = bins.levels.iter().filter(five).filter(|row| row.key() == Some(key));
    let mut levels: Vec<_> =
        mine.map(|row| (row.at.bin_ms, row.level_start + row.net, row.peak)).collect();
    levels.sort_unstable();
    levels
}

fn sessions_of(dim: Dim, id: i64) -> LevelKey {
    let target = rollup::Target::new(dim, id);
    LevelKey { measure: rollup::Measure::Sessions, target }
}

fn drifted(rolled: &Rolled, at_ms: i64) -> Option<usize> {
    check(rolled, &mut Objects::default(), &rules(&zone()), at_ms).unwrap()
}

fn freeze(rolled: &Rolled, before_ms: i64) {
    let state = State::of(&rolled.meta().unwrap());
    rolled.0.borrow_mut().meta.extend(state.freeze(before_ms));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// What comes too late for the frozen bins is there from the first other one on: with its end,
    /// however the records come.
    #[test]
    fn a_call_that_begins_in_a_frozen_bin_and_comes_late_ends_once(
        order in Just((0..10_usize).collect::<Vec<_>>()).prop_shuffle(),
        split in 1..5_usize,
        turns in proptest::collection::vec(0..3_usize, 10),
    ) {
        let frozen_ms = OWN_MS + 4 * FIVE_MS;
        let (early, zone) = (call(1, 0, 3000, json!({})), zone());
        let mut late: Vec<Message> = Vec::new();
        // before, over the boundary, exactly to it, over several bins, behind it
        let spans = [(60, 500), (900, 1300), (1100, 1200), (10, 2500), (1250, 1900)];
        for (n, (start, end)) in (2..).zip(spans) {
            late.extend(call(n, start, end, json!({})));
        }
        let (rolled, whole) = (Rolled::default(), Rolled::default());
        apply(&rolled, &early);
        rolled.roll(&zone, 1000);
        freeze(&rolled, frozen_ms);
        for (batch, turns) in order.chunks(split).zip(turns.iter().cycle()) {
            rolled.apply(&batch.iter().map(|n| &late[*n]).collect::<Vec<_>>());
            rolled.roll(&zone, *turns);
        }
        rolled.roll(&zone, 1000);
        apply(&whole, &early);
        apply(&whole, &late);
        whole.roll(&zone, 1000);
        let of = |n: u64| sessions_of(Dim::Dn, rollup::text_id(&format!("180{n}")));
        for key in [sessions_of(Dim::All, 0)].into_iter().chain((1..7).map(of)) {
            // the first bin begins with what is there, as a change
            let after = frozen_ms + 1;
            prop_assert_eq!(levels(&rolled, key, after), levels(&whole, key, after));
            let found = levels(&rolled, key, frozen_ms);
            prop_assert_eq!(found.last().map_or(0, |(_, level, _)| *level), 0);
            prop_assert!(found.iter().all(|(_, level, peak)| *level >= 0 && *peak >= 0));
        }
        prop_assert_eq!(drifted(&rolled, frozen_ms + 3 * FIVE_MS), Some(0));
        prop_assert!(State::of(&rolled.meta().unwrap()).late_lost > 0);
    }
}

/// An end that comes too late for its frozen bin, of an object that nothing else is heard of.
#[test]
fn what_ended_in_a_frozen_bin_stands_no_longer() {
    let (rolled, zone) = (Rolled::default(), zone());
    let frozen_ms = OWN_MS + 4 * FIVE_MS;
    let [start, end] = call(1, 10, 500, json!({}));
    apply(&rolled, &[start]);
    apply(&rolled, &call(2, 20, 5000, json!({"tenant": {"name": "other"}})));
    rolled.roll(&zone, 1000);
    freeze(&rolled, frozen_ms);
    apply(&rolled, &[end]);
    rolled.roll(&zone, 1000);
    let stand = |rolled: &Rolled| {
        let at = At::new(Granularity::FiveMinutes, frozen_ms + FIVE_MS);
        let sessions = sessions_of(Dim::Dn, 0).measure.number();
        let is_one = |row: &LevelRow| row.dim == Dim::Dn.number() && row.measure == sessions;
        let rows = rolled.stands(at).into_iter().filter(is_one);
        rows.map(|row| (row.dim_id, row.level_start + row.net)).collect::<Vec<_>>()
    };
    assert_eq!(stand(&rolled), [(rollup::text_id("1802"), 1)], "the other one only");
    let acme = sessions_of(Dim::Tenant, id_of(&rolled, "acme"));
    assert_eq!(levels(&rolled, acme, frozen_ms), [(frozen_ms, 0, 0)]);
    assert_eq!(drifted(&rolled, frozen_ms + 3 * FIVE_MS), Some(0));
}

/// A leg that never ends, of the day before.
fn of_the_eve() -> Message {
    let guid = "01A1FD8B-A400-7000-8000-000000000009";
    let more = json!({"guid": guid, "session_id": format!("{guid}.1"), "dn": "1809",
        "id": format!("{guid}/00000001/cdr.start/1.1")});
    call(9, -86_400, 0, more)[0].clone()
}

#[test]
fn the_first_bin_is_made_without_an_older_day_that_cannot_be_read() {
    const EVE: Day = 20_261_121;
    let (frozen_ms, zone) = (OWN_MS + 4 * FIVE_MS, zone());
    for mended in [true, false] {
        let rolled = Rolled::default();
        apply(&rolled, &[of_the_eve()]);
        assert!(rolled.0.borrow().tables.calls.values().all(|line| line.day == EVE));
        rolled.roll(&zone, 1000);
        freeze(&rolled, frozen_ms);
        rolled.0.borrow_mut().unreadable = [EVE].into();
        // comes too late, and lasts longer
        apply(&rolled, &call(1, 10, 2000, json!({})));
        rolled.roll(&zone, 1000);
        let five = Job::Make(Granularity::FiveMinutes);
        assert_eq!(rolled.marks(five, i64::MIN, i64::MAX, 9).unwrap(), [], "nothing waits");
        let of = |n: u64| sessions_of(Dim::Dn, rollup::text_id(&format!("180{n}")));
        let after = |rolled: &Rolled, key| {
            let found = levels(rolled, key, frozen_ms);
            found.into_iter().map(|(at, level, _)| ((at - frozen_ms) / FIVE_MS, level)).collect()
        };
        let ended: Vec<(i64, i64)> = vec![(0, 1), (2, 0)];
        assert_eq!(after(&rolled, of(1)), ended);
        assert_eq!(after(&rolled, of(9)), [], "what stood still stands");
        let all: Vec<(i64, i64)> = after(&rolled, sessions_of(Dim::All, 0));
        assert!(all.last().is_some_and(|(_, level)| [0, 1].contains(level)), "{all:?}");

        // it is mended, or gone for good
        if !mended {
            rolled.0.borrow_mut().tables.calls.retain(|_, line| line.day != EVE);
        }
        rolled.0.borrow_mut().unreadable.clear();
        rolled.roll(&zone, 1000);
        // the late one takes the place of the one that is gone
        let all: Vec<(i64, i64)> = if mended { vec![(0, 2), (2, 1)] } else { vec![(2, 0)] };
        assert_eq!(after(&rolled, of(1)), ended);
        assert_eq!(after(&rolled, sessions_of(Dim::All, 0)), all);
        let eve: Vec<(i64, i64)> = if mended { Vec::new() } else { vec![(0, 0)] };
        assert_eq!(after(&rolled, of(9)), eve);
        assert_eq!(drifted(&rolled, frozen_ms + 3 * FIVE_MS), Some(0));
    }
}

#[test]
fn a_number_that_found_no_room_finds_none_later() {
    let (rolled, zone) = (Rolled::default(), zone());
    let [[start, end], [other, its_end]] = [1, 2].map(|n| call(n, n.cast_signed(), 700, json!({})));
    let roll = |numbers: usize| {
        let rules = Rules { numbers, ..rules(&zone) };
        while work(&rolled, &mut Objects::default(), &rules, || true).unwrap().bins > 0 {}
    };
    apply(&rolled, &[start, other]);
    roll(1);
    // the limit is raised
    apply(&rolled, &[end, its_end]);
    roll(1000);
    let of = |n: u64| sessions_of(Dim::Dn, rollup::text_id(&format!("180{n}")));
    assert_eq!(levels(&rolled, of(1), 0).last().map(|it| (it.1, it.2)), Some((0, 1)));
    assert_eq!(levels(&rolled, of(2), 0), [], "nothing ends that never began");
    assert!(State::of(&rolled.meta().unwrap()).is_full(20_261_122));
}

/// The id of a tenant of a name.
fn id_of(rolled: &Rolled, name: &str) -> i64 {
    let mut objects = Objects::default();
    let mention = Mention::plain(ObjectKind::Tenant, None, Some(name.to_owned()));
    rolled.learn(&mut objects, &[mention].into(), 0).unwrap();
    objects.id(ObjectKind::Tenant, None, Some(name)).unwrap()
}

#[test]
fn figures_follow_an_object_to_its_new_id() {
    let zone = zone();
    let dbid = json!({"tenant": {"name": "acme", "dbid": 102}});
    let records =
        |n: u64, more: &Value| call(n, i64::try_from(n).unwrap() * 200, 2000, more.clone());
    for frozen_ms in [0, OWN_MS + 2 * FIVE_MS] {
        let rolled = Rolled::default();
        apply(&rolled, &(1..4).flat_map(|n| records(n, &json!({}))).collect::<Vec<_>>());
        rolled.roll(&zone, 1000);
        let acme = id_of(&rolled, "acme");
        let (old, new) = (sessions_of(Dim::Tenant, acme), sessions_of(Dim::Tenant, 102));
        let before = levels(&rolled, old, 0);
        assert_eq!((before.len(), before[before.len() - 1].1), (4, 0), "{before:?}");
        if frozen_ms > 0 {
            freeze(&rolled, frozen_ms);
        }
        rolled.0.borrow_mut().aliases = vec![(ObjectKind::Tenant, acme, 102)];
        apply(&rolled, &records(4, &dbid));
        rolled.roll(&zone, 1000);
        let whole = Rolled::default();
        apply(&whole, &(1..5).flat_map(|n| records(n, &dbid)).collect::<Vec<_>>());
        whole.roll(&zone, 1000);
        let after = frozen_ms + 1;
        assert_eq!(levels(&rolled, new, after), levels(&whole, new, after));
        // frozen bins keep the id that they were made with, and nothing of it goes on
        let kept: Vec<_> = before.into_iter().filter(|it| it.0 < frozen_ms).collect();
        let left: Vec<_> = levels(&rolled, old, 0);
        assert_eq!(left[..kept.len()], kept);
        assert!(left[kept.len()..].iter().all(|it| (it.0, it.1) == (frozen_ms, 0)), "{left:?}");
        assert_eq!(drifted(&rolled, OWN_MS + 5 * FIVE_MS), Some(0));
        // and back again where bins are made, when it is no longer the same object
        rolled.0.borrow_mut().aliases.clear();
        rolled.roll(&zone, 1000);
        let apart = Rolled::default();
        apply(&apart, &(1..4).flat_map(|n| records(n, &json!({}))).collect::<Vec<_>>());
        apply(&apart, &records(4, &dbid));
        apart.roll(&zone, 1000);
        for key in [old, new] {
            assert_eq!(levels(&rolled, key, after), levels(&apart, key, after));
        }
        assert_eq!(drifted(&rolled, OWN_MS + 5 * FIVE_MS), Some(0));
    }
}

#[test]
fn a_frozen_bin_is_never_made_to_less_and_late_facts_are_counted() {
    let (story, zone) = (whole_story(), zone());
    let rolled = Rolled::default();
    rolled.apply(&story[..20].iter().collect::<Vec<_>>());
    rolled.roll(&zone, 1000);
    let before = rolled.rows();
    rolled.0.borrow_mut().meta.extend(State::default().freeze(NOW_MS));
    // the facts are gone, and others come
    rolled.0.borrow_mut().tables.calls.clear();
    rolled.apply(&[&mcp("end", "late", 40, json!({}))]);
    rolled.roll(&zone, 1000);
    assert_eq!(rolled.rows(), before);
    let lost = State::of(&rolled.meta().unwrap()).late_lost;
    assert!(lost > 0);
}
