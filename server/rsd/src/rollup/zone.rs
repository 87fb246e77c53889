//! The zone of larger bins, out of the list of zones that the system has (spec rs.md §4.1).

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rs::rollup::{Weekday, Zone};

use crate::error::StartError;

/// From when on changes of the clock are known, and until when; beyond, the last offset holds.
const YEARS: (i16, i16) = (1990, 2100);

/// The zone, and how it is called.
#[derive(Debug)]
pub(crate) struct Place {
    /// Name of the zone and of the day that weeks begin with; bins of two places differ in it.
    pub(crate) name: String,
    /// Name of the zone alone, as answers show it.
    pub(crate) zone_name: String,
    pub(crate) zone: Zone,
    pub(crate) week_start: Weekday,
}

impl Place {
    /// Of `rs.time_zone` (`None`: of the host) and `rs.week_start`.
    pub(crate) fn of(name: Option<&str>, week_start: Weekday) -> Result<Self, StartError> {
        let zone = match name {
            Some(name) => TimeZone::get(name).map_err(|error| {
                StartError::Settings(format!("rs.time_zone: {name} is not known here: {error}"))
            })?,
            None => TimeZone::system(),
        };
        let known = zone.iana_name().map(ToOwned::to_owned);
        let zone_name = name.map(ToOwned::to_owned).or(known).unwrap_or_else(|| "UTC".to_owned());
        let at = |year: i16| {
            let day = jiff::civil::date(year, 1, 1).to_zoned(TimeZone::UTC);
            day.map_or(Timestamp::UNIX_EPOCH, |day| day.timestamp())
        };
        let (from, to) = (at(YEARS.0), at(YEARS.1));
        let first = zone.to_offset(from).seconds();
        let changes = zone.following(from).take_while(|change| change.timestamp() < to);
        let changes: Vec<_> = changes
            .map(|change| (change.timestamp().as_millisecond(), change.offset().seconds()))
            .collect();
        let zone = Zone::new(first, changes, week_start);
        let name = format!("{zone_name}, weeks from {week_start:?}");
        Ok(Self { name, zone_name, zone, week_start })
    }
}

#[cfg(test)]
mod tests {
    use rs::rollup::{Granularity, Weekday};

    use super::Place;

    #[test]
    fn the_days_of_changed_clocks_have_23_and_25_hours() {
        let place = Place::of(Some("Europe/Berlin"), Weekday::Monday).unwrap();
        assert_eq!(place.name, "Europe/Berlin, weeks from Monday");
        // noon of 2026-03-29 and of 2026-10-25
        for (noon, hours) in [(1_774_782_000_000, 23), (1_792_926_000_000, 25)] {
            let day = place.zone.bin(Granularity::Day, noon);
            let found = place.zone.bins(Granularity::Hour, day.start_ms, day.end_ms).count();
            assert_eq!((found, day.end_ms - day.start_ms), (hours, 3_600_000 * hours as i64));
        }
        assert!(Place::of(Some("Middle/Earth"), Weekday::Monday).is_err());
    }
}
