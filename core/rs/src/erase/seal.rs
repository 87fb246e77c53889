//! By what a database knows the secret that its erasures were made with: two Reporting Servers of
//! one database with two secrets would each miss the numbers of the other.

use super::numbers::Secret;
use crate::key::Key;

/// The name of the seal in `meta`.
pub const SEAL: &str = "erasure";
/// What the secret is tried on.
const TRIED: &[u8] = b"ringmaster erasure";

/// The secret is another than that of the erasures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "erasure.key is not the one that this database's erasures were made with: restore it, or copy \
     it from another Reporting Server of the database"
)]
pub struct OtherSecret;

/// What stands in `meta` once there is an erasure: a sign of the secret, and the newest number.
#[must_use]
pub fn seal(secret: &Secret, newest: i64) -> String {
    let hex: String = sign(secret).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex} {newest}")
}

/// The newest erasure of a seal; 0: there is none.
///
/// # Errors
/// [`OtherSecret`]: it was made with another one, or cannot be read.
pub fn newest(secret: &Secret, sealed: Option<&str>) -> Result<i64, OtherSecret> {
    let Some(sealed) = sealed else { return Ok(0) };
    let (_, no) = sealed.rsplit_once(' ').ok_or(OtherSecret)?;
    let no = no.parse().map_err(|_| OtherSecret)?;
    if seal(secret, no) == sealed { Ok(no) } else { Err(OtherSecret) }
}

fn sign(secret: &Secret) -> Key {
    let mut key = Key::default();
    key.copy_from_slice(&blake3::keyed_hash(secret, TRIED).as_bytes()[..16]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_opened_by_its_own_secret_alone() {
        let (own, other) = ([7; 32], [8; 32]);
        let sealed = seal(&own, 42);
        assert_eq!(newest(&own, Some(&sealed)), Ok(42));
        assert_eq!(newest(&own, None), Ok(0));
        assert_eq!(newest(&other, Some(&sealed)), Err(OtherSecret));
        for torn in ["", " ", "42", &sealed[1..], &format!("{sealed}x")] {
            assert_eq!(newest(&own, Some(torn)), Err(OtherSecret), "{torn}");
        }
    }
}
