//! When the figures of RS raise an alarm and when they clear it (rs.md §1.4, §12). Pure: figures
//! and time in, turns out; each alarm has a higher mark for raising than for clearing.

use std::collections::VecDeque;
use std::time::Duration;

use super::Name;

/// Shares of the spool's limit, percent.
const HIGH: u64 = 80;
const HIGH_OVER: u64 = 70;
const FULL_OVER: u64 = 85;
/// The database is down after so many failed attempts, or so long after the first.
const ATTEMPTS: u32 = 3;
pub(crate) const DOWN_AFTER: Duration = Duration::from_secs(10);
/// A write that takes so long is told: the disk does not answer.
const HANGS: Duration = Duration::from_secs(10);
/// Time below the mark after which the queue is no longer high.
const QUEUE_OVER: Duration = Duration::from_secs(300);
/// More dead letters than so many within this time are told, until none has come for that time.
const LETTERS: u64 = 10;
const LETTERS_WITHIN: Duration = Duration::from_secs(300);
const LETTERS_OVER: Duration = Duration::from_secs(900);
/// A certificate that is valid for less is told.
const CERTIFICATE: Duration = Duration::from_secs(14 * 86_400);

/// Batches that could not be stored in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outage {
    pub(crate) attempts: u32,
    /// The first of them, monotonic.
    pub(crate) since: Duration,
}

/// The figures of one moment.
#[derive(Debug, Clone)]
pub(crate) struct Sight {
    /// Monotonic.
    pub(crate) now: Duration,
    /// Bytes of the spool, those on their way to the disk included, and their limit.
    pub(crate) used: u64,
    pub(crate) limit: u64,
    /// Nothing is taken for want of room.
    pub(crate) full: bool,
    /// How long its disk has not answered, once that is long.
    pub(crate) hangs: Option<Duration>,
    /// Records that wait for the database.
    pub(crate) queue: u64,
    /// `rs.queue_high`: more than so many for so long.
    pub(crate) queue_high: (u64, Duration),
    pub(crate) outage: Option<Outage>,
    /// Dead letters since the start.
    pub(crate) letters: u64,
    /// How long the certificates are still valid, where there are any.
    pub(crate) certificate: Option<Duration>,
    /// Producers whose clocks are wrong, and by how many ms: the worst first.
    pub(crate) skewed: Vec<(String, i64)>,
}

/// An alarm goes up, and why; or down.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Raise(Name, String),
    Clear(Name),
}

/// What is raised, and since when the queue has been where it is.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    high: bool,
    full: bool,
    hangs: bool,
    down: bool,
    queue: bool,
    queue_above: Option<Duration>,
    queue_below: Option<Duration>,
    letters: Letters,
    certificate: bool,
    skewed: bool,
}

/// Dead letters lately: when so many came, oldest first; at most one a look.
#[derive(Debug, Default)]
struct Letters {
    up: bool,
    before: u64,
    came: VecDeque<(Duration, u64)>,
    last: Duration,
}

impl Letters {
    fn look(&mut self, now: Duration, total: u64) -> bool {
        let more = total.saturating_sub(self.before);
        self.before = total;
        if more > 0 {
            self.came.push_back((now, more));
            self.last = now;
        }
        let old = |(at, _): &mut (Duration, u64)| now.saturating_sub(*at) >= LETTERS_WITHIN;
        while self.came.pop_front_if(old).is_some() {}
        let many = self.came.iter().map(|(_, count)| count).sum::<u64>() > LETTERS;
        many || self.up && now.saturating_sub(self.last) < LETTERS_OVER
    }
}

