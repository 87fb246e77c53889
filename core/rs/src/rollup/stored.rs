//! Facts as the job reads them from the tables, and what they are in figures.
//!
//! A store gives rows and decides nothing: which event opens a port, whose it is
//! ([`super::owned`]), and what a producer's own figures are about is decided here.

use std::collections::BTreeSet;

use model::config::Service;
use model::record::{Arrived, Basis, Body, Dimension, Kind, Record};
use model::time::Millis;

use super::alias::Aliases;
use super::call::{Call, Ports, Run};
use super::five::Facts;
use super::key::{CountKey, Dim, LevelKey, Measure, Target, text_id};
use super::own::{OwnCount, OwnLevel};
use super::owned::{FailureFact, Owned, PortFact};
use super::zone::{Bin, five_of};
use crate::correlate::Candidate;
use crate::key::{Day, Key};
use crate::share::{Mention, ObjectKind, Objects, SessionKey};
use crate::sketch::Sketch;

/// Names of the events that open and close ports.
pub const PORT_EVENTS: [&str; 4] = ["asr_open", "asr_close", "tts_open", "tts_close"];

/// Milliseconds that a producer's own bin with changes reaches back from its last instant.
pub const OWN_BIN_MS: i64 = 300_000;

/// Which facts are asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Which {
    /// Those with an instant in the bin: calls that begin or end in it, change their owner in it,
    /// or whose session has an event of [`PORT_EVENTS`] in it, also calls of the days beside the
    /// event's ([`beside`]); records of producers' own figures (`kept_record`) whose `bin_ms` is
    /// less than [`OWN_BIN_MS`] before the bin, or in it.
    ///
    /// [`beside`]: super::beside
    Touching(Bin),
    /// Those that are there just before the instant: calls that began before it and do not end
    /// before it; legs of RM that begin at it or later, whose sessions may have begun before;
    /// records of [`Kind::Peaks`] whose `bin_ms` is at most [`OWN_BIN_MS`] before it.
    Covering(i64),
}

/// What is asked of the tables of facts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// Which facts.
    pub which: Which,
    /// The days that may have such calls and events. Beside the calls that are found all legs of
    /// RM of their GUIDs are wanted: those of the same day, and where `call_day` knows the GUID
    /// those of all days that it names. What sessions have on other days than these is wanted as
    /// far as these can be read.
    pub days: BTreeSet<Day>,
    /// Whether ports are wanted of calls with `media` too.
    pub all_ports: bool,
}

/// What was found. More does no harm; one call may come twice.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stored {
    /// Calls with what hangs on them.
    pub calls: Vec<CallFacts>,
    /// Records of the kinds `or.arrivals`, `or.peaks` and `sq.latency`.
    pub kept: Vec<KeptFacts>,
    /// Events of [`PORT_EVENTS`] of the sessions [`Stored::of_ports`].
    pub ports: Vec<(SessionKey, PortFact)>,
    /// Failures of the sessions [`Stored::of_failures`].
    pub failures: Vec<(SessionKey, FailureFact)>,
    /// Calls of the sessions [`Stored::of_candidates`] that are not RM's, of each the first
    /// [`CANDIDATES`] by start and key.
    ///
    /// [`CANDIDATES`]: crate::limits::CANDIDATES
    pub candidates: Vec<(SessionKey, Candidate)>,
}

/// A call as far as figures need it: columns of its tables.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the columns of table `call`, see `CallRow`")]
pub struct CallFacts {
    pub day: Day,
    pub call_key: Key,
    pub component_type: u8,
    pub component_id: i64,
    pub session_id: String,
    pub guid: Option<String>,
    pub call_type: u8,
    pub profile_id: Option<i64>,
    pub service: Option<u8>,
    pub dn: Option<String>,
    pub started_ms: i64,
    pub answered_ms: Option<i64>,
    pub ended_ms: Option<i64>,
    pub end_state: Option<u8>,
    pub asr_used: Option<bool>,
    pub tts_used: Option<bool>,
    pub media: Option<String>,
    pub sq_failed: Option<bool>,
    /// `call_tenant`: ids by depth.
    pub tenants: Vec<i64>,
    /// `call_owner`: component and since when, by `n`.
    pub owners: Vec<(i64, i64)>,
    /// `var_call`: result and reason.
    pub result: Option<u8>,
    pub reason: Option<String>,
    /// `var_action` by `n`.
    pub actions: Vec<ActionFacts>,
}

