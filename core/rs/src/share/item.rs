//! One message of a batch as it came, and what was read in it.

use std::borrow::Cow;
use std::net::SocketAddr;

use model::record::{Body, ComponentType, Record, Refusal};
use serde::{Deserialize, Serialize};

use super::changes::MinuteKey;
use crate::erase::{Erased, Named, named, unsaid, unsay_record, wipe_record};
use crate::fact::{EventFact, Fact, Told, ms};
use crate::key::{self, Day};
use crate::row::flag;

/// A dead letter that is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterNo {
    /// Its number.
    pub no: i64,
    /// Retries, with this one.
    pub retries: u32,
}

/// Where a message came from: what a dead letter tells of it.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'b> {
    /// Sequence of its frame in the spool.
    pub seq: u64,
    /// The dead letter that it is a retry of.
    pub letter: Option<LetterNo>,
    /// When it was received, ms since 1970 UTC.
    pub received_ms: i64,
    /// The ingest queue.
    pub queue: &'b str,
    /// `openwire`, `stomp` or `http`.
    pub transport: &'static str,
    /// The logged-in user.
    pub user: Option<&'b str>,
    /// Address of the peer.
    pub peer: SocketAddr,
    /// JMSMessageID.
    pub message_id: Option<&'b str>,
    /// The id that a record without one takes: property `recordId`, else JMSCorrelationID.
    pub fallback_id: Option<&'b str>,
    /// Properties as text.
    pub properties: &'b [(String, String)],
    /// The body, or its first part where it was too large.
    pub body: &'b [u8],
}

/// One message.
#[derive(Clone, Debug)]
pub struct Item<'b> {
    /// Where it came from.
    pub origin: Origin<'b>,
    /// The record in it, or why there is none.
    pub read: Result<Good, Refusal>,
    /// Of one that is refused although it could be read: its text is not stored, so its body is
    /// not kept as it came.
    pub hushed: bool,
}

/// A message that holds a record.
#[derive(Clone, Debug)]
pub struct Good {
    /// The record.
    pub record: Record,
    /// What it tells.
    pub fact: Fact,
    /// It was stored before ([`crate::export::AGAIN`]): where its id is known, nothing changes.
    pub again: bool,
    /// It came on another kind's queue.
    pub misrouted: bool,
    /// Texts and unknown fields that were cut, and optional fields of a wrong type: counted, and
    /// never a reason to refuse it (rs.md §2.1).
    pub flaws: (u32, u32),
    /// Why it is not stored although it can be read: its time is over ([`Terms::judge`]).
    ///
    /// [`Terms::judge`]: crate::retention::Terms::judge
    pub refused: Option<Refusal>,
    /// Its call is erased whole, or its text is not stored, so its body is not kept as it came.
    pub unsaid: bool,
}

impl Item<'_> {
    /// The body of a record as it came, bytes that are no UTF-8 replaced as its reader did.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.origin.body)
    }
}

impl Good {
    /// Whether it hangs on a call, and so is stored by day. What is refused has no day.
    pub(crate) const fn is_of_a_call(&self) -> bool {
        if self.refused.is_some() {
            return false;
        }
        match &self.record.body {
            Body::Cdr(_) | Body::Event(_) | Body::Var(_) | Body::SqCall(_) => true,
            Body::Arrivals(_)
            | Body::Peaks(_)
            | Body::Outbound(_)
            | Body::Snmp(_)
            | Body::Integrity(_)
            | Body::Latency(_) => false,
        }
    }

    /// Takes erased numbers out of it: a call that tells one is erased.
    pub(crate) fn erase(&mut self, erased: &Erased) {
        let time_ms = match &self.fact.told {
            Told::Call(call) => call.started_ms,
            Told::Event(event) => event.time_ms,
            Told::Quality | Told::Later => ms(self.record.time),
        };
        self.unsay(erased, time_ms);
        let numbers = erased.at(time_ms);
        if numbers.is_empty() {
            return;
        }
        wipe_record(&mut self.record, &numbers);
        match &mut self.fact.told {
            Told::Call(call) if call.tells(&numbers) => {
                **call = call.as_ref().clone().erased();
                call.flags |= flag::ERASED;
                call.wipe(&numbers);
            }
            Told::Event(event) => {
                event.wipe(&numbers);
            }
            // a trace tells of all candidates; that of another's call goes whole
            Told::Call(call) => {
                call.trace.take_if(|trace| numbers.are_in(trace.as_bytes()));
            }
            Told::Quality | Told::Later => {}
        }
    }

    /// Nothing is left of what it tells of a person, if its call is erased whole.
    fn unsay(&mut self, erased: &Erased, time_ms: i64) {
        if !erased.has_calls(time_ms) {
            return;
        }
        let component = self.record.component.name.clone();
        let Some((guid, session_id)) = named(&self.record) else { return };
        let call = Named { guid: guid.as_deref(), component: &component, session_id };
        if !erased.has_call(&call, time_ms) {
            return;
        }
        self.unsaid = true;
        unsay_record(&mut self.record);
        match &mut self.fact.told {
            Told::Call(call) => {
                **call = call.as_ref().clone().unsaid();
                call.flags |= flag::ERASED;
            }
            Told::Event(event) => {
                let EventFact { label, text, extra, .. } = &mut **event;
                *extra = None;
                *text = text.as_ref().and_then(|text| unsaid(label.as_deref(), text));
            }
            Told::Quality | Told::Later => {}
        }
    }

    /// The GUID of its call, where that lies on another day than it tells or it tells none, and the
    /// days of such calls that are known by that. The one that the GUID tells is one of them if it
    /// is near: of a wrong one nothing is kept.
    pub(crate) fn apart(&self) -> Option<(String, Vec<Day>)> {
        let Body::Cdr(cdr) = &self.record.body else { return None };
        let (guid, day) = (cdr.guid.as_ref()?, self.fact.keys.day);
        let days = match key::guid_day(guid) {
            None => vec![day],
            Some(told) if told == day => return None,
            Some(told) if key::beside(day).contains(&told) => vec![day, told],
            Some(_) => vec![day],
        };
        self.refused.is_none().then(|| (guid.to_string(), days))
    }

    pub(crate) fn producer(&self) -> &str {
        &self.record.producer.name
    }

    /// The start of its producer, as the bits of an `i64`; −1 = it has none.
    pub(crate) fn boot(&self) -> i64 {
        self.record.producer.boot.map_or(-1, u64::cast_signed)
    }

    /// The start that told of a call, as the bits of an `i64`: of its component itself, of which is
    /// known when it began. RM's calls outlive a start (rs.md §4.9).
    pub(crate) fn own_boot(&self) -> Option<i64> {
        let Record { producer, component, .. } = &self.record;
        let own = producer.name == component.name && component.kind != ComponentType::Rm;
        producer.boot.filter(|_| own).map(u64::cast_signed)
    }

    /// The minute of an end's time, with its producer and that one's start: where its books count
    /// it among `records_out`.
    pub(crate) fn ended(&self) -> Option<MinuteKey> {
        let Told::Call(call) = &self.fact.told else { return None };
        let minute_ms = call.time_ms - call.time_ms.rem_euclid(60_000);
        call.end.as_ref().map(|_| (self.producer().to_owned(), self.boot(), minute_ms))
    }
}
