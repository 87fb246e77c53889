//! Quality of a call (rs.md §2.7, §4.8): what `sq.call`, or the field `sq` of a `cdr`, says of a
//! session becomes the call's `sq_failed` and rows of `sq_failure`.
//!
//! The rows are a pure function of the call's row and the set of these facts. A fact whose call is
//! not known yet has rows too, with what it says itself.

use model::record::{self, Body, Failure, Record};
use serde::{Deserialize, Serialize};

use crate::fact::{Object, ms};
use crate::key::{self, Key};
use crate::row::{CallRow, Named};

const VERSION: u8 = 1;

/// What one record says of the quality of a session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QualityFact {
    /// Component.
    pub component: Object,
    /// Session there.
    pub session_id: String,
    /// GUID.
    pub guid: Option<String>,
    /// When the record was made; of a `cdr`: when the call began, which places it for certain.
    pub time_ms: i64,
    /// The session was served badly.
    pub failed: bool,
    /// The profile, as far as the record names it.
    pub profile: Option<Object>,
    /// The tenant, likewise.
    pub tenant: Option<Object>,
    /// What went wrong.
    pub failures: Vec<FailureFact>,
}

/// One failure.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns of table `sq_failure`, see `FailureRow`")]
pub struct FailureFact {
    pub time_ms: i64,
    pub kind: u8,
    pub latency_type: Option<String>,
    pub value_ms: Option<u64>,
    pub threshold_ms: Option<u64>,
    pub text: Option<String>,
}

/// One row of `sq_failure`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FailureRow {
    /// `failure_key`.
    pub failure_key: Key,
    /// Ledger key of the record that told it: all rows of one go together.
    pub id_key: Key,
    /// `time_ms`.
    pub time_ms: i64,
    /// `component_id`.
    pub component: Named,
    /// `session_id`.
    pub session_id: String,
    /// `guid`.
    pub guid: Option<String>,
    /// `profile_id`: of the record, else of the call.
    pub profile: Option<Named>,
    /// `tenant_id`, likewise.
    pub tenant: Option<Named>,
    /// `type`: number of the word.
    pub kind: u8,
    /// `latency_type`.
    pub latency_type: Option<String>,
    /// `value_ms`.
    pub value_ms: Option<i64>,
    /// `threshold_ms`.
    pub threshold_ms: Option<i64>,
    /// `text`.
    pub text: Option<String>,
}

impl QualityFact {
    /// What a record says of quality: every `sq.call`, and a `cdr` that has failures.
    #[must_use]
    pub fn of(record: &Record) -> Option<Self> {
        let component = &record.component;
        let of = |session_id: &str, guid: Option<&record::CallGuid>, failures: &[Failure]| Self {
            component: Object { dbid: component.dbid, name: Some(component.name.clone()) },
            session_id: session_id.to_owned(),
            guid: guid.map(ToString::to_string),
            time_ms: ms(record.time),
            failed: false,
            profile: None,
            tenant: None,
            failures: failures.iter().map(failure).collect(),
        };
        match &record.body {
            Body::SqCall(call) => Some(Self {
                failed: call.failed,
                profile: call.profile.as_ref().map(object),
                tenant: call.tenant.as_ref().map(object),
                ..of(&call.session_id, call.guid.as_ref(), &call.failures)
            }),
            Body::Cdr(cdr) => {
                let sq = cdr.sq.as_ref().filter(|sq| !sq.failures.is_empty())?;
                let fact = of(&cdr.session_id, cdr.guid.as_ref(), &sq.failures);
                Some(Self { failed: sq.failed, time_ms: ms(cdr.started_at), ..fact })
            }
            Body::Event(_) | Body::Var(_) | Body::Arrivals(_) | Body::Peaks(_) => None,
            Body::Outbound(_) | Body::Snmp(_) | Body::Integrity(_) | Body::Latency(_) => None,
        }
    }

    /// As one column holds it: a version, then postcard.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let bytes = postcard::to_extend(self, vec![VERSION]);
        debug_assert!(bytes.is_ok(), "a fact is plain data: {bytes:?}");
        bytes.unwrap_or_default()
    }

    /// Reads that column; `None`: another version, or damaged.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => postcard::from_bytes(rest).ok(),
            _ => None,
        }
    }

    /// Its rows; `call`: the call that it belongs to.
    pub fn rows<'f>(
        &'f self,
        id_key: Key,
        call: Option<&'f CallRow>,
    ) -> impl Iterator<Item = FailureRow> + 'f {
        let lent = call.and_then(|call| call.profile.as_ref());
        let lent = lent.map(|of| Named { dbid: of.dbid, name: of.name.clone() });
        let profile = self.profile.as_ref().map(Named::from).or(lent);
        let lent = call.and_then(|call| call.tenant.clone());
        let tenant = self.tenant.as_ref().map(Named::from).or(lent);
        let guid = self.guid.clone().or_else(|| call.and_then(|call| call.guid.clone()));
        (0_u32..).zip(&self.failures).map(move |(at, failure)| FailureRow {
            failure_key: key::failure_key(&id_key, at),
            id_key,
            time_ms: failure.time_ms,
            component: Named::from(&self.component),
            session_id: self.session_id.clone(),
            guid: guid.clone(),
            profile: profile.clone(),
            tenant: tenant.clone(),
            kind: failure.kind,
            latency_type: failure.latency_type.clone(),
            value_ms: failure.value_ms.map(integer),
            threshold_ms: failure.threshold_ms.map(integer),
            text: failure.text.clone(),
        })
    }
}

/// Whether a call was served badly: its own records say so, or any fact of it does. `None`:
/// nobody has said anything.
#[must_use]
pub fn failed<'f>(
    own: Option<bool>,
    facts: impl IntoIterator<Item = &'f QualityFact>,
) -> Option<bool> {
    facts.into_iter().map(|fact| fact.failed).chain(own).reduce(|one, other| one || other)
}

fn failure(failure: &Failure) -> FailureFact {
    FailureFact {
        time_ms: ms(failure.time),
        kind: failure.kind.number(),
        latency_type: failure.latency_type.clone(),
        value_ms: failure.value_ms,
        threshold_ms: failure.threshold_ms,
        text: failure.text.clone(),
    }
}

fn object(object: &record::ObjectRef) -> Object {
    Object { dbid: object.dbid, name: object.name.clone() }
}

fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