/// A row of `var_action`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the columns of table `var_action`")]
pub struct ActionFacts {
    pub action: String,
    pub started_ms: i64,
    pub ended_ms: Option<i64>,
    pub result: Option<u8>,
    pub is_last: bool,
}

/// A row of `kept_record`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeptFacts {
    /// `component_id`.
    pub component_id: i64,
    /// `received_ms`.
    pub received_ms: i64,
    /// `id`: the body has none where the message told it.
    pub id: String,
    /// `body`.
    pub body: String,
}

impl Stored {
    /// Objects in producers' own figures whose ids are to be learned before [`Stored::facts`].
    #[must_use]
    pub fn mentions(&self) -> BTreeSet<Mention> {
        let mut mentions = BTreeSet::new();
        for kept in &self.kept {
            let Some(record) = kept.read() else { continue };
            let values = own_values(&record);
            mentions.extend(values.filter_map(|(dim, dbid, name)| {
                let kind = kind_of(dim)?;
                (dbid.is_none() && name.is_some())
                    .then(|| Mention::plain(kind, None, name.map(ToOwned::to_owned)))
            }));
        }
        mentions
    }

    /// All of it as figures take it, once each, under the ids that objects have now.
    #[must_use]
    pub fn facts(mut self, objects: &Objects, aliases: &Aliases) -> Facts {
        self.calls.sort_unstable_by_key(|call| (call.day, call.call_key));
        self.calls.dedup_by_key(|call| (call.day, call.call_key));
        let calls = std::mem::take(&mut self.calls);
        let mut owned = self.owned();
        let calls = calls.into_iter().map(|call| {
            let owned = owned.remove(&(call.day, call.call_key)).unwrap_or_default();
            call.call(&owned, aliases)
        });
        let calls = calls.collect();
        let mut facts = Facts { calls, ..Facts::default() };
        for kept in &self.kept {
            if let Some(record) = kept.read() {
                let component = aliases.meant(ObjectKind::Component, kept.component_id);
                own(component, &record, (objects, aliases), &mut facts);
            }
        }
        facts
    }

    /// What producers measured themselves.
    pub(super) fn measured(&self) -> BTreeSet<Measure> {
        let records = self.kept.iter().filter_map(KeptFacts::read);
        let of = |record: Record| match record.body {
            Body::Peaks(bin) if bin.basis == Basis::Own => Some(bin.measure),
            _ => None,
        };
        records.filter_map(of).collect()
    }
}

impl KeptFacts {
    fn read(&self) -> Option<Record> {
        let at = Millis(u64::try_from(self.received_ms).unwrap_or_default());
        let arrived = Arrived { at, message_id: Some(&self.id) };
        let read = |body: &str| Record::read(body.as_bytes(), &arrived).ok();
        let record = read(&self.body).or_else(|| read(&with_changes(&self.body)?));
        record.map(|(record, _)| record)
    }
}

/// A body that was stored when a level that did not change was sent without a list of its changes.
fn with_changes(body: &str) -> Option<String> {
    let mut record = Record::json_of(body.as_bytes())?;
    for value in record.get_mut("values")?.as_array_mut()? {
        value.as_object_mut()?.entry("deltas").or_insert_with(|| serde_json::json!([]));
    }
    Some(record.to_string())
}

