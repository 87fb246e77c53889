//! Passwords as argon2id in PHC strings (rs.md §8). Slow on purpose: not to be called where bytes
//! are carried. A password is in no text and in no error.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

/// Most that one check may cost: KiB of memory, passes, lanes. A file that asks for more would
/// stop the logins of all.
const MOST: (u32, u32, u32) = (256 << 10, 16, 16);

/// What is made here costs so much (OWASP's smallest choice): 19 MiB, two passes, one lane.
const OWN: (u32, u32, u32) = (19_456, 2, 1);

/// A hash that has been read and can be checked against.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Hash(String);

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Hash {
    /// Reads a PHC string.
    ///
    /// # Errors
    /// Why it is none that is checked here; the string itself is not in the text.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let hash = PasswordHash::new(text).map_err(|_| "is no PHC string".to_owned())?;
        if hash.algorithm.as_str() != "argon2id" || hash.hash.is_none() || hash.salt.is_none() {
            return Err("is no argon2id hash with salt".to_owned());
        }
        if hash.version.is_some_and(|version| version != u32::from(Version::V0x13)) {
            return Err("is of another version of argon2 than 19".to_owned());
        }
        let params = Params::try_from(&hash).map_err(|_| "has parameters that are none")?;
        let (memory, passes, lanes) = MOST;
        if params.m_cost() > memory || params.t_cost() > passes || params.p_cost() > lanes {
            return Err(format!("asks for more than m={memory},t={passes},p={lanes}"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether it is that of the password.
    pub(super) fn fits(&self, password: &str) -> bool {
        // it was read before
        let Ok(hash) = PasswordHash::new(&self.0) else { return false };
        Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
    }

    /// What a check costs, compared with that of others: KiB times passes.
    pub(super) fn cost(&self) -> u64 {
        let params = PasswordHash::new(&self.0).ok().and_then(|hash| Params::try_from(&hash).ok());
        params.map_or(0, |params| u64::from(params.m_cost()) * u64::from(params.t_cost()))
    }

    /// As the file has it.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

/// The PHC string of a password.
///
/// # Errors
/// The password is longer than argon2 takes.
pub(super) fn hash(password: &str, salt: &[u8; 16]) -> Result<String, String> {
    let (memory, passes, lanes) = OWN;
    let params = Params::new(memory, passes, lanes, None).map_err(|error| error.to_string())?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let made = argon2.hash_password_with_salt(password.as_bytes(), salt);
    made.map(|hash: PasswordHash| hash.to_string()).map_err(|error| error.to_string())
}

/// Of `password`, and checked in no time.
#[cfg(test)]
pub(super) fn cheap() -> Hash {
    let params = Params::new(Params::MIN_M_COST, 1, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let made: PasswordHash = argon2.hash_password_with_salt(b"password", b"somesalt").unwrap();
    Hash::read(&made.to_string()).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_fits_its_password_and_no_other() {
        let text = hash("open sesame", &[7; 16]).unwrap();
        assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        let read = Hash::read(&text).unwrap();
        assert!(read.fits("open sesame"));
        assert!(!read.fits("open sesame ") && !read.fits(""));
        assert_eq!(format!("{read:?}"), "(hidden)");
    }

    /// Made by another program: `argon2` of the reference implementation.
    #[test]
    fn a_hash_of_the_reference_implementation() {
        let text = concat!(
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$",
            "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
        );
        let read = Hash::read(text).unwrap();
        assert!(read.fits("password") && !read.fits("differentpassword"));
    }

    #[test]
    fn what_cannot_be_checked_is_refused_without_being_told() {
        let salted = "c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        for (text, why) in [
            ("secret".to_owned(), "is no PHC string"),
            (String::new(), "is no PHC string"),
            (format!("$argon2i$v=19$m=64,t=2,p=1${salted}"), "is no argon2id hash with salt"),
            (format!("$scrypt$ln=16${salted}"), "is no argon2id hash with salt"),
            ("$argon2id$v=19$m=64,t=2,p=1".to_owned(), "is no argon2id hash with salt"),
            (format!("$argon2id$v=16$m=64,t=2,p=1${salted}"), "is of another version"),
            (format!("$argon2id$v=19$m=1,t=2,p=1${salted}"), "has parameters that are none"),
            (format!("$argon2id$v=19$m=4194304,t=2,p=1${salted}"), "asks for more than m=262144"),
            (format!("$argon2id$v=19$m=64,t=900,p=1${salted}"), "asks for more than m=262144"),
        ] {
            let error = Hash::read(&text).unwrap_err();
            assert!(error.starts_with(why), "{text}: {error}");
            assert!(text.is_empty() || !error.contains(&text));
        }
    }
}
