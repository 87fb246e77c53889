//! What the reader says: why a record becomes a dead letter, or what it mended (rs.md §2.8).

use super::hash::ContentHash;

/// A record that cannot be stored; RS keeps its body as a dead letter.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{code}: {field}: {text}")]
pub struct Refusal {
    /// `not_json`, `not_utf8`, `not_an_object`, `too_deep`, `too_large`, `unknown_kind`,
    /// `missing_field`, `bad_type`, `bad_value`, `bad_id` or `bad_time`.
    pub code: &'static str,
    /// Path of the field, such as `values.3.count`; empty for the whole body.
    pub field: String,
    /// What was expected.
    pub text: String,
}

/// What the reader noticed in a record that it took.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Notes {
    /// Hash of the object as received (rs.md §2.8).
    pub content_hash: ContentHash,
    /// Some text was longer than its column and was cut.
    pub truncated: bool,
    /// `ended_at` lay before `started_at` and was corrected to it.
    pub end_corrected: bool,
    /// Bytes were no UTF-8, a text held U+0000 or half a surrogate pair: mended.
    pub repaired: bool,
    /// Optional fields of a wrong type, now in `extra._bad`.
    pub bad_fields: u32,
    /// Unknown fields that did not fit into `extra`.
    pub extra_cut: u32,
    /// The id came from the message, not from the body.
    pub id_from_message: bool,
    /// The body names no `producer.seq`: no gap proof.
    pub unsequenced: bool,
}
