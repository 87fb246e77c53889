//! Figures of facts for one question instead of for tables: of numbers that found no room (rs.md
//! §4.2), and peaks of several objects as if they were one (§4.4). Bins of five minutes are made as
//! the job makes them, larger ones of these.

use std::collections::{BTreeMap, BTreeSet};

use super::alias::Aliases;
use super::call::Call;
use super::figures::Figures;
use super::five::{Facts, covering, five};
use super::key::{Dim, LevelKey, Measure, Target, text_id};
use super::level::{Deltas, Level, Types, add};
use super::mark::Span;
use super::rows::{At, BinRows};
use super::state::State;
use super::stored::{Question, Stored, Which};
use super::sum::plus;
use super::tables::Tables;
use super::zone::{Bin, Granularity, Zone, five_of};
use crate::key::{self, Day};
use crate::share::Objects;
use model::time::Millis;

/// Bins of five minutes that one question may be counted of: a week.
pub const RECOUNTED_BINS: usize = 2016;
/// Calls that may be read for it.
pub const RECOUNTED_CALLS: usize = 500_000;

const FIVE_MS: i64 = 300_000;
/// Members of a union count under this id.
const ONE: i64 = 0;
/// Others under this one.
const OTHER: i64 = -1;
/// Members that are numbers count under the id of this text, which no number is.
const ONE_NUMBER: &str = "\0";

/// Whose figures are wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whose {
    /// Each of these numbers, by id: arrivals, durations and levels.
    Numbers(BTreeSet<i64>),
    /// Levels of this measure of all these objects of a dimension together, which has id 0 then;
    /// none = of all. A call or session counts once, however many of them it is of: as if all
    /// legs of the members were those of one object. Neither of [`Dim::All`] nor of
    /// [`Dim::Service`].
    Union(Dim, BTreeSet<i64>, Measure),
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Recounted {
    /// Counts and levels of the bins; a level of each bin, also where nothing changes.
    Rows(BinRows),
    /// There are more bins or calls than may be counted.
    TooMany,
    /// Facts of them are gone or cannot be read, or do not tell.
    Unknown,
    /// The time for it was over before.
    Late,
}

/// Reads facts for a count: `None`: the time for it is over.
pub type Ask<'a, E> = &'a dyn Fn(&Question) -> Result<Option<Stored>, E>;

/// Counts these bins, in order, of a granularity, each of whole five minutes, of the facts that
/// `ask` gives.
///
/// # Errors
/// As of the database.
pub fn recount<T: Tables + ?Sized>(
    tables: &T,
    ask: Ask<'_, T::Error>,
    whose: &Whose,
    (of, bins): (Granularity, &[Bin]),
) -> Result<Recounted, T::Error> {
    let fives = bins.iter().map(|bin| bin.end_ms.saturating_sub(bin.start_ms) / FIVE_MS);
    let most = i64::try_from(RECOUNTED_BINS).unwrap_or(i64::MAX);
    if fives.sum::<i64>() > most {
        return Ok(Recounted::TooMany);
    }
    let state = State::of(&tables.meta()?);
    if bins.iter().any(|bin| bin.start_ms < state.frozen_ms) {
        return Ok(Recounted::Unknown);
    }
    let mut count = Count {
        tables,
        ask,
        late: false,
        whose,
        spans: tables.spans()?,
        aliases: tables.aliases()?,
        left: RECOUNTED_CALLS,
        standing: BTreeMap::new(),
    };
    let mut rows = BinRows::default();
    let mut end_ms = None;
    for bin in bins {
        let began = end_ms == Some(bin.start_ms) || count.begin(bin.start_ms)?;
        if !began || !count.bin(of, *bin, &mut rows)? {
            return Ok(match count.left {
                _ if count.late => Recounted::Late,
                0 => Recounted::TooMany,
                _ => Recounted::Unknown,
            });
        }
        end_ms = Some(bin.end_ms);
    }
    Ok(Recounted::Rows(rows))
}

