//! The canonical form of a platform object, and what it hashes to (ops.md §1.6).
//!
//! Server and clients compute the same digest of a set, so that a client proves after each change
//! that it holds exactly what the server does.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// What the Config Server writes of an object and what is no part of its meaning: `revision` too,
/// so that a set that has been rolled back has the digest that it had.
pub const SERVER_FIELDS: [&str; 5] =
    ["revision", "created_at", "created_by", "updated_at", "updated_by"];

/// JSON with sorted keys and no blanks, without [`SERVER_FIELDS`].
#[must_use]
pub fn text(object: &Value) -> String {
    Canonical(object).to_string()
}

/// SHA-256 over [`text`].
#[must_use]
pub fn digest(object: &Value) -> [u8; 32] {
    Sha256::digest(text(object)).into()
}

/// A set of objects, as one number: SHA-256 over the digests of its objects, ordered by kind and
/// DBID. Printed `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Of the objects with these digests, in their order.
    #[must_use]
    pub fn of<'d>(objects: impl IntoIterator<Item = &'d [u8; 32]>) -> Self {
        let mut hash = Sha256::new();
        objects.into_iter().for_each(|digest| hash.update(digest));
        Self(hash.finalize().into())
    }

    /// Reads what is printed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:")?.as_bytes();
        let mut bytes = [0; 32];
        if hex.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = pair.iter().try_fold(0, |sum: u8, letter| {
                let digit =
                    char::from(*letter).to_digit(16).filter(|_| !letter.is_ascii_uppercase());
                digit.and_then(|digit| u8::try_from(digit).ok()).map(|digit| sum << 4 | digit)
            })?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Prints a value canonically, however its map keeps its keys.
struct Canonical<'v>(&'v Value);

impl fmt::Display for Canonical<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_value(self.0, true, f)
    }
}

fn write_value(value: &Value, outermost: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value {
        Value::Object(entries) => {
            let kept = |key: &str| !outermost || !SERVER_FIELDS.contains(&key);
            let mut entries: Vec<_> = entries.iter().filter(|(key, _)| kept(key)).collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            f.write_str("{")?;
            for (at, (key, value)) in entries.into_iter().enumerate() {
                let comma = if at > 0 { "," } else { "" };
                write!(f, "{comma}{}:", Value::from(key.as_str()))?;
                write_value(value, false, f)?;
            }
            f.write_str("}")
        }
        Value::Array(items) => {
            f.write_str("[")?;
            for (at, item) in items.iter().enumerate() {
                f.write_str(if at > 0 { "," } else { "" })?;
                write_value(item, false, f)?;
            }
            f.write_str("]")
        }
        scalar => write!(f, "{scalar}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Digest, digest, text};

    #[test]
    fn keys_are_sorted_and_what_the_server_writes_is_left_out() {
        let object = json!({
            "name": "a\"b", "kind": "Tenant", "revision": 7, "updated_at": "2026-11-22T09:30:00Z",
            "spec": {"z": [1, {"b": 1.5, "a": null}], "revision": 3, "policy": {}},
        });
        let canonical = concat!(
            r#"{"kind":"Tenant","name":"a\"b","spec":{"policy":{},"revision":3,"#,
            r#""z":[1,{"a":null,"b":1.5}]}}"#
        );
        assert_eq!(text(&object), canonical);
        let mut later = object.clone();
        later["revision"] = json!(8);
        assert_eq!(digest(&object), digest(&later));
        later["name"] = json!("b");
        assert_ne!(digest(&object), digest(&later));
    }

    #[test]
    fn the_digest_of_a_set_is_that_of_its_objects_in_order() {
        let (a, b) = (digest(&json!({"name": "a"})), digest(&json!({"name": "b"})));
        assert_ne!(Digest::of([&a, &b]), Digest::of([&b, &a]));
        // SHA-256 of nothing
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of([]).to_string(), empty);
    }

    #[test]
    fn a_digest_is_read_as_it_is_printed() {
        let one = Digest::of([&digest(&json!({}))]);
        assert_eq!(Digest::parse(&one.to_string()), Some(one));
        for bad in ["", "sha256:", "sha256:00", &one.to_string().to_uppercase(), "md5:00"] {
            assert_eq!(Digest::parse(bad), None, "{bad}");
        }
        let upper = format!("sha256:{}", one.to_string()[7..].to_uppercase());
        assert_eq!(Digest::parse(&upper), None);
    }
}
