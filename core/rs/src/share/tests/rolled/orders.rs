//! Two ways of one set of records: whatever its order, its repetitions, its split into batches and
//! the moments at which the job works, the tables of bins have the same rows, byte for byte (rs.md
//! §2.9 rule 8, §4.5).
//!
//! Two things do depend on the way, by decision, and are kept out of it. An object has the name
//! that was told last, and names without a DBID get their ids as they come, so all names are known
//! beforehand and none changes; and of more numbers than `dn_limit` those get figures that the job
//! meets first (ADR 54), so where the limit is reached the rows of numbers are left out, and only
//! those.

use std::sync::OnceLock;

use model::record::CallType;
use proptest::sample::{Index, subsequence};

use super::*;
use crate::rollup::{CountRow, Dim};

/// Most records that come once more.
const AGAIN: usize = 9;

/// How a set of records comes.
#[derive(Clone, Debug)]
struct Way {
    /// Where each comes; those of the same place in the order of the set.
    places: Vec<u16>,
    /// Where those come that come once more.
    places_again: [u16; AGAIN],
    /// Records in a batch.
    split: usize,
    /// Turns of the job after each batch.
    turns: Vec<usize>,
    /// Each day by itself, as files by day do it.
    by_day: bool,
}

fn any_way() -> impl Strategy<Value = Way> {
    let turns = prop::collection::vec(0..3_usize, 1..40);
    let places = prop::collection::vec(any::<u16>(), rich_story().len());
    (places, any::<[u16; AGAIN]>(), 1..9_usize, turns, any::<bool>()).prop_map(
        |(places, places_again, split, turns, by_day)| Way {
            places,
            places_again,
            split,
            turns,
            by_day,
        },
    )
}

impl Way {
    /// The set, and some of it again, in the order in which they come.
    fn order<'m>(&self, set: &[&'m Message], again: &[Index]) -> Vec<&'m Message> {
        let once = set.iter().zip(&self.places);
        let mut all: Vec<(u16, &Message)> = once.map(|(message, at)| (*at, *message)).collect();
        let again = again.iter().zip(self.places_again);
        all.extend(again.map(|(which, at)| (at, *which.get(set))));
        all.sort_by_key(|(at, _)| *at);
        all.into_iter().map(|(_, message)| message).collect()
    }

    /// What becomes of the set.
    fn go(&self, set: &[&Message], again: &[Index], rules: &Rules<'_>) -> Rolled {
        let rolled = Rolled::default();
        rolled.0.borrow_mut().tables.objects = names();
        for (batch, turns) in
            self.order(set, again).chunks(self.split).zip(self.turns.iter().cycle())
        {
            rolled.apply_as(batch, self.by_day);
            rolled.roll_by(rules, *turns);
        }
        rolled.roll_by(rules, 1000);
        rolled
    }
}

/// A record of a leg of a session whose GUID tells its time.
fn leg(n: u64, phase: &str, epoch: u64, time: u64, more: Value) -> Message {
    const OTHER: &str = "01A202B2-C578-7487-A7D5-BA32B23886C5";
    let mut record = json!({"guid": OTHER, "leg": format!("0069000{n}"),
        "id": format!("{OTHER}/0069000{n}/cdr.{phase}/{epoch}.{epoch}.{time}"),
        "session_id": format!("{OTHER}.0069000{n}"), "started_at": at(100), "answered_at": at(110),
        "tenant": {"name": "acme", "dbid": 102}, "dn": format!("{n}800")});
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    rm(phase, epoch, 200 + n * 10 + epoch, time, record)
}

/// All of the other story; a call that another node has adopted, one that was over and is heard of
/// again, a media server's that borrows from the first; ports and response times that producers
/// measured, one in a record that its message names; a GUID that is used again days after; figures
/// of one id with two contents, also in other bins.
fn rich_story() -> Vec<Message> {
    let mut story = whole_story();
    let owners = json!([{"component": {"name": "rm-1"}, "from": at(100)},
        {"component": {"name": "rm-2"}, "from": at(500)}]);
    let guid = json!({"guid": "01A202B2-C578-7487-A7D5-BA32B23886C5", "started_at": at(120)});
    let ports = json!({"basis": "own", "measure": "asr", "values": [{"dim": "component",
        "level_start": 0, "peak": 2, "deltas": [[1000, 1], [60000, 1], [90000, -2]]}]});
    let sketch = json!({"type": "CALL_ANSWER", "bin_seconds": 60, "sketch": {"count": 3, "sum": 63,
        "sumsq": 1385, "min": 15, "max": 26, "hist": {"15": 1, "22": 1, "26": 1}}});
    let counted = |count: u64| {
        let values = json!([{"dim": "component", "call_type": "NEWCALL", "count": count,
            "rejected": 0, "duration_ms": 5}]);
        own(7, "or.arrivals", json!({"basis": "own", "values": values, "bin_start": at(600)}))
    };
    let other_bin = |n: u64, kind: &str, bin: Value| {
        let values = json!([{"dim": "component", "count": 2, "rejected": 1, "level_start": 1,
            "peak": 2, "deltas": [[500, 1]]}]);
        let mut record = json!({"basis": "own", "measure": "calls", "values": values});
        record.as_object_mut().unwrap().extend(bin.as_object().unwrap().clone());
        own(n, kind, record)
    };
    story.extend([
        by_message(),
        leg(5, "start", 1, 100, json!({})),
        leg(5, "end", 2, 800, json!({ "owners": owners })),
        leg(6, "start", 1, 100, json!({})),
        leg(6, "end", 1, 350, json!({})),
        leg(6, "update", 2, 400, json!({})),
        leg(7, "end", 1, 90, json!({"end_state": "REJECTED", "sip_status": 486})),
        mcp("start", "Q", 120, guid.clone()),
        mcp("end", "Q", 700, guid),
        own(5, "or.peaks", ports),
        own(6, "sq.latency", sketch),
        counted(4),
        counted(5),
    ]);
    story.extend(again::few());
    // which content holds an id depends on the hash: each of the two does once at least
    story.extend((0..4).flat_map(|n| {
        let from = json!({"bin_start": at(1500 + 600 * n)});
        let cdr = json!({"bin_start": at(1500 + 600 * n), "basis": "cdr"});
        [other_bin(9 + n, "or.arrivals", from), other_bin(9 + n, "or.arrivals", cdr)]
    }));
    story.extend((0..4).flat_map(|n| {
        let from = json!({"bin_start": at(1800 + 600 * n)});
        let short = json!({"bin_start": at(1800 + 600 * n), "bin_seconds": 60});
        [other_bin(9 + n, "or.peaks", from), other_bin(9 + n, "or.peaks", short)]
    }));
    story
}

