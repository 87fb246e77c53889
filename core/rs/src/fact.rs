//! A record becomes a fact: what the database needs of it, with its keys (rs.md §3.1).
//!
//! A fact is plain data that survives in the call's state (`call_fact_state`), so its format is
//! versioned there. Nothing is decided here: which fact wins is the matter of `merge`.

use std::collections::BTreeMap;

use model::record::{
    self, Body, CallGuid, Cdr, ComponentType, ContentHash, Kind, Notes, Phase, Record,
};
use model::time::Millis;
use postcard::ser_flavors::Size;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::key::{self, Keys};
use crate::row::{Named, flag};
use crate::var::{self, Report};

/// What one record tells.
#[derive(Clone, PartialEq, Debug)]
pub struct Fact {
    /// Where it belongs.
    pub keys: Keys,
    /// Hash of its content, for the ledger.
    pub content_hash: ContentHash,
    /// Kind of the record.
    pub kind: Kind,
    /// What it tells.
    pub told: Told,
}

/// The part of a fact that tables hold.
#[derive(Clone, PartialEq, Debug)]
pub enum Told {
    /// Of a call: merges into its row.
    Call(Box<CallFact>),
    /// An event, or what a voice application reports: a row of `call_event`.
    Event(Box<EventFact>),
    /// Quality of a session; [`crate::quality::QualityFact`] reads it from the record.
    Quality,
    /// A kind whose tables come in a later stage; the ledger knows it, the store keeps its body.
    Later,
}

impl Fact {
    /// The fact of a record as it was read.
    #[must_use]
    pub fn of(record: &Record, notes: &Notes) -> Self {
        let told = match &record.body {
            Body::Cdr(cdr) => Told::Call(Box::new(CallFact::of(record, cdr, notes))),
            Body::Event(event) => Told::Event(Box::new(EventFact::of(record, event))),
            Body::Var(var) => Told::Event(Box::new(EventFact::of_var(record, var))),
            Body::SqCall(_) => Told::Quality,
            Body::Arrivals(_) | Body::Peaks(_) | Body::Outbound(_) => Told::Later,
            Body::Snmp(_) | Body::Integrity(_) | Body::Latency(_) => Told::Later,
        };
        let content_hash = notes.content_hash;
        Self { keys: Keys::of(record), content_hash, kind: record.kind(), told }
    }
}

/// What one `cdr` tells of its call.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CallFact {
    /// The record's id: the last word where two facts are equal.
    pub id: String,
    /// Number of the phase: 0 start, 1 update, 2 end.
    pub phase: u8,
    /// Owner epoch.
    pub epoch: u64,
    /// The decimal number at the end of the id, 0 if none.
    pub number: u64,
    /// When the reporter made it.
    pub time_ms: i64,
    /// Number of the component's type.
    pub component_type: u8,
    /// The component.
    pub component: Object,
    /// Session there.
    pub session_id: String,
    /// RM's leg.
    pub leg: Option<u32>,
    /// Start of the call.
    pub started_ms: i64,
    /// Number of the call type.
    pub call_type: u8,
    /// Platform's side.
    pub local_uri: String,
    /// Other party.
    pub remote_uri: String,
    /// How it ended; only in an end.
    pub end: Option<End>,
    /// Tenant path, root first, the tenant itself last; empty = none.
    pub tenant: Vec<Object>,
    /// Profile.
    pub profile: Option<ProfileFact>,
    /// Usage figures.
    pub usage: Vec<UsageFact>,
    /// Bits of [`flag`].
    pub flags: u32,
    /// Everything that may be absent and is taken from the highest fact that has it.
    pub values: Values,
    /// The decision trace as JSON; it goes to `call_trace` and stays out of the state.
    #[serde(skip)]
    pub trace: Option<String>,
}

/// How a call ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct End {
    /// When.
    pub ended_ms: i64,
    /// Number of the end state.
    pub state: u8,
    /// Why.
    pub reason: Option<String>,
}

