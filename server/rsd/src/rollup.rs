//! Stage 14: marks become bins, on a thread of the lowest priority (spec rs.md §4.5). What is
//! decided is `core/rs`'s matter ([`rs::rollup::work`]); this asks for it again and again, and
//! tells when it falls behind. It has connections of its own, so the applier never waits for it
//! longer than for a transaction.

mod lease;
mod lay;
mod zone;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::time::Millis;
use net::Clock;
use rs::key;
use rs::rollup::{Changes, Granularity, OWN_BIN_MS, Rules, State, Zone, check, freezes, work};
use rs::share::Objects;
use telemetry::Log;

use crate::alarms::Name;
use crate::apply::Bell;
use crate::background::Background;
use crate::crew::Worker;
use crate::error::StartError;
use crate::live::Live;
use crate::monitor::Monitor;
use crate::priority::{self, LOWEST};
use crate::store::bins::Bins;
use crate::store::custody::ms;
use crate::store::{Day, Store, StoreError};

pub(crate) use self::lay::check_zone;
use self::lease::Tenure;
pub(crate) use self::zone::Place;

/// Shortest time between two turns.
const TURN: Duration = Duration::from_secs(1);
/// Longest, while there is something to do.
const LONGEST: Duration = Duration::from_secs(5);
/// Age of the oldest mark from which the alarm is raised (rs.md §12).
const LAG_MS: i64 = 300_000;
/// Time of the RS day at which levels are checked against facts, ms.
const NIGHT_MS: i64 = 2 * 3_600_000;
const DAY_MS: i64 = 86_400_000;
/// What is of a call comes up to so long after its end, ms.
const AFTER_END_MS: i64 = 60_000;
/// How long the nightly look waits after it went wrong.
const AGAIN: Duration = Duration::from_secs(3600);

/// What the job works with.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) place: Arc<Place>,
    /// How often the database has learned the names of a configuration.
    pub(crate) learned: Arc<AtomicU64>,
    /// What is in force.
    pub(crate) live: Arc<Live>,
    pub(crate) monitor: Arc<Monitor>,
    /// Of this process alone.
    pub(crate) holder: String,
    pub(crate) log: Log,
    pub(crate) clock: Clock,
}

/// The running job.
pub(crate) struct Rollup {
    bell: Arc<Bell>,
    thread: Background,
}

impl Rollup {
    /// Starts the thread.
    pub(crate) fn start(parts: Parts) -> Result<Self, StartError> {
        let bell = Arc::<Bell>::default();
        let tenure = Tenure::new(Arc::clone(&parts.store), parts.holder.clone(), parts.clock);
        let mut work = Work {
            parts,
            tenure,
            bell: Arc::clone(&bell),
            objects: Objects::default(),
            learned: 0,
            checked: None,
            forgot: None,
            again: None,
            told: None,
            laid: false,
        };
        let (crew, watched) = (Arc::clone(work.parts.monitor.crew()), Arc::clone(&bell));
        let work = move || {
            priority::lower(LOWEST);
            crew.work(Worker::Rollup, || work.run(), |pause| watched.pause(pause));
        };
        let thread = Background::start("rollup", work).map_err(StartError::threads)?;
        Ok(Self { bell, thread })
    }

    /// Ends the thread after its bin: what is marked is done after the next start.
    pub(crate) fn stop(self) {
        self.bell.stop(Duration::ZERO);
        // the marks of what it did not do are still there
        let _ended = self.thread.end(Duration::ZERO);
    }
}

struct Work {
    parts: Parts,
    tenure: Tenure,
    bell: Arc<Bell>,
    objects: Objects,
    /// Names were learned of this one of the database's configurations.
    learned: u64,
    /// Start of the day whose levels were checked last.
    checked: Option<i64>,
    /// Start of the day in which lists of changes were forgotten last.
    forgot: Option<i64>,
    /// Before this time of the clock there is no nightly work: it went wrong.
    again: Option<Duration>,
    /// When the log was told last that it does not work.
    told: Option<Duration>,
    /// The zone of the bins has been that of the settings: if it is not any more, another RS has
    /// made them anew, and this one does not make them back.
    laid: bool,
}

