//! A message as far as it says which try or dialog it is of.

use crate::agent::text::{header, method, tag};

/// One of SIP.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'m> {
    text: &'m str,
    /// Of a response.
    pub(super) status: Option<u16>,
    /// Of a request, or of what a response answers.
    pub(super) method: &'m str,
}

impl<'m> Message<'m> {
    /// `None`: it is no text.
    pub(super) fn of(bytes: &'m [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let status = text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse().ok());
        Some(Self { text, status, method: method(text) })
    }

    pub(super) fn call(&self) -> &'m str {
        header(self.text, "Call-ID")
    }

    /// The topmost Via, as it stands.
    pub(super) fn branch(&self) -> &'m str {
        header(self.text, "Via")
    }

    /// Those of From and To.
    pub(super) fn tags(&self) -> [&'m str; 2] {
        [tag(self.text, "From"), tag(self.text, "To")]
    }

    /// A request in a dialog.
    pub(super) fn is_inside(&self) -> bool {
        self.status.is_none() && !self.tags()[1].is_empty()
    }
}
