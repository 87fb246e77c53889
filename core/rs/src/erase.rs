//! Erasure (rs.md §8): what a call tells of a person goes, what is counted stays.
//!
//! A call that tells an erased number loses the other party's address, the number that the
//! platform called, notes, unknown fields and the decision trace, and keeps a mark: what comes
//! later of it is erased before it is stored. Everywhere else ([`Numbers`]) the digits of the
//! number go and the text stays; a reason that an application gave is such a text, and goes with a
//! call that is erased whole. Times, states, tenants, profiles, services, another number that an
//! inbound call dialled and all ids stay, so that no figure changes but those of the number itself,
//! and a record that is sent again is known. Nothing is counted under a number of nines: where the
//! erased one was dialled there is none any more.

mod kept;
mod letter;
mod numbers;
mod said;
mod seal;
mod text;

use model::record::{Body, CallType, Record};

use crate::fact::{CallFact, EventFact};
use crate::quality::QualityFact;

pub use self::kept::kept_without;
pub(crate) use self::letter::gone;
pub use self::letter::{CallNames, body_without};
pub(crate) use self::numbers::masked;
pub use self::numbers::{DIGITS, Erased, Named, Number, NumberHash, Numbers, Secret};
pub use self::said::unsaid;
pub use self::seal::{OtherSecret, SEAL, newest, seal};
pub(crate) use self::text::{Ids, is_id, telephone, user_range};

/// Who nobody is (RFC 3323 §4.1.1.3).
pub const ANONYMOUS: &str = "sip:anonymous@anonymous.invalid";

impl CallFact {
    /// The fact without what it tells of a person; a reason by which is counted stays for
    /// [`Self::wipe`].
    #[must_use]
    pub fn erased(mut self) -> Self {
        ANONYMOUS.clone_into(&mut self.remote_uri);
        let values = &mut self.values;
        if self.call_type == CallType::Outbound.number() {
            values.dn = None;
        }
        values.notes = None;
        values.extra.clear();
        self.trace = None;
        self
    }

    /// The same of a call that is erased whole: the application's reason is nobody's to judge.
    #[must_use]
    pub fn unsaid(self) -> Self {
        let mut left = self.erased();
        left.values.result_reason = None;
        left
    }
}

impl CallFact {
    /// Whether it is a call of one of these numbers: it is a party, was dialled, or stands in what
    /// was written down of the call. Where the call went on its way tells nothing of a person.
    #[must_use]
    pub fn tells(&self, numbers: &Numbers) -> bool {
        let Self { local_uri, remote_uri, end, values, .. } = self;
        let reason = end.as_ref().and_then(|end| end.reason.as_ref());
        let own =
            [&values.dn, &values.reason, &values.result_reason, &values.notes, &values.origin];
        let texts = own.into_iter().flatten().chain(reason).chain(values.extra.values());
        [local_uri, remote_uri].into_iter().any(|uri| numbers.are_user_of(uri))
            || texts.into_iter().any(|text| numbers.are_in(text.as_bytes()))
    }

    /// Takes the numbers out of all that may hold one, of a call that tells them.
    pub fn wipe(&mut self, numbers: &Numbers) {
        let Self { local_uri, remote_uri, end, trace, values, .. } = self;
        let reason = end.as_mut().and_then(|end| end.reason.as_mut());
        // figures of several numbers would meet under one of nines
        values.dn.take_if(|dn| numbers.stand_in_a_row(dn));
        let own =
            [&mut values.reason, &mut values.result_reason, &mut values.notes, &mut values.origin];
        let texts = own.into_iter().flatten().chain(reason).chain(values.extra.values_mut());
        texts.for_each(|text| numbers.wipe_all(text));
        let media = values.media.as_mut().map(|media| &mut media.json);
        let resource = values.resource.as_mut().and_then(|of| of.address.as_mut());
        let others = [&mut values.call_id, &mut values.policy, trace].into_iter().flatten();
        let others = others.chain([local_uri, remote_uri]).chain(media).chain(resource);
        wipe_each(numbers, others);
    }
}

impl EventFact {
    /// Takes the numbers out of its texts; true: there was one.
    pub fn wipe(&mut self, numbers: &Numbers) -> bool {
        let Self { text, label, extra, .. } = self;
        wipe_each(numbers, [text, label, extra].into_iter().flatten())
    }
}

impl QualityFact {
    /// The fact without the texts of its failures; `None`: it has none.
    #[must_use]
    pub fn unsaid(mut self) -> Option<Self> {
        let texts = self.failures.iter_mut().map(|failure| failure.text.take());
        (texts.flatten().count() > 0).then_some(self)
    }

    /// Takes the numbers out of the texts of its failures; true: there was one.
    pub fn wipe(&mut self, numbers: &Numbers) -> bool {
        let texts = self.failures.iter_mut().filter_map(|failure| failure.text.as_mut());
        wipe_each(numbers, texts)
    }
}

/// All of them, also behind the first that holds one; true: there was one.
fn wipe_each<'t>(numbers: &Numbers, texts: impl Iterator<Item = &'t mut String>) -> bool {
    texts.map(|text| usize::from(numbers.wipe(text))).sum::<usize>() > 0
}

/// By what a record names its call; `None`: it hangs on none.
pub(crate) fn named(record: &Record) -> Option<(Option<String>, Option<&str>)> {
    let (guid, session_id) = match &record.body {
        Body::Cdr(cdr) => (&cdr.guid, Some(&*cdr.session_id)),
        Body::Event(event) => (&event.guid, event.session_id.as_deref()),
        Body::Var(var) => (&var.guid, var.session_id.as_deref()),
        Body::SqCall(call) => (&call.guid, Some(&*call.session_id)),
        _ => return None,
    };
    Some((guid.as_ref().map(ToString::to_string), session_id))
}

/// Takes the numbers out of what is read from a record again: texts of failures.
pub(crate) fn wipe_record(record: &mut Record, numbers: &Numbers) {
    for text in failure_texts(record).flatten() {
        numbers.wipe(text);
    }
}

/// All such texts go.
pub(crate) fn unsay_record(record: &mut Record) {
    failure_texts(record).for_each(|text| *text = None);
}

fn failure_texts(record: &mut Record) -> impl Iterator<Item = &mut Option<String>> {
    let failures = match &mut record.body {
        Body::SqCall(call) => Some(&mut call.failures),
        Body::Cdr(cdr) => cdr.sq.as_mut().map(|sq| &mut sq.failures),
        _ => None,
    };
    failures.into_iter().flatten().map(|failure| &mut failure.text)
}