/// An object by name, DBID or both.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Object {
    /// Its DBID.
    pub dbid: Option<u32>,
    /// Its name.
    pub name: Option<String>,
}

/// A profile.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProfileFact {
    /// Which one.
    pub object: Object,
    /// Number of its service.
    pub service: Option<u8>,
}

/// Usage of one object when the session began.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UsageFact {
    /// Number of the scope.
    pub scope: u8,
    /// Which object.
    pub object: Object,
    /// Sessions.
    pub usage: Option<u64>,
    /// Burst level.
    pub burst: Option<u8>,
}

/// Optional values; absent never erases.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns of table `call`, see `CallRow`")]
pub struct Values {
    pub guid: Option<String>,
    pub answered_ms: Option<i64>,
    pub service: Option<u8>,
    pub dn: Option<String>,
    pub call_id: Option<String>,
    pub call_uuid: Option<String>,
    pub resource: Option<ResourceFact>,
    pub sip_status: Option<u16>,
    pub reason: Option<String>,
    pub policy: Option<String>,
    pub media: Option<MediaFact>,
    pub result: Option<u8>,
    pub result_reason: Option<String>,
    pub notes: Option<String>,
    pub origin: Option<String>,
    pub parent: Option<ParentFact>,
    pub sq_failed: Option<bool>,
    pub config_rev: Option<u64>,
    pub owners: Option<Vec<OwnerFact>>,
    /// Unknown fields, each as JSON.
    pub extra: BTreeMap<String, String>,
}

/// A resource; one value, since its parts belong together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns of table `call`, see `CallRow`")]
pub struct ResourceFact {
    pub group: Option<String>,
    pub name: Option<String>,
    pub dbid: Option<u32>,
    pub address: Option<String>,
    pub attempts: Option<u64>,
}

/// Media figures.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MediaFact {
    /// Whether recognition was used.
    pub asr: Option<bool>,
    /// Whether synthesis was used.
    pub tts: Option<bool>,
    /// All of it.
    pub json: String,
}

/// The session that created another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ParentFact {
    /// Its session id.
    pub session_id: String,
    /// All of it.
    pub json: String,
}

/// One owner.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OwnerFact {
    /// Component.
    pub component: Object,
    /// Since when.
    pub from_ms: i64,
}

/// One row of `call_event`, whose `day` and ledger key are the fact's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventFact {
    /// Component and session; with an empty session id that of the GUID.
    pub call_ref: key::Key,
    /// GUID.
    pub guid: Option<String>,
    /// Component.
    pub component: Named,
    /// Session there; empty if only the GUID is known.
    pub session_id: String,
    /// When it happened.
    pub time_ms: i64,
    /// Number in the id: order within a millisecond.
    pub seq: i64,
    /// Number of the level.
    pub level: u8,
    /// Name of the event.
    pub log_id: String,
    /// Label.
    pub label: Option<String>,
    /// Payload.
    pub text: Option<String>,
    /// Fields that nobody knows, a JSON object with sorted keys; `None`: there is none.
    pub extra: Option<String>,
}