impl Watch {
    /// What changes.
    pub(crate) fn look(&mut self, sight: &Sight) -> Vec<Turn> {
        let mut turns = Vec::new();
        let percent = percent(sight.used, sight.limit);
        let high = percent >= if self.high { HIGH_OVER } else { HIGH };
        turn(&mut turns, &mut self.high, high, Name::SpoolHigh, || format!("{percent} %"));
        let full = sight.full || self.full && percent >= FULL_OVER;
        turn(&mut turns, &mut self.full, full, Name::SpoolFull, || {
            format!("nothing is taken at {percent} %")
        });
        let hangs = sight.hangs;
        turn(&mut turns, &mut self.hangs, hangs.is_some(), Name::SpoolSlow, || {
            format!("the disk has not answered for {} s", hangs.unwrap_or_default().as_secs())
        });
        let outage = sight.outage;
        let down = outage.is_some_and(|outage| {
            let long = sight.now.saturating_sub(outage.since) >= DOWN_AFTER;
            self.down || long || outage.attempts >= ATTEMPTS
        });
        turn(&mut turns, &mut self.down, down, Name::DbDown, || {
            match outage.map_or(0, |outage| outage.attempts) {
                0 => format!("no answer for {} s", DOWN_AFTER.as_secs()),
                attempts => format!("{attempts} attempts failed"),
            }
        });
        let queue = self.queue_is_high(sight);
        let waiting = sight.queue;
        turn(&mut turns, &mut self.queue, queue, Name::QueueHigh, || {
            format!("{waiting} records wait")
        });
        let letters = self.letters.look(sight.now, sight.letters);
        turn(&mut turns, &mut self.letters.up, letters, Name::DeadLetters, || {
            format!("{} since the start", sight.letters)
        });
        let soon = sight.certificate.filter(|left| *left < CERTIFICATE);
        turn(&mut turns, &mut self.certificate, soon.is_some(), Name::Certificate, || {
            format!("{} days are left", soon.unwrap_or_default().as_secs() / 86_400)
        });
        let skewed = &sight.skewed;
        turn(&mut turns, &mut self.skewed, !skewed.is_empty(), Name::ClockSkew, || {
            let (name, ms) = skewed.first().map_or(("", 0), |(name, ms)| (&**name, *ms));
            let more = skewed.len().saturating_sub(1);
            format!("the clock of {name} is {ms} ms behind; {more} more")
        });
        turns
    }

    fn queue_is_high(&mut self, sight: &Sight) -> bool {
        let (size, long) = sight.queue_high;
        let lasts = |since: Duration, span| sight.now.saturating_sub(since) >= span;
        if sight.queue > size {
            self.queue_below = None;
            let since = *self.queue_above.get_or_insert(sight.now);
            return self.queue || lasts(since, long);
        }
        self.queue_above = None;
        let since = *self.queue_below.get_or_insert(sight.now);
        self.queue && !lasts(since, QUEUE_OVER)
    }
}

/// How long a write has been under way, if that is long.
pub(crate) fn hangs(busy_since: Option<Duration>, now: Duration) -> Option<Duration> {
    busy_since.map(|since| now.saturating_sub(since)).filter(|time| *time >= HANGS)
}

/// Part of the limit, whole percent; of no limit all.
fn percent(used: u64, limit: u64) -> u64 {
    used.saturating_mul(100).checked_div(limit).unwrap_or(100)
}