/// The only call of its type, counted in a record that its message names.
fn by_message() -> Message {
    let values = json!([{"dim": "component", "call_type": "CREATECCXML", "count": 1}]);
    let told = own(8, "or.arrivals", json!({"basis": "own", "values": values}));
    named_by(&told, "ccp-1/9/by-message")
}

fn is_by_message(row: &CountRow) -> bool {
    row.call_type == CallType::CreateCcxml.number()
}

/// All objects that any record of the story names.
fn names() -> BTreeMap<(ObjectKind, i64), ObjectRow> {
    static NAMES: OnceLock<BTreeMap<(ObjectKind, i64), ObjectRow>> = OnceLock::new();
    let learn = || {
        let (story, rolled) = (rich_story(), Rolled::default());
        rolled.apply(&story.iter().collect::<Vec<_>>());
        rolled.roll(&zone(), 1000);
        rolled.0.into_inner().tables.objects
    };
    NAMES.get_or_init(learn).clone()
}

/// Rows that are not about a number.
fn without_numbers(rolled: &Rolled) -> Vec<String> {
    let is_number = |dim: u8| dim == Dim::Dn.number();
    let fresh = rolled.clone();
    {
        let bins = &mut fresh.0.borrow_mut().bins;
        bins.counts.retain(|row| !is_number(row.dim));
        bins.levels.retain(|row| !is_number(row.dim));
    }
    fresh.rows()
}

/// Most numbers that have figures on one day.
fn numbers(rolled: &Rolled) -> usize {
    let mut days: BTreeMap<Day, usize> = BTreeMap::new();
    let inside = rolled.0.borrow();
    inside.numbers.iter().for_each(|(day, _)| *days.entry(*day).or_default() += 1);
    days.into_values().max().unwrap_or(0)
}

pub(super) fn differ(one: &[String], other: &[String]) -> Option<(String, String)> {
    let longest = one.len().max(other.len());
    let at = |rows: &[String], n: usize| rows.get(n).cloned().unwrap_or_default();
    (0..longest).map(|n| (at(one, n), at(other, n))).find(|(one, other)| one != other)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn two_ways_of_one_set_give_the_same_bins(
        chosen in subsequence((0..rich_story().len()).collect::<Vec<_>>(), 1..=rich_story().len()),
        again in prop::collection::vec(any::<Index>(), 0..AGAIN),
        (one, other) in (any_way(), any_way()),
        keep_deltas in any::<bool>(),
        limited in any::<bool>(),
    ) {
        let (story, zone) = (rich_story(), zone());
        let set: Vec<&Message> = chosen.iter().map(|index| &story[*index]).collect();
        let deltas_ms = if keep_deltas { i64::MAX } else { 0 };
        let rules = Rules { deltas_ms, numbers: if limited { 1 } else { 1000 }, ..rules(&zone) };
        let (one, other) = (one.go(&set, &again, &rules), other.go(&set, &again, &rules));
        let seen = differ(&one.0.borrow().tables.seen(), &other.0.borrow().tables.seen());
        prop_assert_eq!(seen, None);
        let rows = |rolled: &Rolled| if limited { without_numbers(rolled) } else { rolled.rows() };
        prop_assert_eq!(differ(&rows(&one), &rows(&other)), None);
        if limited {
            // a day has no more of them than it may
            prop_assert!(numbers(&one) <= 1 && numbers(&other) <= 1);
        }
        // what a message names counts as often as it was told: once or not at all
        let told = set.iter().any(|message| message.0 == by_message().0);
        let counted = one.0.borrow().bins.counts.iter().any(is_by_message);
        prop_assert_eq!(counted, told);
        let anew = one.anew_by(&rules);
        prop_assert_eq!(differ(&one.rows(), &anew.rows()), None);
    }
}