impl CallFact {
    /// Bytes that it has in the state of its call.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        postcard::serialize_with_flavor(self, Size::default()).unwrap_or_default()
    }

    fn of(record: &Record, cdr: &Cdr, notes: &Notes) -> Self {
        let end = (cdr.phase == Phase::End).then_some(()).and(cdr.ended_at).map(|ended_at| End {
            ended_ms: ms(ended_at),
            state: cdr.end_state.unwrap_or(record::EndState::Unknown).number(),
            reason: cdr.reason.clone(),
        });
        let is_rm = record.component.kind == ComponentType::Rm;
        Self {
            id: record.id.clone(),
            phase: cdr.phase.number(),
            epoch: cdr.epoch,
            number: number(&record.id),
            time_ms: ms(record.time),
            component_type: record.component.kind.number(),
            component: Object {
                dbid: record.component.dbid,
                name: Some(record.component.name.clone()),
            },
            session_id: cdr.session_id.clone(),
            leg: cdr.leg.filter(|_| is_rm).map(|leg| leg.0),
            started_ms: ms(cdr.started_at),
            call_type: cdr.call_type.number(),
            local_uri: cdr.local_uri.clone(),
            remote_uri: cdr.remote_uri.clone(),
            end,
            tenant: cdr.tenant.as_ref().map(path).unwrap_or_default(),
            profile: cdr.profile.as_ref().map(|profile| ProfileFact {
                object: Object { dbid: profile.dbid, name: profile.name.clone() },
                service: profile.service.map(|service| service as u8),
            }),
            usage: cdr.usage.iter().map(usage).collect(),
            flags: flags(cdr.phase, notes),
            values: values(record, cdr),
            trace: json(&cdr.trace).filter(|_| !cdr.trace.is_empty()),
        }
    }
}

impl EventFact {
    fn of(record: &Record, event: &record::CallEvent) -> Self {
        Self {
            level: event.level.number(),
            log_id: event.log_id.clone(),
            label: event.label.clone(),
            text: event.text.clone(),
            ..Self::begin(record, event.guid.as_ref(), event.session_id.as_deref())
        }
    }

    /// As the event that a media server would have written for the application's `<log>`.
    #[must_use]
    pub fn of_var(record: &Record, var: &record::Var) -> Self {
        let (label, text) = var::spell(var);
        Self {
            level: record::Level::Metric.number(),
            log_id: Kind::Var.as_str().to_owned(),
            label: Some(label),
            text: Some(text),
            ..Self::begin(record, var.guid.as_ref(), var.session_id.as_deref())
        }
    }

    fn begin(record: &Record, guid: Option<&CallGuid>, session_id: Option<&str>) -> Self {
        let session_id = session_id.unwrap_or_default().to_owned();
        // rs.md §3.1: an event's key begins with the GUID's time, else its own
        let since = guid.and_then(CallGuid::v7).and_then(|guid| guid.time());
        let guid = guid.map(ToString::to_string);
        let session = if session_id.is_empty() { guid.as_deref() } else { Some(&*session_id) };
        let (component, since) = (&record.component, since.unwrap_or(record.time));
        Self {
            call_ref: key::call_ref(&component.name, session.unwrap_or_default(), since),
            guid,
            component: Named { dbid: component.dbid, name: Some(component.name.clone()) },
            session_id,
            time_ms: ms(record.time),
            seq: i64::try_from(number(&record.id)).unwrap_or(i64::MAX),
            level: 0,
            log_id: String::new(),
            label: None,
            text: None,
            extra: Some(&record.extra).filter(|extra| !extra.is_empty()).map(unknown),
        }
    }

    /// Whether a voice application reports it.
    #[must_use]
    pub fn is_report(&self) -> bool {
        self.label.as_deref().is_some_and(|label| label.starts_with(var::PREFIX))
    }

    /// It as a report of a voice application, if it is one.
    #[must_use]
    pub fn report(&self, id_key: key::Key) -> Option<Report> {
        let label = self.label.as_deref()?.strip_prefix(var::PREFIX)?;
        Some(Report {
            time_ms: self.time_ms,
            number: self.seq,
            id_key,
            label: label.to_owned(),
            text: self.text.clone().unwrap_or_default(),
        })
    }
}

fn unknown(extra: &Map<String, Value>) -> String {
    record::canonical(&Value::Object(extra.clone()))
}

