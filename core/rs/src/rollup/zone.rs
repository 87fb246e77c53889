//! Bins, and the zone that they lie in (rs.md §4.1).
//!
//! Half hours and hours follow the wall clock and end where it is changed, so the two hours named
//! 02:00 of an autumn night are two bins. A day begins with the first instant that the wall clock
//! shows as past its midnight. Every larger bin is made of whole smaller ones.

use model::time::Millis;

const MINUTE: i64 = 60_000;
const FIVE_MINUTES: i64 = 5 * MINUTE;
const DAY: i64 = 24 * 60 * MINUTE;

/// Length of a bin (rs.md §4.1); the numbers are those in tables.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Granularity {
    /// Five minutes, aligned to UTC.
    FiveMinutes = 1,
    /// A half hour of the zone.
    ThirtyMinutes = 2,
    /// An hour of the zone.
    Hour = 3,
    /// A day of the zone.
    Day = 4,
    /// A week of the zone.
    Week = 5,
    /// A month of the zone.
    Month = 6,
}

/// A bin: `[start_ms, end_ms)`, known by its UTC start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Bin {
    /// First instant, UTC ms.
    pub start_ms: i64,
    /// First instant after it.
    pub end_ms: i64,
}

/// Day that weeks begin with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weekday {
    /// Monday, which is the default.
    Monday = 0,
    /// Tuesday.
    Tuesday = 1,
    /// Wednesday.
    Wednesday = 2,
    /// Thursday.
    Thursday = 3,
    /// Friday.
    Friday = 4,
    /// Saturday.
    Saturday = 5,
    /// Sunday.
    Sunday = 6,
}

/// A time zone as a table: from when which offset holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone {
    /// (UTC ms from which, offset in ms), rising; the first one holds for all time before.
    offsets: Vec<(i64, i64)>,
    week_start: Weekday,
}

/// Start of the five-minute bin of an instant.
#[must_use]
pub const fn five_of(at_ms: i64) -> i64 {
    at_ms - at_ms.rem_euclid(FIVE_MINUTES)
}

impl Granularity {
    /// All, the smallest first.
    pub const ALL: [Self; 6] =
        [Self::FiveMinutes, Self::ThirtyMinutes, Self::Hour, Self::Day, Self::Week, Self::Month];

    /// The number in tables.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The granularity of this number, if it is one.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.number() == number)
    }

    /// Its name in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FiveMinutes => "FIVE_MINUTES",
            Self::ThirtyMinutes => "THIRTY_MINUTES",
            Self::Hour => "HOUR",
            Self::Day => "DAY",
            Self::Week => "WEEK",
            Self::Month => "MONTH",
        }
    }

    /// What is made of it.
    #[must_use]
    pub const fn parents(self) -> &'static [Self] {
        match self {
            Self::FiveMinutes => &[Self::ThirtyMinutes, Self::Hour],
            Self::Hour => &[Self::Day],
            Self::Day => &[Self::Week, Self::Month],
            Self::ThirtyMinutes | Self::Week | Self::Month => &[],
        }
    }

    /// What it is made of; `None`: of facts.
    #[must_use]
    pub const fn child(self) -> Option<Self> {
        match self {
            Self::FiveMinutes => None,
            Self::ThirtyMinutes | Self::Hour => Some(Self::FiveMinutes),
            Self::Day => Some(Self::Hour),
            Self::Week | Self::Month => Some(Self::Day),
        }
    }
}

impl Bin {
    /// Whether an instant lies in it.
    #[must_use]
    pub const fn holds(&self, at_ms: i64) -> bool {
        self.start_ms <= at_ms && at_ms < self.end_ms
    }
}

impl Weekday {
    /// All, Monday first.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];
}

impl Zone {
    /// A zone of this offset (seconds east of UTC) until the first change, and from each change
    /// (UTC ms) on the offset beside it. What is no multiple of five minutes, as before zones were
    /// agreed on, is cut to one, so that five-minute bins fit into larger ones.
    #[must_use]
    pub fn new(
        first_offset_s: i32,
        changes: impl IntoIterator<Item = (i64, i32)>,
        week_start: Weekday,
    ) -> Self {
        let whole = |ms: i64| ms - ms.rem_euclid(FIVE_MINUTES);
        let mut offsets = vec![(i64::MIN, whole(i64::from(first_offset_s) * 1000))];
        for (from_ms, offset_s) in changes {
            let offset = whole(i64::from(offset_s) * 1000);
            let (last_from, last) = offsets.last().copied().unwrap_or_default();
            if offset != last && whole(from_ms) > last_from {
                offsets.push((whole(from_ms), offset));
            }
        }
        Self { offsets, week_start }
    }