pub(super) fn turn(
    turns: &mut Vec<Turn>,
    state: &mut bool,
    up: bool,
    name: Name,
    why: impl FnOnce() -> String,
) {
    if std::mem::replace(state, up) != up {
        turns.push(if up { Turn::Raise(name, why()) } else { Turn::Clear(name) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Sight = Sight {
        now: Duration::ZERO,
        used: 0,
        limit: 1000,
        full: false,
        hangs: None,
        queue: 0,
        queue_high: (15_000, Duration::from_secs(900)),
        outage: None,
        letters: 0,
        certificate: None,
        skewed: Vec::new(),
    };

    /// `+NAME` and `-NAME` of each sight, one after the other.
    fn play(sights: impl IntoIterator<Item = Sight>) -> Vec<String> {
        let mut watch = Watch::default();
        let told = |turn: Turn| match turn {
            Turn::Raise(name, _) => format!("+{}", name.as_str()),
            Turn::Clear(name) => format!("-{}", name.as_str()),
        };
        let each = |sight: Sight| {
            let turns: Vec<_> = watch.look(&sight).into_iter().map(told).collect();
            turns.join(" ")
        };
        sights.into_iter().map(each).collect()
    }

    #[test]
    fn the_spool_by_its_shares() {
        let used = [799, 800, 999, 701, 699, 800].map(|used| Sight { used, ..CALM });
        let expected = ["", "+RS-SPOOL-HIGH", "", "", "-RS-SPOOL-HIGH", "+RS-SPOOL-HIGH"];
        assert_eq!(play(used), expected);
        // the last record that fits leaves some bytes below the limit
        let steps = [(990, true), (900, false), (850, false), (849, false), (100, true)];
        let steps = steps.map(|(used, full)| Sight { used, full, ..CALM });
        let both = "+RS-SPOOL-HIGH +RS-SPOOL-FULL";
        let last = "-RS-SPOOL-HIGH +RS-SPOOL-FULL";
        assert_eq!(play(steps), [both, "", "", "-RS-SPOOL-FULL", last]);
        assert_eq!(play([Sight { used: 1, limit: 0, ..CALM }]), ["+RS-SPOOL-HIGH"]);
    }

    #[test]
    fn a_disk_that_does_not_answer_after_ten_seconds_until_it_does() {
        let steps = [
            (3, None, ""),
            (12, Some(3), ""),
            (13, Some(3), "+RS-SPOOL-SLOW"),
            (43, Some(3), ""),
            (44, Some(44), "-RS-SPOOL-SLOW"),
            (60, Some(50), "+RS-SPOOL-SLOW"),
            (61, None, "-RS-SPOOL-SLOW"),
        ];
        let sights = steps.map(|(now, since, _): (u64, Option<u64>, _)| {
            let now = Duration::from_secs(now);
            Sight { now, hangs: hangs(since.map(Duration::from_secs), now), ..CALM }
        });
        assert_eq!(play(sights), steps.map(|(_, _, expected)| expected));
    }

    #[test]
    fn the_database_after_three_attempts_or_ten_seconds_until_a_batch_is_stored() {
        let at = |now, outage: Option<(u32, u64)>| Sight {
            now: Duration::from_secs(now),
            outage: outage
                .map(|(attempts, since)| Outage { attempts, since: Duration::from_secs(since) }),
            ..CALM
        };
        let (up, over) = ("+RS-DB-DOWN", "-RS-DB-DOWN");
        let fast = [at(1, Some((1, 1))), at(2, Some((2, 1))), at(3, Some((3, 1))), at(4, None)];
        assert_eq!(play(fast), ["", "", up, over]);
        let slow = [at(1, Some((1, 1))), at(10, Some((1, 1))), at(11, Some((1, 1))), at(12, None)];
        assert_eq!(play(slow), ["", "", up, over]);
    }

    #[test]
    fn dead_letters_when_many_come_until_none_has_for_a_quarter_of_an_hour() {
        let steps = [
            (0, 10, ""),
            (299, 10, ""),
            (301, 20, ""),
            (302, 21, "+RS-DEAD-LETTERS"),
            (700, 21, ""),
            (800, 22, ""),
            (1699, 22, ""),
            (1700, 22, "-RS-DEAD-LETTERS"),
        ];
        let sights =
            steps.map(|(now, letters, _)| Sight { now: Duration::from_secs(now), letters, ..CALM });
        assert_eq!(play(sights), steps.map(|(_, _, expected)| expected));
    }

    #[test]
    fn a_certificate_two_weeks_before_its_end_until_it_is_renewed() {
        let days = |days: u64| Some(Duration::from_secs(days * 86_400));
        let left = [None, days(14), days(13), days(0), days(365)];
        let sights = left.map(|certificate| Sight { certificate, ..CALM });
        assert_eq!(play(sights), ["", "", "+RS-CERT", "", "-RS-CERT"]);
    }

    #[test]
    fn clocks_that_are_wrong_until_none_is() {
        let sights = [0, 2, 1, 0].map(|count| {
            let skewed = (0..count).map(|n| (format!("p-{n}"), -3000)).collect();
            Sight { skewed, ..CALM }
        });
        assert_eq!(play(sights), ["", "+RS-CLOCK-SKEW", "", "-RS-CLOCK-SKEW"]);
    }

    #[test]
    fn the_queue_after_a_quarter_of_an_hour_until_five_minutes_below() {
        let steps = [
            (0, 15_001, ""),
            (899, 15_001, ""),
            (900, 15_000, ""),
            (901, 20_000, ""),
            (1800, 20_000, ""),
            (1801, 20_000, "+RS-QUEUE-HIGH"),
            (1900, 10, ""),
            (2000, 20_000, ""),
            (2001, 10, ""),
            (2300, 10, ""),
            (2301, 10, "-RS-QUEUE-HIGH"),
        ];
        let sights =
            steps.map(|(now, queue, _)| Sight { now: Duration::from_secs(now), queue, ..CALM });
        assert_eq!(play(sights), steps.map(|(_, _, expected)| expected));
    }
}
