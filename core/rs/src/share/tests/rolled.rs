//! Rollups over the tables in memory: whatever the order, the repetitions, the split into batches
//! and the moments at which the job works, the bins are those made at once of the facts.

use std::cell::RefCell;
use std::convert::Infallible;

use super::*;
use crate::rollup::{
    self, Aliases, At, BinRows, Granularity, Job, LevelKey, LevelRow, Levels, Mark, MarkRow, Meta,
    Numbered, Question, Rules, Span, Stored, Tables as _, Weekday, Zone, check, rebuild, work,
};

mod asked;
mod bounds;
mod ids;
mod kept;
mod levels;
mod orders;
mod recounted;
mod reused;
mod turns;

const NOW_MS: i64 = RECEIVED_MS + 86_400_000;

/// Tables of facts with those of bins.
#[derive(Clone, Default)]
struct Rolled(RefCell<Inside>);

#[derive(Clone, Default)]
struct Inside {
    tables: Tables,
    meta: Meta,
    bins: BinRows,
    marks: BTreeMap<(Job, i64, Day), (i64, i64)>,
    spans: BTreeMap<Day, (i64, i64)>,
    numbers: BTreeSet<(Day, i64)>,
    unreadable: BTreeSet<Day>,
    aliases: Vec<(ObjectKind, i64, i64)>,
}

impl Rolled {
    fn apply(&self, messages: &[&Message]) {
        self.apply_as(messages, false);
    }

    fn apply_as(&self, messages: &[&Message], by_day: bool) {
        let mut inside = self.0.borrow_mut();
        if by_day {
            inside.tables.apply_days(messages);
        } else {
            inside.tables.apply(messages);
        }
        for (day, mark) in std::mem::take(&mut inside.tables.marks) {
            inside.mark(mark, day);
        }
    }

    fn roll(&self, zone: &Zone, turns: usize) {
        self.roll_by(&rules(zone), turns);
    }

    fn roll_by(&self, rules: &Rules<'_>, turns: usize) {
        let mut objects = Objects::default();
        for _ in 0..turns {
            if work(self, &mut objects, rules, || true).unwrap() == rollup::Done::default() {
                return;
            }
        }
        assert!(turns < 100, "it comes to an end");
    }

    /// The same facts, all bins made anew.
    fn anew(&self, zone: &Zone) -> Self {
        self.anew_by(&rules(zone))
    }

    fn anew_by(&self, rules: &Rules<'_>) -> Self {
        let fresh = self.clone();
        {
            let mut inside = fresh.0.borrow_mut();
            inside.bins = BinRows::default();
            let first = inside.spans.values().map(|(first, _)| *first).fold(OWN_MS, i64::min);
            let last = inside.spans.values().map(|(_, last)| last + 600_000);
            // what producers counted themselves has no span; all of it is of that hour
            let last = last.fold(OWN_MS + 3_600_000, i64::max);
            for mark in rebuild(rules.zone, first, last) {
                inside.mark(mark, 0);
            }
        }
        fresh.roll_by(rules, 1000);
        fresh
    }

    /// All rows of bins, in order.
    fn rows(&self) -> Vec<String> {
        let bins = &self.0.borrow().bins;
        let mut rows: Vec<String> = bins.counts.iter().map(|row| format!("{row:?}")).collect();
        rows.extend(bins.levels.iter().map(|row| format!("{row:?} {:?}", row.level())));
        rows.extend(bins.outcomes.iter().map(|row| format!("{row:?}")));
        rows.extend(bins.actions.iter().map(|row| format!("{row:?}")));
        rows.extend(bins.quality.iter().map(|row| format!("{row:?}")));
        rows.extend(bins.latencies.iter().map(|row| format!("{row:?}")));
        rows.sort();
        rows
    }
}

/// 2026-11-22T10:00:00Z
const OWN_MS: i64 = 1_795_341_600_000;

fn rules(zone: &Zone) -> Rules<'_> {
    Rules { zone, delay_ms: 0, deltas_ms: i64::MAX, numbers: 1000, fence: 1, now_ms: NOW_MS }
}

impl Inside {
    fn mark(&mut self, Mark { job, bin_ms }: Mark, day: Day) {
        self.marks.entry((job, bin_ms, day)).or_insert((0, 0)).1 += 1;
    }
}

