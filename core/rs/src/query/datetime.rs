//! `DateTime` parameters (rs.md §5.1): `YYYY-MM-DD['T'HH:mm:ss[.SSS][zone]]`.
//!
//! Without a zone the RS zone is meant. The zone rules of IANA names come with the rollups; until
//! then the RS zone is UTC, which the manifest shows (`timezone_offset` 0).

use model::time::Millis;

use super::refused::Refused;

/// Reads a DateTime; a date alone is midnight. A `+` of the zone that was decoded as a blank is
/// accepted.
///
/// # Errors
/// `bad-datetime`.
pub fn datetime(name: &str, text: &str) -> Result<Millis, Refused> {
    read(text).ok_or_else(|| {
        let message = format!("{name} is no time such as 2026-11-22T10:00:00Z");
        Refused::parameter("bad-datetime", message, &[name])
    })
}

fn read(text: &str) -> Option<Millis> {
    match text.len() {
        10 => Millis::parse(&format!("{text}T00:00:00Z")),
        19.. => {
            let (moment, zone) = text.split_at_checked(19)?;
            if moment.as_bytes().get(10) != Some(&b'T') {
                return None;
            }
            let zone_at = zone.find(['Z', '+', '-', ' ']).unwrap_or(zone.len());
            let (fraction, zone) = zone.split_at_checked(zone_at)?;
            let zone = match zone.strip_prefix(' ') {
                Some(offset) => format!("+{offset}"),
                None if zone.is_empty() => "Z".to_owned(),
                None => zone.to_owned(),
            };
            Millis::parse(&format!("{moment}{fraction}{zone}"))
        }
        _ => None,
    }
}