impl CallFacts {
    /// The call as figures see it.
    fn call(self, owned: &Owned<'_>, aliases: &Aliases) -> Call {
        let media = self.media.as_deref();
        let asr = Ports::told(self.asr_used, media, "asr");
        let asr = self.ports_of(owned, asr, PORT_EVENTS[0]);
        let tts = Ports::told(self.tts_used, media, "tts");
        let tts = self.ports_of(owned, tts, PORT_EVENTS[2]);
        let failed = self.sq_failed == Some(true);
        let runs = self.actions.iter().filter_map(|action| run(action, self.ended_ms)).collect();
        let mut owners = self.owners;
        if owners.is_empty() {
            owners.push((self.component_id, self.started_ms));
        }
        let meant = |kind| move |id: i64| aliases.meant(kind, id);
        let component = meant(ObjectKind::Component);
        owners.iter_mut().for_each(|(owner, _)| *owner = component(*owner));
        Call {
            call_key: self.call_key,
            guid: self.guid,
            kind: self.component_type,
            owners,
            call_type: self.call_type,
            tenants: self.tenants.into_iter().map(meant(ObjectKind::Tenant)).collect(),
            profile: self.profile_id.map(meant(ObjectKind::Profile)),
            service: self.service,
            dn: self.dn,
            started_ms: self.started_ms,
            answered_ms: self.answered_ms,
            ended_ms: self.ended_ms,
            end_state: self.end_state,
            asr,
            tts,
            result: self.result,
            reason: self.reason,
            runs,
            sq_failed: failed,
            failures: owned.failures.iter().filter(|_| failed).copied().collect(),
        }
    }

    /// Ports as events tell of them: what closes, closes the one that was opened last. None is open
    /// before its call begins or after it has ended.
    fn ports_of(&self, owned: &Owned<'_>, told: Ports, opens: &str) -> Ports {
        let kind = opens.split('_').next().unwrap_or_default();
        let is_told = |name: &str| self.media.is_none() && name.starts_with(kind);
        let events = owned.ports.iter().filter(|event| is_told(&event.log_id));
        let within = |at_ms: i64| at_ms.max(self.started_ms).min(self.ended_ms.unwrap_or(i64::MAX));
        let mut spans: Vec<(i64, Option<i64>)> = Vec::new();
        for event in events {
            let at_ms = within(event.time_ms);
            if event.log_id == opens {
                spans.push((at_ms, None));
            } else if let Some(open) = spans.iter_mut().rev().find(|(_, to)| to.is_none()) {
                open.1 = Some(at_ms);
            }
        }
        let used = told.used || !spans.is_empty();
        Ports { used, spans, ..told }
    }
}

fn run(action: &ActionFacts, ended_ms: Option<i64>) -> Option<Run> {
    let to_ms = action.ended_ms.or(ended_ms)?;
    Some(Run {
        action: action.action.clone(),
        result: action.result.unwrap_or(model::record::VarResult::Unknown.number()),
        duration_ms: (to_ms - action.started_ms).max(0),
        is_last: action.is_last,
    })
}

/// The five-minute bins that a producer's own record touches; empty: it is no source.
#[must_use]
pub fn own_bins(record: &Record) -> BTreeSet<i64> {
    match &record.body {
        Body::Arrivals(bin) if bin.basis == Basis::Own => [ms(bin.bin_start)].into(),
        Body::Latency(bin) => [ms(bin.bin_start)].into(),
        Body::Peaks(bin) if bin.basis == Basis::Own => {
            let from = ms(bin.bin_start);
            let length = i64::try_from(bin.bin_seconds).unwrap_or(0) * 1000;
            [from, from + length / 2, from + length].into()
        }
        _ => BTreeSet::new(),
    }
    .into_iter()
    .map(five_of)
    .collect()
}

/// The same of a record as it is kept.
#[must_use]
pub fn own_bins_of(kept: &KeptFacts) -> BTreeSet<i64> {
    kept.read().map(|record| own_bins(&record)).unwrap_or_default()
}

/// Start of the bin of a record whose kind has one: column `bin_ms` of `kept_record`.
#[must_use]
pub fn own_bin_ms(record: &Record) -> Option<i64> {
    match &record.body {
        Body::Arrivals(bin) => Some(ms(bin.bin_start)),
        Body::Peaks(bin) => Some(ms(bin.bin_start)),
        Body::Latency(bin) => Some(ms(bin.bin_start)),
        _ => None,
    }
}

/// Numbers of the kinds that have one.
#[must_use]
pub fn own_kinds() -> [u8; 3] {
    [Kind::Arrivals, Kind::Peaks, Kind::Latency].map(Kind::number)
}

type Value<'v> = (Dimension, Option<u32>, Option<&'v str>);

fn own_values(record: &Record) -> impl Iterator<Item = Value<'_>> {
    let (arrivals, peaks) = match &record.body {
        Body::Arrivals(bin) if bin.basis == Basis::Own => (&bin.values[..], &[][..]),
        Body::Peaks(bin) if bin.basis == Basis::Own => (&[][..], &bin.values[..]),
        _ => (&[][..], &[][..]),
    };
    let arrivals = arrivals.iter().map(|value| (value.dim, value.dbid, value.name.as_deref()));
    arrivals.chain(peaks.iter().map(|value| (value.dim, value.dbid, value.name.as_deref())))
}

