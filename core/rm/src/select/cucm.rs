//! Calls by which a Cisco Unified Communications Manager has a phone's call recorded (rm.md §3.4):
//! one for the near end, one for the far end, with the same number in From.

use std::fmt::Write;

use model::time::Millis;
use sip::message::Message;
use sip::uri::unescape;

/// One of the two calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cucm<'m> {
    /// Which call of the phone, the same in both; still escaped.
    refci: &'m str,
    /// The phone; still escaped.
    user: &'m str,
    far: bool,
}

/// What From says, if it is one.
pub(crate) fn cucm<'m>(message: &Message<'m>) -> Option<Cucm<'m>> {
    let from = message.from();
    let uri = from.parsed_uri()?;
    let param = |name: &str| uri.param(name).or_else(|| from.param(name));
    let far = param("x-farend").is_some();
    if !far && param("x-nearend").is_none() {
        return None;
    }
    Some(Cucm { refci: param("x-refci").flatten()?, user: uri.user.unwrap_or_default(), far })
}

impl Cucm<'_> {
    /// Appends where it is recorded, on the day of `now` in UTC.
    pub(crate) fn record(&self, now: Millis, out: &mut String) {
        let (year, month, day) = now.date();
        let (refci, user) = (unescape(self.refci), unescape(self.user));
        // writing to a String cannot fail
        let _ = write!(out, "CUCM/call-{refci}-at-{user}-on-{year:04}-{month:02}-{day:02}");
        if self.far {
            out.push_str("(2)");
        }
    }

    /// Appends what both calls have in common.
    pub(crate) fn key(&self, out: &mut String) {
        let _ = write!(out, "cucm {}", unescape(self.refci));
    }
}
