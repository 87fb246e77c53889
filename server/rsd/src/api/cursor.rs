//! Cursors of lists: where the last page ended, bound to its filter and signed (rs.md §6).
//!
//! 52 bytes as hex: time made (8) ‖ start of the last item (8) ‖ its key (16) ‖ first 20 bytes of a
//! keyed BLAKE3 over these and the filter. The key is made at start, so cursors end with it.

use model::time::Millis;
use rs::Refused;

use super::limits::CURSOR_MS;
use crate::store::Position;

/// The key of a process's cursors from the chance of its start.
pub(super) fn key(seed: [u64; 4]) -> [u8; 32] {
    let words = seed.map(u64::to_be_bytes);
    blake3::derive_key("ringmaster rs 2026 cursors", words.as_flattened())
}

const BODY: usize = 32;
const SEAL: usize = 20;

/// A cursor behind `position`, for this filter only.
pub(super) fn seal(key: &[u8; 32], filter: &str, position: Position, now: Millis) -> String {
    let mut bytes = Vec::with_capacity(BODY + SEAL);
    bytes.extend_from_slice(&now.0.to_be_bytes());
    bytes.extend_from_slice(&position.started_ms.to_be_bytes());
    bytes.extend_from_slice(&position.call_key);
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
    read(key, filter, cursor, now).ok_or_else(|| {
        let message = "this cursor is not of this list, or is too old: begin again without it";
        Refused::parameter("cursor-mismatch", message, &["cursor"])
    })
}

fn read(key: &[u8; 32], filter: &str, cursor: &str, now: Millis) -> Option<Position> {
    let bytes = unhex(cursor)?;
    let (body, seal) = bytes.split_at_checked(BODY)?;
    let (made, rest) = body.split_first_chunk::<8>()?;
    let (started, call_key) = rest.split_first_chunk::<8>()?;
    let expected = sign(key, filter, body);
    let age = now.0.checked_sub(u64::from_be_bytes(*made))?;
    if seal.len() != SEAL || !same(&expected, seal) || age > CURSOR_MS {
        return None;
    }
    let started_ms = i64::from_be_bytes(*started);
    Some(Position { started_ms, call_key: call_key.try_into().ok()? })
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
    if text.len() != 2 * (BODY + SEAL) || !text.is_ascii() {
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