/// Who is who.
type Known<'o> = (&'o Objects, &'o Aliases);

fn own(component: i64, record: &Record, objects: Known<'_>, facts: &mut Facts) {
    let kind = i64::from(record.component.kind.number());
    match &record.body {
        Body::Arrivals(bin) if bin.basis == Basis::Own => {
            facts.own_counts.extend(bin.values.iter().flat_map(|value| {
                let of = (value.dim, value.dbid, value.name.as_deref());
                let call_type = value.call_type.map_or(0, |of| of.number());
                own_targets(of, (component, kind), objects).map(move |target| OwnCount {
                    bin_ms: ms(bin.bin_start),
                    key: CountKey { measure: measure(target.dim), target, call_type },
                    count: whole(value.count),
                    rejected: whole(value.rejected),
                    duration_ms: whole(value.duration_ms),
                })
            }));
        }
        Body::Peaks(bin) if bin.basis == Basis::Own => {
            facts.own_levels.extend(bin.values.iter().flat_map(|value| {
                let of = (value.dim, value.dbid, value.name.as_deref());
                own_targets(of, (component, kind), objects).map(|target| OwnLevel {
                    bin_ms: ms(bin.bin_start),
                    length_ms: whole(bin.bin_seconds) * 1000,
                    key: LevelKey { measure: bin.measure, target },
                    call_type: value.call_type.map_or(0, |of| of.number()),
                    start: whole(value.level_start),
                    deltas: value.deltas.clone().unwrap_or_default(),
                })
            }));
        }
        Body::Latency(latency) => {
            let (at, sketch) = (ms(latency.bin_start), Sketch::of(latency));
            facts.latencies.push((at, component, latency.kind.clone(), sketch));
        }
        _ => {}
    }
}

/// What a producer counts: of tenants, profiles and numbers sessions, of all else legs.
const fn measure(dim: Dim) -> Measure {
    match dim {
        Dim::All | Dim::Tenant | Dim::Profile | Dim::Dn => Measure::Sessions,
        Dim::Kind | Dim::Component | Dim::Service => Measure::Calls,
    }
}

/// The objects of a value; empty: it names none. A component counts for its kind too, which is the
/// producer's; without a name it is the producer itself.
fn own_targets(
    (dim, dbid, name): Value<'_>,
    (component, kind): (i64, i64),
    (objects, aliases): Known<'_>,
) -> impl Iterator<Item = Target> {
    let id = |kind| Some(aliases.meant(kind, objects.id(kind, dbid, name)?));
    let target = match dim {
        Dimension::Component if dbid.is_none() && name.is_none() => Some(component),
        Dimension::Component => id(ObjectKind::Component),
        Dimension::Tenant => id(ObjectKind::Tenant),
        Dimension::Profile => id(ObjectKind::Profile),
        Dimension::Dn => name.map(text_id),
        Dimension::Service => Some(0),
    };
    let service = Service::ALL.into_iter().find(|service| Some(service.as_str()) == name);
    let target = target.and_then(|id| match dim {
        Dimension::Component => Some(Target::new(Dim::Component, id)),
        Dimension::Tenant => Some(Target::new(Dim::Tenant, id)),
        Dimension::Profile => Some(Target::new(Dim::Profile, id)),
        Dimension::Dn => Some(Target::new(Dim::Dn, id)),
        Dimension::Service => service.map(|service| Target::service(service as u8, 0)),
    });
    let of_kind = target.filter(|target| target.dim == Dim::Component);
    target.into_iter().chain(of_kind.map(|_| Target::new(Dim::Kind, kind)))
}

const fn kind_of(dim: Dimension) -> Option<ObjectKind> {
    match dim {
        Dimension::Component => Some(ObjectKind::Component),
        Dimension::Tenant => Some(ObjectKind::Tenant),
        Dimension::Profile => Some(ObjectKind::Profile),
        Dimension::Dn | Dimension::Service => None,
    }
}

fn ms(time: Millis) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