fn values(record: &Record, cdr: &Cdr) -> Values {
    let extra = record.extra.iter();
    Values {
        guid: cdr.guid.as_ref().map(ToString::to_string),
        answered_ms: cdr.answered_at.map(ms),
        service: cdr.service.map(|service| service as u8),
        dn: cdr.dn.clone(),
        call_id: cdr.call_id.clone(),
        call_uuid: cdr.call_uuid.clone(),
        resource: cdr.resource.as_ref().map(|resource| ResourceFact {
            group: resource.group.clone(),
            name: resource.name.clone(),
            dbid: resource.dbid,
            address: resource.address.clone(),
            attempts: resource.attempts,
        }),
        sip_status: cdr.sip_status,
        reason: cdr.reason.clone().filter(|_| cdr.phase != Phase::End),
        policy: cdr.policy.as_ref().and_then(json),
        media: cdr.media.as_ref().map(|media| MediaFact {
            asr: media.asr.as_ref().map(|ports| ports.used),
            tts: media.tts.as_ref().map(|ports| ports.used),
            json: json(media).unwrap_or_default(),
        }),
        result: cdr.result.map(record::VarResult::number),
        result_reason: cdr.result_reason.clone(),
        notes: cdr.notes.clone(),
        origin: cdr.origin.clone(),
        parent: cdr.parent.as_ref().map(|parent| ParentFact {
            session_id: parent.session_id.clone(),
            // as the databases may take it apart
            json: serde_json::to_value(parent)
                .map(|parent| record::canonical(&parent))
                .unwrap_or_default(),
        }),
        sq_failed: cdr.sq.as_ref().map(|sq| sq.failed),
        config_rev: record.config_rev,
        owners: (!cdr.owners.is_empty()).then(|| cdr.owners.iter().map(owner).collect()),
        extra: extra.map(|(key, value)| (key.clone(), record::canonical(value))).collect(),
    }
}

/// The path as far as it is known, the tenant itself always last.
fn path(tenant: &record::Tenant) -> Vec<Object> {
    let leaf = Object { dbid: tenant.dbid, name: tenant.name.clone() };
    let same = |a: &Object| match (a.dbid, leaf.dbid) {
        (Some(a), Some(b)) => a == b,
        _ => a.name == leaf.name,
    };
    let mut path: Vec<_> = tenant.path.iter().map(object).collect();
    if !path.last().is_some_and(same) {
        path.push(leaf);
    }
    path
}

fn usage(usage: &record::Usage) -> UsageFact {
    UsageFact {
        scope: usage.scope.number(),
        object: Object { dbid: usage.dbid, name: Some(usage.name.clone()) },
        usage: usage.usage,
        burst: usage.burst,
    }
}

fn owner(owner: &record::Owner) -> OwnerFact {
    OwnerFact { component: object(&owner.component), from_ms: ms(owner.from) }
}

fn object(object: &record::ObjectRef) -> Object {
    Object { dbid: object.dbid, name: object.name.clone() }
}

fn flags(phase: Phase, notes: &Notes) -> u32 {
    let phase = match phase {
        Phase::Start => flag::HAS_START,
        Phase::Update => flag::HAS_UPDATE,
        Phase::End => flag::HAS_END,
    };
    let noted = [
        (notes.truncated, flag::TRUNCATED),
        (notes.end_corrected, flag::END_CORRECTED),
        (notes.bad_fields > 0, flag::BAD_FIELDS),
        (notes.extra_cut > 0, flag::EXTRA_CUT),
        (notes.repaired, flag::REPAIRED),
    ];
    noted.into_iter().filter(|(is, _)| *is).fold(phase, |flags, (_, bit)| flags | bit)
}

/// The decimal number at the end of an id; 0 if there is none.
fn number(id: &str) -> u64 {
    let digits = id.len() - id.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let digits = id.get(id.len() - digits..).unwrap_or_default();
    if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u64::MAX) }
}

/// Milliseconds as the databases' 64-bit integer.
pub(crate) fn ms(time: Millis) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

fn json<T: Serialize>(value: &T) -> Option<String> {
    serde_json::to_string(value).ok()
}
