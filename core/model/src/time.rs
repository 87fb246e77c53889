//! Time as the platform writes it: milliseconds since 1970 in UTC, and `Now` as an input.
//!
//! Pure arithmetic on the proleptic Gregorian calendar; it must not read a clock (the only clock
//! is in `io/net`) and knows no time zones but fixed offsets. Used on the whole way of a call,
//! from the session GUID to the record.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const DAY_MS: u64 = 86_400_000;

/// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// Printed and serialised as RFC 3339 in UTC with three digits of fraction:
/// `2026-11-22T10:01:07.730Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Millis(pub u64);

/// The two times a machine is told on every input.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// Monotonic, since an arbitrary origin: all deadlines.
    pub mono: Duration,
    /// Wall clock: what is written into ids and records.
    pub wall: Millis,
}

impl Now {
    /// Both clocks moved forward alike; for tests and the simulator.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self { mono: self.mono + by, wall: self.wall.plus(by) }
    }
}

impl Millis {
    /// Reads an RFC 3339 date and time in any zone, with any number of digits of fraction
    /// (digits below the millisecond are cut). `None` if it is not one, or before 1970.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let rest = rest.strip_prefix(['T', 't', ' '])?;
        let (clock, rest) = rest.split_at_checked(8)?;
        let (year, month, day) = parse_date(date)?;
        let seconds_of_day = parse_clock(clock)?;
        let (fraction, zone) = split_fraction(rest)?;
        let offset_minutes = parse_zone(zone)?;
        let days = i64::try_from(days_from_civil(year, month, day)?).ok()?;
        let seconds = days * 86_400 + i64::from(seconds_of_day) - offset_minutes * 60;
        let ms = seconds.checked_mul(1000)?.checked_add(i64::from(fraction))?;
        u64::try_from(ms).ok().map(Self)
    }

    /// The calendar day in UTC: (year, month 1–12, day 1–31).
    #[must_use]
    pub fn date(self) -> (u64, u8, u8) {
        civil_from_days(self.0 / DAY_MS)
    }

    /// This time later by `by`, at millisecond resolution; stays at the end of time.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(ms))
    }

    /// The time from `earlier` to this one; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let ms = self.0 % DAY_MS;
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        let ms = ms % 1000;
        let (month, day) = (u64::from(month), u64::from(day));
        if year > 9999 {
            let date = format_args!("{year}-{month:02}-{day:02}");
            return write!(f, "{date}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z");
        }
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let fields = [
            (0..4, year),
            (5..7, month),
            (8..10, day),
            (11..13, hour),
            (14..16, minute),
            (17..19, second),
            (20..23, ms),
        ];
        for (place, mut value) in fields {
            for cell in text.get_mut(place).into_iter().flatten().rev() {
                *cell += u8::try_from(value % 10).unwrap_or(0);
                value /= 10;
            }
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Millis;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 date and time")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Millis, E> {
                Millis::parse(text).ok_or_else(|| E::custom("not an RFC 3339 date and time"))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Days since 1970-01-01 → (year, month, day); Hinnant's `civil_from_days` for days ≥ 0.
fn civil_from_days(days: u64) -> (u64, u8, u8) {
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    // both are below 32 by the arithmetic above
    (year, u8::try_from(month).unwrap_or(12), u8::try_from(day).unwrap_or(31))
}

/// (year, month, day) → days since 1970-01-01; `None` before 1969-12-31 (a zone east of
/// Greenwich may still lift that one day) or for a day that the month has not.
fn days_from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if day == 0 || day > length {
        return None;
    }
    let y = if month <= 2 { year.checked_sub(1)? } else { year };
    let (era, yoe) = (y / 400, y % 400);
    let doy = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    (era * 146_097 + doe).checked_sub(719_468)
}

fn digits(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn parse_date(text: &str) -> Option<(u64, u64, u64)> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return None;
    }
    Some((digits(year)?, digits(month)?, digits(day)?))
}

/// `HH:MM:SS` → second of the day; a leap second (`:60`) is taken as the next second.
fn parse_clock(text: &str) -> Option<u32> {
    let mut parts = text.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || (hour.len(), minute.len(), second.len()) != (2, 2, 2) {
        return None;
    }
    let (hour, minute, second) = (digits(hour)?, digits(minute)?, digits(second)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    u32::try_from(hour * 3600 + minute * 60 + second).ok()
}

/// The fraction in milliseconds, and what follows it.
fn split_fraction(text: &str) -> Option<(u32, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = rest.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
    if end == 0 {
        return None;
    }
    let ms = rest.bytes().take(end).chain(*b"00").take(3);
    let ms = ms.fold(0, |ms, b| ms * 10 + u32::from(b - b'0'));
    Some((ms, rest.get(end..)?))
}

/// `Z` or `±HH:MM` in minutes east of UTC.
fn parse_zone(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    if (hours.len(), minutes.len()) != (2, 2) {
        return None;
    }
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    Some(sign * i64::try_from(hours * 60 + minutes).ok()?)
}

#[cfg(test)]
mod tests;