/// A count under way.
struct Count<'c, T: Tables + ?Sized> {
    tables: &'c T,
    ask: Ask<'c, T::Error>,
    /// The time is over.
    late: bool,
    whose: &'c Whose,
    spans: Vec<Span>,
    aliases: Aliases,
    /// Calls that may still be read; 0: more than there may be.
    left: usize,
    /// The levels before the next bin.
    standing: BTreeMap<LevelKey, Types>,
}

impl<T: Tables + ?Sized> Count<'_, T> {
    /// What stands at an instant. False: it cannot be known.
    fn begin(&mut self, at_ms: i64) -> Result<bool, T::Error> {
        let Some(facts) = self.facts(Which::Covering(at_ms), (i64::MIN, at_ms))? else {
            return Ok(false);
        };
        let (mut levels, _) = covering(at_ms, &facts);
        self.whose.together(&mut levels, |one, other| {
            other.iter().for_each(|(call_type, by)| add(one, *call_type, *by));
        });
        self.standing = levels;
        Ok(true)
    }

    /// The rows of a bin. False: it cannot be known.
    fn bin(&mut self, of: Granularity, bin: Bin, rows: &mut BinRows) -> Result<bool, T::Error> {
        let start = self.standing.clone();
        let mut whole = Figures::default();
        for part in Zone::utc().bins(Granularity::FiveMinutes, bin.start_ms, bin.end_ms) {
            let span = (part.start_ms, part.end_ms);
            let Some(facts) = self.facts(Which::Touching(part), span)? else {
                return Ok(false);
            };
            let (mut figures, _) = five(part, &facts, &BTreeMap::new());
            figures.counts.retain(|key, _| self.whose.counts(key.target));
            let changes = figures.levels.into_iter();
            let mut changes: BTreeMap<LevelKey, Deltas> =
                changes.map(|(key, level)| (key, level.deltas.unwrap_or_default())).collect();
            self.whose.together(&mut changes, |one, other| {
                for (at, by) in other {
                    plus(one.entry(at).or_default(), by);
                }
            });
            let level = |(key, deltas)| (key, Level::of(part.start_ms, Types::new(), deltas));
            figures.levels = changes.into_iter().map(level).collect();
            figures.carry(&self.standing);
            let ends = figures.levels.iter().map(|(key, level)| (*key, level.end()));
            self.standing.extend(ends);
            whole.extend(bin.start_ms, part.start_ms, figures);
        }
        for key in self.whose.keys() {
            let stood = start.get(&key).cloned().unwrap_or_default();
            let still = || Level::of(bin.start_ms, stood, Deltas::new());
            whole.levels.entry(key).or_insert_with(still);
        }
        let mut made = whole.rows(At::new(of, bin.start_ms));
        rows.counts.append(&mut made.counts);
        rows.levels.append(&mut made.levels);
        Ok(true)
    }

    /// Facts of those that are wanted; `None`: they cannot be read, do not tell, or are too many.
    fn facts(
        &mut self,
        which: Which,
        (from_ms, to_ms): (i64, i64),
    ) -> Result<Option<Facts>, T::Error> {
        let days = self.days(from_ms, to_ms);
        if !days.is_disjoint(&self.tables.unreadable()) {
            return Ok(None);
        }
        let Some(stored) = (self.ask)(&Question { which, days, all_ports: false })? else {
            self.late = true;
            return Ok(None);
        };
        self.left = self.left.saturating_sub(stored.calls.len());
        if self.left == 0 || !self.whose.tells(&stored.measured()) {
            return Ok(None);
        }
        // numbers are known by their text, and no other name is asked for
        let mut facts = stored.facts(&Objects::default(), &self.aliases);
        let calls = std::mem::take(&mut facts.calls);
        facts.calls = calls.into_iter().filter_map(|call| self.whose.of(call)).collect();
        Ok(Some(facts))
    }

    /// The days that may have facts for a span, also such that no bin is made of yet.
    fn days(&self, from_ms: i64, to_ms: i64) -> BTreeSet<Day> {
        let from_ms = if from_ms == i64::MIN { from_ms } else { five_of(from_ms) };
        let spans =
            self.spans.iter().filter(|span| span.first_ms <= to_ms && from_ms <= span.last_ms);
        let last = key::day(Millis(u64::try_from(to_ms - 1).unwrap_or_default()));
        let days = spans.map(|span| span.day).chain([last]);
        days.flat_map(|day| [key::before(day), day]).collect()
    }
}

