//! The bins of a series, and of which stored bins they are made: in the zone of RS they are stored,
//! in another one they are made of smaller ones that fit (rs.md §4.1).

use rs::Refused;
use rs::rollup::{Bin, Granularity, Zone};

use super::super::Shared;
use super::most_bins;
use crate::rollup::Place;

/// Stored bins that are read for those of another zone, by one object, at most: hours of two and a
/// half years.
const MOST_STORED: i64 = 22_320;
const HOUR_MS: i64 = 3_600_000;

/// The bins of a question.
pub(super) struct Span {
    pub(super) granularity: Granularity,
    /// The length of the stored bins.
    pub(super) stored: Granularity,
    pub(super) bins: Vec<Bin>,
    /// So many of them, the first ones, are read for a mean only.
    pub(super) lead: usize,
    pub(super) zone_name: String,
}

impl Span {
    /// The bins that `[from, to)` touches, at most so many of each length, and so many days before.
    pub(super) fn of(
        shared: &Shared,
        zone: Option<String>,
        granularity: Granularity,
        (from_ms, to_ms): (i64, i64),
        (before, max_bins): (usize, &[u32; 6]),
    ) -> Result<Self, Refused> {
        let place = &shared.parts.place;
        let named = zone.filter(|name| *name != place.zone_name);
        let other = named.map(|name| elsewhere(&name, place)).transpose()?;
        let shown = other.as_ref().unwrap_or(place);
        let most = most_bins(max_bins, granularity);
        let touched = |from_ms| shown.zone.bins(granularity, from_ms, to_ms);
        if touched(from_ms).take(most + 1).count() > most {
            let message = format!("at most {most} bins of this granularity");
            return Err(Refused::parameter("too-many-bins", message, &["from", "to"]));
        }
        let days = u32::try_from(before).unwrap_or(u32::MAX);
        let first_ms = if days > 0 { shown.zone.day_start(from_ms, days) } else { from_ms };
        let bins: Vec<Bin> = touched(first_ms).collect();
        let stored = stored(&place.zone, granularity, &bins).ok_or_else(not_available)?;
        let length_ms = bins.first().zip(bins.last()).map_or(0, |(a, b)| b.end_ms - a.start_ms);
        let many = match stored {
            _ if stored == granularity => false,
            Granularity::Hour => length_ms > MOST_STORED * HOUR_MS,
            Granularity::ThirtyMinutes => length_ms > MOST_STORED * HOUR_MS / 2,
            _ => length_ms > MOST_STORED * HOUR_MS / 12,
        };
        if many {
            let message = format!("at most {MOST_STORED} stored bins for those of another zone");
            return Err(Refused::parameter("too-many-bins", message, &["from", "to", "tz"]));
        }
        let zone_name = shown.zone_name.clone();
        Ok(Self { granularity, stored, bins, lead: before, zone_name })
    }

    /// The bins that were asked for.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Bin> {
        self.bins.iter().skip(self.lead)
    }

    /// First instant, and the first one after all.
    pub(super) fn ends(&self) -> (i64, i64) {
        let ends = self.bins.first().zip(self.bins.last());
        ends.map_or((0, 0), |(first, last)| (first.start_ms, last.end_ms))
    }

    /// Whether the bins are made of smaller ones here.
    pub(super) fn is_made(&self) -> bool {
        self.stored != self.granularity
    }
}

/// The largest stored bins of which these are made whole.
fn stored(zone: &Zone, granularity: Granularity, bins: &[Bin]) -> Option<Granularity> {
    if bins.iter().all(|bin| zone.bin(granularity, bin.start_ms) == *bin) {
        return Some(granularity);
    }
    let fits = |of: &Granularity| {
        let begins = |at_ms: i64| zone.bin(*of, at_ms).start_ms == at_ms;
        bins.iter().all(|bin| begins(bin.start_ms) && begins(bin.end_ms))
    };
    let smaller = [Granularity::Hour, Granularity::ThirtyMinutes, Granularity::FiveMinutes];
    smaller.into_iter().filter(|of| *of < granularity).find(fits)
}

fn elsewhere(name: &str, place: &Place) -> Result<Place, Refused> {
    Place::of(Some(name), place.week_start).map_err(|_| {
        Refused::parameter("bad-enum", format!("tz: {name} is not known here"), &["tz"])
    })
}

/// The bins of another zone cannot be made.
pub(super) fn not_available() -> Refused {
    let message = "the smaller bins of which those of this zone are made are not there any more";
    Refused::parameter("zone-not-available", message, &["tz"])
}
