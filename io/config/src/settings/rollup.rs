//! `rs.rollup`, `rs.time_zone` and `rs.week_start`: how figures of hours and days are made.

use std::time::Duration;

use model::schema::{Field, Object};

use super::rs::put;

/// `rs.rollup`, and the zone of hours and larger bins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rollup {
    /// `rs.rollup.delay`: age of a mark before its bin is made again.
    pub delay: Duration,
    /// `rs.rollup.delta_days`: days that lists of changes are kept.
    pub delta_days: u32,
    /// `rs.rollup.dn_limit`: numbers that get figures on one day.
    pub dn_limit: u32,
    /// `rs.time_zone`: IANA name; `None`: the host's.
    pub time_zone: Option<String>,
    /// `rs.week_start`: 0 = Monday.
    pub week_start: u8,
    /// `rs.time_zone_rebuild`: bins of another zone are made anew.
    pub time_zone_rebuild: bool,
}

impl Default for Rollup {
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(2),
            delta_days: 7,
            dn_limit: 50_000,
            time_zone: None,
            week_start: 0,
            time_zone_rebuild: false,
        }
    }
}

/// Days that weeks may begin with, by number.
pub(super) const WEEKDAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

pub(super) fn read(rs: &Object<'_>) -> Rollup {
    let mut rollup = Rollup::default();
    if let Some(object) = rs.get("rollup").and_then(|field| field.object()) {
        let delay = |field: Field<'_>| {
            field.duration(Duration::from_millis(100), Duration::from_secs(3600))
        };
        put(&mut rollup.delay, object.get("delay").and_then(delay));
        put(
            &mut rollup.delta_days,
            object.get("delta_days").and_then(|field| field.whole(1, 3650)),
        );
        let limit = object.get("dn_limit").and_then(|field| field.whole(1, 10_000_000));
        put(&mut rollup.dn_limit, limit);
        object.finish();
    }
    let zone = rs.get("time_zone").and_then(|field| field.text());
    rollup.time_zone = zone.map(ToOwned::to_owned);
    if let Some(field) = rs.get("week_start") {
        let text = field.text();
        let day = WEEKDAYS.iter().position(|day| Some(*day) == text);
        match day.and_then(|day| u8::try_from(day).ok()) {
            Some(day) => rollup.week_start = day,
            None => {
                let list = WEEKDAYS.join(", ");
                field.note("E104", format!("\"rs.week_start\" must be one of {list}"));
            }
        }
    }
    let rebuild = rs.get("time_zone_rebuild").and_then(|field| field.boolean());
    put(&mut rollup.time_zone_rebuild, rebuild);
    rollup
}