impl Work {
    /// Until told to stop. After a panic names are learned anew.
    fn run(&mut self) {
        self.objects = Objects::default();
        let store = Arc::clone(&self.parts.store);
        let Some(bins) = store.bins() else { return };
        while self.bell.stopping().is_none() {
            let began = self.parts.clock.mono();
            let more = match self.turn(bins) {
                Ok(more) => more,
                Err(error) => {
                    if matches!(error, StoreError::Fenced(_)) {
                        self.tenure.lost();
                    }
                    self.failed(&error.reason());
                    false
                }
            };
            let took = self.parts.clock.mono().saturating_sub(began);
            // half of the time at most, so that what it makes is read by others too
            let pause = if more { took } else { (4 * took).max(TURN) };
            self.bell.wait(pause.min(LONGEST));
        }
        if let Err(error) = self.tenure.end() {
            self.failed(&error.reason());
        }
    }

    /// One turn; true: there is more to do.
    fn turn(&mut self, bins: &dyn Bins) -> Result<bool, StoreError> {
        let now_ms = ms(self.parts.clock.now().wall);
        let place = Arc::clone(&self.parts.place);
        let settings = self.parts.live.rs().rollup.clone();
        let state = State::of(&bins.meta()?);
        let full = state.is_full(key::day(self.parts.clock.now().wall));
        let why = || format!("more than {} numbers today", settings.dn_limit);
        self.parts.monitor.turn(Name::DnLimit, full.then(why));
        self.laid |= state.zone.as_ref() == Some(&place.name);
        if let Some(why) = lay::refused(&state, &place, settings.time_zone_rebuild && !self.laid) {
            // not even marks: they would be of this zone
            self.tenure.end()?;
            self.failed(&why);
            self.behind(bins, now_ms)?;
            return Ok(false);
        }
        let Some(fence) = self.tenure.take()? else {
            // another RS makes them; whether it does is seen by all
            self.behind(bins, now_ms)?;
            return Ok(false);
        };
        if !lay::lay(bins, &state, &place, fence, now_ms)? {
            return Ok(true);
        }
        self.laid = true;
        self.doubt();
        let rules = rules(&place.zone, &settings, fence, now_ms);
        let goes_on = || self.bell.stopping().is_none() && self.tenure.lasts(fence);
        let done = work(bins, &mut self.objects, &rules, goes_on)?;
        self.behind(bins, now_ms)?;
        if !done.more {
            self.nightly(bins, &rules)?;
        }
        Ok(done.more)
    }

    /// Names may be those of other objects since the database has learned a configuration.
    fn doubt(&mut self) {
        let learned = self.parts.learned.load(Ordering::Acquire);
        if learned != self.learned {
            (self.objects, self.learned) = (Objects::default(), learned);
        }
    }

    /// Tells when what is marked waits too long.
    fn behind(&self, bins: &dyn Bins, now_ms: i64) -> Result<(), StoreError> {
        let oldest_ms = bins.oldest_mark()?.map_or(0, |since_ms| (now_ms - since_ms).max(0));
        let why = || format!("the oldest mark is {} s old", oldest_ms / 1000);
        self.parts.monitor.turn(Name::RollupLag, (oldest_ms > LAG_MS).then(why));
        Ok(())
    }

    /// Once a day: levels against facts, and lists of changes that are no longer kept.
    fn nightly(&mut self, bins: &dyn Bins, rules: &Rules<'_>) -> Result<(), StoreError> {
        let today = rules.zone.bin(Granularity::Day, rules.now_ms).start_ms;
        let mono = self.parts.clock.mono();
        if rules.now_ms < today + NIGHT_MS || self.again.is_some_and(|again| mono < again) {
            return Ok(());
        }
        let forgot = self.forget(bins, rules, today);
        let done = self.check(bins, rules, today).and(forgot);
        self.again = done.is_err().then_some(mono + AGAIN);
        done
    }