impl Whose {
    /// The object that a union is.
    fn one(dim: Dim) -> Target {
        Target::new(dim, if dim == Dim::Dn { text_id(ONE_NUMBER) } else { ONE })
    }

    /// Whether these are figures that are wanted; of members of a union before they are one.
    fn has(&self, measure: Measure, target: Target) -> bool {
        match self {
            Self::Numbers(ids) => target.dim == Dim::Dn && ids.contains(&target.id),
            Self::Union(dim, ids, of) => {
                let member = match dim {
                    Dim::Kind => ids.is_empty() || ids.contains(&target.id),
                    _ => target == Self::one(*dim),
                };
                measure == *of && target.dim == *dim && member
            }
        }
    }

    /// Whether arrivals and durations of it are wanted.
    fn counts(&self, target: Target) -> bool {
        let numbers = matches!(self, Self::Numbers(_));
        numbers && self.has(Measure::Calls, target)
    }

    /// The levels that are wanted.
    fn keys(&self) -> Vec<LevelKey> {
        match self {
            Self::Numbers(ids) => {
                let of = |id: &i64| {
                    let target = Target::new(Dim::Dn, *id);
                    [Measure::Calls, Measure::Sessions].map(|measure| LevelKey { measure, target })
                };
                ids.iter().flat_map(of).collect()
            }
            Self::Union(dim, _, measure) => {
                vec![LevelKey { measure: *measure, target: Target::new(*dim, ONE) }]
            }
        }
    }

    /// Leaves what is wanted, and makes one of the members of a union.
    fn together<V: Default>(&self, all: &mut BTreeMap<LevelKey, V>, merge: impl Fn(&mut V, V)) {
        let mine = std::mem::take(all).into_iter();
        let mine = mine.filter(|(key, _)| self.has(key.measure, key.target));
        for (key, value) in mine {
            let key = match self {
                Self::Numbers(_) => key,
                Self::Union(dim, ..) => LevelKey { target: Target::new(*dim, ONE), ..key },
            };
            merge(all.entry(key).or_default(), value);
        }
    }

    /// Whether calls tell all: producers that measured a union's members tell not what they have
    /// together.
    fn tells(&self, measured: &BTreeSet<Measure>) -> bool {
        match self {
            Self::Numbers(_) => true,
            Self::Union(_, _, measure) => !measured.contains(measure),
        }
    }

    /// The call as far as it is wanted: one of a union's as that of one object. `None`: it is of
    /// no member, so neither is its session.
    fn of(&self, mut call: Call) -> Option<Call> {
        let (dim, ids) = match self {
            Self::Numbers(ids) => {
                return call
                    .dn
                    .as_deref()
                    .is_some_and(|dn| ids.contains(&text_id(dn)))
                    .then_some(call);
            }
            Self::Union(dim, ids, _) => (dim, ids),
        };
        let is = |id: i64| ids.is_empty() || ids.contains(&id);
        match dim {
            Dim::Tenant => {
                call.tenants.retain(|id| is(*id));
                call.tenants.truncate(1);
                call.tenants.first_mut().map(|id| *id = ONE)?;
            }
            Dim::Profile => call.profile = Some(call.profile.filter(|id| is(*id)).map(|_| ONE)?),
            Dim::Dn => {
                call.dn.as_deref().filter(|dn| is(text_id(dn)))?;
                call.dn = Some(ONE_NUMBER.to_owned());
            }
            Dim::Component => {
                for (owner, _) in &mut call.owners {
                    *owner = if is(*owner) { ONE } else { OTHER };
                }
            }
            Dim::All | Dim::Kind | Dim::Service => {}
        }
        Some(call)
    }
}
