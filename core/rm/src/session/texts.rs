//! The texts of a dialog in one packed block: one allocation for a leg, however many there are.
//!
//! Must not interpret them; stage 9 fills them, in-dialog requests and records read them.

use serde::{Deserialize, Serialize};
use sip::buffers::Buffers;

use crate::limits;

/// What is kept of a dialog as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    CallId,
    /// Tag of the caller (From of the INVITE).
    FromTag,
    /// Tag of the called side, once known.
    ToTag,
    FromUri,
    ToUri,
    /// Contact of the caller, renewed by target refresh.
    CallerTarget,
    /// Route set behind RM towards the caller, in the order of a Route header.
    CallerRoute,
    /// Contact of the called side.
    CalleeTarget,
    /// Route set behind RM towards the called side.
    CalleeRoute,
    CallUuid,
    /// Dialled number in normal form.
    Dn,
    /// Calling number.
    Ani,
    SourceName,
    SourceAddress,
    /// Reason header of the request that ended it.
    ReasonHeader,
    /// Id of its conference.
    Conference,
    /// What else is kept of its conference (`pool::conference`); of a recording its name.
    Instance,
    /// Number that was dialled towards the outside, before dialling rules changed it.
    Dialled,
    /// What it shares with other calls that go to the same resource, in its tenant.
    Affinity,
}

const COUNT: usize = 19;

/// The packed block. A text that would break the limits of `limits.rs` is left out.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Texts {
    bytes: String,
    ends: [u16; COUNT],
}

impl Texts {
    /// Packs the given ones; what is not given is empty.
    pub(crate) fn pack(given: &[(Text, &str)], buffers: &mut Buffers) -> Self {
        let mut parts = [""; COUNT];
        for (field, text) in given {
            if let Some(part) = parts.get_mut(*field as usize) {
                *part = text;
            }
        }
        Self::of(&parts, buffers)
    }

    /// One of them; empty if it was never given.
    pub(crate) fn get(&self, field: Text) -> &str {
        let at = field as usize;
        let end = |i: usize| self.ends.get(i).copied().map_or(0, usize::from);
        let start = at.checked_sub(1).map_or(0, end);
        self.bytes.get(start..end(at)).unwrap_or_default()
    }

    /// Replaces some of them.
    pub(crate) fn set(&mut self, changed: &[(Text, &str)], buffers: &mut Buffers) {
        if changed.iter().all(|(field, text)| self.get(*field) == *text) {
            return;
        }
        let old = core::mem::take(self);
        let mut parts = [""; COUNT];
        for (at, part) in parts.iter_mut().enumerate() {
            let end = |i: usize| old.ends.get(i).copied().map_or(0, usize::from);
            let start = at.checked_sub(1).map_or(0, end);
            *part = old.bytes.get(start..end(at)).unwrap_or_default();
        }
        for (field, text) in changed {
            if let Some(part) = parts.get_mut(*field as usize) {
                *part = text;
            }
        }
        *self = Self::of(&parts, buffers);
        old.release(buffers);
    }

    /// Gives their memory back.
    pub(crate) fn release(self, buffers: &mut Buffers) {
        buffers.release(self.bytes.into_bytes());
    }

    /// Whether the ends lie inside the bytes, in order and on character borders.
    pub(crate) fn is_sound(&self) -> bool {
        let mut last = 0;
        self.ends.iter().all(|end| {
            let end = usize::from(*end);
            let sound = end >= last && self.bytes.is_char_boundary(end);
            last = end;
            sound
        }) && last == self.bytes.len()
    }

    fn of(parts: &[&str; COUNT], buffers: &mut Buffers) -> Self {
        let mut kept = *parts;
        let mut len = 0;
        for part in &mut kept {
            if part.len() > limits::TEXT || len + part.len() > limits::TEXTS {
                *part = "";
            }
            len += part.len();
        }
        let mut bytes = buffers.text(len);
        let mut ends = [0_u16; COUNT];
        for (part, end) in kept.iter().zip(&mut ends) {
            bytes.push_str(part);
            *end = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        }
        Self { bytes, ends }
    }
}

#[cfg(test)]
mod tests {
    use super::{Text, Texts};
    use sip::buffers::Buffers;

    #[test]
    fn packed_texts_come_back_and_change_alone() {
        let mut buffers = Buffers::default();
        let given = [(Text::CallId, "a@b"), (Text::ToTag, "t"), (Text::Ani, "49")];
        let mut texts = Texts::pack(&given, &mut buffers);
        assert_eq!(texts.get(Text::CallId), "a@b");
        assert_eq!(texts.get(Text::FromTag), "");
        assert_eq!(texts.get(Text::Ani), "49");
        let changed = [(Text::ToTag, "longer"), (Text::ReasonHeader, "SIP;cause=200")];
        texts.set(&changed, &mut buffers);
        assert_eq!(texts.get(Text::CallId), "a@b");
        assert_eq!(texts.get(Text::ToTag), "longer");
        assert_eq!(texts.get(Text::Ani), "49");
        assert_eq!(texts.get(Text::ReasonHeader), "SIP;cause=200");
        assert!(texts.is_sound());
    }

    #[test]
    fn too_long_a_text_is_left_out_alone() {
        let long = "x".repeat(crate::limits::TEXT + 1);
        let texts =
            Texts::pack(&[(Text::FromUri, &long), (Text::ToUri, "sip:b")], &mut Buffers::default());
        assert_eq!((texts.get(Text::FromUri), texts.get(Text::ToUri)), ("", "sip:b"));
    }

    #[test]
    fn damaged_ends_are_seen() {
        let mut texts = Texts::pack(&[(Text::CallId, "a@b")], &mut Buffers::default());
        texts.ends[0] = 9;
        assert!(!texts.is_sound());
    }
}
