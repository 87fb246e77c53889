//! What is known of the bins as a whole: which are frozen, which are still there, of which zone
//! they are (rs.md §4.4, §4.5, §9).

use std::collections::BTreeSet;

use model::time::Millis;

use super::forget::{Gone, Sort};
use super::tables::Meta;
use super::zone::Granularity;
use crate::key::{self, Day};

const FROZEN: &str = "rollup.frozen_ms";
const GONE: &str = "rollup.gone_ms.";
const KEPT: &str = "rollup.kept_ms.";
const LOST: &str = "rollup.late_lost";
const ZONE: &str = "rollup.zone";
const ALIASES: &str = "rollup.aliases";
const WITHOUT: &str = "rollup.without";
const FULL: &str = "rollup.full.";
const GUARD: &str = "rollup.guard";
const PURGED: &str = "rollup.purged_ms";
const RETAINED: &str = "rollup.retained_ms";
const ANNEXED: &str = "rollup.annexed";

/// It, as `meta` has it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State {
    /// Five-minute bins that begin before it are frozen: facts of theirs are gone, and they are
    /// never made again.
    pub frozen_ms: i64,
    /// By granularity: bins that begin before it are gone.
    kept_ms: [i64; 6],
    /// By sort and granularity: those before it have no figures of that sort.
    gone_ms: [[i64; 6]; 4],
    /// Facts that came for frozen bins, and changed nothing.
    pub late_lost: u64,
    /// Name of the zone and of the day that weeks begin with.
    pub zone: Option<String>,
    /// Under which aliases figures are counted.
    pub(super) aliases: String,
    /// Days that could not be read when the first bin was made that is not frozen.
    pub(super) missing: BTreeSet<Day>,
    /// Days on which a number has found no room: none finds room any more.
    full: BTreeSet<Day>,
    /// When the last purge of facts and bins began; `None`: there was none.
    pub purged_ms: Option<i64>,
    /// When the last purge began that left nothing to do.
    pub retained_ms: Option<i64>,
    /// Tenants or profiles have days of their own in the configuration that was known last.
    pub annexed: bool,
    guard: Option<String>,
}

impl State {
    /// What the rows say; what is missing is 0.
    #[must_use]
    pub fn of(meta: &Meta) -> Self {
        let number = |key: &str| meta.get(key).and_then(|text| text.parse().ok());
        let kept = Granularity::ALL.map(|of| number(&kept_key(of)).unwrap_or_default());
        Self {
            frozen_ms: number(FROZEN).unwrap_or_default(),
            kept_ms: kept,
            gone_ms: Sort::ALL.map(|sort| {
                Granularity::ALL.map(|of| number(&gone_key(sort, of)).unwrap_or_default())
            }),
            late_lost: meta.get(LOST).and_then(|text| text.parse().ok()).unwrap_or_default(),
            zone: meta.get(ZONE).cloned(),
            aliases: meta.get(ALIASES).cloned().unwrap_or_default(),
            missing: meta.get(WITHOUT).into_iter().flat_map(|text| days(text)).collect(),
            full: meta.keys().filter_map(|key| key.strip_prefix(FULL)?.parse().ok()).collect(),
            purged_ms: number(PURGED),
            retained_ms: number(RETAINED),
            annexed: number(ANNEXED) == Some(1),
            guard: meta.get(GUARD).cloned(),
        }
    }

    /// What has to be unchanged when figures are written that were made under this state.
    #[must_use]
    pub fn guard(&self) -> (String, Option<String>) {
        (GUARD.to_owned(), self.guard.clone())
    }

    /// Start of the first bin that is made, where there are frozen ones before it.
    pub(super) fn boundary(&self) -> Option<i64> {
        (self.frozen_ms > 0).then_some(self.frozen_ms)
    }

    /// Bins of this granularity that begin before it are gone.
    #[must_use]
    pub fn kept_ms(&self, of: Granularity) -> i64 {
        let at = Granularity::ALL.iter().position(|one| *one == of);
        at.and_then(|at| self.kept_ms.get(at)).copied().unwrap_or_default()
    }

    /// Whether numbers of this day were left out for want of room. Such a day stays as it is,
    /// whatever the limit becomes: what began without figures does not end with them.
    #[must_use]
    pub fn is_full(&self, day: Day) -> bool {
        self.full.contains(&day)
    }

    /// The days of a span of time of which numbers were left out.
    #[must_use]
    pub fn full_days(&self, from_ms: i64, to_ms: i64) -> BTreeSet<Day> {
        let day = |at_ms: i64| key::day(Millis(u64::try_from(at_ms).unwrap_or_default()));
        if from_ms >= to_ms {
            return BTreeSet::new();
        }
        self.full.range(day(from_ms)..=day(to_ms - 1)).copied().collect()
    }