    fn forget(&mut self, bins: &dyn Bins, rules: &Rules<'_>, today: i64) -> Result<(), StoreError> {
        if self.forgot != Some(today) {
            bins.forget_deltas(rules.fence, rules.now_ms.saturating_sub(rules.deltas_ms))?;
            self.forgot = Some(today);
        }
        Ok(())
    }

    fn check(&mut self, bins: &dyn Bins, rules: &Rules<'_>, today: i64) -> Result<(), StoreError> {
        if self.checked == Some(today) {
            return Ok(());
        }
        if let Some(drifted) = check(bins, &mut self.objects, rules, today)? {
            self.parts.monitor.drifted(drifted);
            self.checked = Some(today);
        }
        Ok(())
    }

    fn failed(&mut self, why: &str) {
        let now = self.parts.clock.mono();
        let minute = Duration::from_secs(60);
        if self.told.is_none_or(|told| now.saturating_sub(told) >= minute) {
            self.parts.log.emit(35103, None, &[("error", why)]);
            self.told = Some(now);
        }
    }
}

fn rules<'z>(
    zone: &'z Zone,
    settings: &config::settings::Rollup,
    fence: u64,
    now_ms: i64,
) -> Rules<'z> {
    let delay_ms = i64::try_from(settings.delay.as_millis()).unwrap_or(i64::MAX);
    let deltas_ms = i64::from(settings.delta_days) * DAY_MS;
    let numbers = crate::settings::count(settings.dn_limit);
    Rules { zone, delay_ms, deltas_ms, numbers, fence, now_ms }
}

/// Lets facts of a day go, those of calls that ended before `before_ms`: from now on the bins that
/// they touch, and all before these, are frozen. False: some of them are to be made first, of
/// whichever facts, or something else was decided meanwhile; it is asked again another time. Bins
/// that wait for an older day that cannot be read hold up none.
pub fn let_go(bins: &dyn Bins, day: Day, before_ms: i64, now_ms: i64) -> Result<bool, StoreError> {
    let marks = bins.marks_of_day(day)?;
    let span = bins.spans()?.into_iter().find(|span| span.day == day);
    let state = State::of(&bins.meta()?);
    let end_ms = span.map_or(i64::MIN, |span| {
        let last_ms = span.last_ms.min(before_ms.saturating_add(AFTER_END_MS - 1));
        Zone::utc().bin(Granularity::FiveMinutes, last_ms).end_ms
    });
    // larger bins are made of smaller ones, which stay
    let asked_ms = if end_ms > state.frozen_ms { end_ms } else { i64::MIN };
    let Some(end_ms) = freezes(bins, (day, marks), asked_ms)? else { return Ok(false) };
    freeze(bins, &state, end_ms, now_ms)
}

/// The same of what producers counted themselves in bins that begin before `before_ms`, where that
/// lies apart from the days. Nothing comes for that time any more: its ledger goes, too.
pub fn let_apart_go(bins: &dyn Bins, before_ms: i64, now_ms: i64) -> Result<bool, StoreError> {
    // the last ones reach over the end
    let reach_ms = before_ms.saturating_add(OWN_BIN_MS);
    let state = State::of(&bins.meta()?);
    let day = key::day(Millis(u64::try_from(before_ms).unwrap_or_default()));
    if freezes(bins, (day, 0), reach_ms)?.is_none() {
        return Ok(false);
    }
    let mut spans = bins.spans()?;
    spans.retain(|span| span.first_ms < before_ms);
    let last_ms = spans.iter().map(|span| span.last_ms.min(reach_ms - 1)).max();
    let end_ms = |at_ms| Zone::utc().bin(Granularity::FiveMinutes, at_ms).end_ms;
    freeze(bins, &state, last_ms.map_or(i64::MIN, end_ms), now_ms)
}

/// False: something else was decided meanwhile.
fn freeze(bins: &dyn Bins, state: &State, end_ms: i64, now_ms: i64) -> Result<bool, StoreError> {
    if end_ms <= state.frozen_ms {
        return Ok(true);
    }
    // a holder of the lease of retention that was held up freezes nothing any more
    let meta = state.freeze(end_ms);
    bins.write(&Changes { guard: state.guard(), meta, ..Changes::default() }, now_ms)
}
