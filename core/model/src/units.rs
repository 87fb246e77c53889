//! Durations and sizes as people write them: `250ms`, `5s`, `10m`, `2h`, `40d`; `64KiB`, `2GiB`.
//!
//! One function each, for objects, settings and flags alike (ops.md, head).

use std::time::Duration;

const DURATIONS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: [(&str, u64); 5] =
    [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// Why a text is not a duration or size; the reason is for people.
pub type Reason = &'static str;

/// Reads a duration: a whole number and one of the units ms, s, m, h, d.
///
/// # Errors
/// What is wrong with it.
pub fn duration(text: &str) -> Result<Duration, Reason> {
    let ms = scaled(text, &DURATIONS, "expected a number with ms, s, m, h or d, such as 5s")?;
    Ok(Duration::from_millis(ms))
}

/// Reads a size in bytes: a whole number and one of the units B, KiB, MiB, GiB, TiB.
///
/// # Errors
/// What is wrong with it.
pub fn size(text: &str) -> Result<u64, Reason> {
    scaled(text, &SIZES, "expected a number with B, KiB, MiB, GiB or TiB, such as 64KiB")
}

/// A duration in the greatest unit that shows it whole: `1500ms`, `15m`.
#[must_use]
pub fn print_duration(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if ms == 0 {
        return "0s".to_owned();
    }
    print(ms, &DURATIONS)
}

/// A size in the greatest unit that shows it whole: `64KiB`.
#[must_use]
pub fn print_size(bytes: u64) -> String {
    if bytes == 0 {
        return "0B".to_owned();
    }
    print(bytes, &SIZES)
}

fn scaled(text: &str, units: &[(&str, u64)], form: Reason) -> Result<u64, Reason> {
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let (Some(factor), false) = (factor, number.is_empty()) else { return Err(form) };
    let number = number.parse::<u64>().map_err(|_| "the number is too large")?;
    number.checked_mul(factor).ok_or("the number is too large")
}

fn print(value: u64, units: &[(&str, u64)]) -> String {
    let whole = units.iter().rev().find(|(_, factor)| value.is_multiple_of(*factor));
    whole.map_or_else(|| value.to_string(), |(unit, factor)| format!("{}{unit}", value / factor))
}

#[cfg(test)]
mod tests {
    use super::{duration, print_duration, print_size, size};
    use std::time::Duration;

    #[test]
    fn durations() {
        let cases = [
            ("250ms", Some(250)),
            ("5s", Some(5_000)),
            ("10m", Some(600_000)),
            ("2h", Some(7_200_000)),
            ("40d", Some(3_456_000_000)),
            ("0s", Some(0)),
            ("5", None),
            ("s", None),
            ("", None),
            ("-5s", None),
            ("1.5s", None),
            ("5 s", None),
            ("5sec", None),
            ("99999999999999999999s", None),
            ("999999999999999999d", None),
        ];
        for (text, ms) in cases {
            assert_eq!(duration(text).ok(), ms.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn sizes() {
        let cases = [
            ("64KiB", Some(65_536)),
            ("2GiB", Some(2 << 30)),
            ("1TiB", Some(1 << 40)),
            ("7B", Some(7)),
            ("64kb", None),
            ("64", None),
            ("99999999999TiB", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(size(text).ok(), bytes, "{text}");
        }
    }

    #[test]
    fn printed_as_read() {
        for text in ["0s", "250ms", "5s", "90s", "10m", "3h", "40d"] {
            assert_eq!(print_duration(duration(text).unwrap()), text);
        }
        for text in ["0B", "100B", "64KiB", "1025B", "2GiB"] {
            assert_eq!(print_size(size(text).unwrap()), text);
        }
    }
}