impl rollup::Tables for Rolled {
    type Error = Infallible;

    fn meta(&self) -> Result<Meta, Infallible> {
        Ok(self.0.borrow().meta.clone())
    }

    fn aliases(&self) -> Result<Aliases, Infallible> {
        Ok(self.0.borrow().aliases.iter().copied().collect())
    }

    fn extent(&self) -> Result<Option<(i64, i64)>, Infallible> {
        let inside = self.0.borrow();
        let bins = &inside.bins;
        let levels = bins.levels.iter().map(|row| row.at);
        let all = bins.counts.iter().map(|row| row.at).chain(levels);
        let all = all.chain(bins.latencies.iter().map(|row| row.at));
        let of = all.filter(|at| at.gran == Granularity::FiveMinutes.number()).map(|at| at.bin_ms);
        Ok(of.clone().min().zip(of.max()))
    }

    fn marks(
        &self,
        job: Job,
        from_ms: i64,
        until_ms: i64,
        most: usize,
    ) -> Result<Vec<MarkRow>, Infallible> {
        let inside = self.0.borrow();
        let due =
            |of: Job, bin_ms, since_ms| of == job && bin_ms >= from_ms && since_ms <= until_ms;
        let of = inside.marks.iter().filter(|((of, bin, _), (since, _))| due(*of, *bin, *since));
        let rows = of.map(|((job, bin_ms, day), (since_ms, version))| MarkRow {
            mark: Mark { job: *job, bin_ms: *bin_ms },
            day: *day,
            file: 0,
            since_ms: *since_ms,
            version: *version,
        });
        Ok(rows.take(most).collect())
    }

    fn spans(&self) -> Result<Vec<Span>, Infallible> {
        let inside = self.0.borrow();
        let span = |(day, (first, last)): (&Day, &(i64, i64))| Span {
            day: *day,
            first_ms: *first,
            last_ms: *last,
        };
        Ok(inside.spans.iter().map(span).collect())
    }

    fn unreadable(&self) -> BTreeSet<Day> {
        self.0.borrow().unreadable.clone()
    }

    fn facts(&self, question: &Question) -> Result<Stored, Infallible> {
        Ok(asked::stored(&self.0.borrow(), question))
    }

    fn learn(
        &self,
        objects: &mut Objects,
        mentions: &BTreeSet<Mention>,
        _: i64,
    ) -> Result<(), Infallible> {
        self.0.borrow_mut().tables.learn(objects, mentions);
        Ok(())
    }

    fn numbers(
        &self,
        asked: &BTreeMap<Day, BTreeSet<i64>>,
    ) -> Result<BTreeMap<Day, Numbered>, Infallible> {
        let inside = self.0.borrow();
        let of_day = |(day, ids): (&Day, &BTreeSet<i64>)| {
            let all: BTreeSet<i64> =
                inside.numbers.iter().filter(|(of, _)| of == day).map(|(_, id)| *id).collect();
            (*day, (&all & ids, all.len()))
        };
        Ok(asked.iter().map(of_day).collect())
    }

    fn rows(&self, of: Granularity, from_ms: i64, to_ms: i64) -> Result<BinRows, Infallible> {
        let mut rows = self.0.borrow().bins.clone();
        let holds = |at: At| at.gran == of.number() && from_ms <= at.bin_ms && at.bin_ms < to_ms;
        rows.counts.retain(|row| holds(row.at));
        rows.levels.retain(|row| holds(row.at));
        rows.outcomes.retain(|row| holds(row.at));
        rows.actions.retain(|row| holds(row.at));
        rows.quality.retain(|row| holds(row.at));
        rows.latencies.retain(|row| holds(row.at));
        Ok(rows)
    }

    fn levels(
        &self,
        at: At,
        before: &BTreeSet<LevelKey>,
        after: &BTreeSet<LevelKey>,
    ) -> Result<Levels, Infallible> {
        Ok(self.around(at, before, after))
    }

    fn standing(&self, at: At) -> Result<Vec<LevelRow>, Infallible> {
        Ok(self.stands(at))
    }