    /// The rows that say: no number of these days finds room any more.
    pub(super) fn filled(&mut self, days: impl Iterator<Item = Day>) -> Meta {
        let new: BTreeSet<Day> = days.filter(|day| !self.full.contains(day)).collect();
        self.full.extend(&new);
        new.iter().map(|day| (format!("{FULL}{day}"), "1".to_owned())).collect()
    }

    /// The rows that say: the first bin was made without these days; none when that is so.
    pub(super) fn without(&self, days: &BTreeSet<Day>) -> Meta {
        if *days == self.missing { Meta::new() } else { Self::missing(days) }
    }

    /// The rows that say: the first bin is to be made again when days other than these can be
    /// read.
    pub(super) fn missing(days: &BTreeSet<Day>) -> Meta {
        let days: Vec<String> = days.iter().map(Day::to_string).collect();
        [(WITHOUT.to_owned(), days.join(" "))].into()
    }

    /// The rows that say: figures are counted under these aliases from now on.
    pub(super) fn aliased(digest: &str) -> Meta {
        [(ALIASES.to_owned(), digest.to_owned())].into()
    }

    /// The rows that say: bins before it are frozen from now on. What was made under this state
    /// is not written any more.
    #[must_use]
    pub fn freeze(&self, before_ms: i64) -> Meta {
        let guard = guarded(before_ms, self.kept_ms, self.zone.as_deref());
        [(FROZEN.to_owned(), before_ms.to_string()), guard].into()
    }

    /// Bins of this granularity that begin before it have no figures of this sort any more.
    #[must_use]
    pub fn gone_ms(&self, sort: Sort, of: Granularity) -> i64 {
        let at = |one: &[i64; 6]| Granularity::ALL.into_iter().zip(*one).find(|it| it.0 == of);
        self.gone_ms.get(sort as usize).and_then(at).map_or(0, |(_, at_ms)| at_ms)
    }

    /// The rows that say: these bins are gone; none when that is so. What was made under this
    /// state is not written any more.
    pub(super) fn forget(&self, gone: &[Gone]) -> Meta {
        let mut kept_ms = self.kept_ms;
        let new = |one: &&Gone| one.before_ms > self.gone_ms(one.sort, one.of);
        let row = |one: &Gone| (gone_key(one.sort, one.of), one.before_ms.to_string());
        let mut meta: Meta = gone.iter().filter(new).map(row).collect();
        for (kept, of) in kept_ms.iter_mut().zip(Granularity::ALL) {
            let asked = gone.iter().filter(|one| one.of == of).map(|one| one.before_ms).max();
            if let Some(at) = asked.filter(|at| at > kept) {
                *kept = at;
                meta.insert(kept_key(of), at.to_string());
            }
        }
        if !meta.is_empty() {
            meta.extend([guarded(self.frozen_ms, kept_ms, self.zone.as_deref())]);
        }
        meta
    }

    /// The rows that say: a purge has begun.
    #[must_use]
    pub fn purged(at_ms: i64) -> Meta {
        [(PURGED.to_owned(), at_ms.to_string())].into()
    }

    /// The rows that say: a purge that began then has left nothing to do.
    #[must_use]
    pub fn retained(at_ms: i64) -> Meta {
        [(RETAINED.to_owned(), at_ms.to_string())].into()
    }

    /// The row that says whether tenants or profiles have days of their own.
    #[must_use]
    pub fn annex(any: bool) -> Meta {
        [(ANNEXED.to_owned(), u8::from(any).to_string())].into()
    }

    /// The rows that say: so many facts were lost.
    pub(super) fn lost(count: u64) -> Meta {
        [(LOST.to_owned(), count.to_string())].into()
    }

    /// The rows that say: larger bins are of this zone. What was made under this state is not
    /// written any more.
    #[must_use]
    pub fn zoned(&self, name: &str) -> Meta {
        let guard = guarded(self.frozen_ms, self.kept_ms, Some(name));
        [(ZONE.to_owned(), name.to_owned()), guard].into()
    }
}

/// The days of a list.
fn days(text: &str) -> impl Iterator<Item = Day> + '_ {
    text.split(' ').filter_map(|day| day.parse().ok())
}

/// Another value whenever anything is frozen or forgotten, and with every change of the zone.
fn guarded(frozen_ms: i64, kept_ms: [i64; 6], zone: Option<&str>) -> (String, String) {
    let kept = kept_ms.map(|at| at.to_string()).join(" ");
    (GUARD.to_owned(), format!("{frozen_ms} {kept} {}", zone.unwrap_or_default()))
}

fn gone_key(sort: Sort, of: Granularity) -> String {
    format!("{GONE}{}.{}", sort as u8, of.number())
}

fn kept_key(of: Granularity) -> String {
    format!("{KEPT}{}", of.number())
}
