//! Cursors of lists: where the last page ended, bound to its filter and signed (rs.md §6).
//!
//! As hex: time made (8) ‖ where the last item stands ‖ first 20 bytes of a keyed BLAKE3 over
//! these and the filter. Calls stand at their start (8) and key (16), producers at their names.
//! The key is made at start, so cursors end with it.

use model::time::Millis;
use rs::Refused;

use super::limits::CURSOR_MS;
use crate::store::Position;

/// The key of a process's cursors from the chance of its start.
pub(super) fn key(seed: [u64; 4]) -> [u8; 32] {
    let words = seed.map(u64::to_be_bytes);
    blake3::derive_key("ringmaster rs 2026 cursors", words.as_flattened())
}

/// Bytes of the time.
const TIME: usize = 8;
const SEAL: usize = 20;
/// Bytes of a cursor, at most: a name of 128 characters is in it.
const MOST: usize = TIME + 512 + SEAL;

/// A cursor behind `position`, for this filter only.
pub(super) fn seal(key: &[u8; 32], filter: &str, position: Position, now: Millis) -> String {
    let mut place = position.started_ms.to_be_bytes().to_vec();
    place.extend_from_slice(&position.call_key);
    seal_place(key, filter, &place, now)
}

/// The same behind a name.
pub(super) fn seal_name(key: &[u8; 32], filter: &str, name: &str, now: Millis) -> String {
    seal_place(key, filter, name.as_bytes(), now)
}

fn seal_place(key: &[u8; 32], filter: &str, place: &[u8], now: Millis) -> String {
    let mut bytes = now.0.to_be_bytes().to_vec();
    bytes.extend_from_slice(place);
    let seal = sign(key, filter, &bytes);
    bytes.extend_from_slice(&seal);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a cursor says. A false, foreign or old one is `cursor-mismatch`.
pub(super) fn open(
    key: &[u8; 32],
    filter: &str,
    cursor: &str,
    now: Millis,
) -> Result<Position, Refused> {
    let place = read(key, filter, cursor, now);
    place.and_then(|place| position(&place)).ok_or_else(mismatch)
}

/// The name that a cursor says.
pub(super) fn open_name(
    key: &[u8; 32],
    filter: &str,
    cursor: &str,
    now: Millis,
) -> Result<String, Refused> {
    let place = read(key, filter, cursor, now);
    place.and_then(|place| String::from_utf8(place).ok()).ok_or_else(mismatch)
}

fn mismatch() -> Refused {
    let message = "this cursor is not of this list, or is too old: begin again without it";
    Refused::parameter("cursor-mismatch", message, &["cursor"])
}

fn position(place: &[u8]) -> Option<Position> {
    let (started, call_key) = place.split_first_chunk()?;
    let started_ms = i64::from_be_bytes(*started);
    Some(Position { started_ms, call_key: call_key.try_into().ok()? })
}

fn read(key: &[u8; 32], filter: &str, cursor: &str, now: Millis) -> Option<Vec<u8>> {
    let bytes = unhex(cursor)?;
    let (body, seal) = bytes.split_at_checked(bytes.len().checked_sub(SEAL)?)?;
    if !same(&sign(key, filter, body), seal) {
        return None;
    }
    let (made, place) = body.split_first_chunk::<TIME>()?;
    let age = now.0.checked_sub(u64::from_be_bytes(*made))?;
    (age <= CURSOR_MS).then(|| place.to_vec())
}

fn sign(key: &[u8; 32], filter: &str, body: &[u8]) -> [u8; SEAL] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(body).update(filter.as_bytes());
    let mut seal = [0; SEAL];
    hasher.finalize_xof().fill(&mut seal);
    seal
}

/// In constant time.
fn same(a: &[u8; SEAL], b: &[u8]) -> bool {
    a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() > 2 * MOST || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let pairs = text.as_bytes().chunks_exact(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_only_for_its_own_list_and_a_day_long() {
        let (key, now) = ([7; 32], Millis(1_000_000));
        let position = Position { started_ms: 5, call_key: [9; 16] };
        let cursor = seal(&key, "dn=1", position, now);
        assert_eq!(open(&key, "dn=1", &cursor, now).unwrap(), position);
        assert_eq!(open(&key, "dn=1", &cursor, Millis(now.0 + CURSOR_MS)).unwrap(), position);
        for (key, filter, cursor, now) in [
            (key, "dn=2", cursor.clone(), now),
            ([8; 32], "dn=1", cursor.clone(), now),
            (key, "dn=1", cursor.replacen(&cursor[20..21], "x", 1), now),
            (key, "dn=1", "é".repeat(52), now),
            (key, "dn=1", String::new(), now),
            (key, "dn=1", cursor.clone(), Millis(now.0 + CURSOR_MS + 1)),
        ] {
            let refused = open(&key, filter, &cursor, now).unwrap_err();
            assert_eq!(refused.code, "cursor-mismatch");
        }
    }
}