    fn write(&self, changes: &rollup::Changes, _: i64) -> Result<bool, Infallible> {
        let mut inside = self.0.borrow_mut();
        if inside.meta.get(&changes.guard.0) != changes.guard.1.as_ref() {
            return Ok(false);
        }
        let bins = &mut inside.bins;
        for rows in [&changes.gone, &changes.put] {
            let put = std::ptr::eq(rows, &changes.put);
            replace(&mut bins.counts, &rows.counts, put, |row| {
                (row.at, row.measure, row.dim, row.dim_id, row.sub, row.call_type)
            });
            replace(&mut bins.levels, &rows.levels, put, |row| {
                (row.at, row.measure, row.dim, row.dim_id, row.sub)
            });
            replace(&mut bins.outcomes, &rows.outcomes, put, |row| {
                (row.at, row.dim, row.dim_id, row.result, row.reason_key)
            });
            replace(&mut bins.actions, &rows.actions, put, |row| {
                (row.at, row.dim, row.dim_id, row.action_key, row.result)
            });
            replace(&mut bins.quality, &rows.quality, put, |row| (row.at, row.dim, row.dim_id));
            replace(&mut bins.latencies, &rows.latencies, put, |row| {
                (row.at, row.component_id, row.kind.clone())
            });
        }
        changes.marks.iter().for_each(|mark| inside.mark(*mark, 0));
        for Span { day, first_ms, last_ms } in &changes.spans {
            let span = inside.spans.entry(*day).or_insert((*first_ms, *last_ms));
            *span = (span.0.min(*first_ms), span.1.max(*last_ms));
        }
        inside.numbers.extend(&changes.numbers);
        inside.meta.extend(changes.meta.clone());
        for row in &changes.clear {
            let key = (row.mark.job, row.mark.bin_ms, row.day);
            if inside.marks.get(&key).is_some_and(|(_, version)| *version == row.version) {
                inside.marks.remove(&key);
            }
        }
        Ok(true)
    }
}

fn replace<R: Clone, K: Ord>(rows: &mut Vec<R>, with: &[R], put: bool, key: impl Fn(&R) -> K) {
    let keys: BTreeSet<K> = with.iter().map(&key).collect();
    rows.retain(|row| !keys.contains(&key(row)));
    if put {
        rows.extend_from_slice(with);
    }
}

/// The same, but its message tells the id.
fn named_by(message: &Message, id: &'static str) -> Message {
    let mut record: Value = serde_json::from_str(&message.0).unwrap();
    record.as_object_mut().unwrap().remove("id").unwrap();
    Message(record.to_string(), Some(id))
}

fn own(n: u64, kind: &str, more: Value) -> Message {
    let record = json!({
        "schema": 1, "kind": kind, "id": format!("ccp-1/9/{kind}/{n}"), "time": at(400),
        "producer": {"name": "ccp-1"}, "component": {"name": "ccp-1", "type": "CCP"},
        "bin_start": at(0), "bin_seconds": 300,
    });
    made(record, more)
}

/// The story of the shares, with figures of a producer, response times, a second leg, and legs of
/// one session on two days.
fn whole_story() -> Vec<Message> {
    let mut story = story();
    let arrivals = json!([{"dim": "component", "call_type": "NEWCALL", "count": 6, "rejected": 1,
        "duration_ms": 9000}, {"dim": "tenant", "name": "of nobody", "count": 2, "rejected": 0,
        "duration_ms": 10}]);
    story.push(own(1, "or.arrivals", json!({"basis": "own", "values": arrivals})));
    let peaks = json!([{"dim": "component", "call_type": "NEWCALL", "level_start": 3, "peak": 5,
        "deltas": [[2000, 1], [31250, 1], [50000, -2]]}]);
    story.push(own(2, "or.peaks", json!({"basis": "own", "measure": "calls", "values": peaks})));
    let samples = json!({"type": "PAGE_FETCH", "samples": [81, 95, 240]});
    story.push(own(3, "sq.latency", samples));
    let second = json!({"leg": "00690002", "session_id": format!("{GUID}.00690002"),
        "id": format!("{GUID}/00690002/cdr.start/1.1.70"), "started_at": at(2)});
    story.push(rm("start", 1, 70, 2, second.clone()));
    let mut end = second;
    end["id"] = json!(format!("{GUID}/00690002/cdr.end/1.1.71"));
    story.push(rm("end", 1, 71, 900, end));
    for (leg, day, phase) in [(3, 22, "end"), (4, 23, "start"), (4, 23, "end")] {
        let (guid, time) = ("no-uuid-at-all", format!("2026-11-{day}T00:10:00Z"));
        let mut more = json!({"guid": guid, "leg": format!("0069000{leg}"), "time": time,
            "id": format!("{guid}/0069000{leg}/cdr.{phase}/1.1.1"), "session_id":
            format!("{guid}.{leg}"), "started_at": format!("2026-11-{day}T00:01:00Z"),
            "tenant": {"name": "acme", "dbid": 102}, "dn": "1800"});
        if phase == "end" {
            more["ended_at"] = json!(time);
        }
        story.push(rm(phase, 1, 80 + leg, 1, more));
    }
    for (n, log_id, second) in [(90, "asr_open", 320), (91, "asr_close", 700)] {
        let id = format!("mcp-1:P/ev/0.{n}");
        story.push(event(
            n,
            json!({"session_id": "P", "log_id": log_id, "id": id,
            "time": at(second)}),
        ));
    }
    story.push(mcp("start", "P", 1, json!({})));
    story.push(mcp("end", "P", 1300, json!({})));
    story
}

