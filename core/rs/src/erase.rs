//! Erasure (rs.md §8): what a call tells of a person goes, what is counted stays.
//!
//! A call that tells an erased number loses the other party's address, the number that the
//! platform called, notes, reasons that an application gave, unknown fields and the decision
//! trace, and keeps a mark: what comes later of it is erased before it is stored. Everywhere else
//! ([`Numbers`]) the digits of the number go and the text stays. Times, states, tenants, profiles,
//! services, the dialled number of an inbound call and all ids stay, so that no figure changes and
//! a record that is sent again is known.

mod numbers;

use model::record::{Body, CallType, Record};

use crate::fact::{CallFact, EventFact};
use crate::quality::QualityFact;

pub use self::numbers::{DIGITS, Erased, NumberHash, Numbers};

/// Who nobody is (RFC 3323 §4.1.1.3).
pub const ANONYMOUS: &str = "sip:anonymous@anonymous.invalid";

impl CallFact {
    /// The fact without what it tells of a person.
    #[must_use]
    pub fn erased(mut self) -> Self {
        ANONYMOUS.clone_into(&mut self.remote_uri);
        let values = &mut self.values;
        if self.call_type == CallType::Outbound.number() {
            values.dn = None;
        }
        values.notes = None;
        values.result_reason = None;
        values.extra.clear();
        self.trace = None;
        self
    }
}

impl CallFact {
    /// Whether it tells one of these numbers.
    #[must_use]
    pub fn tells(&self, numbers: &Numbers) -> bool {
        self.clone().wipe(numbers)
    }

    /// Takes the numbers out of all that may hold one; true: there was one.
    pub fn wipe(&mut self, numbers: &Numbers) -> bool {
        let Self { local_uri, remote_uri, end, trace, values, .. } = self;
        let reason = end.as_mut().and_then(|end| end.reason.as_mut());
        let resource = values.resource.as_mut().and_then(|of| of.address.as_mut());
        let media = values.media.as_mut().map(|media| &mut media.json);
        let own = [
            &mut values.dn,
            &mut values.call_id,
            &mut values.call_uuid,
            &mut values.reason,
            &mut values.policy,
            &mut values.result_reason,
            &mut values.notes,
            &mut values.origin,
            trace,
        ];
        let all = own.into_iter().flatten().chain([local_uri, remote_uri]);
        let all = all.chain(reason).chain(resource).chain(media).chain(values.extra.values_mut());
        wipe_all(numbers, all)
    }
}

impl EventFact {
    /// Takes the numbers out of its text and label; true: there was one.
    pub fn wipe(&mut self, numbers: &Numbers) -> bool {
        let texts = [&mut self.text, &mut self.label].into_iter().flatten();
        wipe_all(numbers, texts.chain([&mut self.log_id]))
    }
}

impl QualityFact {
    /// Takes the numbers out of the texts of its failures; true: there was one.
    pub fn wipe(&mut self, numbers: &Numbers) -> bool {
        let texts = self.failures.iter_mut().filter_map(|failure| failure.text.as_mut());
        wipe_all(numbers, texts)
    }
}

/// All of them, also behind the first that holds one; true: there was one.
fn wipe_all<'t>(numbers: &Numbers, texts: impl Iterator<Item = &'t mut String>) -> bool {
    texts.map(|text| usize::from(numbers.wipe(text))).sum::<usize>() > 0
}

/// Takes the numbers out of what is read from a record again: texts of failures.
pub(crate) fn wipe_record(record: &mut Record, numbers: &Numbers) {
    let failures = match &mut record.body {
        Body::SqCall(call) => &mut call.failures,
        Body::Cdr(cdr) => match &mut cdr.sq {
            Some(sq) => &mut sq.failures,
            None => return,
        },
        _ => return,
    };
    for text in failures.iter_mut().filter_map(|failure| failure.text.as_mut()) {
        numbers.wipe(text);
    }
}