    /// UTC, weeks from Monday.
    #[must_use]
    pub fn utc() -> Self {
        Self::new(0, [], Weekday::Monday)
    }

    /// The bin that an instant lies in.
    #[must_use]
    pub fn bin(&self, granularity: Granularity, at_ms: i64) -> Bin {
        match granularity {
            Granularity::FiveMinutes => {
                let start_ms = five_of(at_ms);
                Bin { start_ms, end_ms: start_ms + FIVE_MINUTES }
            }
            Granularity::ThirtyMinutes => self.clock(30 * MINUTE, at_ms),
            Granularity::Hour => self.clock(60 * MINUTE, at_ms),
            Granularity::Day => {
                let day = self.day(at_ms);
                self.days(day, day + 1)
            }
            Granularity::Week => {
                let day = self.day(at_ms);
                // day 0, 1970-01-01, was a Thursday
                let since = (day + 3 - self.week_start as i64).rem_euclid(7);
                self.days(day - since, day - since + 7)
            }
            Granularity::Month => {
                let first = first_of_month(self.day(at_ms));
                self.days(first, first_of_month(first + 31))
            }
        }
    }

    /// The bins that `[from_ms, to_ms)` touches, in order.
    pub fn bins(
        &self,
        granularity: Granularity,
        from_ms: i64,
        to_ms: i64,
    ) -> impl Iterator<Item = Bin> {
        let mut next_ms = from_ms;
        std::iter::from_fn(move || {
            let bin = (next_ms < to_ms).then(|| self.bin(granularity, next_ms))?;
            next_ms = bin.end_ms;
            Some(bin)
        })
    }

    /// First instant of the day bin that lies so many days before the one of an instant.
    #[must_use]
    pub fn day_start(&self, at_ms: i64, days_before: u32) -> i64 {
        self.midnight(self.day(at_ms) - i64::from(days_before))
    }

    /// Local days since 1970 of the day bin that an instant lies in.
    fn day(&self, at_ms: i64) -> i64 {
        let (_, offset) = self.offset(at_ms);
        let mut day = (at_ms + offset).div_euclid(DAY);
        while self.midnight(day) > at_ms {
            day -= 1;
        }
        while self.midnight(day + 1) <= at_ms {
            day += 1;
        }
        day
    }

    fn days(&self, first: i64, end: i64) -> Bin {
        Bin { start_ms: self.midnight(first), end_ms: self.midnight(end) }
    }

    /// First instant whose wall clock is at or past the midnight that this local day begins with.
    fn midnight(&self, day: i64) -> i64 {
        let wall = day * DAY;
        let ends = self.offsets.iter().skip(1).map(|(from, _)| *from).chain([i64::MAX]);
        let mut found = wall;
        for ((from, offset), end) in self.offsets.iter().zip(ends) {
            found = (wall - offset).max(*from);
            if found < end {
                break;
            }
        }
        found
    }

    /// A bin of the wall clock, cut where the clock is changed.
    fn clock(&self, length: i64, at_ms: i64) -> Bin {
        let (at, offset) = self.offset(at_ms);
        let local = at_ms + offset;
        let start = local - local.rem_euclid(length) - offset;
        let from = self.offsets.get(at).map_or(i64::MIN, |(from, _)| *from);
        let end = self.offsets.get(at + 1).map_or(i64::MAX, |(from, _)| *from);
        Bin { start_ms: start.max(from), end_ms: (start + length).min(end) }
    }

    /// Place in the table, and the offset there.
    fn offset(&self, at_ms: i64) -> (usize, i64) {
        let after = self.offsets.partition_point(|(from, _)| *from <= at_ms);
        let at = after.saturating_sub(1);
        (at, self.offsets.get(at).map_or(0, |(_, offset)| *offset))
    }
}

/// First day of the month of this day; both are days since 1970.
fn first_of_month(day: i64) -> i64 {
    let noon = u64::try_from(day * DAY + DAY / 2).unwrap_or_default();
    let (_, _, of_month) = Millis(noon).date();
    day + 1 - i64::from(of_month)
}