fn zone() -> Zone {
    Zone::new(3600, [], Weekday::Monday)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn bins_are_those_of_the_facts_whenever_the_job_works(
        order in Just((0..whole_story().len()).collect::<Vec<usize>>()).prop_shuffle(),
        again in proptest::collection::vec(0..25_usize, 0..9),
        split in 1..7_usize,
        turns in proptest::collection::vec(0..3_usize, 40),
    ) {
        let (story, zone) = (whole_story(), zone());
        let rolled = Rolled::default();
        let order: Vec<usize> = order.into_iter().chain(again).collect();
        for (batch, turns) in order.chunks(split).zip(turns.iter().cycle()) {
            let messages: Vec<&Message> = batch.iter().map(|index| &story[*index]).collect();
            rolled.apply(&messages);
            rolled.roll(&zone, *turns);
        }
        rolled.roll(&zone, 1000);
        let (found, expected) = (rolled.rows(), rolled.anew(&zone).rows());
        let differs = found.iter().zip(&expected).find(|(found, expected)| found != expected);
        prop_assert_eq!(differs, None);
        prop_assert_eq!(found.len(), expected.len());
        prop_assert!(found.len() > 100, "{}", found.len());
        // and the nightly look finds nothing
        let mut objects = Objects::default();
        let noon = check(&rolled, &mut objects, &rules(&zone), OWN_MS + 600_000).unwrap();
        prop_assert_eq!(noon, Some(0));
    }
}

#[test]
fn a_level_that_is_wrong_is_found_and_repaired() {
    let (story, zone) = (whole_story(), zone());
    let rolled = Rolled::default();
    rolled.apply(&story.iter().collect::<Vec<_>>());
    rolled.roll(&zone, 1000);
    let right = rolled.rows();
    let at_ms = OWN_MS + 600_000;
    {
        let bins = &mut rolled.0.borrow_mut().bins;
        let hit = |row: &&mut LevelRow| {
            let five = row.at.gran == Granularity::FiveMinutes.number();
            row.dim == 0 && row.measure == 2 && five && row.at.bin_ms == OWN_MS
        };
        let row = bins.levels.iter_mut().find(hit).unwrap();
        let (key, mut level) = (row.key().unwrap(), row.level().unwrap());
        level.shift(&[(1, 5)].into());
        *row = LevelRow::of(row.at, key, &level);
    }
    let drifted = check(&rolled, &mut Objects::default(), &rules(&zone), at_ms).unwrap();
    assert_eq!(drifted, Some(1));
    let again = check(&rolled, &mut Objects::default(), &rules(&zone), at_ms).unwrap();
    assert_eq!(again, Some(0));
    let five = |rows: Vec<String>| -> Vec<String> {
        rows.into_iter()
            .filter(|row| row.contains("LevelRow { at: At { gran: 1, bin_ms: 17953416"))
            .collect()
    };
    assert_eq!(five(rolled.rows()), five(right));
}
